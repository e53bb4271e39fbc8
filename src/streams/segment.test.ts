/** Segments: what goes in comes out of the footer and of the chunks, by two small reads. */
import t from "tap";
import { columnsOf, type ModelRow } from "../testing/modelRows.ts";
import { buildBatch } from "./batch.ts";
import { openChunk } from "./chunk.ts";
import { buildChunks, type BuiltChunk } from "./chunkWriter.ts";
import { buildSegment, readSegmentFooter, segmentRecord, verifySegment } from "./segment.ts";

function chunksOf(count: number, seed: number): BuiltChunk[] {
  const rows = Array.from({ length: count }, (_, index): ModelRow => ({
    timestamp: BigInt(seed * 1000 + index),
    line: [...Buffer.from(`stream ${seed} line ${index}`)],
    metadata: index % 3 === 0 ? [["trace", `${index}`]] : [],
  }));
  const batch = buildBatch("x", [{ labels: "{}", rowStart: 0, rowEnd: count }], columnsOf(rows));
  const options = { rawBytesMax: 1000, blockBytes: 200, level: 1 };
  return buildChunks([{ batch, rowStart: 0, rowEnd: count }], options);
}

const identity = { partition: 3, logFrom: 17, logTo: 9_007_199_254_740_991, createdAt: 1n << 60n };
const streams = [
  { tenant: "b", labels: '{a="é"}', chunks: chunksOf(10, 1) },
  { tenant: "b", labels: '{a="\u{10000}"}', chunks: chunksOf(200, 2) },
  { tenant: "b", labels: '{a="\uffff"}', chunks: chunksOf(1, 3) },
  { tenant: "a", labels: "{}", chunks: chunksOf(30, 4) },
  { tenant: "a", labels: '{none="here"}', chunks: [] },
];

t.test("buildSegment sorts streams, and its record is what the footer says", async (t) => {
  const { parts, record } = buildSegment({ ...identity, streams });
  const bytes = Buffer.concat(parts);
  t.equal(record.bytes, bytes.length);
  t.strictSame(
    record.streams.map(({ tenant, labels, chunks }) => [tenant, labels, chunks.length]),
    [
      ["a", "{}", streams[3]!.chunks.length],
      ["b", '{a="é"}', streams[0]!.chunks.length],
      ["b", '{a="\uffff"}', 1],
      ["b", '{a="\u{10000}"}', streams[1]!.chunks.length],
    ],
    "by tenant and labels in UTF-8 order, streams without chunks left out",
  );
  t.ok(streams[1]!.chunks.length > 1, "one stream has several chunks");
  t.match(record.key, /^segments\/00003\/0000000000000017-9007199254740991-[0-9a-f]{8}\.seg$/);
  const reads: Array<[number, number]> = [];
  const footer = await readSegmentFooter((offset, length) => {
    reads.push([offset, length]);
    return bytes.subarray(offset, offset + length);
  }, bytes.length);
  t.equal(reads.length, 2);
  t.strictSame(segmentRecord(footer), record);
  t.strictSame(segmentRecord(verifySegment(bytes)), record);
});

t.test("a segment's chunk records lead to the chunks", async (t) => {
  const { parts, record } = buildSegment({ ...identity, streams });
  const bytes = Buffer.concat(parts);
  for (const { labels, tenant, chunks } of record.streams) {
    const built = streams.find((stream) => stream.labels === labels && stream.tenant === tenant)!;
    chunks.forEach((chunk, index) => {
      const own = bytes.subarray(chunk.offset, chunk.offset + chunk.length);
      t.ok(Buffer.compare(own, built.chunks[index]!.bytes) === 0);
      t.equal(openChunk(own).rowCount, chunk.rowCount);
      t.equal(built.chunks[index]!.rowCount, chunk.rowCount);
      t.equal(built.chunks[index]!.minTime, chunk.minTime);
      t.equal(built.chunks[index]!.maxTime, chunk.maxTime);
      t.equal(built.chunks[index]!.rawBytes, chunk.rawBytes);
    });
  }
});

t.test("a segment without streams is whole, and its content decides its key", async (t) => {
  const empty = buildSegment({ ...identity, streams: [] });
  t.strictSame(segmentRecord(verifySegment(Buffer.concat(empty.parts))), empty.record);
  t.equal(buildSegment({ ...identity, streams: [] }).record.key, empty.record.key);
  t.not(buildSegment({ ...identity, streams }).record.key, empty.record.key);
  const other = [{ ...streams[3]!, chunks: chunksOf(30, 5) }];
  t.not(
    buildSegment({ ...identity, streams: other }).record.key,
    buildSegment({ ...identity, streams: [streams[3]!] }).record.key,
    "same sizes, other lines",
  );
});
