/** The body of a batch: byte offsets of its sections and the typed views over it. batch.ts
 *  documents the layout and builds bodies; batchCodec.ts stores them. Invariant: the views cover
 *  the shared buffer exactly and nobody writes once it is built. */

/** Columns of rows, as the push decoder leaves them in kernel memory. Row r's line is
 *  lines[lineEnds[r - 1]..lineEnds[r]) (from 0 for row 0); its metadata set is 0 for none or k for
 *  set k - 1. */
export interface RowColumns {
  readonly timestamps: BigInt64Array;
  readonly lineEnds: Uint32Array;
  readonly lines: Uint8Array;
  readonly metaIds: Uint32Array;
  readonly setEnds: Uint32Array;
  readonly meta: Uint8Array;
}

/** What makes a batch out of its body; structured clone passes it between threads, and the body is
 *  shared, not copied. */
export interface BatchMessage {
  readonly tenant: string;
  readonly sliceCount: number;
  readonly rowCount: number;
  readonly setCount: number;
  readonly labelBytes: number;
  readonly metaBytes: number;
  readonly lineBytes: number;
  /** First and last timestamp, inclusive, ns; both 0 in a batch without rows. */
  readonly minTime: bigint;
  readonly maxTime: bigint;
  readonly buffer: SharedArrayBuffer;
}

/** A batch in memory: the counts, and views of the body. */
export interface Batch extends BatchMessage, RowColumns {
  readonly sliceRowEnds: Uint32Array;
  readonly sliceLabelEnds: Uint32Array;
  readonly labels: Uint8Array;
  /** The canonical label string of a slice. */
  labelsOf(slice: number): string;
  /** The first row of a slice; the next slice's is its end. */
  sliceRowStart(slice: number): number;
}

/** The largest body, uncompressed. Writers refuse more, and readers allocate no more on a header's
 *  word. */
export const batchBodyBytesMax = 256 * 1024 * 1024;

/** Makes the views of a body again, in the thread that got the message. Throws a RangeError if the
 *  counts do not fit the buffer; the content is trusted. */
export function batchFromMessage(message: BatchMessage): Batch {
  const { end } = bodyLayout(message);
  if (end !== message.buffer.byteLength) {
    throw new RangeError(
      `Batch counts need ${end} bytes, the buffer has ${message.buffer.byteLength}`,
    );
  }
  return new SharedBatch(message);
}

/** The part of `batch` that postMessage can carry. */
export function batchMessage(batch: Batch): BatchMessage {
  const { tenant, sliceCount, rowCount, setCount, labelBytes, metaBytes, lineBytes } = batch;
  const { minTime, maxTime, buffer } = batch;
  return {
    tenant,
    sliceCount,
    rowCount,
    setCount,
    labelBytes,
    metaBytes,
    lineBytes,
    minTime,
    maxTime,
    buffer,
  };
}

/** The body's length for these counts, in bytes. */
export function batchBodyBytes(counts: BatchCounts): number {
  return bodyLayout(counts).end;
}

/** The least and greatest of timestamps[rowStart..rowEnd), ns; both 0 for no rows. Compares 32-bit
 *  halves, because reading a bigint allocates. */
export function timeBounds(
  timestamps: BigInt64Array,
  rowStart: number,
  rowEnd: number,
): { readonly minTime: bigint; readonly maxTime: bigint } {
  if (rowStart >= rowEnd) return { minTime: 0n, maxTime: 0n };
  const high = new Int32Array(timestamps.buffer, timestamps.byteOffset, 2 * timestamps.length);
  const low = new Uint32Array(timestamps.buffer, timestamps.byteOffset, 2 * timestamps.length);
  let least = rowStart;
  let greatest = rowStart;
  for (let row = rowStart + 1; row < rowEnd; row++) {
    const rowHigh = high[2 * row + 1]!;
    const rowLow = low[2 * row]!;
    const leastHigh = high[2 * least + 1]!;
    const greatestHigh = high[2 * greatest + 1]!;
    if (rowHigh < leastHigh || (rowHigh === leastHigh && rowLow < low[2 * least]!)) least = row;
    if (rowHigh > greatestHigh || (rowHigh === greatestHigh && rowLow > low[2 * greatest]!)) {
      greatest = row;
    }
  }
  return { minTime: timestamps[least]!, maxTime: timestamps[greatest]! };
}

export type BatchCounts = Omit<BatchMessage, "minTime" | "maxTime" | "buffer" | "tenant">;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Views over a body. The fields are what the header comment lists. */
class SharedBatch implements Batch {
  readonly tenant: string;
  readonly sliceCount: number;
  readonly rowCount: number;
  readonly setCount: number;
  readonly labelBytes: number;
  readonly metaBytes: number;
  readonly lineBytes: number;
  readonly minTime: bigint;
  readonly maxTime: bigint;
  readonly buffer: SharedArrayBuffer;
  readonly timestamps: BigInt64Array;
  readonly lineEnds: Uint32Array;
  readonly metaIds: Uint32Array;
  readonly sliceRowEnds: Uint32Array;
  readonly sliceLabelEnds: Uint32Array;
  readonly setEnds: Uint32Array;
  readonly labels: Uint8Array;
  readonly meta: Uint8Array;
  readonly lines: Uint8Array;

  constructor(message: BatchMessage) {
    this.tenant = message.tenant;
    this.sliceCount = message.sliceCount;
    this.rowCount = message.rowCount;
    this.setCount = message.setCount;
    this.labelBytes = message.labelBytes;
    this.metaBytes = message.metaBytes;
    this.lineBytes = message.lineBytes;
    this.minTime = message.minTime;
    this.maxTime = message.maxTime;
    this.buffer = message.buffer;
    const at = bodyLayout(message);
    const { buffer, rowCount, sliceCount } = message;
    this.timestamps = new BigInt64Array(buffer, 0, rowCount);
    this.lineEnds = new Uint32Array(buffer, at.lineEnds, rowCount);
    this.metaIds = new Uint32Array(buffer, at.metaIds, rowCount);
    this.sliceRowEnds = new Uint32Array(buffer, at.sliceRowEnds, sliceCount);
    this.sliceLabelEnds = new Uint32Array(buffer, at.sliceLabelEnds, sliceCount);
    this.setEnds = new Uint32Array(buffer, at.setEnds, message.setCount);
    this.labels = new Uint8Array(buffer, at.labels, message.labelBytes);
    this.meta = new Uint8Array(buffer, at.meta, message.metaBytes);
    this.lines = new Uint8Array(buffer, at.lines, message.lineBytes);
  }

  labelsOf(slice: number): string {
    const start = endBefore(this.sliceLabelEnds, slice);
    return decoder.decode(this.labels.subarray(start, this.sliceLabelEnds[slice]));
  }

  sliceRowStart(slice: number): number {
    return endBefore(this.sliceRowEnds, slice);
  }
}

/** Byte offsets of the body's sections; `end` is the body's length. */
function bodyLayout(counts: BatchCounts) {
  const lineEnds = 8 * counts.rowCount;
  const metaIds = align8(lineEnds + 4 * counts.rowCount);
  const sliceRowEnds = align8(metaIds + 4 * counts.rowCount);
  const sliceLabelEnds = align8(sliceRowEnds + 4 * counts.sliceCount);
  const setEnds = align8(sliceLabelEnds + 4 * counts.sliceCount);
  const labels = align8(setEnds + 4 * counts.setCount);
  const meta = align8(labels + counts.labelBytes);
  const lines = align8(meta + counts.metaBytes);
  const end = lines + counts.lineBytes;
  return { lineEnds, metaIds, sliceRowEnds, sliceLabelEnds, setEnds, labels, meta, lines, end };
}

function align8(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

/** The end of the item before `index`, which is where that item starts. */
export function endBefore(ends: Uint32Array, index: number): number {
  return index === 0 ? 0 : ends[index - 1]!;
}

/** A zeroed body for these counts, to be filled. Throws a RangeError beyond batchBodyBytesMax. */
export function emptyBatch(counts: BatchCounts & { readonly tenant: string }): SharedBatch {
  const { end } = bodyLayout(counts);
  if (end > batchBodyBytesMax) {
    throw new RangeError(`Batch of ${end} bytes: at most ${batchBodyBytesMax} are possible`);
  }
  const buffer = new SharedArrayBuffer(end);
  return new SharedBatch({ ...counts, minTime: 0n, maxTime: 0n, buffer });
}

/** The same body with the header's time bounds filled in. */
export function withBounds(batch: SharedBatch): Batch {
  const bounds = timeBounds(batch.timestamps, 0, batch.rowCount);
  return new SharedBatch({ ...batchMessage(batch), ...bounds });
}
