/** Counts of rows and of bytes: whole numbers, exact up to 2^53, so a plain sum has no rounding. */
import type { WindowBuckets } from "../buckets.ts";
import { type MergeableStates, slideWindows } from "../slidingWindows.ts";
import {
  type RangeStates,
  roomFor,
  type SeriesCells,
  type StateColumns,
  type WindowValues,
} from "./rangeStates.ts";

export class TotalStates implements RangeStates, MergeableStates {
  #totals = new Float64Array(64);
  #cellCount = 0;

  /** The value is what the row counts for: 1, or its bytes. */
  add(cell: number, value: number): void {
    if (cell >= this.#cellCount) this.#makeRoom(cell + 1);
    this.#totals[cell]! += value;
  }

  merge([totals]: StateColumns, cellOf: Uint32Array): void {
    for (let cell = 0; cell < cellOf.length; cell++) this.add(cellOf[cell]!, totals![cell]!);
  }

  columns(cellCount: number): StateColumns {
    return [this.#totals.slice(0, cellCount)];
  }

  windows(series: SeriesCells, buckets: WindowBuckets, out: WindowValues): void {
    slideWindows(this, series, buckets, (step, place) => {
      out.values[step] = this.#totals[place]!;
      out.present[step] = 1;
    });
  }

  scratch(count: number): number {
    this.#totals = roomFor(this.#totals, this.#cellCount + count);
    return this.#cellCount;
  }

  copy(from: number, to: number): void {
    this.#totals[to] = this.#totals[from]!;
  }

  absorb(from: number, to: number): void {
    this.#totals[to]! += this.#totals[from]!;
  }

  #makeRoom(cellCount: number): void {
    this.#cellCount = cellCount;
    this.#totals = roomFor(this.#totals, cellCount);
  }
}
