/** Aggregates of sliding windows from the states of buckets, in a constant number of merges for each
 *  bucket and step, however many steps a bucket is in: the two-stack queue (suffix aggregates of the
 *  older cells, one running aggregate of the younger ones). Works for any associative merge, needs no
 *  inverse, and merges in order of time. */
import type { WindowBuckets } from "./buckets.ts";
import type { SeriesCells } from "./states/rangeStates.ts";

/** States in places: those of cells, and scratch places that a family has room for. */
export interface MergeableStates {
  /** The first of `count` scratch places. They hold anything. */
  scratch(count: number): number;
  copy(from: number, to: number): void;
  /** Merges the state at `from`, which is of later rows, into the one at `to`. */
  absorb(from: number, to: number): void;
}

/** Calls `emit(step, place)` for each step whose window has cells, with the place of its aggregate. */
export function slideWindows(
  states: MergeableStates,
  { cells, bucketOf }: SeriesCells,
  buckets: WindowBuckets,
  emit: (step: number, place: number) => void,
): void {
  const suffixes = states.scratch(cells.length + 2);
  const back = suffixes + cells.length;
  const whole = back + 1;
  // Cells left..middle have suffix aggregates, middle..right are merged in `back`.
  let [left, middle, right] = [0, 0, 0];
  for (let step = 0; step < buckets.first.length; step++) {
    const [first, end] = [buckets.first[step]!, buckets.end[step]!];
    while (right < cells.length && bucketOf[cells[right]!]! < end) {
      if (right === middle) states.copy(cells[right]!, back);
      else states.absorb(cells[right]!, back);
      right++;
    }
    while (left < right && bucketOf[cells[left]!]! < first) {
      if (left === middle) {
        flip(states, cells, suffixes, left, right);
        middle = right;
      }
      left++;
    }
    if (left === right) middle = right;
    if (left === right) continue;
    if (left >= middle) emit(step, back);
    else if (middle === right) emit(step, suffixes + left);
    else {
      states.copy(suffixes + left, whole);
      states.absorb(back, whole);
      emit(step, whole);
    }
  }
}

function flip(
  states: MergeableStates,
  cells: Uint32Array,
  suffixes: number,
  left: number,
  right: number,
): void {
  for (let at = right - 1; at >= left; at--) {
    states.copy(cells[at]!, suffixes + at);
    if (at + 1 < right) states.absorb(suffixes + at + 1, suffixes + at);
  }
}
