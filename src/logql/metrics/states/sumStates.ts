/** Sums and means of values, kept in twice the precision (doubleDouble.ts). */
import type { WindowBuckets } from "../buckets.ts";
import { additionError, rounded } from "../doubleDouble.ts";
import { type MergeableStates, slideWindows } from "../slidingWindows.ts";
import {
  type RangeStates,
  roomFor,
  type SeriesCells,
  type StateColumns,
  type WindowValues,
} from "./rangeStates.ts";

export class SumStates implements RangeStates, MergeableStates {
  #high = new Float64Array(64);
  #low = new Float64Array(64);
  #counts = new Float64Array(64);
  #cellCount = 0;
  readonly #mean: boolean;

  /** `result`: whether windows yield the sum or the mean. */
  constructor(result: "sum" | "mean") {
    this.#mean = result === "mean";
  }

  add(cell: number, value: number): void {
    if (cell >= this.#cellCount) this.#makeRoom(cell + 1);
    this.#addPair(cell, value, 0);
    this.#counts[cell]!++;
  }

  merge([high, low, counts]: StateColumns, cellOf: Uint32Array): void {
    for (let cell = 0; cell < cellOf.length; cell++) {
      const to = cellOf[cell]!;
      if (to >= this.#cellCount) this.#makeRoom(to + 1);
      this.#addPair(to, high![cell]!, low![cell]!);
      this.#counts[to]! += counts![cell]!;
    }
  }

  columns(cellCount: number): StateColumns {
    return [this.#high, this.#low, this.#counts].map((column) => column.slice(0, cellCount));
  }

  windows(series: SeriesCells, buckets: WindowBuckets, out: WindowValues): void {
    slideWindows(this, series, buckets, (step, place) => {
      const sum = rounded(this.#high[place]!, this.#low[place]!);
      out.values[step] = this.#mean ? sum / this.#counts[place]! : sum;
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
    this.#high[to] = this.#high[from]!;
    this.#low[to] = this.#low[from]!;
    this.#counts[to] = this.#counts[from]!;
  }

  absorb(from: number, to: number): void {
    this.#addPair(to, this.#high[from]!, this.#low[from]!);
    this.#counts[to]! += this.#counts[from]!;
  }

  #addPair(to: number, high: number, low: number): void {
    const before = this.#high[to]!;
    const sum = before + high;
    this.#low[to]! += additionError(before, high, sum) + low;
    this.#high[to] = sum;
  }

  #makeRoom(cellCount: number): void {
    this.#cellCount = cellCount;
    this.#high = roomFor(this.#high, cellCount);
    this.#low = roomFor(this.#low, cellCount);
    this.#counts = roomFor(this.#counts, cellCount);
  }
}
