/** Rows of a head slice as a source of runs: masked, in order of time, without the duplicates that one
 *  push may hold. Rows that came in order, as nearly all do, are not copied. */
import type { BlockFilter, LineBlock } from "../../streams/lineBlock.ts";
import { maskTimeRange } from "../../streams/lineBlock.ts";
import type { TimeRange } from "../../streams/record.ts";
import { DistinctRows } from "./distinctRows.ts";
import type { RunPart } from "./unitRuns.ts";

/** The rows of a slice that lie in the range and pass the filters; null if none does. */
export function slicePart(
  block: LineBlock,
  range: TimeRange,
  filters: ReadonlyArray<BlockFilter>,
): RunPart | null {
  const mask = new Uint8Array(block.rowEnd - block.rowStart).fill(1);
  let left = maskTimeRange(block, range, mask);
  for (const filter of filters) {
    if (left === 0) break;
    left = filter.apply(block, mask);
  }
  if (left === 0) return null;
  const times = timeWords(block);
  const part = isAscending(times, block) ? { block, mask, times } : sorted(block, mask, left);
  dropDuplicates(part);
  return part;
}

/** The timestamps of a block as 32-bit words, low first: reading a bigint allocates. */
export function timeWords({ timestamps }: LineBlock): Int32Array {
  return new Int32Array(timestamps.buffer, timestamps.byteOffset, 2 * timestamps.length);
}

/** Of all rows, masked or not: runs are found by binary search over them. */
function isAscending(times: Int32Array, { rowStart, rowEnd }: LineBlock): boolean {
  for (let row = rowStart + 1; row < rowEnd; row++) {
    if (compareRows(times, row - 1, row) > 0) return false;
  }
  return true;
}

function compareRows(times: Int32Array, a: number, b: number): number {
  const high = times[2 * a + 1]! - times[2 * b + 1]!;
  return high !== 0 ? high : (times[2 * a]! >>> 0) - (times[2 * b]! >>> 0);
}

/** A copy of the masked rows in order; rows of one time keep their order of arrival. */
function sorted(block: LineBlock, mask: Uint8Array, count: number): RunPart {
  const { rowStart, lines, lineEnds, timestamps, metaIds, sets } = block;
  const words = timeWords(block);
  const order = new Uint32Array(count);
  for (let index = mask.indexOf(1), at = 0; index >= 0; index = mask.indexOf(1, index + 1)) {
    order[at++] = rowStart + index;
  }
  order.sort((a, b) => compareRows(words, a, b));
  const lineBytes = order.reduce(
    (sum, row) => sum + lineEnds[row]! - (row === 0 ? 0 : lineEnds[row - 1]!),
    0,
  );
  const copy = {
    rowStart: 0,
    rowEnd: count,
    lines: new Uint8Array(lineBytes),
    lineEnds: new Uint32Array(count),
    timestamps: new BigInt64Array(count),
    metaIds: new Uint32Array(count),
    sets,
  };
  for (let at = 0, end = 0; at < count; at++) {
    const row = order[at]!;
    const line = lines.subarray(row === 0 ? 0 : lineEnds[row - 1]!, lineEnds[row]!);
    copy.lines.set(line, end);
    copy.lineEnds[at] = end += line.length;
    copy.timestamps[at] = timestamps[row]!;
    copy.metaIds[at] = metaIds[row]!;
  }
  return { block: copy, mask: new Uint8Array(count).fill(1), times: timeWords(copy) };
}

/** Clears the mask of rows that repeat an earlier one of their time. */
function dropDuplicates({ block, mask, times }: RunPart): void {
  const { rowStart, rowEnd } = block;
  const distinct = new DistinctRows();
  for (let row = rowStart; row < rowEnd;) {
    let end = row + 1;
    while (end < rowEnd && compareRows(times, row, end) === 0) end++;
    if (end - row > 1) {
      distinct.begin();
      for (let at = row; at < end; at++) {
        if (mask[at - rowStart] === 1 && !distinct.isNew(block, at)) mask[at - rowStart] = 0;
      }
    }
    row = end;
  }
}
