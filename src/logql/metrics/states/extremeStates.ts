/** The least or the greatest value. NaN counts only where nothing else is. */
import type { WindowBuckets } from "../buckets.ts";
import { type MergeableStates, slideWindows } from "../slidingWindows.ts";
import {
  type RangeStates,
  roomFor,
  type SeriesCells,
  type StateColumns,
  type WindowValues,
} from "./rangeStates.ts";

export class ExtremeStates implements RangeStates, MergeableStates {
  /** NaN until a value that is a number comes, which is what an extreme of no numbers is. */
  #extremes = new Float64Array(64).fill(NaN);
  #cellCount = 0;
  readonly #sign: number;

  constructor(which: "least" | "greatest") {
    this.#sign = which === "least" ? -1 : 1;
  }

  add(cell: number, value: number): void {
    if (cell >= this.#cellCount) this.#makeRoom(cell + 1);
    this.#take(cell, value);
  }

  merge([extremes]: StateColumns, cellOf: Uint32Array): void {
    for (let cell = 0; cell < cellOf.length; cell++) this.add(cellOf[cell]!, extremes![cell]!);
  }

  columns(cellCount: number): StateColumns {
    return [this.#extremes.slice(0, cellCount)];
  }

  windows(series: SeriesCells, buckets: WindowBuckets, out: WindowValues): void {
    slideWindows(this, series, buckets, (step, place) => {
      out.values[step] = this.#extremes[place]!;
      out.present[step] = 1;
    });
  }

  scratch(count: number): number {
    this.#extremes = roomFor(this.#extremes, this.#cellCount + count);
    return this.#cellCount;
  }

  copy(from: number, to: number): void {
    this.#extremes[to] = this.#extremes[from]!;
  }

  absorb(from: number, to: number): void {
    this.#take(to, this.#extremes[from]!);
  }

  #take(at: number, value: number): void {
    const extreme = this.#extremes[at]!;
    if (extreme !== extreme || (value - extreme) * this.#sign > 0) this.#extremes[at] = value;
  }

  #makeRoom(cellCount: number): void {
    if (cellCount > this.#extremes.length) {
      const length = this.#extremes.length;
      this.#extremes = roomFor(this.#extremes, cellCount);
      this.#extremes.fill(NaN, length);
    }
    this.#cellCount = cellCount;
  }
}
