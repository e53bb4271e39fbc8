/** Golden files: every released version of a format decodes to the rows it was made of, for ever.
 */
import { readFileSync } from "node:fs";
import t, { type Test } from "tap";
import { decodeBatch, encodeBatch } from "../../src/streams/batch.ts";
import { type Chunk, openChunk } from "../../src/streams/chunk.ts";
import { GramTest } from "../../src/streams/grams.ts";
import { segmentRecord, verifySegment } from "../../src/streams/segment.ts";
import { type ModelRow, rowsOfColumns } from "../../src/testing/modelRows.ts";
import { goldenBatch, goldenIdentity } from "./goldenObjects.ts";
import { type GoldenStream, goldenStreams } from "./goldenRows.ts";

const read = (name: string) => readFileSync(new URL(name, import.meta.url));
const streams = goldenStreams();

/** What a chunk keeps of rows: by time, stable, equal rows once. */
function stored(rows: ReadonlyArray<ModelRow>): ModelRow[] {
  const seen = new Set<string>();
  return rows.toSorted((a, b) => a.timestamp < b.timestamp ? -1 : a.timestamp > b.timestamp ? 1 : 0)
    .filter((row) => {
      const key = `${row.timestamp} ${row.line} ${row.metadata}`;
      return !seen.has(key) && seen.add(key);
    });
}

function chunkRows(chunk: Chunk): ModelRow[] {
  const rows: ModelRow[] = [];
  const range = { start: -(2n ** 63n), end: 2n ** 63n };
  chunk.select({ range, filters: [], order: "forward" }, (block) => {
    const { timestamps, lineEnds, lines, metaIds, sets } = block;
    const columns = {
      timestamps,
      lineEnds,
      lines,
      metaIds,
      setEnds: sets.setEnds,
      meta: sets.meta,
    };
    rows.push(...rowsOfColumns(columns, block.rowStart, block.rowEnd));
    return true;
  });
  return rows;
}

function checkBatch(t: Test, name: string, wanted: ReadonlyArray<GoldenStream>): void {
  const batch = decodeBatch(read(name));
  t.equal(batch.tenant, wanted[0]!.tenant);
  t.equal(batch.sliceCount, wanted.length);
  wanted.forEach(({ labels, rows }, slice) => {
    t.equal(batch.labelsOf(slice), labels);
    const found = rowsOfColumns(batch, batch.sliceRowStart(slice), batch.sliceRowEnds[slice]!);
    t.strictSame(found, rows, `${name}: rows of ${labels}`);
  });
}

t.test("batch version 1 decodes", async (t) => {
  checkBatch(t, "batch-v1-none.bin", streams.slice(0, 2));
  checkBatch(t, "batch-v1-zstd.bin", streams.slice(2));
});

t.test("batch version 1 is still written the same way", async (t) => {
  const bytes = encodeBatch(goldenBatch(streams.slice(0, 2)), "none");
  t.equal(Buffer.compare(bytes, read("batch-v1-none.bin")), 0);
});

for (const name of ["chunk-v1.bin", "chunk-v1-grams.bin"]) {
  t.test(`chunk version 1 decodes: ${name}`, async (t) => {
    const chunk = openChunk(read(name));
    const rows = chunkRows(chunk);
    t.ok(chunk.blocks.length > 1);
    t.strictSame(rows, stored(streams[0]!.rows).slice(0, rows.length));
    chunk.verify();
  });
}

t.test("grams of a chunk rule out blocks without a text, and only where there are any", async (t) => {
  const filters = [{
    apply: () => 0,
    grams: GramTest.of([[{ text: "no line has this text", fold: false }]])!,
  }];
  const ruledOut = (name: string) => {
    const chunk = openChunk(read(name));
    return chunk.blocks.filter((_, index) => chunk.rulesOut(index, filters)).length;
  };
  t.equal(ruledOut("chunk-v1-grams.bin"), openChunk(read("chunk-v1-grams.bin")).blocks.length);
  t.equal(ruledOut("chunk-v1.bin"), 0);
});

t.test("segment version 1 decodes", async (t) => {
  const bytes = read("segment-v1.bin");
  const record = segmentRecord(verifySegment(bytes));
  t.match(record, goldenIdentity);
  t.strictSame(
    record.streams.map(({ tenant, labels }) => `${tenant} ${labels}`),
    streams.map(({ tenant, labels }) => `${tenant} ${labels}`).sort(),
  );
  for (const { tenant, labels, chunks } of record.streams) {
    const rows = chunks.flatMap(({ offset, length }) =>
      chunkRows(openChunk(bytes.subarray(offset, offset + length)))
    );
    const { rows: wanted } = streams.find((stream) =>
      stream.tenant === tenant && stream.labels === labels
    )!;
    t.strictSame(rows, stored(wanted), labels);
  }
});
