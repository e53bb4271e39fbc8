/** What the storage formats cost and save: the corpus through batches, chunks and back, on one
 *  thread without server, disk or queries. Usage: node bench/formats.ts [--scale=0.1] [--level=1]
 *  [--block=262144]. CPU seconds are user + system, of this process; on Node, where zstd runs on
 *  the calling thread, that is the work itself. */
import snappy from "snappy";
import { buildRows, decodePush, noPushLimits } from "../src/kernels/push.ts";
import { zstdCompress, zstdDecompress } from "../src/platform/zstd.ts";
import { type Batch, buildBatch, decodeBatch, encodeBatch } from "../src/streams/batch.ts";
import { openChunk } from "../src/streams/chunk.ts";
import { buildChunks, type BuiltChunk, type ChunkSource } from "../src/streams/chunkWriter.ts";
import { buildSegment, verifySegment } from "../src/streams/segment.ts";
import { readCorpus } from "../src/testing/corpus.ts";
import { cachedCorpus, scaleFrom } from "./corpus.ts";

const parameters = process.argv.slice(2);
const option = (name: string, fallback: number) => {
  const given = parameters.find((parameter) => parameter.startsWith(`--${name}=`));
  return given === undefined ? fallback : Number(given.slice(name.length + 3));
};
const corpus = await cachedCorpus(scaleFrom([...parameters, "--quick"]));
const options = {
  rawBytesMax: option("chunk", 8 * 1024 * 1024),
  blockBytes: option("block", 256 * 1024),
  level: option("level", 1),
};

let rawBytes = 0;
const report: Array<{ work: string; "MB/s per CPU s": string; "CPU s": string; note: string }> = [];

/** Runs `work` and reports its CPU time against the corpus' line bytes. */
function measure<T>(name: string, work: () => T, note: (result: T) => string): T {
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  const seconds = (user + system) / 1e6;
  report.push({
    work: name,
    "MB/s per CPU s": (rawBytes / 1e6 / seconds).toFixed(0),
    "CPU s": seconds.toFixed(3),
    note: note(result),
  });
  return result;
}

const percent = (bytes: number) => `${(100 * bytes / rawBytes).toFixed(1)} % of line bytes`;
const sumOf = (sizes: Iterable<number>) => [...sizes].reduce((sum, size) => sum + size, 0);

const bodies: Uint8Array[] = [];
for await (const push of readCorpus(corpus.path)) {
  bodies.push(snappy.uncompressSync(push.body as Buffer, { asBuffer: true }) as Buffer);
  rawBytes += push.lineBytes;
}
const limits = { ...noPushLimits, detectLevels: parameters.includes("--levels") };

let buildBatchSeconds = 0;
const batches = measure(
  "decode push, build batch",
  () =>
    bodies.map((body) => {
      const streams = decodePush(body);
      const labels = Array.from({ length: streams.streamCount }, (_, stream) =>
        new TextDecoder().decode(streams.labelsOf(stream).slice()));
      const all = new Uint8Array(streams.streamCount).fill(1);
      const rows = buildRows(all, new Uint8Array(streams.streamCount), limits);
      const slices = labels.map((text, stream) => ({
        labels: text,
        rowStart: stream === 0 ? 0 : rows.rowEnds[stream - 1]!,
        rowEnd: rows.rowEnds[stream]!,
      }));
      const before = performance.now();
      const batch = buildBatch("bench", slices, rows);
      buildBatchSeconds += (performance.now() - before) / 1000;
      return batch;
    }),
  (built) => `${built.length} batches; buildBatch alone ${buildBatchSeconds.toFixed(3)} s`,
);
const encoded = measure(
  "encode batch (zstd 1)",
  () => batches.map((batch) => encodeBatch(batch, "zstd")),
  (built) => percent(sumOf(built.map((bytes) => bytes.length))),
);
measure(
  "encode batch (none)",
  () => batches.map((batch) => encodeBatch(batch, "none")).length,
  () => "",
);
measure("decode batch", () => encoded.map(decodeBatch), () => "");

const sources = measure(
  "group slices by stream",
  () => groupByStream(batches),
  (map) => `${map.size} streams`,
);
const built = measure(
  "build chunks",
  () => [...sources.values()].map((rows) => buildChunks(rows, options)),
  (streams) =>
    `${streams.flat().length} chunks, ${percent(sumOf(streams.flat().map((c) => c.bytes.length)))}`,
);
const blocks = measure(
  "zstd alone: compress the same blocks",
  () => compressAlone(built.flat()),
  (stored) => percent(sumOf(stored.map(({ bytes }) => bytes.length))),
);
const chunks = built.flat();
const segment = measure(
  "build segment",
  () => {
    const streams = [...sources.keys()].map((labels, index) => ({
      tenant: "bench",
      labels,
      chunks: built[index]!,
    }));
    return buildSegment({ partition: 0, logFrom: 1, logTo: 2, createdAt: 0n, streams });
  },
  ({ record }) => percent(record.bytes),
);
measure(
  "select: times only",
  () => scan(chunks, (block) => block.timestamps.length),
  (n) => `${n} rows`,
);
measure(
  "select: times and lengths",
  () => scan(chunks, (b) => b.timestamps.length + 0 * b.lineEnds.length),
  (n) => `${n} rows`,
);
measure(
  "select: lines",
  () => scan(chunks, (block) => block.lines.length && block.lineEnds.length),
  (n) => `${n} rows`,
);
measure(
  "select: everything",
  () =>
    scan(
      chunks,
      (block) =>
        block.lines.length && block.metaIds.length && block.sets.meta.length >= 0 &&
          block.timestamps.length || 0,
    ),
  (n) => `${n}`,
);
measure("zstd alone: decompress the same blocks", () => {
  for (const { bytes, length } of blocks) zstdDecompress(bytes, length);
}, () => "");
const whole = Buffer.concat(segment.parts);
measure("verify segment", () => verifySegment(whole), () => "");
console.log(`${(rawBytes / 1e6).toFixed(0)} MB of lines, ${JSON.stringify(options)}`);
console.table(report);
console.table(sectionSizes(chunks));

function groupByStream(all: ReadonlyArray<Batch>): Map<string, ChunkSource[]> {
  const streams = new Map<string, ChunkSource[]>();
  for (const batch of all) {
    for (let slice = 0; slice < batch.sliceCount; slice++) {
      const labels = batch.labelsOf(slice);
      const rows = streams.get(labels) ?? [];
      rows.push({
        batch,
        rowStart: batch.sliceRowStart(slice),
        rowEnd: batch.sliceRowEnds[slice]!,
      });
      streams.set(labels, rows);
    }
  }
  return streams;
}

function scan(
  all: ReadonlyArray<BuiltChunk>,
  touch: (block: import("../src/streams/lineBlock.ts").LineBlock) => number,
): number {
  let rows = 0;
  for (const { bytes } of all) {
    const range = { start: -(2n ** 63n), end: 2n ** 63n };
    openChunk(bytes).select({ range, filters: [], order: "backward" }, (block) => {
      touch(block);
      rows += block.rowEnd - block.rowStart;
      return true;
    });
  }
  return rows;
}

function compressAlone(all: ReadonlyArray<BuiltChunk>) {
  const lines: Uint8Array[] = [];
  for (const { bytes } of all) {
    const range = { start: -(2n ** 63n), end: 2n ** 63n };
    openChunk(bytes).select(
      { range, filters: [], order: "forward" },
      (block) => lines.push(block.lines) > 0,
    );
  }
  const before = process.cpuUsage();
  const stored = lines.map((raw) => ({
    bytes: zstdCompress(raw, options.level),
    length: raw.length,
  }));
  const { user, system } = process.cpuUsage(before);
  console.log(
    `compressing the ${stored.length} blocks alone: ${((user + system) / 1e6).toFixed(3)} CPU s`,
  );
  return stored;
}

function sectionSizes(all: ReadonlyArray<BuiltChunk>) {
  const names = ["header", "blocks", "times", "lengths", "metaIds", "setLengths", "sets", "lines"];
  const sizes: Record<string, number> = {};
  for (const { bytes } of all) {
    const view = new DataView(bytes.buffer);
    sizes.header = (sizes.header ?? 0) + 64 + 16 * bytes[5]!;
    for (let index = 0; index < bytes[5]!; index++) {
      const name = names[view.getUint16(64 + 16 * index, true)]!;
      sizes[name] = (sizes[name] ?? 0) + view.getUint32(64 + 16 * index + 8, true);
    }
  }
  const rows = sumOf(all.map((chunk) => chunk.rowCount));
  return Object.entries(sizes).map(([section, bytes]) => ({
    section,
    bytes,
    "of line bytes": percent(bytes),
    "bits a row": (8 * bytes / rows).toFixed(2),
  }));
}
