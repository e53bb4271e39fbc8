/** Chunks against a naive model: what buildChunks and select must answer is said with sorted arrays
 *  of objects. */
import fc from "fast-check";
import t from "tap";
import {
  columnsOf,
  type ModelRow,
  modelRowArbitrary,
  rowsOfColumns,
} from "../testing/modelRows.ts";
import { randomFrom } from "../testing/random.ts";
import { type Batch, buildBatch } from "./batch.ts";
import { type Chunk, openChunk, openStoredChunk } from "./chunk.ts";
import { chunkHeadBytes } from "./chunkFormat.ts";
import {
  buildChunks,
  type BuiltChunk,
  type ChunkOptions,
  type ChunkSource,
} from "./chunkWriter.ts";
import { GramTest } from "./grams.ts";
import type { BlockFilter, LineBlock } from "./lineBlock.ts";

const key = (value: unknown) => fc.stringify(value);

/** Sorted by time, stable, first of equal rows kept. */
function modelRows(arrived: ReadonlyArray<ModelRow>): ModelRow[] {
  const sorted = arrived.toSorted((a, b) =>
    a.timestamp < b.timestamp ? -1 : a.timestamp > b.timestamp ? 1 : 0
  );
  const seen = new Set<string>();
  return sorted.filter((row) => !seen.has(key(row)) && seen.add(key(row)));
}

/** Sources out of batches that hold other rows too. */
function sourcesOf(groups: ReadonlyArray<ReadonlyArray<ModelRow>>): ChunkSource[] {
  const other: ModelRow = { timestamp: 5n, line: [9, 9], metadata: [["other", "set"]] };
  return groups.map((rows) => {
    const all = [other, ...rows, other];
    const batch: Batch = buildBatch("x", [
      { labels: "{}", rowStart: 0, rowEnd: 1 },
      { labels: '{a="b"}', rowStart: 1, rowEnd: all.length },
    ], columnsOf(all));
    return { batch, rowStart: 1, rowEnd: 1 + rows.length };
  });
}

const always = { start: -(2n ** 63n), end: 2n ** 63n };

function blockRows(block: LineBlock, mask: Uint8Array): ModelRow[] {
  const columns = {
    timestamps: block.timestamps,
    lineEnds: block.lineEnds,
    lines: block.lines,
    metaIds: block.metaIds,
    setEnds: block.sets.setEnds,
    meta: block.sets.meta,
  };
  return rowsOfColumns(columns, block.rowStart, block.rowEnd).filter((_, index) =>
    mask[index] === 1
  );
}

function chunkRows(chunk: Chunk): ModelRow[] {
  const rows: ModelRow[] = [];
  chunk.select({ range: always, filters: [], order: "forward" }, (block, mask) => {
    rows.push(...blockRows(block, mask));
    return true;
  });
  return rows;
}

const groupsArbitrary = fc.array(fc.array(modelRowArbitrary, { maxLength: 30 }), { maxLength: 4 });
const optionsArbitrary: fc.Arbitrary<ChunkOptions> = fc.record({
  rawBytesMax: fc.constantFrom(1, 100, 400, 1_000_000),
  blockBytes: fc.constantFrom(1, 20, 100, 1_000_000),
  level: fc.constantFrom(-5, 1, 3),
});

t.test("buildChunks keeps every distinct row once, sorted, stable", async () => {
  fc.assert(
    fc.property(groupsArbitrary, optionsArbitrary, (groups, options) => {
      const built = buildChunks(sourcesOf(groups), options);
      const rows: ModelRow[] = [];
      let duplicates = 0;
      for (const chunk of built) {
        const opened = openChunk(chunk.bytes);
        opened.verify();
        const own = chunkRows(opened);
        const lineBytes = own.reduce((sum, row) => sum + row.line.length, 0);
        if (chunk.rowCount !== own.length || opened.rowCount !== own.length) return false;
        if (chunk.rawBytes !== lineBytes || opened.rawBytes !== lineBytes) return false;
        if (chunk.minTime !== own[0]!.timestamp || opened.minTime !== chunk.minTime) return false;
        if (chunk.maxTime !== own.at(-1)!.timestamp || opened.maxTime !== chunk.maxTime) {
          return false;
        }
        rows.push(...own);
        duplicates += chunk.duplicateCount;
      }
      const arrived = groups.flat();
      // A long run of one time may be cut, and then equal rows may lie in two chunks: read them as
      // a reader would.
      return key(modelRows(rows)) === key(modelRows(arrived)) &&
        duplicates === arrived.length - rows.length &&
        (built.length > 1 || rows.length === modelRows(arrived).length);
    }),
    { numRuns: 500 },
  );
});

t.test("buildChunks of one time: many rows, few distinct", async () => {
  const line = fc.constantFrom([], [1], [2], [1, 2], [2, 1]);
  const row: fc.Arbitrary<ModelRow> = fc.record({
    timestamp: fc.constant(42n),
    line,
    metadata: fc.constantFrom([], [["a", "1"] as const]),
  }, { noNullPrototype: true });
  fc.assert(fc.property(fc.array(row, { minLength: 1, maxLength: 200 }), (rows) => {
    const [chunk, ...others] = buildChunks(sourcesOf([rows]));
    return others.length === 0 && key(chunkRows(openChunk(chunk!.bytes))) === key(modelRows(rows));
  }));
});

t.test("select answers range, filters and order as the model does", async () => {
  const time = fc.oneof(
    fc.bigInt({ min: -3n, max: 4n }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n }),
  );
  const wantedByte = fc.constantFrom(97, 98, 0, 255);
  fc.assert(
    fc.property(
      groupsArbitrary,
      optionsArbitrary,
      time,
      time,
      fc.array(wantedByte, { maxLength: 2 }),
      fc.boolean(),
      (groups, options, start, end, wanted, backward) => {
        const filters = wanted.map(hasByte);
        const order = backward ? "backward" : "forward";
        const built = buildChunks(sourcesOf(groups), options);
        const found: ModelRow[] = [];
        for (const { bytes } of backward ? built.toReversed() : built) {
          openChunk(bytes).select(
            { range: { start, end }, filters, order },
            (block, mask, matched) => {
              const rows = blockRows(block, mask);
              if (rows.length !== matched) throw new Error("matched is not what the mask says");
              found.push(...(backward ? rows.toReversed() : rows));
              return true;
            },
          );
        }
        const expected = built.flatMap(({ bytes }) => chunkRows(openChunk(bytes))).filter((row) =>
          row.timestamp >= start && row.timestamp < end &&
          wanted.every((byte) => row.line.includes(byte))
        );
        return key(found) === key(backward ? expected.toReversed() : expected);
      },
    ),
    { numRuns: 300 },
  );
});

t.test("select at every boundary of blocks", async (t) => {
  const times = [0n, 1n, 1n, 2n, 2n, 2n, 4n];
  const rows = times.map((timestamp, index): ModelRow => ({
    timestamp,
    line: [index],
    metadata: [],
  }));
  for (const blockBytes of [1, 2, 3, 100]) {
    const [built] = buildChunks(sourcesOf([rows]), { rawBytesMax: 1e6, blockBytes, level: 1 });
    const chunk = openChunk(built!.bytes);
    for (let start = -1n; start <= 6n; start++) {
      for (let end = -1n; end <= 6n; end++) {
        const found: ModelRow[] = [];
        chunk.select({ range: { start, end }, filters: [], order: "forward" }, (block, mask) => {
          found.push(...blockRows(block, mask));
          return true;
        });
        const wanted = rows.filter(({ timestamp }) => timestamp >= start && timestamp < end);
        t.strictSame(found, wanted, `${start} to ${end}, blocks of ${blockBytes} rows`);
      }
    }
  }
});

t.test("select stops when told, and decompresses only what is looked at", async (t) => {
  const rows = Array.from({ length: 100 }, (_, index): ModelRow => ({
    timestamp: BigInt(index),
    line: [...Buffer.from(`line ${index}`.padEnd(10))],
    metadata: [],
  }));
  const [built] = buildChunks(sourcesOf([rows]), { rawBytesMax: 1e6, blockBytes: 100, level: 1 });
  const chunk = openChunk(built!.bytes);
  t.equal(chunk.blocks.length, 10);
  t.strictSame(
    chunk.select({ range: always, filters: [], order: "forward" }, () => true),
    { blocksScanned: 10, rowsScanned: 100, bytesScanned: 0 },
    "nobody looked at a line",
  );
  t.strictSame(
    chunk.select(
      { range: { start: 15n, end: 35n }, filters: [hasByte(48)], order: "forward" },
      () => true,
    ),
    { blocksScanned: 3, rowsScanned: 20, bytesScanned: 300 },
  );
  const visited: number[] = [];
  chunk.select({ range: always, filters: [], order: "backward" }, (block) => {
    visited.push(Number(block.timestamps[block.rowStart]));
    return visited.length < 3;
  });
  t.strictSame(visited, [90, 80, 70]);
});

t.test("a stored chunk gives the same, and reads only what is asked for", async (t) => {
  fc.assert(
    fc.property(groupsArbitrary, optionsArbitrary, (groups, options) => {
      for (const { bytes } of buildChunks(sourcesOf(groups), options)) {
        const whole = openChunk(bytes);
        const reads: Array<readonly [number, number]> = [];
        const stored = openStoredChunk((offset, length) => {
          reads.push([offset, length]);
          return bytes.slice(offset, offset + length);
        }, bytes.length);
        whole.blocks.forEach((_, index) => {
          const [given, wanted] = [stored.block(index, always)!, whole.block(index, always)!];
          assertSame(given.timestamps, wanted.timestamps);
          assertSame(given.lineEnds, wanted.lineEnds);
          assertSame(given.metaIds, wanted.metaIds);
          assertSame(given.sets.meta, wanted.sets.meta);
          const before = reads.length;
          assertSame(given.lines, wanted.lines);
          t.equal(reads.length, before + 1, "lines are read when they are asked for");
        });
        t.ok(reads[0]![1] <= chunkHeadBytes);
      }
    }),
    { numRuns: 30 },
  );
});

t.test("blocks whose grams lack a filter's text are not read", async (t) => {
  const rows = Array.from({ length: 200 }, (_, index): ModelRow => ({
    timestamp: BigInt(index),
    line: [...new TextEncoder().encode(`request ${index} of trace-${index * 7919}`)],
    metadata: [],
  }));
  const options = { rawBytesMax: 1_000_000, blockBytes: 300, level: 1 };
  const [{ bytes }] = buildChunks(sourcesOf([rows]), options) as [BuiltChunk];
  const filterOf = (text: string): BlockFilter => ({
    apply: (_block, mask) => mask.length,
    grams: GramTest.of([[{ text, fold: false }]])!,
  });
  const scanned = (text: string) =>
    openChunk(bytes).select(
      { range: always, filters: [filterOf(text)], order: "forward" },
      () => true,
    ).blocksScanned;
  t.ok(openChunk(bytes).blocks.length > 15);
  t.equal(scanned("request"), openChunk(bytes).blocks.length);
  t.ok(scanned(`trace-${77 * 7919}`) <= 2);
  t.equal(scanned("no line has this text"), 0);
});

function assertSame(
  a: { readonly length: number; readonly [index: number]: number | bigint },
  b: { readonly length: number; readonly [index: number]: number | bigint },
): void {
  if (Array.from(a).join() !== Array.from(b).join()) throw new Error("columns differ");
}

t.test("buildChunks of no rows, and of rows without lines", async (t) => {
  t.strictSame(buildChunks([]), []);
  t.strictSame(buildChunks(sourcesOf([[], []])), []);
  const [built] = buildChunks(sourcesOf([[{ timestamp: 1n, line: [], metadata: [] }]]));
  t.strictSame(chunkRows(openChunk(built!.bytes)), [{ timestamp: 1n, line: [], metadata: [] }]);
});

t.test("buildChunks cuts chunks at the size asked for", async (t) => {
  const rows = Array.from({ length: 2000 }, (_, index): ModelRow => ({
    timestamp: BigInt(index),
    line: Array.from({ length: 92 }, (_, at) => (index * 31 + at * at) & 255),
    metadata: [],
  }));
  const built = buildChunks(sourcesOf([rows.slice(0, 700), rows.slice(700)]), {
    rawBytesMax: 50_000,
    blockBytes: 5000,
    level: 1,
  });
  t.strictSame(built.map((chunk) => chunk.rowCount), [500, 500, 500, 500]);
  t.strictSame(built.map((chunk) => openChunk(chunk.bytes).blocks.length), [10, 10, 10, 10]);
});

t.test("buildChunks sorts many rows of interleaved sources, and finds duplicates", async (t) => {
  const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000);
  const random = randomFrom(seed);
  const text = (time: number, id: number) => `${time}:${id} ${"padding ".repeat(id % 40)}`;
  // Few ids per time, so that equal rows are common; times mostly ascend.
  const groups = Array.from(
    { length: 5 },
    (_, group) =>
      Array.from({ length: 4000 }, (_, index): ModelRow => {
        const time = random.oneIn(10) ? random.below(4000) : index;
        const line = Buffer.from(text(time, group < 2 ? time % 7 : random.below(300)));
        return { timestamp: BigInt(time), line: [...line], metadata: [] };
      }),
  );
  const arrived = groups.flat();
  const wanted = modelLines(arrived);
  const options = { rawBytesMax: 300_000, blockBytes: 20_000, level: -5 };
  const built = buildChunks(sourcesOf(groups), options);
  t.ok(built.length > 5);
  const found = built.flatMap(({ bytes }) => chunkRows(openChunk(bytes)));
  t.equal(found.length, wanted.length);
  const differing = found.findIndex((row, index) =>
    Buffer.from(row.line).toString() !== wanted[index]
  );
  t.equal(differing, -1, `TEST_SEED=${seed}`);
});

t.test("buildChunks takes more rows than it stages at a time", async (t) => {
  const rowCount = 2 * 1024 * 1024 + 5;
  const columns = {
    timestamps: new BigInt64Array(rowCount),
    lineEnds: new Uint32Array(rowCount),
    lines: new Uint8Array(0),
    metaIds: new Uint32Array(rowCount),
    setEnds: new Uint32Array(0),
    meta: new Uint8Array(0),
  };
  const words = new Uint32Array(columns.timestamps.buffer);
  for (let row = 0; row < rowCount; row++) words[2 * row] = row;
  const batch = buildBatch("x", [{ labels: "{}", rowStart: 0, rowEnd: rowCount }], columns);
  const built = buildChunks([{ batch, rowStart: 0, rowEnd: rowCount }]);
  t.equal(built.reduce((sum, chunk) => sum + chunk.rowCount, 0), rowCount);
  let next = 0n;
  for (const chunk of built) {
    t.equal(chunk.minTime, next);
    next = chunk.maxTime + 1n;
    openChunk(chunk.bytes).verify();
  }
  t.equal(next, BigInt(rowCount));
});

/** Lines of rows without metadata as the model orders them. */
function modelLines(arrived: ReadonlyArray<ModelRow>): string[] {
  const seen = new Set<string>();
  return arrived.toSorted((a, b) => Number(a.timestamp - b.timestamp))
    .map((row) => Buffer.from(row.line).toString())
    .filter((line) => !seen.has(line) && seen.add(line));
}

/** Keeps lines that hold a byte. */
function hasByte(byte: number): BlockFilter {
  return {
    apply(block, mask) {
      let left = 0;
      for (let row = block.rowStart; row < block.rowEnd; row++) {
        const start = row === 0 ? 0 : block.lineEnds[row - 1]!;
        const index = row - block.rowStart;
        if (!block.lines.subarray(start, block.lineEnds[row]).includes(byte)) mask[index] = 0;
        left += mask[index]!;
      }
      return left;
    },
  };
}
