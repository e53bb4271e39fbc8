/** Cuts time at every edge of every window, so that a row belongs to exactly one bucket and a window is
 *  a run of whole buckets, whatever range and step are. Rows are folded into buckets once; windows are
 *  put together from buckets afterwards (slidingWindows.ts).
 *  Invariant: the window of step i, `(t - range - offset, t - offset]`, is the union of the buckets
 *  first[i] to before end[i]. Times are compared as 32-bit halves, because reading a bigint allocates. */
import { gridEnd, type StepGrid, stepTime } from "./grid.ts";

/** Which windows a range aggregation has; plain data, for crossing into worker threads. */
export interface WindowSpec {
  readonly grid: StepGrid;
  readonly rangeNs: bigint;
  readonly offsetNs: bigint;
}

/** The rows that any window can hold: `start` included, `end` not. */
export function rowRange({ grid, rangeNs, offsetNs }: WindowSpec): { start: bigint; end: bigint } {
  return {
    start: grid.startNs - rangeNs - offsetNs + 1n,
    end: gridEnd(grid) - offsetNs + 1n,
  };
}

export class WindowBuckets {
  /** Buckets, those between windows (a range shorter than the step) included. */
  readonly count: number;
  /** The buckets of each step's window: first[i] to before end[i]. */
  readonly first: Uint32Array<ArrayBuffer>;
  readonly end: Uint32Array<ArrayBuffer>;
  /** Bucket b holds edges[b] < t <= edges[b + 1]. */
  readonly #edges: BigInt64Array<ArrayBuffer>;
  readonly #words: Int32Array<ArrayBuffer>;
  /** 1 for a bucket that no window has. */
  readonly #gaps: Uint8Array<ArrayBuffer>;

  constructor({ grid, rangeNs, offsetNs }: WindowSpec) {
    const starts = new BigInt64Array(grid.count);
    const ends = new BigInt64Array(grid.count);
    for (let step = 0; step < grid.count; step++) {
      const time = stepTime(grid, step) - offsetNs;
      starts[step] = clamp(time - rangeNs);
      ends[step] = clamp(time);
    }
    this.#edges = mergedEdges(starts, ends);
    this.#words = new Int32Array(this.#edges.buffer);
    this.count = this.#edges.length - 1;
    this.first = placesOf(starts, this.#edges);
    this.end = placesOf(ends, this.#edges);
    this.#gaps = new Uint8Array(this.count).fill(1);
    let covered = 0;
    for (let step = 0; step < grid.count; step++) {
      covered = Math.max(covered, this.first[step]!);
      while (covered < this.end[step]!) this.#gaps[covered++] = 0;
    }
  }

  /** The bucket that holds the time, -1 if no window does. */
  bucketOf(high: number, low: number): number {
    // The first edge that is not before the time ends its bucket.
    const at = this.#firstNotBefore(high, low);
    if (at === 0 || at > this.count) return -1;
    return this.#gaps[at - 1] === 1 ? -1 : at - 1;
  }

  /** The same for a time as bigint. */
  bucketOfTime(time: bigint): number {
    return this.bucketOf(Number(BigInt.asIntN(32, time >> 32n)), Number(BigInt.asIntN(32, time)));
  }

  /** The bucket that holds all times from `first` to `last`, both included; -1 if no window has any of
   *  them, -2 if they lie in several buckets. */
  bucketOfSpan(first: bigint, last: bigint): number {
    const from = this.#firstNotBefore(...wordsOf(first));
    const to = this.#firstNotBefore(...wordsOf(last));
    if (from !== to) {
      for (let at = from; at <= to; at++) {
        if (at > 0 && at <= this.count && this.#gaps[at - 1] === 0) return -2;
      }
      return -1;
    }
    return from === 0 || from > this.count || this.#gaps[from - 1] === 1 ? -1 : from - 1;
  }

  /** Of ascending times (as 32-bit halves, low first), the end of the run of rows from `row` on that lie
   *  in the same bucket, or the same gap, as row `row`. */
  runEnd(times: Int32Array, row: number, rowEnd: number): number {
    const at = this.#firstNotBefore(times[2 * row + 1]!, times[2 * row]!);
    if (at === this.#edges.length) return rowEnd;
    const high = this.#words[2 * at + 1]!;
    const low = this.#words[2 * at]! >>> 0;
    let [from, to] = [row, rowEnd];
    while (from < to) {
      const middle = (from + to) >>> 1;
      const timeHigh = times[2 * middle + 1]!;
      const after = timeHigh > high || (timeHigh === high && (times[2 * middle]! >>> 0) > low);
      if (after) to = middle;
      else from = middle + 1;
    }
    return from;
  }

  #firstNotBefore(high: number, low: number): number {
    const words = this.#words;
    const unsignedLow = low >>> 0;
    let [from, to] = [0, this.#edges.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      const edgeHigh = words[2 * middle + 1]!;
      const before = edgeHigh < high ||
        (edgeHigh === high && (words[2 * middle]! >>> 0) < unsignedLow);
      if (before) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

const timeLeast = -(2n ** 63n);
const timeGreatest = 2n ** 63n - 1n;

function clamp(time: bigint): bigint {
  return time < timeLeast ? timeLeast : time > timeGreatest ? timeGreatest : time;
}

function wordsOf(time: bigint): [high: number, low: number] {
  return [Number(BigInt.asIntN(32, time >> 32n)), Number(BigInt.asIntN(32, time))];
}

/** Both ascending lists as one, each value once. */
function mergedEdges(a: BigInt64Array, b: BigInt64Array): BigInt64Array<ArrayBuffer> {
  const merged = new BigInt64Array(a.length + b.length);
  let [count, indexA, indexB] = [0, 0, 0];
  while (indexA < a.length || indexB < b.length) {
    const takeA = indexB === b.length || (indexA < a.length && a[indexA]! <= b[indexB]!);
    const value = takeA ? a[indexA++]! : b[indexB++]!;
    if (count === 0 || merged[count - 1] !== value) merged[count++] = value;
  }
  return merged.slice(0, count);
}

/** Where each of some ascending edges stands among all. */
function placesOf(some: BigInt64Array, all: BigInt64Array): Uint32Array<ArrayBuffer> {
  const places = new Uint32Array(some.length);
  let at = 0;
  for (let index = 0; index < some.length; index++) {
    while (all[at]! < some[index]!) at++;
    places[index] = at;
  }
  return places;
}
