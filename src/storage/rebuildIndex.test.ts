/** Rebuilding the index from segments, and sweeping what was never committed, on real files. */
import { Effect, Layer } from "effect";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { buildBatch } from "../streams/batch.ts";
import { buildChunks } from "../streams/chunkWriter.ts";
import { buildSegment } from "../streams/segment.ts";
import { columnsOf } from "../testing/modelRows.ts";
import { DataDirectory } from "./embedded/DataDirectory.ts";
import { directoryObjectStoreLayer } from "./embedded/DirectoryObjectStore.ts";
import { rebuildEmbeddedIndex } from "./embedded/rebuildEmbeddedIndex.ts";
import { sqliteIndexLayer } from "./embedded/SqliteIndex.ts";
import { Index } from "./Index.ts";
import { ObjectStore } from "./ObjectStore.ts";
import { sweepOrphans } from "./sweepOrphans.ts";

/** A segment of three streams in two tenants whose rows depend on the range. */
function segmentOf(partition: number, logFrom: number, logTo: number, createdAt = 1n) {
  const chunksOf = (count: number) => {
    const rows = Array.from({ length: count }, (_, index) => ({
      timestamp: BigInt(logFrom * 1000 + index),
      line: [...Buffer.from(`partition ${partition} line ${index}`)],
      metadata: [],
    }));
    const batch = buildBatch("x", [{ labels: "{}", rowStart: 0, rowEnd: count }], columnsOf(rows));
    const options = { rawBytesMax: 1000, blockBytes: 200, level: 1 };
    return buildChunks([{ batch, rowStart: 0, rowEnd: count }], options);
  };
  const streams = [
    { tenant: "fake", labels: `{app="a", partition="${partition}"}`, chunks: chunksOf(100) },
    {
      tenant: "fake",
      labels: `{app="b", from="${logFrom % 3}"}`,
      chunks: chunksOf(logTo - logFrom),
    },
    { tenant: "other", labels: '{app="é"}', chunks: chunksOf(3) },
  ];
  return buildSegment({ partition, logFrom, logTo, createdAt, streams });
}

const withStorage = <Result, Failure>(
  directory: string,
  body: Effect.Effect<Result, Failure, Index | ObjectStore>,
): Promise<Result> => {
  const storage = Layer.mergeAll(directoryObjectStoreLayer(), sqliteIndexLayer);
  const layer = storage.pipe(Layer.provide(DataDirectory.layer(directory)));
  return Effect.runPromise(body.pipe(Effect.provide(layer), Effect.scoped));
};

const rebuild = (directory: string) => {
  const layer = directoryObjectStoreLayer().pipe(
    Layer.provideMerge(DataDirectory.layer(directory)),
  );
  return Effect.runPromise(rebuildEmbeddedIndex().pipe(Effect.provide(layer), Effect.scoped));
};

/** All that an index can be asked, in an order that does not depend on how it was made. */
const dump = Effect.gen(function* () {
  const index = yield* Index;
  const answers = [];
  for (const tenant of ["fake", "other"]) {
    const range = { start: 0n, end: 1n << 60n };
    const query = { tenant, matchers: [], range, coveredTo: new Map() };
    const chunks = (yield* index.findChunks(query)).map((chunk) => ({ ...chunk }));
    const key = (chunk: (typeof chunks)[number]) =>
      `${chunk.segmentKey} ${chunk.labels} ${chunk.offset}`;
    answers.push(
      chunks.sort((a, b) => key(a) < key(b) ? -1 : 1),
      yield* index.findStreams(query),
      yield* index.labelNames(query),
      yield* index.labelValues(query, "app"),
      yield* index.stats(query),
    );
  }
  answers.push(yield* index.segments(), yield* index.checkpoint(0), yield* index.checkpoint(1));
  return answers;
});

const store = Effect.fnUntraced(
  function* (segment: ReturnType<typeof segmentOf>, isCommitted: boolean) {
    yield* (yield* ObjectStore).put(segment.record.key, segment.parts);
    if (isCommitted) yield* (yield* Index).commit(segment.record);
  },
);

t.test("a rebuilt index is the index that was, without what a crash left", async (t) => {
  const directory = fs.mkdtempSync(join(tmpdir(), "tailrace-rebuild-"));
  const before = await withStorage(
    directory,
    Effect.gen(function* () {
      yield* store(segmentOf(0, 1, 10), true);
      yield* store(segmentOf(0, 10, 15), false);
      yield* store(segmentOf(0, 10, 20, 2n), true);
      yield* store(segmentOf(1, 1, 7), true);
      yield* store(segmentOf(0, 20, 30), true);
      return yield* dump;
    }),
  );
  t.equal((before[0] as unknown[]).length > 10, true);
  for (const name of fs.readdirSync(directory)) {
    if (name.startsWith("index.sqlite")) fs.rmSync(join(directory, name));
  }
  const report = await rebuild(directory);
  t.equal(report.segments, 4);
  t.same(report.left, [segmentOf(0, 10, 15).record.key]);
  t.same(await withStorage(directory, dump), before);
  fs.writeFileSync(join(directory, "index.sqlite"), "rubbish");
  await rebuild(directory);
  t.same(await withStorage(directory, dump), before, "over a damaged one");
  t.notOk(
    fs.readdirSync(directory).some((name) => name.includes("rebuild")),
    "nothing is left over",
  );
  fs.rmSync(directory, { recursive: true });
});

t.test("a segment that cannot be read stops the rebuild and is named", async (t) => {
  const directory = fs.mkdtempSync(join(tmpdir(), "tailrace-rebuild-"));
  const { record, parts } = segmentOf(0, 1, 10);
  await withStorage(directory, store({ record, parts }, true));
  const file = join(directory, "objects", record.key);
  const bytes = fs.readFileSync(file);
  fs.writeFileSync(file, bytes.subarray(0, -1));
  const index = fs.readFileSync(join(directory, "index.sqlite"));
  const error = await rebuild(directory).then(() => undefined, (error) => error);
  t.equal(error._tag, "SegmentUnreadable");
  t.match(error.message, `Cannot read segment "${record.key}"`);
  t.ok(
    index.equals(fs.readFileSync(join(directory, "index.sqlite"))),
    "the old index is untouched",
  );
  fs.rmSync(directory, { recursive: true });
});

t.test("sweepOrphans removes only uncommitted segments below the checkpoint", async (t) => {
  const directory = fs.mkdtempSync(join(tmpdir(), "tailrace-sweep-"));
  await withStorage(
    directory,
    Effect.gen(function* () {
      const [objectStore, index] = [yield* ObjectStore, yield* Index];
      yield* store(segmentOf(0, 1, 10), true);
      yield* store(segmentOf(0, 10, 15), false);
      yield* store(segmentOf(1, 1, 5), false);
      t.same(yield* sweepOrphans(objectStore, index), [], "their ranges are in no commit yet");
      yield* store(segmentOf(0, 10, 14, 2n), true);
      t.same(yield* sweepOrphans(objectStore, index), [], "one offset is still missing");
      yield* store(segmentOf(0, 14, 20), true);
      t.same(yield* sweepOrphans(objectStore, index), [segmentOf(0, 10, 15).record.key]);
      const keys = (yield* objectStore.list("")).map(({ key }) => key);
      const committed = (yield* index.segments()).map(({ key }) => key);
      t.same(keys, [...committed, segmentOf(1, 1, 5).record.key].sort());
    }),
  );
  fs.rmSync(directory, { recursive: true });
});
