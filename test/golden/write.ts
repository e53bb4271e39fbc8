/** Writes the golden files of the current format versions: node test/golden/write.ts. Run once per
 *  released version; files that exist are left alone, because what they pin must not move. */
import { existsSync, writeFileSync } from "node:fs";
import { encodeBatch } from "../../src/streams/batch.ts";
import { buildChunks } from "../../src/streams/chunkWriter.ts";
import { buildSegment } from "../../src/streams/segment.ts";
import { goldenBatch, goldenIdentity, goldenOptions } from "./goldenObjects.ts";
import { goldenStreams } from "./goldenRows.ts";

const streams = goldenStreams();
const chunks = streams.map((stream) => {
  const batch = goldenBatch([stream]);
  return buildChunks([{ batch, rowStart: 0, rowEnd: batch.rowCount }], goldenOptions);
});
const segment = buildSegment({
  ...goldenIdentity,
  streams: streams.map((stream, index) => ({ ...stream, chunks: chunks[index]! })),
});
write("batch-v1-none.bin", encodeBatch(goldenBatch(streams.slice(0, 2)), "none"));
write("batch-v1-zstd.bin", encodeBatch(goldenBatch(streams.slice(2)), "zstd"));
write("chunk-v1.bin", chunks[0]![0]!.bytes);
write("chunk-v1-grams.bin", chunks[0]![0]!.bytes);
write("segment-v1.bin", Buffer.concat(segment.parts));

function write(name: string, bytes: Uint8Array): void {
  const path = new URL(name, import.meta.url);
  if (existsSync(path)) {
    console.log(`${name} exists and stays`);
    return;
  }
  writeFileSync(path, bytes);
  console.log(`${name}: ${bytes.length} bytes`);
}
