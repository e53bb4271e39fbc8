/** The moments at which a metric query is evaluated. Owns their number and place; buckets.ts owns which
 *  rows a moment's window holds. Invariant: the moments are start, start + step, … up to and including
 *  end, exactly as asked: nothing is aligned. */

/** Nanoseconds. An instant query has one moment. */
export interface StepGrid {
  readonly startNs: bigint;
  /** More than 0. */
  readonly stepNs: bigint;
  /** At least 1. */
  readonly count: number;
}

/** The grid from `startNs` to `endNs`, both included when steps fall on them. Throws a RangeError for a
 *  step that is not above 0 or an end before the start. */
export function stepGrid(startNs: bigint, endNs: bigint, stepNs: bigint): StepGrid {
  if (stepNs <= 0n) throw new RangeError(`the step is ${stepNs} ns: it must be above 0`);
  if (endNs < startNs) throw new RangeError(`the end ${endNs} is before the start ${startNs}`);
  return { startNs, stepNs, count: Number((endNs - startNs) / stepNs) + 1 };
}

/** The single moment of an instant query. */
export function instantGrid(timeNs: bigint): StepGrid {
  return { startNs: timeNs, stepNs: 1n, count: 1 };
}

/** The moment of step `index`. */
export function stepTime(grid: StepGrid, index: number): bigint {
  return grid.startNs + BigInt(index) * grid.stepNs;
}

/** The last moment. */
export function gridEnd(grid: StepGrid): bigint {
  return stepTime(grid, grid.count - 1);
}
