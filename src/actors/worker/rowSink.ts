/** Collects rows as columns: stored ones as they are, or what a pipeline made of them. Owns growth
 *  and the byte limit; a timestamp is kept as two 32-bit halves, because sorting boxed bigints
 *  costs a hundred times what comparing two numbers does. */
import { category, type Row } from "../../logql/row.ts";
import { formatLabels } from "../../streams/labels.ts";
import { compareBytes } from "../../streams/metadata.ts";
import type { PipelineRows } from "../protocol/scan.ts";

/** Thrown when rows would exceed the job's byte limit. */
export class ResponseTooLarge extends Error {
  override readonly name = "ResponseTooLarge";
  constructor(bytesMax: number) {
    super(`the matching lines exceed ${bytesMax} bytes`);
  }
}

const rowsInitial = 256;
const bytesInitial = 64 * 1024;

export class RowSink {
  rowCount = 0;
  /** Two words a row: low, high (little-endian, so the same memory reads as i64). */
  times = new Int32Array(rowsInitial * 2);
  lineEnds = new Uint32Array(rowsInitial);
  metaEnds = new Uint32Array(rowsInitial);
  parsedEnds = new Uint32Array(rowsInitial);
  streamIds = new Uint32Array(rowsInitial);
  lines = new Uint8Array(bytesInitial);
  meta = new Uint8Array(1024);
  parsed = new Uint8Array(1024);
  readonly #streams = new Map<string, number>();
  readonly #bytesMax: number;
  #lineBytes = 0;
  #metaBytes = 0;
  #parsedBytes = 0;
  #slots: number[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Begins anew, with the memory it has. */
  clear(): void {
    this.rowCount =
      this.#lineBytes =
      this.#metaBytes =
      this.#parsedBytes =
        0;
    this.#streams.clear();
  }

  /** Line and label bytes so far. */
  get bytes(): number {
    return this.#lineBytes + this.#metaBytes + this.#parsedBytes;
  }

  /** Appends one row as it is stored; `times` is the source's timestamp column viewed as 32-bit
   *  words. */
  push(
    times: Int32Array,
    row: number,
    lines: Uint8Array,
    lineStart: number,
    lineEnd: number,
    meta: Uint8Array,
    metaStart: number,
    metaEnd: number,
  ): void {
    this.#putLine(lines, lineStart, lineEnd);
    const metaBytes = this.#metaBytes + metaEnd - metaStart;
    if (metaBytes > this.meta.length) this.meta = grown(this.meta, metaBytes);
    if (metaEnd > metaStart) this.meta.set(meta.subarray(metaStart, metaEnd), this.#metaBytes);
    this.#metaBytes = metaBytes;
    this.#endRow(times, row, 0);
  }

  /** Appends a row as its pipeline left it. */
  pushRow(times: Int32Array, timeIndex: number, row: Row): void {
    this.#putLine(row.line, row.lineStart, row.lineEnd);
    const metaBytes = this.#metaBytes + this.#chooseSlots(row, category.metadata);
    if (metaBytes > this.meta.length) this.meta = grown(this.meta, metaBytes);
    writeSet(this.meta, this.#metaBytes, row, this.#slots);
    this.#metaBytes = metaBytes;
    const parsedBytes = this.#parsedBytes + this.#chooseSlots(row, category.parsed);
    if (parsedBytes > this.parsed.length) this.parsed = grown(this.parsed, parsedBytes);
    writeSet(this.parsed, this.#parsedBytes, row, this.#slots);
    this.#parsedBytes = parsedBytes;
    this.#endRow(times, timeIndex, row.streamLabelsChanged ? this.#streamIdOf(row) : 0);
  }

  /** Whether row `row` of a source, whose timestamps `times` are, has the time of the row pushed
   *  last. */
  lastHasTime(times: Int32Array, row: number): boolean {
    const last = this.rowCount - 1;
    return this.times[last * 2] === times[row * 2] &&
      this.times[last * 2 + 1] === times[row * 2 + 1];
  }

  lineStart(row: number): number {
    return row === 0 ? 0 : this.lineEnds[row - 1]!;
  }

  lineEnd(row: number): number {
    return this.lineEnds[row]!;
  }

  metaStart(row: number): number {
    return row === 0 ? 0 : this.metaEnds[row - 1]!;
  }

  metaEnd(row: number): number {
    return this.metaEnds[row]!;
  }

  /** Copies of the columns, no larger than they have to be. */
  rows(): PipelineRows {
    return {
      timestamps: new BigInt64Array(this.times.slice(0, this.rowCount * 2).buffer),
      lineEnds: this.lineEnds.slice(0, this.rowCount),
      lines: this.lines.slice(0, this.#lineBytes),
      metaEnds: this.metaEnds.slice(0, this.rowCount),
      meta: this.meta.slice(0, this.#metaBytes),
      parsedEnds: this.parsedEnds.slice(0, this.rowCount),
      parsed: this.parsed.slice(0, this.#parsedBytes),
      streamIds: this.streamIds.slice(0, this.rowCount),
      streams: [...this.#streams.keys()],
    };
  }

  #putLine(lines: Uint8Array, start: number, end: number): void {
    if (this.rowCount === this.lineEnds.length) this.#growRows();
    const lineBytes = this.#lineBytes + end - start;
    // Before the copy: one line may be larger than all that is allowed.
    if (this.bytes + end - start > this.#bytesMax) throw new ResponseTooLarge(this.#bytesMax);
    if (lineBytes > this.lines.length) this.lines = grown(this.lines, lineBytes);
    this.lines.set(lines.subarray(start, end), this.#lineBytes);
    this.#lineBytes = lineBytes;
  }

  #endRow(times: Int32Array, timeIndex: number, streamId: number): void {
    if (this.bytes > this.#bytesMax) throw new ResponseTooLarge(this.#bytesMax);
    const at = this.rowCount++;
    this.times[at * 2] = times[timeIndex * 2]!;
    this.times[at * 2 + 1] = times[timeIndex * 2 + 1]!;
    this.lineEnds[at] = this.#lineBytes;
    this.metaEnds[at] = this.#metaBytes;
    this.parsedEnds[at] = this.#parsedBytes;
    this.streamIds[at] = streamId;
  }

  /** Leaves in #slots those of a category, in the order of their names; returns the bytes of the
   *  set that they make. */
  #chooseSlots(row: Row, kind: number): number {
    const slots = this.#slots;
    const { names } = row;
    slots.length = 0;
    let bytes = 0;
    for (let index = 0; index < row.memberCount; index++) {
      const slot = row.members[index]!;
      if (row.categories[slot] !== kind) continue;
      slots.push(slot);
      bytes += 6 + names.bytes(slot).length + row.ends[slot]! - row.starts[slot]!;
    }
    slots.sort((a, b) => compareBytes(names.bytes(a), names.bytes(b)));
    return bytes;
  }

  #streamIdOf(row: Row): number {
    this.#chooseSlots(row, category.stream);
    const labels = formatLabels(
      this.#slots.map((slot) => [row.names.text(slot), row.text(slot)!] as const),
    );
    let id = this.#streams.get(labels);
    if (id === undefined) this.#streams.set(labels, id = this.#streams.size + 1);
    return id;
  }

  #growRows(): void {
    const count = this.lineEnds.length * 2;
    const times = new Int32Array(count * 2);
    times.set(this.times);
    this.times = times;
    this.lineEnds = wider(this.lineEnds, count);
    this.metaEnds = wider(this.metaEnds, count);
    this.parsedEnds = wider(this.parsedEnds, count);
    this.streamIds = wider(this.streamIds, count);
  }
}

/** Writes the labels of the slots as a metadata set (streams/metadata.ts has the bytes). */
function writeSet(to: Uint8Array, start: number, row: Row, slots: ReadonlyArray<number>): void {
  let at = start;
  for (const slot of slots) {
    const name = row.names.bytes(slot);
    const valueStart = row.starts[slot]!;
    const valueBytes = row.ends[slot]! - valueStart;
    to[at] = name.length;
    to[at + 1] = name.length >>> 8;
    to[at + 2] = valueBytes;
    to[at + 3] = valueBytes >>> 8;
    to[at + 4] = valueBytes >>> 16;
    to[at + 5] = valueBytes >>> 24;
    to.set(name, at + 6);
    at += 6 + name.length;
    to.set(row.sources[slot]!.subarray(valueStart, valueStart + valueBytes), at);
    at += valueBytes;
  }
}

function wider(column: Uint32Array, count: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(count);
  larger.set(column);
  return larger;
}

function grown(bytes: Uint8Array<ArrayBuffer>, least: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(bytes.length * 2, least));
  larger.set(bytes);
  return larger;
}
