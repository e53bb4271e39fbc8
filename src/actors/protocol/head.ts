/** The unflushed rows of a partition as a query sees them: references into batches, never copies. */
import type { Batch } from "../../streams/batch.ts";

/** Rows of one stream in one batch. */
export interface HeadSlice {
  readonly batch: Batch;
  /** Log offset of the batch. */
  readonly offset: number;
  readonly rowStart: number;
  readonly rowEnd: number;
  /** First and last timestamp of these rows, inclusive, ns. */
  readonly minTime: bigint;
  readonly maxTime: bigint;
  readonly lineBytes: number;
}

export interface HeadStream {
  readonly labels: string;
  /** In arrival order. */
  readonly slices: ReadonlyArray<HeadSlice>;
}

export interface HeadSnapshot {
  readonly partition: number;
  /** Everything below this log offset is in committed segments, everything from it on is in `streams`. A query that also reads
   *  the index counts only segments that end at or before it. */
  readonly logFrom: number;
  /** The first offset that this snapshot does not hold: a tail continues there. */
  readonly logTo: number;
  readonly streams: ReadonlyArray<HeadStream>;
}
