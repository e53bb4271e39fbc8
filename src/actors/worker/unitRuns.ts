/** Walks the rows of one stream from several sources in order of time, without exact duplicates, as runs
 *  of neighbouring rows of one block: as long as no other source has a row in between, a run is as long
 *  as the block. Holds one block of each source that is open, whatever their number of rows.
 *  aggregateJob.ts folds the runs. Invariant: the rows visited are the same whatever of the unit was
 *  flushed, and in the same order: by time, then by arrival. */
import type { LineBlock } from "../../streams/lineBlock.ts";
import { DistinctRows } from "./distinctRows.ts";

/** Rows of a source in ascending order of time. `mask` has a byte for each row of the block, 1 for those
 *  that passed the filters; at least one does. */
export interface RunPart {
  readonly block: LineBlock;
  readonly mask: Uint8Array;
  /** The block's timestamps as 32-bit words, low first. */
  readonly times: Int32Array;
}

/** Gives a source's parts one after another, each later than the one before; null at the end. */
export interface RunSource {
  /** No row is earlier. ns. */
  readonly minTime: bigint;
  next(): RunPart | null;
}

/** Gets rows rowStart to before rowEnd of a part; those with a 0 in the mask are not meant. */
export type RunVisitor = (part: RunPart, rowStart: number, rowEnd: number) => void;

/** Visits the rows of sources that are given in the order of arrival. */
export function visitRuns(sources: ReadonlyArray<RunSource>, visit: RunVisitor): void {
  const waiting = sources.map((source, arrival) => ({ source, arrival }))
    .sort((a, b) => compareBig(a.source.minTime, b.source.minTime));
  const distinct = new DistinctRows();
  const open: Cursor[] = [];
  let nextWaiting = 0;
  const openUpTo = (high: number, low: number) => {
    while (nextWaiting < waiting.length) {
      const { source, arrival } = waiting[nextWaiting]!;
      const [minHigh, minLow] = wordsOf(source.minTime);
      if (minHigh > high || (minHigh === high && minLow > low)) return;
      nextWaiting++;
      const cursor = new Cursor(source, arrival);
      if (cursor.isOpen) open.push(cursor);
    }
  };
  while (open.length > 0 || nextWaiting < waiting.length) {
    if (open.length === 0) {
      openUpTo(...wordsOf(waiting[nextWaiting]!.source.minTime));
      continue;
    }
    const first = earliest(open, null)!;
    openUpTo(first.high, first.low);
    const leader = earliest(open, null)!;
    const rival = earliest(open, leader);
    const after = nextWaiting < waiting.length
      ? wordsOf(waiting[nextWaiting]!.source.minTime)
      : null;
    if (rival !== null && rival.high === leader.high && rival.low === leader.low) {
      visitTies(open, leader.high, leader.low, distinct, visit);
    } else leader.visitBefore(boundOf(rival, after), visit);
    for (let at = open.length - 1; at >= 0; at--) if (!open[at]!.isOpen) open.splice(at, 1);
  }
}

type Words = readonly [high: number, low: number];

/** Visits all rows of one time, those of sources that arrived earlier first, without duplicates. */
function visitTies(
  open: ReadonlyArray<Cursor>,
  high: number,
  low: number,
  distinct: DistinctRows,
  visit: RunVisitor,
): void {
  distinct.begin();
  const tied = open.filter((cursor) => cursor.high === high && cursor.low === low);
  tied.sort((a, b) => a.arrival - b.arrival);
  for (const cursor of tied) {
    while (cursor.isOpen && cursor.high === high && cursor.low === low) {
      cursor.visitTie(distinct, visit);
    }
  }
}

/** The place of a source: the next row that passed its filters, and that row's time. */
class Cursor {
  readonly arrival: number;
  readonly #source: RunSource;
  #part: RunPart | null = null;
  #row = 0;
  high = 0;
  low = 0;

  constructor(source: RunSource, arrival: number) {
    this.#source = source;
    this.arrival = arrival;
    this.#part = source.next();
    if (this.#part !== null) this.#goTo(this.#part.block.rowStart);
  }

  get isOpen(): boolean {
    return this.#part !== null;
  }

  /** Visits the rows before a time, or all of the part, and moves behind them. */
  visitBefore(bound: Words | null, visit: RunVisitor): void {
    const part = this.#part!;
    const start = this.#row;
    const end = bound === null ? part.block.rowEnd : this.#firstNotBefore(...bound);
    visit(part, start, end);
    this.#goTo(end);
  }

  /** Visits the rows of the present time that are not known yet, and moves behind them. */
  visitTie(distinct: DistinctRows, visit: RunVisitor): void {
    const part = this.#part!;
    const start = this.#row;
    const { rowStart, rowEnd } = part.block;
    let end = start;
    for (; end < rowEnd; end++) {
      if (part.times[2 * end + 1] !== this.high || part.times[2 * end]! >>> 0 !== this.low) break;
      if (part.mask[end - rowStart] === 1 && !distinct.isNew(part.block, end)) {
        part.mask[end - rowStart] = 0;
      }
    }
    visit(part, start, end);
    this.#goTo(end);
  }

  /** Moves to the first row from `row` on that passed, in the next parts if need be. */
  #goTo(row: number): void {
    let part = this.#part!;
    let at = part.mask.indexOf(1, row - part.block.rowStart);
    while (at < 0) {
      this.#part = this.#source.next();
      if (this.#part === null) return;
      part = this.#part;
      at = part.mask.indexOf(1);
    }
    this.#row = part.block.rowStart + at;
    this.high = part.times[2 * this.#row + 1]!;
    this.low = part.times[2 * this.#row]! >>> 0;
  }

  #firstNotBefore(high: number, low: number): number {
    const { times, block } = this.#part!;
    let [from, to] = [this.#row, block.rowEnd];
    while (from < to) {
      const middle = (from + to) >>> 1;
      const timeHigh = times[2 * middle + 1]!;
      if (timeHigh < high || (timeHigh === high && times[2 * middle]! >>> 0 < low)) {
        from = middle + 1;
      } else to = middle;
    }
    return from;
  }
}

/** The open cursor with the least time; of equal ones the first that is not `except`. */
function earliest(open: ReadonlyArray<Cursor>, except: Cursor | null): Cursor | null {
  let best: Cursor | null = null;
  for (const cursor of open) {
    if (cursor === except) continue;
    const isBetter = best === null || cursor.high < best.high ||
      (cursor.high === best.high && cursor.low < best.low);
    if (isBetter) best = cursor;
  }
  return best;
}

/** The earlier of the time of a rival and the first time of a source that is not open yet. */
function boundOf(rival: Cursor | null, after: Words | null): Words | null {
  if (rival === null) return after;
  if (after === null) return [rival.high, rival.low];
  const [high, low] = after;
  const isRival = rival.high < high || (rival.high === high && rival.low < low);
  return isRival ? [rival.high, rival.low] : after;
}

function wordsOf(time: bigint): Words {
  return [Number(BigInt.asIntN(32, time >> 32n)), Number(BigInt.asUintN(32, time))];
}

function compareBig(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
