/** Segments: what a partition flushes. One object holds the chunks of all streams for one range of
 *  log offsets, then a footer that says what is where, then a fixed trailer that says where the
 *  footer is. Two ranged reads (trailer, footer) tell all that the index knows; segments alone
 *  suffice to rebuild it. All integers little-endian.
 *
 *  Header, 48 bytes:
 *    0 u32 magic "TRS1"   4 u8 version = 1   5 u8[3] 0   8 u32 partition   12 u32 0
 *   16 u64 logFrom       24 u64 logTo       32 i64 createdAt (ns)          40 u64 0
 *  Chunks, one after the other without gaps.
 *  Footer, zstd; before compression:
 *    the header again (48 bytes), u32 streamCount, u32 chunkCount
 *    streams, by tenant, then labels (UTF-8 bytes):
 *      u16 tenant bytes, u32 label bytes, u32 chunks, tenant, labels
 *    chunks in stream order, 40 bytes each:
 *      u64 offset, u32 length, u32 rowCount, i64 minTime, i64 maxTime, u32 rawBytes,
 *      u32 the chunk's header checksum, which covers all of the chunk's other checksums
 *  Trailer, 40 bytes, at the end:
 *    0 u64 footerOffset   8 u32 footerBytes (stored)   12 u32 footerRawBytes
 *   16 u32 CRC32C of the stored footer                 20 u32 CRC32C of the header
 *   24 u8 version = 1    25 u8[7] 0
 *   32 u32 CRC32C of trailer bytes 0..31               36 u32 magic "TRSE" */
import { crc32c } from "../kernels/hash.ts";
import { zstdCompress, zstdDecompress } from "../platform/zstd.ts";
import { openChunk } from "./chunk.ts";
import type { BuiltChunk } from "./chunkWriter.ts";
import { FormatError } from "./formatError.ts";
import { compareBytes } from "./metadata.ts";
import type { ChunkRecord, SegmentRecord, StreamRecord } from "./record.ts";

/** Where a segment belongs. */
export interface SegmentIdentity {
  readonly partition: number;
  /** The log offsets it holds: logFrom <= offset < logTo. */
  readonly logFrom: number;
  readonly logTo: number;
  /** ns since 1970. */
  readonly createdAt: bigint;
}

export interface SegmentInput extends SegmentIdentity {
  /** In any order; each (tenant, labels) once. Streams without chunks are left out. */
  readonly streams: ReadonlyArray<{
    readonly tenant: string;
    /** Canonical label string. */
    readonly labels: string;
    readonly chunks: ReadonlyArray<BuiltChunk>;
  }>;
}

/** What the trailer says: where to read on. */
export interface SegmentTrailer {
  readonly footerOffset: number;
  readonly footerBytes: number;
  readonly footerRawBytes: number;
  readonly footerCrc: number;
  readonly headerCrc: number;
}

/** What trailer and footer say together. */
export interface SegmentFooter extends SegmentIdentity {
  /** Size of the whole object. */
  readonly bytes: number;
  /** The trailer's own checksum, which covers, through other checksums, every byte of the segment.
   */
  readonly checksum: number;
  readonly headerCrc: number;
  readonly streams: ReadonlyArray<StreamRecord>;
  /** Header checksums of the chunks, in order. */
  readonly chunkCrcs: ReadonlyArray<number>;
}

export const segmentHeaderBytes = 48;
export const segmentTrailerBytes = 40;

/** Lays out a segment. The object is the concatenation of `parts`, which include the chunks' own
 *  bytes, uncopied. The key holds a checksum of the content, so that a range that is cut again
 *  after a crash, and differs, never meets the old object. */
export function buildSegment(
  input: SegmentInput,
): { readonly parts: Uint8Array[]; readonly record: SegmentRecord } {
  const header = encodeHeader(input);
  const parts: Uint8Array[] = [header];
  const streams: StreamRecord[] = [];
  let offset = header.length;
  for (const { tenant, labels, chunks } of sortStreams(input.streams)) {
    const records = chunks.map((chunk): ChunkRecord => {
      const { rowCount, rawBytes, minTime, maxTime } = chunk;
      const record = { offset, length: chunk.bytes.length, rowCount, rawBytes, minTime, maxTime };
      parts.push(chunk.bytes);
      offset += chunk.bytes.length;
      return record;
    });
    streams.push({ tenant, labels, chunks: records });
  }
  const chunkCrcs = parts.slice(1).map(chunkHeaderCrc);
  const rawFooter = encodeFooter(header, streams, chunkCrcs);
  const footer = zstdCompress(rawFooter, footerLevel);
  const headerCrc = crc32c(header);
  const trailer = encodeTrailer({
    footerOffset: offset,
    footerBytes: footer.length,
    footerRawBytes: rawFooter.length,
    footerCrc: crc32c(footer),
    headerCrc,
  });
  parts.push(footer, trailer);
  const bytes = offset + footer.length + trailer.length;
  const checksum = trailerChecksum(trailer);
  const { partition, logFrom, logTo, createdAt } = input;
  const identity = { partition, logFrom, logTo, createdAt };
  return {
    parts,
    record: segmentRecord({ ...identity, bytes, checksum, headerCrc, streams, chunkCrcs }),
  };
}

/** The name of a segment's object. `checksum` is the trailer's. */
export function segmentKey(identity: SegmentIdentity, checksum: number): string {
  const partition = String(identity.partition).padStart(5, "0");
  const from = String(identity.logFrom).padStart(16, "0");
  const to = String(identity.logTo).padStart(16, "0");
  return `segments/${partition}/${from}-${to}-${checksum.toString(16).padStart(8, "0")}.seg`;
}

/** Reads the last segmentTrailerBytes of a segment of `totalBytes`. Throws FormatError. */
export function readSegmentTrailer(trailer: Uint8Array, totalBytes: number): SegmentTrailer {
  const start = totalBytes - segmentTrailerBytes;
  if (trailer.length !== segmentTrailerBytes || start < segmentHeaderBytes) {
    fail(0, `${totalBytes} bytes are too few for header and trailer`);
  }
  const view = new DataView(trailer.buffer, trailer.byteOffset, trailer.byteLength);
  if (view.getUint32(36, true) !== trailerMagic) fail(start + 36, 'does not end with "TRSE"');
  if (view.getUint32(32, true) !== crc32c(trailer.subarray(0, 32))) {
    fail(start + 32, "trailer checksum");
  }
  if (trailer[24] !== version) {
    fail(start + 24, `version ${trailer[24]} is not known, only ${version}`);
  }
  const footerOffset = Number(view.getBigUint64(0, true));
  const footerBytes = view.getUint32(8, true);
  const footerRawBytes = view.getUint32(12, true);
  if (footerOffset < segmentHeaderBytes || footerOffset + footerBytes !== start) {
    fail(start, `footer of ${footerBytes} bytes at ${footerOffset} in a segment of ${totalBytes}`);
  }
  if (footerRawBytes > footerRawBytesMax) fail(start + 12, `footer of ${footerRawBytes} bytes`);
  const [footerCrc, headerCrc] = [view.getUint32(16, true), view.getUint32(20, true)];
  return { footerOffset, footerBytes, footerRawBytes, footerCrc, headerCrc };
}

/** Reads a segment's footer with two reads, of the trailer and of the footer. Throws FormatError
 *  and what `getRange` throws. */
export async function readSegmentFooter(
  getRange: (offset: number, length: number) => Promise<Uint8Array> | Uint8Array,
  totalBytes: number,
): Promise<SegmentFooter> {
  const trailerStart = Math.max(0, totalBytes - segmentTrailerBytes);
  const trailer = await getRange(trailerStart, totalBytes - trailerStart);
  const { footerOffset, footerBytes } = readSegmentTrailer(trailer, totalBytes);
  return decodeSegmentFooter(trailer, await getRange(footerOffset, footerBytes), totalBytes);
}

/** Reads trailer and stored footer, which lies where readSegmentTrailer says. Throws FormatError.
 */
export function decodeSegmentFooter(
  trailerBytes: Uint8Array,
  footer: Uint8Array,
  totalBytes: number,
): SegmentFooter {
  const trailer = readSegmentTrailer(trailerBytes, totalBytes);
  const { footerOffset, footerRawBytes, footerCrc, headerCrc } = trailer;
  if (footer.length !== trailer.footerBytes || crc32c(footer) !== footerCrc) {
    fail(footerOffset, "footer checksum");
  }
  let raw: Uint8Array;
  try {
    raw = zstdDecompress(footer, footerRawBytes);
  } catch (error) {
    fail(footerOffset, error instanceof Error ? error.message : String(error));
  }
  if (
    raw.length < segmentHeaderBytes || crc32c(raw.subarray(0, segmentHeaderBytes)) !== headerCrc
  ) {
    fail(footerOffset, "the footer's copy of the header");
  }
  return {
    ...decodeHeader(raw.subarray(0, segmentHeaderBytes)),
    bytes: totalBytes,
    checksum: trailerChecksum(trailerBytes),
    headerCrc,
    ...new FooterReader(raw, footerOffset).read(),
  };
}

/** What the index keeps of a segment. */
export function segmentRecord(footer: SegmentFooter): SegmentRecord {
  const { partition, logFrom, logTo, createdAt, bytes, streams } = footer;
  return {
    key: segmentKey(footer, footer.checksum),
    partition,
    logFrom,
    logTo,
    bytes,
    createdAt,
    streams,
  };
}

/** Checks every byte of a segment and decodes every row. Throws FormatError, naming the place of
 *  the first fault. */
export function verifySegment(bytes: Uint8Array): SegmentFooter {
  const trailerBytes = bytes.subarray(Math.max(0, bytes.length - segmentTrailerBytes));
  const { footerOffset, headerCrc } = readSegmentTrailer(trailerBytes, bytes.length);
  const footerEnd = bytes.length - segmentTrailerBytes;
  const footer = decodeSegmentFooter(
    trailerBytes,
    bytes.subarray(footerOffset, footerEnd),
    bytes.length,
  );
  if (crc32c(bytes.subarray(0, segmentHeaderBytes)) !== headerCrc) fail(0, "header checksum");
  let index = 0;
  for (const { tenant, labels, chunks } of footer.streams) {
    for (const record of chunks) {
      try {
        verifyChunk(bytes, record, footer.chunkCrcs[index++]!);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        const at = error.format === "chunk" ? record.offset + error.byteOffset : error.byteOffset;
        fail(at, `stream ${labels} of tenant "${tenant}": ${error.message}`);
      }
    }
  }
  return footer;
}

const headerMagic = 0x31535254; // "TRS1" as a little-endian u32
const trailerMagic = 0x45535254; // "TRSE"
const version = 1;
const footerLevel = 3;
const chunkEntryBytes = 40;
/** A million streams of 200 bytes fit; a reader allocates no more on a trailer's word. */
const footerRawBytesMax = 256 * 1024 * 1024;

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function fail(byteOffset: number, problem: string): never {
  throw new FormatError("segment", byteOffset, problem);
}

function trailerChecksum(trailer: Uint8Array): number {
  return new DataView(trailer.buffer, trailer.byteOffset).getUint32(32, true);
}

function chunkHeaderCrc(chunk: Uint8Array): number {
  return new DataView(chunk.buffer, chunk.byteOffset).getUint32(60, true);
}

function verifyChunk(bytes: Uint8Array, record: ChunkRecord, headerCrc: number): void {
  const { offset, length } = record;
  const chunkBytes = bytes.subarray(offset, offset + length);
  const chunk = openChunk(chunkBytes);
  const { rowCount, rawBytes, minTime, maxTime } = chunk;
  if (
    rowCount !== record.rowCount || rawBytes !== record.rawBytes ||
    minTime !== record.minTime || maxTime !== record.maxTime ||
    chunkHeaderCrc(chunkBytes) !== headerCrc
  ) fail(offset, "chunk and footer differ");
  chunk.verify();
}

function sortStreams(streams: SegmentInput["streams"]): SegmentInput["streams"] {
  const keyed = streams.filter(({ chunks }) => chunks.length > 0).map((stream) => ({
    stream,
    tenant: encoder.encode(stream.tenant),
    labels: encoder.encode(stream.labels),
  }));
  keyed.sort((a, b) => compareBytes(a.tenant, b.tenant) || compareBytes(a.labels, b.labels));
  return keyed.map(({ stream }) => stream);
}

function encodeHeader(identity: SegmentIdentity): Uint8Array {
  const bytes = new Uint8Array(segmentHeaderBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, headerMagic, true);
  bytes[4] = version;
  view.setUint32(8, identity.partition, true);
  view.setBigUint64(16, BigInt(identity.logFrom), true);
  view.setBigUint64(24, BigInt(identity.logTo), true);
  view.setBigInt64(32, identity.createdAt, true);
  return bytes;
}

function decodeHeader(bytes: Uint8Array): SegmentIdentity {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== headerMagic) fail(0, 'does not start with "TRS1"');
  if (bytes[4] !== version) fail(4, `version ${bytes[4]} is not known, only ${version}`);
  return {
    partition: view.getUint32(8, true),
    logFrom: Number(view.getBigUint64(16, true)),
    logTo: Number(view.getBigUint64(24, true)),
    createdAt: view.getBigInt64(32, true),
  };
}

function encodeTrailer(trailer: SegmentTrailer): Uint8Array {
  const bytes = new Uint8Array(segmentTrailerBytes);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(trailer.footerOffset), true);
  view.setUint32(8, trailer.footerBytes, true);
  view.setUint32(12, trailer.footerRawBytes, true);
  view.setUint32(16, trailer.footerCrc, true);
  view.setUint32(20, trailer.headerCrc, true);
  bytes[24] = version;
  view.setUint32(32, crc32c(bytes.subarray(0, 32)), true);
  view.setUint32(36, trailerMagic, true);
  return bytes;
}

function encodeFooter(
  header: Uint8Array,
  streams: ReadonlyArray<StreamRecord>,
  chunkCrcs: ReadonlyArray<number>,
): Uint8Array {
  const encoded = streams.map(({ tenant, labels, chunks }) => ({
    tenant: encoder.encode(tenant),
    labels: encoder.encode(labels),
    chunks,
  }));
  let length = header.length + 8;
  for (const { tenant, labels, chunks } of encoded) {
    length += 10 + tenant.length + labels.length + chunks.length * chunkEntryBytes;
  }
  if (length > footerRawBytesMax) {
    throw new RangeError(
      `Segment footer of ${length} bytes: at most ${footerRawBytesMax} are possible`,
    );
  }
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  const chunks = encoded.flatMap((stream) => stream.chunks);
  bytes.set(header);
  view.setUint32(header.length, encoded.length, true);
  view.setUint32(header.length + 4, chunks.length, true);
  let at = header.length + 8;
  for (const stream of encoded) {
    view.setUint16(at, stream.tenant.length, true);
    view.setUint32(at + 2, stream.labels.length, true);
    view.setUint32(at + 6, stream.chunks.length, true);
    bytes.set(stream.tenant, at + 10);
    bytes.set(stream.labels, at + 10 + stream.tenant.length);
    at += 10 + stream.tenant.length + stream.labels.length;
  }
  for (let index = 0; index < chunks.length; index++) {
    const chunk = chunks[index]!;
    view.setBigUint64(at, BigInt(chunk.offset), true);
    view.setUint32(at + 8, chunk.length, true);
    view.setUint32(at + 12, chunk.rowCount, true);
    view.setBigInt64(at + 16, chunk.minTime, true);
    view.setBigInt64(at + 24, chunk.maxTime, true);
    view.setUint32(at + 32, chunk.rawBytes, true);
    view.setUint32(at + 36, chunkCrcs[index]!, true);
    at += chunkEntryBytes;
  }
  return bytes;
}

/** Reads an uncompressed footer behind its copy of the header. Errors name the footer's place in
 *  the segment: within it there is no better one. */
class FooterReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #footerOffset: number;
  readonly #chunkCrcs: number[] = [];
  #at = segmentHeaderBytes;

  constructor(bytes: Uint8Array, footerOffset: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#footerOffset = footerOffset;
  }

  read(): Pick<SegmentFooter, "streams" | "chunkCrcs"> {
    const heads = this.#take(8);
    const streamCount = this.#view.getUint32(heads, true);
    const chunkCount = this.#view.getUint32(heads + 4, true);
    const named: Array<{ tenant: string; labels: string; chunks: number }> = [];
    let chunksNamed = 0;
    for (let stream = 0; stream < streamCount; stream++) {
      const at = this.#take(10);
      const tenant = this.#text(this.#view.getUint16(at, true));
      const labels = this.#text(this.#view.getUint32(at + 2, true));
      const chunks = this.#view.getUint32(at + 6, true);
      named.push({ tenant, labels, chunks });
      chunksNamed += chunks;
    }
    if (chunksNamed !== chunkCount) {
      this.#fail(`${chunksNamed} chunks of streams, ${chunkCount} in all`);
    }
    let end = segmentHeaderBytes;
    const streams = named.map(({ tenant, labels, chunks }): StreamRecord => {
      const records: ChunkRecord[] = [];
      for (let index = 0; index < chunks; index++) {
        const record = this.#chunk();
        if (record.offset !== end) this.#fail(`chunk at ${record.offset}, expected at ${end}`);
        end += record.length;
        records.push(record);
      }
      return { tenant, labels, chunks: records };
    });
    if (end !== this.#footerOffset) {
      this.#fail(`chunks end at ${end}, the footer starts at ${this.#footerOffset}`);
    }
    if (this.#at !== this.#bytes.length) this.#fail("bytes are left over");
    return { streams, chunkCrcs: this.#chunkCrcs };
  }

  #chunk(): ChunkRecord {
    const at = this.#take(chunkEntryBytes);
    this.#chunkCrcs.push(this.#view.getUint32(at + 36, true));
    return {
      offset: Number(this.#view.getBigUint64(at, true)),
      length: this.#view.getUint32(at + 8, true),
      rowCount: this.#view.getUint32(at + 12, true),
      rawBytes: this.#view.getUint32(at + 32, true),
      minTime: this.#view.getBigInt64(at + 16, true),
      maxTime: this.#view.getBigInt64(at + 24, true),
    };
  }

  #text(length: number): string {
    const at = this.#take(length);
    try {
      return strictDecoder.decode(this.#bytes.subarray(at, at + length));
    } catch {
      this.#fail("a tenant or label string is not UTF-8");
    }
  }

  /** The position of the next `length` bytes, and moves past them. */
  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) this.#fail("the footer is cut off");
    this.#at += length;
    return at;
  }

  #fail(problem: string): never {
    fail(this.#footerOffset, problem);
  }
}
