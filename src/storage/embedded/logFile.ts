/** The bytes of a write log file: encoding records, reading them back, and telling a torn tail from damage. Pure; LogPartition.ts
 *  owns the files. docs/formats.md has the same layout in prose. All integers little-endian.
 *
 *  Header, 32 bytes:
 *    0 u32 magic "TRL1"   4 u32 version = 1   8 u64 first offset   16 u32 partition   20 u32 nonce
 *   24 u32 flags (1: the log starts here, earlier files are given up)   28 u32 CRC32C of bytes 0..27
 *  then records, each:
 *    0 u32 CRC32C of bytes 4.. to the record's end, continued from the header's CRC
 *    4 u32 payload bytes  8 u64 offset  16 u32 index in its commit group  20 payload
 *
 *  Continuing from the header's CRC (which covers the random nonce) makes records of any other file invalid in this one.
 *  A commit group is what one fdatasync made durable. The next group is written only after that, so a record of a later group
 *  proves that everything before its group was safe: that is how damage differs from a write that a crash cut short. */
import { crc32c } from "../../kernels/hash.ts";

export const fileHeaderBytes = 32;
export const recordHeaderBytes = 20;

/** What a file's header says. */
export interface FileHeader {
  readonly partition: number;
  readonly firstOffset: number;
  /** True if the offset before `firstOffset` is in no file: what earlier files hold is given up. */
  readonly startsLog: boolean;
}

/** A record found at some position of a buffer. */
export interface ParsedRecord {
  readonly offset: number;
  readonly groupIndex: number;
  /** Where its payload starts and ends in the buffer; `end` is where the next record starts. */
  readonly start: number;
  readonly end: number;
}

const magic = 0x314c5254;
const formatVersion = 1;
const twoTo32 = 0x1_0000_0000;

/** A file's first bytes and the salt of its records: the header's CRC, with which their checksums begin. */
export function encodeFileHeader(
  header: FileHeader,
  nonce: number,
): { readonly bytes: Uint8Array; readonly salt: number } {
  const bytes = new Uint8Array(fileHeaderBytes);
  const view = viewOf(bytes);
  view.setUint32(0, magic, true);
  view.setUint32(4, formatVersion, true);
  setOffset(view, 8, header.firstOffset);
  view.setUint32(16, header.partition, true);
  view.setUint32(20, nonce, true);
  view.setUint32(24, header.startsLog ? 1 : 0, true);
  const salt = crc32c(bytes.subarray(0, 28));
  view.setUint32(28, salt, true);
  return { bytes, salt };
}

/** The header, or what is wrong with it as the end of a sentence. */
export function decodeFileHeader(
  bytes: Uint8Array,
): FileHeader & { readonly salt: number } | string {
  if (bytes.byteLength < fileHeaderBytes) {
    return `has ${bytes.byteLength} bytes, fewer than its header's ${fileHeaderBytes}`;
  }
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== magic) return "does not start as a write log file does";
  const salt = view.getUint32(28, true);
  if (crc32c(bytes.subarray(0, 28)) !== salt) return "fails the checksum of its header";
  const version = view.getUint32(4, true);
  if (version !== formatVersion) {
    return `has format version ${version}, this program reads version ${formatVersion}`;
  }
  return {
    partition: view.getUint32(16, true),
    firstOffset: getOffset(view, 8),
    startsLog: view.getUint32(24, true) === 1,
    salt,
  };
}

/** A payload as the parts that it consists of, in order. */
export type PayloadParts = ReadonlyArray<Uint8Array>;

/** Encodes one commit group: for each payload a header and then the payload's parts, uncopied. */
export function encodeGroup(
  payloads: ReadonlyArray<PayloadParts>,
  firstOffset: number,
  salt: number,
): ReadonlyArray<Uint8Array> {
  const headers = new Uint8Array(payloads.length * recordHeaderBytes);
  const view = viewOf(headers);
  const parts: Uint8Array[] = [];
  for (let index = 0; index < payloads.length; index++) {
    const payload = payloads[index] as PayloadParts;
    const at = index * recordHeaderBytes;
    view.setUint32(at + 4, payloadBytes(payload), true);
    setOffset(view, at + 8, firstOffset + index);
    view.setUint32(at + 16, index, true);
    const header = headers.subarray(at, at + recordHeaderBytes);
    let crc = crc32c(header.subarray(4), salt);
    for (const part of payload) crc = crc32c(part, crc);
    view.setUint32(at, crc, true);
    parts.push(header, ...payload);
  }
  return parts;
}

/** The length of a payload. */
export function payloadBytes(parts: PayloadParts): number {
  return parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** How many bytes a payload of this length takes in a file. */
export function storedBytes(payloadBytes: number): number {
  return recordHeaderBytes + payloadBytes;
}

/** The record at `at`; the number of bytes it needs if the buffer ends too early to tell; undefined if there is no valid one. */
export function parseRecord(
  buffer: Uint8Array,
  at: number,
  salt: number,
): ParsedRecord | number | undefined {
  if (at + recordHeaderBytes > buffer.byteLength) return recordHeaderBytes;
  const view = viewOf(buffer);
  const end = at + recordHeaderBytes + view.getUint32(at + 4, true);
  if (end > buffer.byteLength) return end - at;
  if (crc32c(buffer.subarray(at + 4, end), salt) !== view.getUint32(at, true)) return undefined;
  return {
    offset: getOffset(view, at + 8),
    groupIndex: view.getUint32(at + 16, true),
    start: at + recordHeaderBytes,
    end,
  };
}

/** Looks in `buffer` (from a position without a valid record to the end of the file) for a record of a commit group that
 *  began after `offset`, the offset that should have been there. If there is one, `offset` was once durable and is damaged;
 *  if not, its group never became durable. Returns the record's position. */
export function findLaterGroup(
  buffer: Uint8Array,
  offset: number,
  salt: number,
): number | undefined {
  const view = viewOf(buffer);
  const last = buffer.byteLength - recordHeaderBytes;
  // No file holds more records than fit in it, which bounds the offsets worth a checksum.
  const offsetMax = offset + buffer.byteLength / recordHeaderBytes;
  for (let at = 0; at <= last; at++) {
    const found = getOffset(view, at + 8);
    if (found <= offset || found > offsetMax) continue;
    if (found - view.getUint32(at + 16, true) <= offset) continue;
    const record = parseRecord(buffer, at, salt);
    if (typeof record === "object") return at;
  }
  return undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Offsets stay below 2^53, so a double holds them exactly. */
function setOffset(view: DataView, at: number, offset: number): void {
  view.setUint32(at, offset % twoTo32, true);
  view.setUint32(at + 4, Math.floor(offset / twoTo32), true);
}

function getOffset(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * twoTo32;
}
