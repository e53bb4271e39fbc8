/** Batches as bytes: the record of the write log. Owns header, checksums and compression; batch.ts
 *  owns the body and its byte layout (see its header comment, and docs/formats.md). Invariant:
 *  decodeBatch returns what encodeBatch got, or throws FormatError. */
import { crc32c } from "../kernels/hash.ts";
import { copyBytes } from "../platform/copyBytes.ts";
import { joinBytes } from "../platform/joinBytes.ts";
import { zstdCompress, zstdCompressAsync, zstdDecompress } from "../platform/zstd.ts";
import {
  type Batch,
  batchBodyBytes,
  batchBodyBytesMax,
  batchFromMessage,
  timeBounds,
} from "./batchBody.ts";
import { checkEnds, FormatError } from "./formatError.ts";
import { findBadSet } from "./metadata.ts";

export type BatchCodec = "none" | "zstd";

/** The batch as one byte string, body compressed on this thread. */
export function encodeBatch(batch: Batch, codec: BatchCodec): Uint8Array<ArrayBuffer> {
  if (codec === "none") return joinBytes(batchParts(batch));
  const stored = zstdCompress(new Uint8Array(batch.buffer), zstdLevel);
  return joinBytes([headOf(batch, "zstd", stored), stored]);
}

/** What encodeBatch makes with "none", in two parts that follow each other; the second is the body
 *  itself, in shared memory. */
export function batchParts(batch: Batch): ReadonlyArray<Uint8Array> {
  const body = new Uint8Array(batch.buffer);
  return [headOf(batch, "none", body), body];
}

/** What encodeBatch makes with "zstd", in two parts, compressed on the runtime's thread pool. */
export async function batchPartsCompressed(batch: Batch): Promise<ReadonlyArray<Uint8Array>> {
  const stored = await zstdCompressAsync(new Uint8Array(batch.buffer), zstdLevel);
  return [headOf(batch, "zstd", stored), stored];
}

/** Reads one batch, which must fill `bytes` exactly. Checks everything: lengths, checksums, order
 *  and range of all columns. Throws FormatError. */
export function decodeBatch(bytes: Uint8Array): Batch {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < headerBytes) {
    fail(
      bytes.byteLength,
      `${bytes.byteLength} bytes are too few for the header of ${headerBytes}`,
    );
  }
  if (view.getUint32(0, true) !== magic) fail(0, 'does not start with "TRB1"');
  if (view.getUint32(60, true) !== crc32c(bytes.subarray(0, 60))) fail(60, "header checksum");
  if (bytes[4] !== version) fail(4, `version ${bytes[4]} is not known, only ${version}`);
  const codec = bytes[5]!;
  if (codec > 1) fail(5, `codec ${codec} is not known`);
  const tenantBytes = view.getUint16(6, true);
  const storedBytes = view.getUint32(40, true);
  const bodyBytes = view.getUint32(20, true);
  if (headerBytes + tenantBytes + storedBytes !== bytes.byteLength) {
    fail(
      40,
      `header promises ${
        headerBytes + tenantBytes + storedBytes
      } bytes, there are ${bytes.byteLength}`,
    );
  }
  const counts = {
    sliceCount: view.getUint32(8, true),
    rowCount: view.getUint32(12, true),
    setCount: view.getUint32(16, true),
    labelBytes: view.getUint32(44, true),
    metaBytes: view.getUint32(48, true),
    lineBytes: view.getUint32(52, true),
  };
  if (bodyBytes > batchBodyBytesMax) {
    fail(20, `body of ${bodyBytes} bytes is over ${batchBodyBytesMax}`);
  }
  if (batchBodyBytes(counts) !== bodyBytes) fail(20, "counts and length of the body differ");
  if (view.getUint32(56, true) !== crc32c(bytes.subarray(headerBytes))) fail(56, "body checksum");
  const bodyStart = headerBytes + tenantBytes;
  const buffer = new SharedArrayBuffer(bodyBytes);
  const body = decodeBody(bytes.subarray(bodyStart), codec, bodyBytes, bodyStart);
  copyBytes(body, 0, bodyBytes, new Uint8Array(buffer), 0);
  const batch = batchFromMessage({
    tenant: decodeTenant(bytes.subarray(headerBytes, bodyStart)),
    ...counts,
    minTime: view.getBigInt64(24, true),
    maxTime: view.getBigInt64(32, true),
    buffer,
  });
  checkColumns(batch, bodyStart);
  return batch;
}

/** What a batch's header says of it, read without decoding or checking the rest. */
export interface BatchHeader {
  readonly tenant: string;
  readonly sliceCount: number;
  readonly rowCount: number;
  readonly lineBytes: number;
  readonly minTime: bigint;
  readonly maxTime: bigint;
}

/** The header of an encoded batch; undefined if `bytes` is none. */
export function readBatchHeader(bytes: Uint8Array): BatchHeader | undefined {
  if (bytes.byteLength < headerBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== magic) return undefined;
  const tenantEnd = headerBytes + view.getUint16(6, true);
  return {
    tenant: new TextDecoder().decode(bytes.slice(headerBytes, tenantEnd)),
    sliceCount: view.getUint32(8, true),
    rowCount: view.getUint32(12, true),
    lineBytes: view.getUint32(52, true),
    minTime: view.getBigInt64(24, true),
    maxTime: view.getBigInt64(32, true),
  };
}

const magic = 0x31425254; // "TRB1" as a little-endian u32
const version = 1;
const headerBytes = 64;
/** The fastest regular level: the write log is read back at most once. */
const zstdLevel = 1;

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function fail(byteOffset: number, problem: string): never {
  throw new FormatError("batch", byteOffset, problem);
}

/** Header and tenant, which the body as stored follows. */
function headOf(batch: Batch, codec: BatchCodec, stored: Uint8Array): Uint8Array<ArrayBuffer> {
  const tenant = encoder.encode(batch.tenant);
  if (tenant.length > 0xffff) {
    throw new RangeError(`Tenant of ${tenant.length} bytes: at most 65535 are possible`);
  }
  const bytes = new Uint8Array(headerBytes + tenant.length);
  const view = new DataView(bytes.buffer);
  bytes.set(tenant, headerBytes);
  view.setUint32(0, magic, true);
  bytes[4] = version;
  bytes[5] = codec === "zstd" ? 1 : 0;
  view.setUint16(6, tenant.length, true);
  view.setUint32(8, batch.sliceCount, true);
  view.setUint32(12, batch.rowCount, true);
  view.setUint32(16, batch.setCount, true);
  view.setUint32(20, batch.buffer.byteLength, true);
  view.setBigInt64(24, batch.minTime, true);
  view.setBigInt64(32, batch.maxTime, true);
  view.setUint32(40, stored.length, true);
  view.setUint32(44, batch.labelBytes, true);
  view.setUint32(48, batch.metaBytes, true);
  view.setUint32(52, batch.lineBytes, true);
  view.setUint32(56, crc32c(stored, crc32c(tenant)), true);
  view.setUint32(60, crc32c(bytes.subarray(0, 60)), true);
  return bytes;
}

function decodeBody(
  stored: Uint8Array,
  codec: number,
  bodyBytes: number,
  byteOffset: number,
): Uint8Array {
  if (codec === 0) {
    if (stored.length !== bodyBytes) {
      fail(byteOffset, `${stored.length} bytes stored for a plain body of ${bodyBytes}`);
    }
    return stored;
  }
  try {
    return zstdDecompress(stored, bodyBytes);
  } catch (error) {
    fail(byteOffset, error instanceof Error ? error.message : String(error));
  }
}

function decodeTenant(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    fail(headerBytes, "the tenant is not UTF-8");
  }
}

/** Offsets in errors of a column name the start of the body: within a compressed body there is no
 *  better place. */
function checkColumns(batch: Batch, bodyStart: number): void {
  const { rowCount, labelBytes, metaBytes, lineBytes } = batch;
  checkEnds("batch", bodyStart, "lineEnds", batch.lineEnds, lineBytes);
  checkEnds("batch", bodyStart, "sliceRowEnds", batch.sliceRowEnds, rowCount);
  checkEnds("batch", bodyStart, "sliceLabelEnds", batch.sliceLabelEnds, labelBytes);
  checkEnds("batch", bodyStart, "setEnds", batch.setEnds, metaBytes);
  for (let row = 0; row < rowCount; row++) {
    if (batch.metaIds[row]! > batch.setCount) {
      fail(bodyStart, `row ${row} has metadata set ${batch.metaIds[row]} of ${batch.setCount}`);
    }
  }
  const badSet = findBadSet(batch.setEnds, batch.meta);
  if (badSet >= 0) fail(bodyStart, `metadata set ${badSet} is malformed`);
  const { minTime, maxTime } = timeBounds(batch.timestamps, 0, rowCount);
  if (minTime !== batch.minTime || maxTime !== batch.maxTime) {
    fail(24, `times ${batch.minTime} to ${batch.maxTime}, but rows have ${minTime} to ${maxTime}`);
  }
}
