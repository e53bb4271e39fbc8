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

/** About how many bytes the rows take in the memory of another process. Of a batch's structured metadata they are taken to have
 *  their share. */
export function headBytes({ streams }: HeadSnapshot): number {
  let bytes = 0;
  for (const { slices } of streams) {
    for (const { batch, lineBytes, rowStart, rowEnd } of slices) {
      const metaBytes = batch.meta.length / Math.max(1, batch.metaIds.length);
      bytes += lineBytes + (rowEnd - rowStart) * (rowBytes + metaBytes);
    }
  }
  return Math.ceil(bytes);
}

/** Timestamp, end of the line and metadata id of a row in a batch. */
const rowBytes = 16;

/** Bytes of memory that the slices hold on to. */
export function heldBytes({ streams }: HeadSnapshot): number {
  const batches = new Set<Batch>();
  for (const { slices } of streams) for (const { batch } of slices) batches.add(batch);
  let bytes = 0;
  for (const { buffer } of batches) bytes += buffer.byteLength;
  return bytes;
}

/** The rows that match are more than was asked for. */
export class HeadTooLarge extends Error {
  override readonly name = "HeadTooLarge";
  /** At least so many. */
  readonly bytes: number;

  constructor(bytes: number) {
    super(`the unflushed rows are ${bytes} bytes or more`);
    this.bytes = bytes;
  }
}
