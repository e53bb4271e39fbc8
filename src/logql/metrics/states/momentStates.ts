/** Variance and standard deviation of the population: count, mean and the sum of squared distances from
 *  the mean, which merge without losing digits to cancellation.
 *
 *  Sources: B. P. Welford (1962) for adding a value; T. F. Chan, G. H. Golub and R. J. LeVeque (1979) for
 *  merging two states. */
import type { WindowBuckets } from "../buckets.ts";
import { type MergeableStates, slideWindows } from "../slidingWindows.ts";
import {
  type RangeStates,
  roomFor,
  type SeriesCells,
  type StateColumns,
  type WindowValues,
} from "./rangeStates.ts";

export class MomentStates implements RangeStates, MergeableStates {
  #counts = new Float64Array(64);
  #means = new Float64Array(64);
  #squares = new Float64Array(64);
  #cellCount = 0;
  readonly #deviation: boolean;

  constructor(result: "variance" | "deviation") {
    this.#deviation = result === "deviation";
  }

  add(cell: number, value: number): void {
    if (cell >= this.#cellCount) this.#makeRoom(cell + 1);
    const count = ++this.#counts[cell]!;
    const distance = value - this.#means[cell]!;
    const mean = this.#means[cell]! += distance / count;
    this.#squares[cell]! += distance * (value - mean);
  }

  merge([counts, means, squares]: StateColumns, cellOf: Uint32Array): void {
    for (let cell = 0; cell < cellOf.length; cell++) {
      const to = cellOf[cell]!;
      if (to >= this.#cellCount) this.#makeRoom(to + 1);
      this.#mergeInto(to, counts![cell]!, means![cell]!, squares![cell]!);
    }
  }

  columns(cellCount: number): StateColumns {
    return [this.#counts, this.#means, this.#squares].map((column) => column.slice(0, cellCount));
  }

  windows(series: SeriesCells, buckets: WindowBuckets, out: WindowValues): void {
    slideWindows(this, series, buckets, (step, place) => {
      const variance = this.#squares[place]! / this.#counts[place]!;
      out.values[step] = this.#deviation ? Math.sqrt(variance) : variance;
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
    this.#counts[to] = this.#counts[from]!;
    this.#means[to] = this.#means[from]!;
    this.#squares[to] = this.#squares[from]!;
  }

  absorb(from: number, to: number): void {
    this.#mergeInto(to, this.#counts[from]!, this.#means[from]!, this.#squares[from]!);
  }

  #mergeInto(to: number, count: number, mean: number, squares: number): void {
    const before = this.#counts[to]!;
    const total = before + count;
    const distance = mean - this.#means[to]!;
    this.#squares[to]! += squares +
      (before === 0 ? 0 : distance * distance * before * count / total);
    this.#means[to]! += before === 0 ? distance : distance * count / total;
    this.#counts[to] = total;
  }

  #makeRoom(cellCount: number): void {
    this.#cellCount = cellCount;
    this.#counts = roomFor(this.#counts, cellCount);
    this.#means = roomFor(this.#means, cellCount);
    this.#squares = roomFor(this.#squares, cellCount);
  }
}
