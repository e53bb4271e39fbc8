/** Makes the slices of a batch known to stream actors. Pure. */
import type { Batch } from "../../streams/batch.ts";
import type { HeadSlice } from "../protocol/head.ts";

/** Slice number `index` of a batch at a log offset. */
export function headSlice(batch: Batch, offset: number, index: number): HeadSlice {
  const rowStart = index === 0 ? 0 : batch.sliceRowEnds[index - 1]!;
  const rowEnd = batch.sliceRowEnds[index]!;
  const { minTime, maxTime } = timeBounds(batch.timestamps, rowStart, rowEnd);
  const lineBytes = rowEnd === rowStart
    ? 0
    : batch.lineEnds[rowEnd - 1]! - (rowStart === 0 ? 0 : batch.lineEnds[rowStart - 1]!);
  return { batch, offset, rowStart, rowEnd, minTime, maxTime, lineBytes };
}

/** First and last timestamp of some rows. Compares 32-bit halves: a bigint per row would be an object per line. */
export function timeBounds(
  timestamps: BigInt64Array,
  rowStart: number,
  rowEnd: number,
): { readonly minTime: bigint; readonly maxTime: bigint } {
  if (rowEnd <= rowStart) return { minTime: 0n, maxTime: 0n };
  const words = new Int32Array(timestamps.buffer, timestamps.byteOffset, timestamps.length * 2);
  let least = rowStart;
  let most = rowStart;
  for (let row = rowStart + 1; row < rowEnd; row++) {
    if (isBefore(words, row, least)) least = row;
    else if (isBefore(words, most, row)) most = row;
  }
  return { minTime: timestamps[least]!, maxTime: timestamps[most]! };
}

function isBefore(words: Int32Array, a: number, b: number): boolean {
  const highA = words[a * 2 + 1]!;
  const highB = words[b * 2 + 1]!;
  return highA < highB || (highA === highB && (words[a * 2]! >>> 0) < (words[b * 2]! >>> 0));
}
