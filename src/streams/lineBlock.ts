/** A run of rows that can be filtered: rows of a batch slice, or a decompressed block of a chunk.
 *  The meeting point of readers (chunk.ts and whoever scans batches) and filters (src/logql), which
 *  know nothing of each other's bytes.
 *  Invariant: all columns are indexed by the same row numbers; rows outside rowStart..rowEnd may
 *  exist and are not part of it. */
import type { Batch } from "./batch.ts";
import type { GramFilter } from "./grams.ts";
import type { TimeRange } from "./record.ts";

export interface LineBlock {
  /** Row r's line is lines[lineEnds[r - 1]..lineEnds[r]), from 0 for row 0. */
  readonly lines: Uint8Array;
  readonly lineEnds: Uint32Array;
  readonly rowStart: number;
  readonly rowEnd: number;
  /** ns. In a chunk's block they ascend, in a batch's slice they come in any order. Chunks decode
   *  this column, and the two below, when first asked for: a filter that can do without them should
   *  not touch them. */
  readonly timestamps: BigInt64Array;
  /** 0 for no structured metadata, k for set k - 1. */
  readonly metaIds: Uint32Array;
  readonly sets: MetadataSets;
}

/** Metadata sets as metadata.ts writes them; set k is meta[setEnds[k - 1]..setEnds[k]). */
export interface MetadataSets {
  readonly setEnds: Uint32Array;
  readonly meta: Uint8Array;
}

export interface BlockFilter extends GramFilter {
  /** Clears the bytes of `mask` (one per row of rowStart..rowEnd, 1 = still wanted) whose rows do
   *  not match, sets none, and returns how many are left. Must not keep or change `block`. */
  apply(block: LineBlock, mask: Uint8Array): number;
}

/** Rows of one slice, or of a part of it, as a block. */
export function batchBlock(batch: Batch, rowStart: number, rowEnd: number): LineBlock {
  const { lines, lineEnds, timestamps, metaIds } = batch;
  return { lines, lineEnds, rowStart, rowEnd, timestamps, metaIds, sets: batch };
}

/** Clears the mask bytes of rows outside `range`, as a BlockFilter does, and returns how many are
 *  left. Compares 32-bit halves, because reading a bigint allocates. */
export function maskTimeRange(block: LineBlock, range: TimeRange, mask: Uint8Array): number {
  const { timestamps, rowStart, rowEnd } = block;
  // A range may reach beyond what a timestamp can be; the last time of it is a timestamp, its end
  // may not be one.
  const first = range.start > timeLeast ? range.start : timeLeast;
  const last = range.end <= timeGreatest ? range.end - 1n : timeGreatest;
  if (first > last) {
    mask.fill(0);
    return 0;
  }
  const words = new Int32Array(timestamps.buffer, timestamps.byteOffset, 2 * timestamps.length);
  const [firstHigh, firstLow] = [Number(first >> 32n), Number(first & 0xffffffffn)];
  const [lastHigh, lastLow] = [Number(last >> 32n), Number(last & 0xffffffffn)];
  let left = 0;
  for (let row = rowStart; row < rowEnd; row++) {
    const high = words[2 * row + 1]!;
    const low = words[2 * row]! >>> 0;
    const inside = (high > firstHigh || (high === firstHigh && low >= firstLow)) &&
      (high < lastHigh || (high === lastHigh && low <= lastLow));
    if (!inside) mask[row - rowStart] = 0;
    left += mask[row - rowStart]!;
  }
  return left;
}

const timeLeast = -(2n ** 63n);
const timeGreatest = 2n ** 63n - 1n;
