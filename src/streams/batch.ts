/** The batch: the unit of the write path and the record of the write log. One tenant's rows for one
 *  partition, as columns. Rows are grouped into slices; all rows of a slice belong to one stream.
 *  In memory a batch is one SharedArrayBuffer that is never changed after it was built, so that
 *  worker threads read it without a copy; on disk it is the same bytes with the body compressed.
 *
 *  All integers little-endian; sections of the body start at multiples of 8.
 *
 *  Header, 64 bytes:
 *    0 u32 magic "TRB1"   4 u8 version = 1   5 u8 codec (0 none, 1 zstd)   6 u16 tenant bytes
 *    8 u32 sliceCount    12 u32 rowCount    16 u32 setCount   20 u32 bodyBytes (uncompressed)
 *   24 i64 minTime       32 i64 maxTime     40 u32 storedBytes (of the body as stored)
 *   44 u32 labelBytes   48 u32 metaBytes    52 u32 lineBytes
 *   56 u32 CRC32C of tenant and stored body     60 u32 CRC32C of header bytes 0..59
 *  then the tenant (UTF-8), then the body:
 *    timestamps  i64[rowCount]   ns since 1970
 *    lineEnds    u32[rowCount]   end of each row's line in `lines`; row 0 starts at 0
 *    metaIds     u32[rowCount]   0 = no structured metadata, k = set k-1
 *    sliceRowEnds   u32[sliceCount]  end row of each slice
 *    sliceLabelEnds u32[sliceCount]  end of each slice's canonical label string in `labels`
 *    setEnds     u32[setCount]   end of each metadata set in `meta`
 *    labels, meta, lines: bytes
 *
 *  A metadata set is pairs sorted by name, each: u16 name length, u32 value length, name, value
 *  (UTF-8).
 *
 *  This file builds batches and is where others import them from; batchBody.ts owns the
 *  views, batchCodec.ts header and compression. */
import { copyBytes } from "../platform/copyBytes.ts";
import {
  type Batch,
  emptyBatch,
  endBefore,
  type RowColumns,
  timeBounds,
  withBounds,
} from "./batchBody.ts";

export {
  type Batch,
  batchBodyBytesMax,
  batchFromMessage,
  type BatchMessage,
  batchMessage,
  type RowColumns,
  timeBounds,
} from "./batchBody.ts";
export {
  type BatchCodec,
  type BatchHeader,
  batchParts,
  batchPartsCompressed,
  decodeBatch,
  encodeBatch,
  readBatchHeader,
} from "./batchCodec.ts";

/** Rows of one stream within RowColumns. */
export interface RowSlice {
  /** Canonical label string. */
  readonly labels: string;
  readonly rowStart: number;
  readonly rowEnd: number;
}

/** Copies the named rows out of `rows` into a new batch, with the metadata sets they use and no
 *  others. Throws a RangeError if the body would exceed batchBodyBytesMax. */
export function buildBatch(
  tenant: string,
  slices: ReadonlyArray<RowSlice>,
  rows: RowColumns,
): Batch {
  const labelTexts = slices.map((slice) => encoder.encode(slice.labels));
  const sets = selectSets(slices, rows);
  let rowCount = 0;
  let labelBytes = 0;
  let lineBytes = 0;
  for (let index = 0; index < slices.length; index++) {
    const { rowStart, rowEnd } = slices[index]!;
    if (!(rowStart >= 0 && rowStart <= rowEnd && rowEnd <= rows.timestamps.length)) {
      throw new RangeError(
        `Slice ${index} has rows ${rowStart} to ${rowEnd} of ${rows.timestamps.length}`,
      );
    }
    rowCount += rowEnd - rowStart;
    lineBytes += endBefore(rows.lineEnds, rowEnd) - endBefore(rows.lineEnds, rowStart);
    labelBytes += labelTexts[index]!.length;
  }
  const { setCount, metaBytes } = sets;
  const sliceCount = slices.length;
  const batch = emptyBatch({
    tenant,
    sliceCount,
    rowCount,
    setCount,
    labelBytes,
    metaBytes,
    lineBytes,
  });
  copySets(sets.newIds, rows, batch);
  let row = 0;
  let labelEnd = 0;
  for (let index = 0; index < slices.length; index++) {
    const { rowStart, rowEnd } = slices[index]!;
    copyRows(rows, rowStart, rowEnd, batch, row);
    copyIds(rows.metaIds, rowStart, rowEnd, batch.metaIds, row, sets.newIds);
    row += rowEnd - rowStart;
    batch.sliceRowEnds[index] = row;
    batch.labels.set(labelTexts[index]!, labelEnd);
    labelEnd += labelTexts[index]!.length;
    batch.sliceLabelEnds[index] = labelEnd;
  }
  return withBounds(batch);
}

/** One batch with the slices of all, in order. All must be of one tenant. Throws a RangeError as
 *  buildBatch does. */
export function mergeBatches(batches: ReadonlyArray<Batch>): Batch {
  const first = batches[0];
  if (first === undefined) throw new RangeError("Cannot merge no batches");
  if (batches.length === 1) return first;
  const counts = {
    tenant: first.tenant,
    sliceCount: 0,
    rowCount: 0,
    setCount: 0,
    labelBytes: 0,
    metaBytes: 0,
    lineBytes: 0,
  };
  for (const batch of batches) {
    if (batch.tenant !== first.tenant) {
      throw new RangeError(
        `Cannot merge batches of tenants "${first.tenant}" and "${batch.tenant}"`,
      );
    }
    counts.sliceCount += batch.sliceCount;
    counts.rowCount += batch.rowCount;
    counts.setCount += batch.setCount;
    counts.labelBytes += batch.labelBytes;
    counts.metaBytes += batch.metaBytes;
    counts.lineBytes += batch.lineBytes;
  }
  const merged = emptyBatch(counts);
  let [slice, row, set, labelEnd, metaEnd] = [0, 0, 0, 0, 0];
  for (const batch of batches) {
    copyRows(batch, 0, batch.rowCount, merged, row);
    copyIdsShifted(batch.metaIds, merged.metaIds, row, set);
    copyShifted(batch.sliceRowEnds, merged.sliceRowEnds, slice, row);
    copyShifted(batch.sliceLabelEnds, merged.sliceLabelEnds, slice, labelEnd);
    copyShifted(batch.setEnds, merged.setEnds, set, metaEnd);
    merged.labels.set(batch.labels, labelEnd);
    copyBytes(batch.meta, 0, batch.metaBytes, merged.meta, metaEnd);
    slice += batch.sliceCount;
    row += batch.rowCount;
    set += batch.setCount;
    labelEnd += batch.labelBytes;
    metaEnd += batch.metaBytes;
  }
  return withBounds(merged);
}

/** What a batch holds, for people: `inspect log` prints it. */
export interface BatchSummary {
  readonly tenant: string;
  readonly rowCount: number;
  readonly setCount: number;
  readonly lineBytes: number;
  readonly bodyBytes: number;
  readonly minTime: bigint;
  readonly maxTime: bigint;
  readonly slices: ReadonlyArray<{
    readonly labels: string;
    readonly rowCount: number;
    readonly lineBytes: number;
    readonly minTime: bigint;
    readonly maxTime: bigint;
  }>;
}

/** Summary of a batch. */
export function describeBatch(batch: Batch): BatchSummary {
  const slices = Array.from(batch.sliceRowEnds, (rowEnd, slice) => {
    const rowStart = batch.sliceRowStart(slice);
    return {
      labels: batch.labelsOf(slice),
      rowCount: rowEnd - rowStart,
      lineBytes: endBefore(batch.lineEnds, rowEnd) - endBefore(batch.lineEnds, rowStart),
      ...timeBounds(batch.timestamps, rowStart, rowEnd),
    };
  });
  const { tenant, rowCount, setCount, lineBytes, minTime, maxTime } = batch;
  const bodyBytes = batch.buffer.byteLength;
  return { tenant, rowCount, setCount, lineBytes, bodyBytes, minTime, maxTime, slices };
}

const encoder = new TextEncoder();

/** Numbers the sets that the slices use, from 1 in order of first use; newIds[k] is 0 for a set
 *  that none uses. */
function selectSets(slices: ReadonlyArray<RowSlice>, rows: RowColumns) {
  const newIds = new Uint32Array(rows.setEnds.length + 1);
  let setCount = 0;
  let metaBytes = 0;
  if (rows.setEnds.length === 0) return { newIds, setCount, metaBytes };
  for (const { rowStart, rowEnd } of slices) {
    for (let row = rowStart; row < rowEnd; row++) {
      const id = rows.metaIds[row]!;
      if (id === 0 || newIds[id] !== 0) continue;
      newIds[id] = ++setCount;
      metaBytes += rows.setEnds[id - 1]! - endBefore(rows.setEnds, id - 1);
    }
  }
  return { newIds, setCount, metaBytes };
}

/** Copies the numbered sets to their new places. */
function copySets(newIds: Uint32Array, rows: RowColumns, target: Batch): void {
  // Sets are numbered by first use, not by place in `rows`, so their lengths must be known before
  // their ends are.
  const lengths = target.setEnds;
  for (let id = 1; id < newIds.length; id++) {
    if (newIds[id] === 0) continue;
    lengths[newIds[id]! - 1] = rows.setEnds[id - 1]! - endBefore(rows.setEnds, id - 1);
  }
  let end = 0;
  for (let set = 0; set < lengths.length; set++) target.setEnds[set] = end += lengths[set]!;
  for (let id = 1; id < newIds.length;) {
    const first = id++;
    if (newIds[first] === 0) continue;
    // Sets that stay neighbours are copied together.
    while (id < newIds.length && newIds[id] === newIds[id - 1]! + 1) id++;
    const start = endBefore(rows.setEnds, first - 1);
    const at = endBefore(target.setEnds, newIds[first]! - 1);
    copyBytes(rows.meta, start, rows.setEnds[id - 2]!, target.meta, at);
  }
}

/** Copies timestamps and lines of a run of rows to `target`, whose rows before `row` are complete.
 */
function copyRows(
  source: RowColumns,
  rowStart: number,
  rowEnd: number,
  target: Batch,
  row: number,
): void {
  const lineStart = endBefore(source.lineEnds, rowStart);
  const targetStart = endBefore(target.lineEnds, row);
  target.timestamps.set(source.timestamps.subarray(rowStart, rowEnd), row);
  copyBytes(source.lines, lineStart, endBefore(source.lineEnds, rowEnd), target.lines, targetStart);
  copyShifted(
    source.lineEnds.subarray(rowStart, rowEnd),
    target.lineEnds,
    row,
    targetStart - lineStart,
  );
}

function copyShifted(source: Uint32Array, target: Uint32Array, at: number, shift: number): void {
  for (let index = 0; index < source.length; index++) target[at + index] = source[index]! + shift;
}

function copyIds(
  source: Uint32Array,
  rowStart: number,
  rowEnd: number,
  target: Uint32Array,
  at: number,
  newIds: Uint32Array,
): void {
  if (newIds.length === 1) return;
  for (let row = rowStart; row < rowEnd; row++) target[at + row - rowStart] = newIds[source[row]!]!;
}

function copyIdsShifted(source: Uint32Array, target: Uint32Array, at: number, shift: number): void {
  for (let row = 0; row < source.length; row++) {
    const id = source[row]!;
    target[at + row] = id === 0 ? 0 : id + shift;
  }
}
