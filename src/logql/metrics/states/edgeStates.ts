/** The first or the last value by time. Of rows of one time, those of the stream whose labels sort first
 *  come first, rows of one stream in their order of arrival. */
import type { WindowBuckets } from "../buckets.ts";
import { type MergeableStates, slideWindows } from "../slidingWindows.ts";
import {
  type RangeStates,
  roomFor,
  type SeriesCells,
  type StateColumns,
  type WindowValues,
} from "./rangeStates.ts";

export class EdgeStates implements RangeStates, MergeableStates {
  #values = new Float64Array(64);
  /** Halves of times as numbers, and ranks: what rows are ordered by. */
  #highs = new Float64Array(64);
  #lows = new Float64Array(64);
  /** -1 in an empty cell. */
  #ranks = new Float64Array(64).fill(-1);
  #cellCount = 0;
  readonly #last: boolean;

  constructor(which: "first" | "last") {
    this.#last = which === "last";
  }

  add(cell: number, value: number, timeHigh: number, timeLow: number, rank: number): void {
    if (cell >= this.#cellCount) this.#makeRoom(cell + 1);
    this.#take(cell, value, timeHigh, timeLow >>> 0, rank);
  }

  merge([values, highs, lows, ranks]: StateColumns, cellOf: Uint32Array): void {
    for (let cell = 0; cell < cellOf.length; cell++) {
      this.add(cellOf[cell]!, values![cell]!, highs![cell]!, lows![cell]!, ranks![cell]!);
    }
  }

  columns(cellCount: number): StateColumns {
    return this.#all().map((column) => column.slice(0, cellCount));
  }

  windows(series: SeriesCells, buckets: WindowBuckets, out: WindowValues): void {
    slideWindows(this, series, buckets, (step, place) => {
      out.values[step] = this.#values[place]!;
      out.present[step] = 1;
    });
  }

  scratch(count: number): number {
    const first = this.#cellCount;
    this.#makeRoom(first + count);
    this.#cellCount = first;
    return first;
  }

  copy(from: number, to: number): void {
    for (const column of this.#all()) column[to] = column[from]!;
  }

  absorb(from: number, to: number): void {
    this.#take(
      to,
      this.#values[from]!,
      this.#highs[from]!,
      this.#lows[from]!,
      this.#ranks[from]!,
    );
  }

  #take(at: number, value: number, high: number, low: number, rank: number): void {
    if (this.#ranks[at]! >= 0) {
      const order = high - this.#highs[at]! || low - this.#lows[at]! || rank - this.#ranks[at]!;
      // A row that ties came later: it is the last, and not the first.
      if (this.#last ? order < 0 : order >= 0) return;
    }
    this.#values[at] = value;
    this.#highs[at] = high;
    this.#lows[at] = low;
    this.#ranks[at] = rank;
  }

  #all(): ReadonlyArray<Float64Array<ArrayBuffer>> {
    return [this.#values, this.#highs, this.#lows, this.#ranks];
  }

  #makeRoom(cellCount: number): void {
    this.#cellCount = cellCount;
    if (cellCount <= this.#values.length) return;
    const length = this.#values.length;
    this.#values = roomFor(this.#values, cellCount);
    this.#highs = roomFor(this.#highs, cellCount);
    this.#lows = roomFor(this.#lows, cellCount);
    this.#ranks = roomFor(this.#ranks, cellCount);
    this.#ranks.fill(-1, length);
  }
}
