/** The compactor on real files: what it leaves is compared, row by row, with a model that sorts and removes duplicates,
 *  and the index with what a rebuild from all objects, old and new, would make. */
import { Context, Effect, Layer } from "effect";
import fc from "fast-check";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type Settings, settingsWith } from "../../platform/config/mod.ts";
import { embeddedStorageLayer } from "../../storage/embedded/mod.ts";
import { openObjectReader } from "../../storage/embedded/objectReader.ts";
import { Index } from "../../storage/Index.ts";
import { ObjectStore } from "../../storage/ObjectStore.ts";
import { readSegmentRecord } from "../../storage/rebuildIndex.ts";
import { chooseSegments } from "../../storage/segmentChoice.ts";
import { buildBatch } from "../../streams/batch.ts";
import { openChunk } from "../../streams/chunk.ts";
import { buildChunks } from "../../streams/chunkWriter.ts";
import { buildSegment } from "../../streams/segment.ts";
import {
  columnsOf,
  type ModelRow,
  modelRowArbitrary,
  rowsOfColumns,
} from "../../testing/modelRows.ts";
import type { MergeJob } from "../protocol/merge.ts";
import { Scanners, type UnitsJob } from "../Scanners.ts";
import { merge } from "../worker/mergeJob.ts";
import { Compactor, CompactorTurns } from "./Compactor.ts";

t.setTimeout(0);

interface StreamRows {
  readonly tenant: string;
  readonly labels: string;
  readonly rows: ReadonlyArray<ModelRow>;
}

interface Bench {
  readonly index: Index["Service"];
  readonly objectStore: ObjectStore["Service"];
  readonly compact: Compactor["Service"]["compact"];
  /** Commits a segment of the next log offsets. */
  readonly commit: (
    streams: ReadonlyArray<StreamRows>,
    createdAt?: bigint,
  ) => Effect.Effect<void, Error>;
  /** Every stored row, stream by stream, as stored: by segment, then chunk. */
  readonly stored: Effect.Effect<Map<string, ModelRow[]>, Error>;
}

/** Called as each merge begins. */
let onMerge: () => void | Promise<void> = () => {};

/** Compacting is asked for, and never begins by itself. */
const quiet = { "compactor.compaction_interval": "10h", "compactor.merge_min_segments": "2" };

async function onBench(
  changes: Readonly<Record<string, string>>,
  body: (bench: Bench) => Effect.Effect<void, unknown>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "tailrace-compactor-"));
  const settings = settingsWith({ ...quiet, ...changes, "common.path_prefix": directory });
  await Effect.runPromise(
    Effect.flatMap(Layer.build(layerOf(settings, directory)), (context) =>
      body(benchOf(
        Context.get(context, Index),
        Context.get(context, ObjectStore),
        Context.get(context, Compactor).compact,
      ))).pipe(Effect.scoped),
  ).finally(() => rmSync(directory, { recursive: true }));
}

function layerOf(settings: Settings, directory: string) {
  const reader = openObjectReader(join(directory, "objects"));
  const scanners = Layer.succeed(Scanners, {
    threadCount: 1,
    run: async <Result>(kind: string, job: UnitsJob) => {
      if (kind !== "merge") throw new Error(kind);
      await onMerge();
      const context = { cancelled: () => false, transfer: [], sharedBytes: 0 };
      return merge(job as unknown as MergeJob, reader, context) as Result;
    },
    compute: (kind) => Promise.reject(new Error(kind)),
  });
  return Compactor.layer(settings).pipe(
    Layer.provide(Layer.mergeAll(CompactorTurns.all, scanners)),
    Layer.provideMerge(embeddedStorageLayer(settings)),
  );
}

function benchOf(
  index: Index["Service"],
  objectStore: ObjectStore["Service"],
  compact: Bench["compact"],
): Bench {
  let next = 1;
  const commit = Effect.fnUntraced(function* (
    streams: ReadonlyArray<StreamRows>,
    createdAt = BigInt(next),
  ) {
    const options = { rawBytesMax: 1000, blockBytes: 200, level: 1 };
    const { parts, record } = buildSegment({
      partition: 0,
      logFrom: next,
      logTo: next + 2,
      createdAt,
      streams: streams.map(({ tenant, labels, rows }) => {
        const slice = { labels, rowStart: 0, rowEnd: rows.length };
        const batch = buildBatch(tenant, [slice], columnsOf(rows));
        return { tenant, labels, chunks: buildChunks([{ batch, ...slice }], options) };
      }),
    });
    next += 2;
    yield* objectStore.put(record.key, parts);
    yield* index.commit(record);
  });
  const stored = Effect.gen(function* () {
    const found = new Map<string, ModelRow[]>();
    for (const segment of yield* index.segments()) {
      const { streams } = yield* readSegmentRecord(objectStore, segment);
      for (const { tenant, labels, chunks } of streams) {
        const rows = found.get(`${tenant} ${labels}`) ?? [];
        found.set(`${tenant} ${labels}`, rows);
        for (const { offset, length } of chunks) {
          const bytes = yield* objectStore.getRange(segment.key, offset, length);
          rows.push(...rowsOfChunk(bytes));
        }
      }
    }
    return found;
  });
  return { index, objectStore, compact, commit, stored };
}

function rowsOfChunk(bytes: Uint8Array): ModelRow[] {
  const rows: ModelRow[] = [];
  const range = { start: -(2n ** 63n), end: 2n ** 63n };
  openChunk(bytes).select({ range, filters: [], order: "forward" }, (block) => {
    rows.push(
      ...rowsOfColumns(
        { ...block, ...block.sets, ...columns(block) },
        block.rowStart,
        block.rowEnd,
      ),
    );
    return true;
  });
  return rows;
}

/** Columns that are decoded when they are read. */
function columns(
  { timestamps, lineEnds, lines, metaIds }: Omit<
    Parameters<typeof rowsOfColumns>[0],
    "setEnds" | "meta"
  >,
) {
  return { timestamps, lineEnds, lines, metaIds };
}

/** What a query shows: by time, then arrival, each row once. */
function shown(rows: ReadonlyArray<ModelRow>): ReadonlyArray<ModelRow> {
  const seen = new Set<string>();
  return rows.toSorted((a, b) => a.timestamp < b.timestamp ? -1 : a.timestamp > b.timestamp ? 1 : 0)
    .filter((row) => {
      const text = textOf(row);
      return !seen.has(text) && seen.add(text);
    });
}

function textOf({ timestamp, line, metadata }: ModelRow): string {
  return JSON.stringify([String(timestamp), line, metadata]);
}

/** Of one day, mostly: what ends on different days is not merged. */
const rowArbitrary = fc.tuple(modelRowArbitrary, fc.nat(50)).map(([row, chance]) => ({
  ...row,
  timestamp: chance === 0 ? row.timestamp : BigInt.asUintN(40, row.timestamp),
}));

const streamRows = fc.record({
  tenant: fc.constantFrom("fake", "other"),
  labels: fc.constantFrom('{app="a"}', '{app="b"}', '{app="é"}'),
  rows: fc.array(rowArbitrary, { minLength: 1, maxLength: 30 }),
});
const segmentsArbitrary = fc.array(
  fc.uniqueArray(streamRows, { maxLength: 4, selector: ({ tenant, labels }) => tenant + labels }),
  { minLength: 3, maxLength: 9 },
);

t.test("merging changes no answer, whatever the rows", async (t) => {
  let merges = 0;
  await fc.assert(
    fc.asyncProperty(
      segmentsArbitrary,
      (segments) =>
        onBench({}, (bench) =>
          Effect.gen(function* () {
            const model = new Map<string, ModelRow[]>();
            for (const streams of segments) {
              yield* bench.commit(streams);
              for (const { tenant, labels, rows } of streams) {
                const key = `${tenant} ${labels}`;
                model.set(key, [...model.get(key) ?? [], ...rows]);
              }
            }
            merges += (yield* bench.compact).length;
            const stored = yield* bench.stored;
            t.same([...stored.keys()].sort(), [...model.keys()].sort());
            for (const [key, rows] of model) {
              t.same(shown(stored.get(key) ?? []).map(textOf), shown(rows).map(textOf), key);
            }
            yield* checkTiles(t, bench);
          })),
    ),
    { numRuns: 25 },
  );
  t.ok(merges > 10, `${merges} merges`);
});

t.test("duplicates in neighbours are removed for good, small chunks become one", (t) =>
  onBench({}, (bench) =>
    Effect.gen(function* () {
      const rows = (from: number): ModelRow[] =>
        Array.from({ length: 50 }, (_, index) => ({
          timestamp: BigInt(from + index),
          line: [...Buffer.from(`line ${from + index}`)],
          metadata: [],
        }));
      for (let segment = 0; segment < 6; segment++) {
        // Each repeats half of the one before.
        yield* bench.commit([{ tenant: "fake", labels: '{a="b"}', rows: rows(segment * 25) }]);
      }
      const [report] = yield* bench.compact;
      t.match(report, { segments: 6, chunksIn: 6, chunksOut: 1, rowsIn: 300, rowsOut: 175 });
      const stored = (yield* bench.stored).get('fake {a="b"}')!;
      t.same(stored.map(({ timestamp }) => Number(timestamp)), [...Array(175).keys()]);
      t.same(yield* bench.compact, [], "nothing is left to do");
      t.equal(
        (yield* bench.objectStore.list("")).length,
        7,
        "queries that have begun find the old ones",
      );
    })));

t.test("what was replaced goes while there is work left, when its time has come", (t) =>
  onBench({}, (bench) =>
    Effect.gen(function* () {
      const days = 5;
      for (let segment = 0; segment < 3 * days; segment++) {
        const timestamp = BigInt(Math.floor(segment / 3)) * 24n * hourNs;
        const row = { timestamp, line: [65 + segment], metadata: [] };
        yield* bench.commit([{ tenant: "fake", labels: '{a="b"}', rows: [row] }]);
      }
      const counts: number[] = [];
      const realNow = performance.now.bind(performance);
      let passedMs = 0;
      performance.now = () => realNow() + passedMs;
      onMerge = async () => {
        passedMs += 3_600_000;
        counts.push((await Effect.runPromise(bench.objectStore.list(""))).length);
      };
      const reports = yield* bench.compact.pipe(
        Effect.ensuring(Effect.sync(() => {
          performance.now = realNow;
          onMerge = () => {};
        })),
      );
      t.equal(reports.length, days, "three of a day become one");
      // With each merge an object comes, and three go that the merge before last has replaced.
      t.same(counts, [15, 16, 14, 12, 10]);
      yield* checkTiles(t, bench);
    })));

const damages: ReadonlyArray<readonly [string, (bytes: Uint8Array) => void]> = [
  ["that cannot be read", (bytes) => bytes.fill(0)],
  // Its header has 48 bytes, its footer is longer than its one chunk.
  ["with a damaged chunk", (bytes) => bytes.fill(0xff, 80, 100)],
];
for (const [what, damage] of damages) {
  t.test(`a segment ${what} is named and left alone, and its neighbours go on`, (t) =>
    onBench({}, (bench) =>
      Effect.gen(function* () {
        const nowNs = BigInt(Date.now()) * 1_000_000n;
        for (let segment = 0; segment < 7; segment++) {
          yield* bench.commit([{ tenant: "fake", labels: '{a="b"}', rows: rowsOfAge(nowNs, [1]) }]);
        }
        const { key } = (yield* bench.index.segments())[3]!;
        const bytes = yield* bench.objectStore.get(key);
        damage(bytes);
        yield* bench.objectStore.remove(key);
        yield* bench.objectStore.put(key, [bytes]);
        const error = yield* Effect.flip(bench.compact);
        t.match(error.message, `partition 0 cannot be compacted: Cannot read segment "${key}"`);
        t.equal((yield* bench.index.segments()).length, 7);
        t.equal((yield* bench.compact).length, 2);
        const left = yield* bench.index.segments();
        t.same(left.map(({ logFrom, logTo }) => [logFrom, logTo]), [[1, 7], [7, 9], [9, 15]]);
        t.equal(left[1]!.key, key);
      })));
}

const hourNs = 3_600_000_000_000n;

/** Rows of the given ages in hours, each with a line of `lineBytes`. */
function rowsOfAge(nowNs: bigint, hours: ReadonlyArray<number>, lineBytes = 20): ModelRow[] {
  return hours.map((age) => ({
    timestamp: nowNs - BigInt(Math.round(age * 3600)) * 1_000_000_000n,
    line: [...Buffer.from(`${age} hours old `.padEnd(lineBytes, "x"))],
    metadata: [],
  }));
}

t.test("what has expired is deleted, by tenant and stream, and nothing else", (t) => {
  const settings = {
    "compactor.retention_enabled": "true",
    "compactor.merge_enabled": "false",
    "limits_config.retention_period": "48h",
    "limits_config.retention_stream": "[{selector: '{app=\"debug\"}', priority: 1, period: 24h}]",
    "overrides.keeper.retention_period": "0",
  };
  return onBench(settings, (bench) =>
    Effect.gen(function* () {
      const nowNs = BigInt(Date.now()) * 1_000_000n;
      const streams = (...hours: number[]) =>
        [["fake", '{app="debug"}'], ["fake", '{app="shop"}'], ["keeper", '{app="shop"}']].map((
          [tenant, labels],
        ) => ({ tenant: tenant!, labels: labels!, rows: rowsOfAge(nowNs, hours) }));
      yield* bench.commit(streams(100, 99).slice(0, 2));
      yield* bench.commit(streams(60, 55));
      yield* bench.commit(streams(30, 29));
      yield* bench.commit(streams(2, 1));
      t.equal((yield* bench.compact).length, 3);
      const ages = new Map(
        [...yield* bench.stored].map(([key, rows]) => [
          key,
          rows.map(({ timestamp }) => Number((nowNs - timestamp) / hourNs)),
        ]),
      );
      t.same(
        ages,
        new Map([
          [
            'keeper {app="shop"}',
            [60, 55, 30, 29, 2, 1].reverse().sort((a, b) => order(a) - order(b)),
          ],
          ['fake {app="shop"}', [30, 29, 2, 1]],
          ['fake {app="debug"}', [2, 1]],
        ]),
      );
      yield* checkTiles(t, bench);
      t.same(yield* bench.compact, [], "once");
    }));
});

/** Segments come in the order of the log, rows by time. */
function order(age: number): number {
  return -age;
}

t.test("a size limit deletes the oldest, of one tenant or of all", async (t) => {
  const fill = (bench: Bench) =>
    Effect.gen(function* () {
      const nowNs = BigInt(Date.now()) * 1_000_000n;
      for (let age = 20; age > 0; age--) {
        yield* bench.commit(["big", "small"].map((tenant) => ({
          tenant,
          labels: '{app="a"}',
          rows: [{
            timestamp: nowNs - BigInt(age) * hourNs,
            line: noise(age, 10_000),
            metadata: [],
          }],
        })));
      }
    });
  const enabled = { "compactor.retention_enabled": "true", "compactor.merge_enabled": "false" };
  await onBench(
    { ...enabled, "overrides.big.retention_bytes": "100000" },
    (bench) =>
      Effect.gen(function* () {
        yield* fill(bench);
        yield* bench.compact;
        const stored = yield* bench.stored;
        t.equal(stored.get('small {app="a"}')!.length, 20, "the other tenant keeps all");
        t.ok([8, 9].includes(stored.get('big {app="a"}')!.length));
        yield* checkTiles(t, bench);
      }),
  );
  await onBench(
    { ...enabled, "compactor.retention_bytes": "100000" },
    (bench) =>
      Effect.gen(function* () {
        yield* fill(bench);
        yield* bench.compact;
        const bytes = (yield* bench.index.segments()).reduce((sum, one) => sum + one.bytes, 0);
        t.ok(bytes <= 100_000 && bytes > 60_000, `${bytes} bytes`);
        const lines = (yield* bench.stored).get('big {app="a"}')!;
        t.equal(lines.length, 4);
        yield* checkTiles(t, bench);
      }),
  );
});

t.test("a size limit below a segment's size leaves its newest lines", async (t) => {
  const enabled = { "compactor.retention_enabled": "true", "compactor.merge_enabled": "false" };
  for (const limit of ["overrides.big.retention_bytes", "compactor.retention_bytes"]) {
    await onBench({ ...enabled, [limit]: "100000" }, (bench) =>
      Effect.gen(function* () {
        const nowNs = BigInt(Date.now()) * 1_000_000n;
        const rows = Array.from({ length: 40 }, (_, index) => ({
          timestamp: nowNs - BigInt(40 - index) * hourNs,
          line: noise(index, 10_000),
          metadata: [],
        }));
        yield* bench.commit([{ tenant: "big", labels: '{app="a"}', rows }]);
        yield* bench.compact;
        const left = (yield* bench.stored).get('big {app="a"}')!.map(({ timestamp }) => timestamp);
        t.ok(left.length >= 8 && left.length <= 10, `${left.length} lines`);
        t.same(left, rows.slice(-left.length).map(({ timestamp }) => timestamp), "the newest");
        t.same(yield* bench.compact, [], "once");
        yield* checkTiles(t, bench);
      }));
  }
});

t.test("lines of the future are kept for a size limit by when they were stored", async (t) => {
  const enabled = { "compactor.retention_enabled": "true", "compactor.merge_enabled": "false" };
  const yearNs = 365n * 24n * hourNs;
  for (const limit of ["overrides.fake.retention_bytes", "compactor.retention_bytes"]) {
    await onBench({ ...enabled, [limit]: "200000" }, (bench) =>
      Effect.gen(function* () {
        const nowNs = BigInt(Date.now()) * 1_000_000n;
        const row = (timestamp: bigint, seed: number) => ({
          timestamp,
          line: noise(seed, 10_000),
          metadata: [],
        });
        // For each hour a line of it, and two of a host whose clock is a hundred years ahead: in the same segment, or in one.
        for (let age = 20; age > 0; age--) {
          const storedAt = nowNs - BigInt(age) * hourNs;
          const right = { tenant: "fake", labels: '{app="right"}', rows: [row(storedAt, age)] };
          const aheadRows = [1, 2].map((each) =>
            row(storedAt + 100n * yearNs + BigInt(each), 100 * age + each)
          );
          const ahead = { tenant: "fake", labels: '{app="ahead"}', rows: aheadRows };
          if (age % 2 === 0) yield* bench.commit([right, ahead], storedAt);
          else {
            yield* bench.commit([right], storedAt);
            yield* bench.commit([ahead], storedAt);
          }
        }
        yield* bench.compact;
        const segments = yield* bench.index.segments();
        const bytes = segments.reduce((sum, one) => sum + one.bytes, 0);
        t.ok(bytes <= 200_000 && bytes > 100_000, `${bytes} bytes`);
        const stored = yield* bench.stored;
        const left = (app: string) =>
          (stored.get(`fake {app="${app}"}`) ?? []).map(({ timestamp }) => timestamp);
        const agesOf = (app: string, by: bigint) =>
          left(app).map((time) => Math.round(Number(nowNs + by - time) / Number(hourNs)));
        const [right, ahead] = [agesOf("right", 0n), agesOf("ahead", 100n * yearNs)];
        for (const ages of [right, ahead]) {
          t.ok([1, 2, 3, 4].every((age) => ages.includes(age)), `the newest of ${ages}`);
          t.ok(ages.every((age) => age <= 12), `none of the oldest in ${ages}`);
        }
        t.same(yield* bench.compact, [], "once");
        yield* checkTiles(t, bench);
      }));
  }
});

/** Bytes that do not compress. */
function noise(seed: number, count: number): number[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0;
    return (state >>> 24) & 0xff;
  });
}

/** Segments lie side by side up to the checkpoint, and a rebuild from all objects, old and new, would choose the same. */
const checkTiles = Effect.fnUntraced(function* (t: Test, { index, objectStore }: Bench) {
  const segments = yield* index.segments();
  let next = 1;
  for (const { logFrom, logTo } of segments) {
    t.equal(logFrom, next);
    next = logTo;
  }
  t.equal(next, yield* index.checkpoint(0));
  const all = [];
  for (const object of yield* objectStore.list("segments/")) {
    all.push(yield* readSegmentRecord(objectStore, object));
  }
  t.same(chooseSegments(all).kept.map(({ key }) => key), segments.map(({ key }) => key));
});
