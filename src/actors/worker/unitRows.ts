/** The matching rows of one stream from several sources, before it is known which of them are
 *  wanted: puts them in order of time, drops exact duplicates, and only then hands out the first
 *  ones. Holds references to rows, not lines: unflushed rows may match by the million when ten are
 *  wanted. */
import type { Batch } from "../../streams/batch.ts";
import type { Direction } from "../protocol/scan.ts";

/** Where the content of some rows lies. */
export interface RowHolder {
  readonly lines: Uint8Array;
  readonly meta: Uint8Array;
  lineStart(row: number): number;
  lineEnd(row: number): number;
  metaStart(row: number): number;
  metaEnd(row: number): number;
}

/** Gets a row: where it lies, its number there, and its time's place in a column of 32-bit words.
 *  Answers whether it counts. */
export type TakeRow = (
  holder: RowHolder,
  row: number,
  times: Int32Array,
  timeIndex: number,
) => boolean;

/** Rows of a batch. */
export class BatchRows implements RowHolder {
  readonly lines: Uint8Array;
  readonly meta: Uint8Array;
  readonly #batch: Batch;

  constructor(batch: Batch) {
    this.#batch = batch;
    this.lines = batch.lines;
    this.meta = batch.meta;
  }

  lineStart(row: number): number {
    return row === 0 ? 0 : this.#batch.lineEnds[row - 1]!;
  }

  lineEnd(row: number): number {
    return this.#batch.lineEnds[row]!;
  }

  metaStart(row: number): number {
    const set = this.#batch.metaIds[row]!;
    return set <= 1 ? 0 : this.#batch.setEnds[set - 2]!;
  }

  metaEnd(row: number): number {
    const set = this.#batch.metaIds[row]!;
    return set === 0 ? 0 : this.#batch.setEnds[set - 1]!;
  }
}

export class UnitRows {
  readonly #holders: RowHolder[] = [];
  #count = 0;
  /** Per row: two words of time (low, high), the number of its holder, its number there. */
  #times = new Int32Array(512);
  #holderOf = new Uint32Array(256);
  #rowOf = new Uint32Array(256);

  /** Declares a source; the result names it in `add`. */
  addHolder(holder: RowHolder): number {
    return this.#holders.push(holder) - 1;
  }

  /** Adds a row, in arrival order. `times` is its source's timestamp column as 32-bit words. */
  add(holder: number, row: number, times: Int32Array): void {
    const at = this.#count++;
    if (at === this.#rowOf.length) this.#grow();
    this.#times[at * 2] = times[row * 2]!;
    this.#times[at * 2 + 1] = times[row * 2 + 1]!;
    this.#holderOf[at] = holder;
    this.#rowOf[at] = row;
  }

  /** Hands out distinct rows in the given direction until `rowsMax` of them counted. Rows of one
   *  time are in arrival order, or exactly reversed. `checkpoint` is called now and then and may
   *  throw. */
  emit(direction: Direction, rowsMax: number, take: TakeRow, checkpoint: () => void): void {
    const order = this.#sorted();
    const backward = direction === "backward";
    let counted = 0;
    let taken = 0;
    // Groups of one time are taken from the wanted end until there are enough rows.
    for (let at = backward ? order.length : 0; at !== (backward ? 0 : order.length);) {
      let [start, end] = backward ? [at - 1, at] : [at, at + 1];
      if (backward) {
        while (start > 0 && this.#compare(order[start - 1]!, order[start]!) === 0) start--;
      } else while (end < order.length && this.#compare(order[start]!, order[end]!) === 0) end++;
      at = backward ? start : end;
      const group = this.#distinct(order.subarray(start, end));
      for (const row of backward ? group.reverse() : group) {
        if (counted === rowsMax) return;
        if (++taken % rowsBetweenCheckpoints === 0) checkpoint();
        const holder = this.#holders[this.#holderOf[row]!]!;
        if (take(holder, this.#rowOf[row]!, this.#times, row)) counted++;
      }
    }
  }

  #sorted(): Uint32Array {
    const order = new Uint32Array(this.#count);
    let isSorted = true;
    for (let at = 0; at < order.length; at++) {
      order[at] = at;
      if (at > 0 && isSorted && this.#compare(at - 1, at) > 0) isSorted = false;
    }
    // The sort is stable (ECMAScript 2019), so rows of one time keep their arrival order.
    return isSorted ? order : order.sort((a, b) => this.#compare(a, b));
  }

  #compare(a: number, b: number): number {
    const times = this.#times;
    const high = times[a * 2 + 1]! - times[b * 2 + 1]!;
    return high !== 0 ? high : (times[a * 2]! >>> 0) - (times[b * 2]! >>> 0);
  }

  /** Rows of one time without those whose line and metadata came before. */
  #distinct(rows: Uint32Array): number[] {
    if (rows.length === 1) return [rows[0]!];
    const byHash = new Map<number, number[]>();
    const kept: number[] = [];
    for (const row of rows) {
      const hash = this.#hash(row);
      const same = byHash.get(hash);
      if (same === undefined) byHash.set(hash, [row]);
      else if (same.some((other) => this.#sameContent(row, other))) continue;
      else same.push(row);
      kept.push(row);
    }
    return kept;
  }

  #sameContent(a: number, b: number): boolean {
    const [holderA, holderB] = [
      this.#holders[this.#holderOf[a]!]!,
      this.#holders[this.#holderOf[b]!]!,
    ];
    const [rowA, rowB] = [this.#rowOf[a]!, this.#rowOf[b]!];
    return sameBytes(
      holderA.lines,
      holderA.lineStart(rowA),
      holderA.lineEnd(rowA),
      holderB.lines,
      holderB.lineStart(rowB),
      holderB.lineEnd(rowB),
    ) && sameBytes(
      holderA.meta,
      holderA.metaStart(rowA),
      holderA.metaEnd(rowA),
      holderB.meta,
      holderB.metaStart(rowB),
      holderB.metaEnd(rowB),
    );
  }

  /** FNV-1a over the line's length, at most 256 bytes of each of its ends, and as many of the
   *  metadata. */
  #hash(at: number): number {
    const holder = this.#holders[this.#holderOf[at]!]!;
    const row = this.#rowOf[at]!;
    const [start, end] = [holder.lineStart(row), holder.lineEnd(row)];
    let hash = 0x811c9dc5 ^ (end - start);
    hash = mix(hash, holder.lines, start, Math.min(end, start + hashBytes));
    hash = mix(hash, holder.lines, Math.max(start + hashBytes, end - hashBytes), end);
    const metaStart = holder.metaStart(row);
    return mix(hash, holder.meta, metaStart, Math.min(holder.metaEnd(row), metaStart + hashBytes));
  }

  #grow(): void {
    const rowCount = this.#rowOf.length * 2;
    const [times, holderOf, rowOf] = [this.#times, this.#holderOf, this.#rowOf];
    this.#times = new Int32Array(rowCount * 2);
    this.#holderOf = new Uint32Array(rowCount);
    this.#rowOf = new Uint32Array(rowCount);
    this.#times.set(times);
    this.#holderOf.set(holderOf);
    this.#rowOf.set(rowOf);
  }
}

const hashBytes = 256;
const rowsBetweenCheckpoints = 1024;

function mix(hash: number, bytes: Uint8Array, from: number, to: number): number {
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return hash;
}

function sameBytes(
  a: Uint8Array,
  startA: number,
  endA: number,
  b: Uint8Array,
  startB: number,
  endB: number,
): boolean {
  const length = endA - startA;
  if (length !== endB - startB) return false;
  for (let index = 0; index < length; index++) {
    if (a[startA + index] !== b[startB + index]) return false;
  }
  return true;
}
