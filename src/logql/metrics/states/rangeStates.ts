/** What every family of states must do. A state is what a cell (one series, one bucket of time) keeps of
 *  its rows; a worker folds rows into states, the querier merges the states of all workers and reads
 *  windows from them. One family per file beside this one; catalogue.ts says which function uses which.
 *  Invariant: the answer does not depend on how rows were cut into cells' states, or in which order
 *  states were merged. */
import type { WindowBuckets } from "../buckets.ts";

/** A family's columns, as they cross threads; which they are is the family's business. */
export type StateColumns = ReadonlyArray<
  Float64Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer>
>;

/** The cells of one series with their buckets, ascending. */
export interface SeriesCells {
  readonly cells: Uint32Array;
  /** By cell number. */
  readonly bucketOf: Uint32Array;
}

/** Values of one series at every step; steps without a row in the window are not present. */
export interface WindowValues {
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

export interface RangeStates {
  /** Folds one row into a cell. The time comes as 32-bit halves; `rank` orders rows of one time that
   *  come from different streams. Cells may be named in any order and need no preparation. */
  add(cell: number, value: number, timeHigh: number, timeLow: number, rank: number): void;
  /** Merges the states of another thread: its cell c is `cellOf[c]` here. */
  merge(columns: StateColumns, cellOf: Uint32Array): void;
  /** The states of cells 0 to before `cellCount`, to be sent away. */
  columns(cellCount: number): StateColumns;
  /** Writes the value of every window that has rows. Called once every row is merged. */
  windows(series: SeriesCells, buckets: WindowBuckets, out: WindowValues): void;
}

/** A column at least `length` long, doubled when it must grow. */
export function roomFor(
  column: Float64Array<ArrayBuffer>,
  length: number,
): Float64Array<ArrayBuffer> {
  if (length <= column.length) return column;
  const grown = new Float64Array(Math.max(length, column.length * 2));
  grown.set(column);
  return grown;
}
