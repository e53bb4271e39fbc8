/** What is in the bucket tailrace_index, key by key. Pure.
 *
 *    checkpoint.<partition>          JSON: where the partition stands, and who may move it on
 *    segment.<object key>            JSON: one committed segment
 *    streams.<part>.<object key>     its streams and their chunks, part by part: u32 length (little-endian), then zstd of JSON
 *
 *  A commit is one atomic batch: the parts, the segment, the checkpoint. A replacement is one too: the parts, markers that delete
 *  what is replaced, the segment. So the stream has each segment's parts right before it; who follows it puts each segment in the
 *  place of those within its offsets, and needs no markers, which expire after a day. */
import { zstdCompress, zstdDecompress } from "../../platform/zstd.ts";
import type { ChunkRecord, SegmentRecord, StreamRecord } from "../../streams/record.ts";

export interface CheckpointRecord {
  /** First log offset that no committed segment covers. */
  readonly next: number;
  /** Counts claims: an owner of an earlier one cannot commit any more. */
  readonly epoch: number;
  /** Who claimed it, a name that no other claim has. */
  readonly owner: string;
  /** Key of the segment that was committed last. */
  readonly segment: string;
}

/** A segment without its streams. */
export interface SegmentHeader extends Omit<SegmentRecord, "streams"> {
  readonly parts: number;
  readonly streamCount: number;
}

export type IndexKey =
  | { readonly kind: "checkpoint"; readonly partition: number }
  | { readonly kind: "segment"; readonly key: string }
  | { readonly kind: "streams"; readonly part: number; readonly key: string };

export function checkpointKey(partition: number): string {
  return `checkpoint.${partition}`;
}

export function segmentRecordKey(key: string): string {
  return `segment.${key}`;
}

export function streamsKey(part: number, key: string): string {
  return `streams.${part}.${key}`;
}

/** What a key of the bucket is; undefined for one that this version does not know. */
export function parseIndexKey(text: string): IndexKey | undefined {
  const match = /^(checkpoint|segment|streams)\.(.*)$/.exec(text);
  const rest = match?.[2] ?? "";
  switch (match?.[1]) {
    case "checkpoint":
      return { kind: "checkpoint", partition: Number(rest) };
    case "segment":
      return { kind: "segment", key: rest };
    case "streams": {
      const dot = rest.indexOf(".");
      return { kind: "streams", part: Number(rest.slice(0, dot)), key: rest.slice(dot + 1) };
    }
    default:
      return undefined;
  }
}

export function encodeSegment({ streams, ...record }: SegmentRecord, parts: number): string {
  const header = { ...record, createdAt: String(record.createdAt) };
  return JSON.stringify({ ...header, parts, streamCount: streams.length });
}

export function decodeSegment(data: Uint8Array): SegmentHeader {
  const header = JSON.parse(new TextDecoder().decode(data));
  const { key, partition, logFrom, logTo, bytes, parts, streamCount } = header;
  const createdAt = BigInt(header.createdAt);
  return { key, partition, logFrom, logTo, bytes, createdAt, parts, streamCount };
}

/** JSON bytes of a part, about; compressed they are a small fraction of a message. */
const partChars = 512 * 1024;
const partBytesMax = 64 * 1024 * 1024;
const zstdLevel = 3;

/** The streams in parts, in order; no part for no streams. */
export function encodeStreams(streams: ReadonlyArray<StreamRecord>): ReadonlyArray<Uint8Array> {
  const parts: Uint8Array[] = [];
  let rows: string[] = [];
  let chars = 0;
  const cut = () => {
    if (rows.length > 0) parts.push(pack(`[${rows.join(",")}]`));
    rows = [];
    chars = 0;
  };
  for (const { tenant, labels, chunks } of streams) {
    const row = JSON.stringify([tenant, labels, chunks.map(chunkRow)]);
    rows.push(row);
    chars += row.length;
    if (chars >= partChars) cut();
  }
  cut();
  return parts;
}

export function decodeStreams(parts: ReadonlyArray<Uint8Array>): ReadonlyArray<StreamRecord> {
  return parts.flatMap((part) =>
    (JSON.parse(unpack(part)) as Array<[string, string, Array<ChunkRow>]>).map((
      [tenant, labels, chunks],
    ) => ({ tenant, labels, chunks: chunks.map(chunkOf) }))
  );
}

type ChunkRow = readonly [number, number, number, number, string, string];

function chunkRow(chunk: ChunkRecord): ChunkRow {
  const { offset, length, rowCount, rawBytes, minTime, maxTime } = chunk;
  return [offset, length, rowCount, rawBytes, String(minTime), String(maxTime)];
}

function chunkOf([offset, length, rowCount, rawBytes, minTime, maxTime]: ChunkRow): ChunkRecord {
  return {
    offset,
    length,
    rowCount,
    rawBytes,
    minTime: BigInt(minTime),
    maxTime: BigInt(maxTime),
  };
}

function pack(text: string): Uint8Array {
  const raw = new TextEncoder().encode(text);
  const stored = zstdCompress(raw, zstdLevel);
  const bytes = new Uint8Array(4 + stored.length);
  new DataView(bytes.buffer).setUint32(0, raw.length, true);
  bytes.set(stored, 4);
  return bytes;
}

function unpack(bytes: Uint8Array): string {
  const rawBytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .getUint32(0, true);
  if (rawBytes > partBytesMax) throw new RangeError(`a part of ${rawBytes} bytes is too large`);
  return new TextDecoder().decode(zstdDecompress(bytes.subarray(4), rawBytes));
}
