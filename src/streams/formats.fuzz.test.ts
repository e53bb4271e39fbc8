/** Damaged bytes: whatever is flipped, dropped or cut, a decoder throws FormatError or the damage
 *  is where the answer does not depend on it, and then the answer is right. Small files are damaged
 *  at every byte, larger ones at random places; the seed is printed, and FUZZ_SEED replays it.
 *  Forged files, whose checksums are right, must end in FormatError or in some answer. */
import t from "tap";
import { crc32c } from "../kernels/hash.ts";
import { zstdCompress, zstdDecompress } from "../platform/zstd.ts";
import { columnsOf, type ModelRow, rowsOfColumns } from "../testing/modelRows.ts";
import { randomFrom } from "../testing/random.ts";
import { buildBatch, decodeBatch, encodeBatch } from "./batch.ts";
import { openChunk } from "./chunk.ts";
import { buildChunks } from "./chunkWriter.ts";
import { FormatError } from "./formatError.ts";
import { buildSegment, readSegmentTrailer, segmentTrailerBytes, verifySegment } from "./segment.ts";

const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000);
const random = randomFrom(seed);
t.comment(`FUZZ_SEED=${seed}`);

function rowsOf(count: number): ModelRow[] {
  return Array.from({ length: count }, (_, index) => ({
    timestamp: BigInt(index * index) * 1000n,
    line: [...Buffer.from(`row ${index} ${"x".repeat(index % 7)}`)],
    metadata: index % 3 === 0 ? [["trace", `${index}`]] : [],
  }));
}

function batchOf(rows: ReadonlyArray<ModelRow>) {
  const slices = [{ labels: '{a="b"}', rowStart: 0, rowEnd: rows.length }];
  return buildBatch("tenant", slices, columnsOf(rows));
}

function chunksOf(count: number) {
  const batch = batchOf(rowsOf(count));
  const options = { rawBytesMax: 4000, blockBytes: 300, level: 1 };
  return buildChunks([{ batch, rowStart: 0, rowEnd: count }], options);
}

function segmentOf(count: number): Uint8Array {
  const streams = ["{}", '{a="b"}'].map((labels) => ({
    tenant: "x",
    labels,
    chunks: chunksOf(count),
  }));
  const { parts } = buildSegment({ partition: 1, logFrom: 1, logTo: 2, createdAt: 3n, streams });
  return new Uint8Array(Buffer.concat(parts));
}

/** All rows of a batch or chunk as text; what must not change silently. */
const decoders = {
  batch: (bytes: Uint8Array) => {
    const batch = decodeBatch(bytes);
    return textOf([batch.tenant, batch.labelsOf(0), rowsOfColumns(batch, 0, batch.rowCount)]);
  },
  chunk: (bytes: Uint8Array) => {
    const rows: unknown[] = [];
    openChunk(bytes).select({
      range: { start: -(2n ** 63n), end: 2n ** 63n },
      filters: [],
      order: "forward",
    }, (block) => {
      const { timestamps, lineEnds, lines, metaIds, sets } = block;
      const { setEnds, meta } = sets;
      const columns = { timestamps, lineEnds, lines, metaIds, setEnds, meta };
      rows.push(rowsOfColumns(columns, block.rowStart, block.rowEnd));
      return true;
    });
    return textOf(rows);
  },
  segment: (bytes: Uint8Array) => textOf(verifySegment(bytes)),
};

function textOf(value: unknown): string {
  return JSON.stringify(value, (_, part) => typeof part === "bigint" ? `${part}` : part);
}

/** Damages at byte `at`: each bit, all bits, the byte dropped, the rest dropped, a byte put in. */
function* damages(bytes: Uint8Array, at: number): Generator<Uint8Array> {
  for (const mask of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
    const flipped = bytes.slice();
    flipped[at]! ^= mask;
    yield flipped;
  }
  yield new Uint8Array([...bytes.subarray(0, at), ...bytes.subarray(at + 1)]);
  yield bytes.slice(0, at);
  yield new Uint8Array([...bytes.subarray(0, at), 0, ...bytes.subarray(at)]);
}

/** What went wrong, or undefined: a damaged file must be refused, or read as the undamaged one. */
function faultOf(decode: (bytes: Uint8Array) => string, damaged: Uint8Array, right?: string) {
  try {
    const answer = decode(damaged);
    return right === undefined || answer === right ? undefined : "a wrong answer";
  } catch (error) {
    if (error instanceof FormatError && error.byteOffset <= damaged.length + 64) return undefined;
    return `${error}`;
  }
}

const files: ReadonlyArray<readonly [keyof typeof decoders, string, Uint8Array]> = [
  ["batch", "small, plain", encodeBatch(batchOf(rowsOf(4)), "none")],
  ["batch", "small, zstd", encodeBatch(batchOf(rowsOf(4)), "zstd")],
  ["batch", "larger", encodeBatch(batchOf(rowsOf(400)), "zstd")],
  ["chunk", "small", chunksOf(5)[0]!.bytes],
  ["chunk", "larger", chunksOf(200)[0]!.bytes],
  ["segment", "small", segmentOf(3)],
  ["segment", "larger", segmentOf(600)],
];

for (const [format, size, bytes] of files) {
  t.test(`${format} (${size}, ${bytes.length} bytes) refuses every damage`, async (t) => {
    const decode = decoders[format];
    const right = decode(bytes);
    const everyByte = size.startsWith("small");
    const places = everyByte ? bytes.length : 100;
    for (let place = 0; place < places; place++) {
      const at = everyByte ? place : random.below(bytes.length);
      for (const damaged of damages(bytes, at)) {
        // A segment's verify must see any damage at all, so no answer is the right one.
        const fault = faultOf(decode, damaged, format === "segment" ? "none" : right);
        if (fault !== undefined) t.fail(`${fault}: byte ${at}, ${damaged.length} bytes`);
      }
    }
    t.equal(decode(bytes), right, "the undamaged bytes still decode");
  });
}

/** Writes any value over a random 1, 2, 4 or 8 bytes. */
function forge(bytes: Uint8Array): void {
  const extremes = [0, 1, 0x7f, 0x80, 0xff, random.below(256)];
  const at = random.below(bytes.length);
  const count = 1 << random.below(4);
  for (let index = at; index < Math.min(bytes.length, at + count); index++) {
    bytes[index] = extremes[random.below(extremes.length)]!;
  }
}

/** Makes all checksums of a forged chunk right, as far as its directory can be followed. */
function mendChunk(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const directoryEnd = 64 + 16 * bytes[5]!;
  if (directoryEnd > bytes.length) return;
  for (let entry = 64; entry < directoryEnd; entry += 16) {
    const offset = view.getUint32(entry + 4, true);
    const length = view.getUint32(entry + 8, true);
    if (offset + length > bytes.length) continue;
    if (view.getUint16(entry, true) === 1) mendBlocks(bytes, view, offset, length);
    view.setUint32(entry + 12, crc32c(bytes.subarray(offset, offset + length)), true);
  }
  view.setUint32(56, crc32c(bytes.subarray(64, directoryEnd)), true);
  view.setUint32(60, crc32c(bytes.subarray(0, 60)), true);
}

function mendBlocks(bytes: Uint8Array, view: DataView, offset: number, length: number): void {
  let stored = bytes.length;
  for (let at = offset; at + 48 <= offset + length; at += 48) {
    stored -= view.getUint32(at + 24, true);
  }
  for (let at = offset; at + 48 <= offset + length; at += 48) {
    const end = stored + view.getUint32(at + 24, true);
    if (stored < 0 || end > bytes.length) return;
    view.setUint32(at + 28, crc32c(bytes.subarray(stored, end)), true);
    stored = end;
  }
}

function mendBatch(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(56, crc32c(bytes.subarray(64)), true);
  view.setUint32(60, crc32c(bytes.subarray(0, 60)), true);
}

t.test("forged batches and chunks end in FormatError or an answer, never in a crash", async (t) => {
  const forgeries = [
    { format: "batch", bytes: files[0]![2], mend: mendBatch },
    { format: "batch", bytes: files[1]![2], mend: mendBatch },
    { format: "chunk", bytes: files[3]![2], mend: mendChunk },
    { format: "chunk", bytes: files[4]![2], mend: mendChunk },
  ] as const;
  for (const { format, bytes, mend } of forgeries) {
    for (let run = 0; run < 2000; run++) {
      const forged = bytes.slice();
      for (let times = random.below(3); times >= 0; times--) forge(forged);
      mend(forged);
      const fault = faultOf(decoders[format], forged);
      if (fault !== undefined) t.fail(`forged ${format}, run ${run}: ${fault}`);
    }
  }
  t.pass("8,000 forgeries");
});

/** A segment whose footer, before compression, went through `change`, with all checksums right. */
function withFooter(segment: Uint8Array, change: (raw: Uint8Array) => void): Uint8Array {
  const trailerStart = segment.length - segmentTrailerBytes;
  const trailer = segment.slice(trailerStart);
  const { footerOffset, footerRawBytes } = readSegmentTrailer(trailer, segment.length);
  const raw = zstdDecompress(segment.subarray(footerOffset, trailerStart), footerRawBytes).slice();
  change(raw);
  const footer = zstdCompress(raw, 1);
  const view = new DataView(trailer.buffer);
  view.setUint32(8, footer.length, true);
  view.setUint32(12, raw.length, true);
  view.setUint32(16, crc32c(footer), true);
  view.setUint32(20, crc32c(raw.subarray(0, 48)), true);
  view.setUint32(32, crc32c(trailer.subarray(0, 32)), true);
  const chunks = segment.subarray(48, footerOffset);
  return new Uint8Array(Buffer.concat([raw.subarray(0, 48), chunks, footer, trailer]));
}

t.test("forged segment footers end in FormatError or an answer, never in a crash", async (t) => {
  const segment = segmentOf(40);
  const mended = withFooter(segment, () => {});
  t.strictSame(verifySegment(mended).streams, verifySegment(segment).streams, "mended well");
  for (let run = 0; run < 2000; run++) {
    const forged = withFooter(segment, (raw) => forge(raw));
    const fault = faultOf(decoders.segment, forged);
    if (fault !== undefined) t.fail(`forged footer, run ${run}: ${fault}`);
  }
});
