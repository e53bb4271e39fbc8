/** Exact quantiles. Windows that share no bucket are sorted one by one; overlapping ones slide over the
 *  ranks of all values of the series with a Fenwick tree, so that a value is added and removed once,
 *  however many windows hold it.
 *
 *  Source of the tree: P. M. Fenwick, A New Data Structure for Cumulative Frequency Tables (1994). */
import type { WindowBuckets } from "../buckets.ts";
import { quantileOf } from "../quantile.ts";
import type { RangeStates, SeriesCells, StateColumns, WindowValues } from "./rangeStates.ts";
import { ValueLog } from "./valueLog.ts";

export class QuantileStates implements RangeStates {
  readonly #log: ValueLog;
  readonly #quantile: number;

  constructor(quantile: number, valuesMax: number) {
    this.#quantile = quantile;
    this.#log = new ValueLog(1, valuesMax);
  }

  add(cell: number, value: number): void {
    const at = this.#log.append(cell);
    this.#log.column(0)[at] = value;
  }

  merge(columns: StateColumns, cellOf: Uint32Array): void {
    this.#log.merge(columns, cellOf);
  }

  columns(): StateColumns {
    return this.#log.toColumns();
  }

  windows(series: SeriesCells, buckets: WindowBuckets, out: WindowValues): void {
    const { first, end } = buckets;
    let overlap = false;
    for (let step = 1; step < first.length && !overlap; step++) {
      overlap = first[step]! < end[step - 1]!;
    }
    if (overlap) this.#slide(series, buckets, out);
    else this.#separately(series, buckets, out);
  }

  #separately({ cells, bucketOf }: SeriesCells, buckets: WindowBuckets, out: WindowValues): void {
    let at = 0;
    for (let step = 0; step < buckets.first.length; step++) {
      while (at < cells.length && bucketOf[cells[at]!]! < buckets.first[step]!) at++;
      const from = at;
      while (at < cells.length && bucketOf[cells[at]!]! < buckets.end[step]!) at++;
      if (at === from) continue;
      const values = this.#valuesOf(cells.subarray(from, at));
      out.values[step] = quantileOf(this.#quantile, sortedValues(values), (rank) => values[rank]!);
      out.present[step] = 1;
    }
  }

  #slide({ cells, bucketOf }: SeriesCells, buckets: WindowBuckets, out: WindowValues): void {
    const values = this.#valuesOf(cells);
    const ranks = ranksOf(values);
    const sorted = values.slice();
    sortedValues(sorted);
    const tree = new RankTree(values.length);
    // Values lie cell after cell: those of cells before `cell` end at ends[cell - 1].
    const ends = new Uint32Array(cells.length);
    for (let cell = 0, end = 0; cell < cells.length; cell++) {
      const [from, to] = this.#log.entriesOf(cells[cell]!);
      ends[cell] = end += to - from;
    }
    let [left, right, removed, added] = [0, 0, 0, 0];
    for (let step = 0; step < buckets.first.length; step++) {
      while (right < cells.length && bucketOf[cells[right]!]! < buckets.end[step]!) {
        while (added < ends[right]!) tree.change(ranks[added++]!, 1);
        right++;
      }
      while (left < right && bucketOf[cells[left]!]! < buckets.first[step]!) {
        while (removed < ends[left]!) tree.change(ranks[removed++]!, -1);
        left++;
      }
      if (left === right) continue;
      const count = added - removed;
      out.values[step] = quantileOf(this.#quantile, count, (rank) => sorted[tree.find(rank)]!);
      out.present[step] = 1;
    }
  }

  /** The values of some cells, cell after cell, as a column of its own. */
  #valuesOf(cells: Uint32Array): Float64Array {
    const ranges = Array.from(cells, (cell) => this.#log.entriesOf(cell));
    const values = new Float64Array(ranges.reduce((sum, [from, to]) => sum + to - from, 0));
    let at = 0;
    for (const [from, to] of ranges) {
      values.set(this.#log.column(0).subarray(from, to), at);
      at += to - from;
    }
    return values;
  }
}

/** Sorts in place, NaN first as the least of all, and returns how many there are. */
function sortedValues(values: Float64Array): number {
  values.sort();
  let nans = 0;
  while (nans < values.length && Number.isNaN(values[values.length - 1 - nans])) nans++;
  if (nans > 0) {
    values.copyWithin(nans, 0, values.length - nans);
    values.fill(NaN, 0, nans);
  }
  return values.length;
}

/** The place of each value among all when they are sorted; equal values have places of their own. */
function ranksOf(values: Float64Array): Uint32Array {
  const order = Uint32Array.from(values, (_, index) => index);
  order.sort((a, b) => {
    const [x, y] = [values[a]!, values[b]!];
    if (x !== x || y !== y) return Number(y !== y) - Number(x !== x);
    return x - y;
  });
  const ranks = new Uint32Array(values.length);
  for (let rank = 0; rank < order.length; rank++) ranks[order[rank]!] = rank;
  return ranks;
}

/** A set of ranks that finds its k-th smallest. */
class RankTree {
  readonly #tree: Int32Array;
  readonly #top: number;

  constructor(count: number) {
    this.#tree = new Int32Array(count + 1);
    this.#top = 2 ** Math.floor(Math.log2(Math.max(1, count)));
  }

  change(rank: number, by: number): void {
    for (let at = rank + 1; at < this.#tree.length; at += at & -at) this.#tree[at]! += by;
  }

  /** The smallest rank that `before` ranks of the set are before. */
  find(before: number): number {
    let at = 0;
    let left = before;
    for (let width = this.#top; width > 0; width >>= 1) {
      const next = at + width;
      if (next < this.#tree.length && this.#tree[next]! <= left) {
        at = next;
        left -= this.#tree[next]!;
      }
    }
    return at;
  }
}
