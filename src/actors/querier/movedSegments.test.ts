/** Queries whose segments are merged and removed after they have chosen them: on files that threads read in place, and on ranges
 *  that are fetched first. The answer is as if nothing had happened; an object that is really lost is an error. */
import { Context, Effect, Layer } from "effect";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { settingsWith } from "../../platform/config/mod.ts";
import type { WorkerPool } from "../../platform/workerPool.ts";
import { embeddedStorageLayer } from "../../storage/embedded/mod.ts";
import { openObjectReader } from "../../storage/embedded/objectReader.ts";
import { Index } from "../../storage/Index.ts";
import { ObjectStore } from "../../storage/ObjectStore.ts";
import { buildBatch } from "../../streams/batch.ts";
import { buildChunks } from "../../streams/chunkWriter.ts";
import { buildSegment } from "../../streams/segment.ts";
import { columnsOf } from "../../testing/modelRows.ts";
import { pipelineOf } from "../../testing/pipelines.ts";
import { Ingester } from "../ingester/Ingester.ts";
import type { MeasureJob } from "../protocol/measure.ts";
import type { ScanJob } from "../protocol/scan.ts";
import { Scanners, type UnitsJob } from "../Scanners.ts";
import { measure } from "../worker/measureJob.ts";
import { scan } from "../worker/scanJob.ts";
import { Workers } from "../Workers.ts";
import { Querier } from "./Querier.ts";

t.setTimeout(0);

const storages = ["files", "fetched ranges"] as const;
const labels = '{app="a"}';
const request = { tenant: "fake", matchers: [], range: { start: 0n, end: 1000n } };
const logs = {
  ...request,
  pipeline: pipelineOf(""),
  limit: 100,
  direction: "forward" as const,
};
/** Rows 10 to 49, of which each of the four log offsets has ten. */
const allTimes = Array.from({ length: 40 }, (_, index) => BigInt(10 + index));

/** A segment with the rows of its offsets. */
function segmentOf(logFrom: number, logTo: number) {
  const rows = Array.from({ length: 10 * (logTo - logFrom) }, (_, index) => ({
    timestamp: BigInt(10 * logFrom + index),
    line: [...Buffer.from(`line ${10 * logFrom + index}`)],
    metadata: [],
  }));
  const slice = { labels, rowStart: 0, rowEnd: rows.length };
  const batch = buildBatch("fake", [slice], columnsOf(rows));
  const chunks = buildChunks([{ batch, ...slice }], {
    rawBytesMax: 1e6,
    blockBytes: 200,
    level: 1,
  });
  const streams = [{ tenant: "fake", labels, chunks }];
  return buildSegment({ partition: 0, logFrom, logTo, createdAt: BigInt(logTo), streams });
}

interface Bench {
  readonly querier: Querier["Service"];
  /** Puts one segment in the place of the two that there are, whose objects go. */
  readonly merge: Effect.Effect<void, Error>;
  readonly objectStore: ObjectStore["Service"];
  /** Happens once, when the next query has chosen its segments. */
  meanwhile: Effect.Effect<void, Error>;
  /** The first log offset that is shown as unflushed; asked for by each query. */
  headFrom: () => number;
}

async function onBench(
  storage: typeof storages[number],
  body: (bench: Bench) => Effect.Effect<void, unknown>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "tailrace-moved-"));
  const hooks: Pick<Bench, "meanwhile" | "headFrom"> = {
    meanwhile: Effect.void,
    headFrom: () => 5,
  };
  const program = Effect.gen(function* () {
    const context = yield* Layer.build(layerOf(storage, directory, hooks));
    const [objectStore, index] = [Context.get(context, ObjectStore), Context.get(context, Index)];
    const old = [segmentOf(1, 3), segmentOf(3, 5)];
    for (const { record, parts } of old) {
      yield* objectStore.put(record.key, parts);
      yield* index.commit(record);
    }
    const merge = Effect.gen(function* () {
      const { record, parts } = segmentOf(1, 5);
      yield* objectStore.put(record.key, parts);
      yield* index.replace(old.map((one) => one.record.key), record);
      for (const one of old) yield* objectStore.remove(one.record.key);
    });
    const querier = Context.get(context, Querier);
    yield* body(Object.assign(hooks, { querier, merge, objectStore }));
  });
  await Effect.runPromise(Effect.scoped(program)).finally(() =>
    rmSync(directory, { recursive: true })
  );
}

function layerOf(
  storage: typeof storages[number],
  directory: string,
  hooks: Pick<Bench, "meanwhile" | "headFrom">,
) {
  const settings = settingsWith({ "common.path_prefix": directory });
  const cacheDirectory = join(directory, "cache");
  const reader = openObjectReader(
    storage === "files" ? join(directory, "objects") : cacheDirectory,
  );
  const context = { cancelled: () => false, transfer: [], sharedBytes: 0 };
  const pool = {
    threadCount: 1,
    run: async (kind: string, job: unknown) =>
      kind === "scan"
        ? scan(job as ScanJob, reader, context)
        : measure(job as MeasureJob, reader, context),
  };
  const scanners = storage === "files"
    ? Scanners.local
    : Scanners.cached({ directory: cacheDirectory, bytesMax: 1e9 });
  const interrupted = Layer.effect(
    Scanners,
    Effect.map(Scanners, (scanners) => ({
      ...scanners,
      run: async <Result>(kind: string, job: UnitsJob, options: object) => {
        const { meanwhile } = hooks;
        hooks.meanwhile = Effect.void;
        await Effect.runPromise(meanwhile);
        return await scanners.run<Result>(kind, job, options);
      },
    })),
  ).pipe(
    Layer.provide(scanners),
    Layer.provide(Layer.succeed(Workers, pool as unknown as WorkerPool)),
  );
  const ingester = Layer.succeed(Ingester, {
    owned: () => new Map(),
    ready: Effect.void,
    flush: Effect.void,
    describe: () =>
      Effect.sync(() => [{ partition: 0, logFrom: hooks.headFrom(), logTo: 5, streams: [] }]),
  });
  return Querier.layer(settings).pipe(
    Layer.provide(Layer.mergeAll(interrupted, ingester)),
    Layer.provideMerge(embeddedStorageLayer(settings)),
  );
}

const timesOf = (t: Test, { querier }: Bench, what: string) =>
  Effect.map(
    Effect.scoped(querier.selectLogs(logs)),
    ({ rows }) => t.same(rows.map(({ time }) => time), allTimes, what),
  );

for (const storage of storages) {
  t.test(`${storage}: segments are merged and removed when a query has chosen them`, (t) =>
    onBench(storage, (bench) =>
      Effect.gen(function* () {
        bench.meanwhile = bench.merge;
        yield* timesOf(t, bench, "log query");
        yield* timesOf(t, bench, "afterwards");
      })));

  t.test(`${storage}: so are those of a volume`, (t) =>
    onBench(storage, (bench) =>
      Effect.gen(function* () {
        bench.meanwhile = bench.merge;
        const found = yield* bench.querier.volumes({ ...request, stepNs: 7n });
        const counts = found.flatMap(({ buckets }) => [...buckets.values()]);
        t.equal(counts.reduce((sum, { entries }) => sum + entries, 0), 40);
      })));

  t.test(`${storage}: an object that is lost is an error, not a short answer`, (t) =>
    onBench(storage, (bench) =>
      Effect.gen(function* () {
        yield* bench.objectStore.remove(segmentOf(3, 5).record.key);
        const error = yield* Effect.flip(Effect.scoped(bench.querier.selectLogs(logs)));
        t.equal(error.reason, "Moved");
        t.match(error.message, segmentOf(3, 5).record.key);
      })));
}

t.test("segments are merged over what an owner still shows as unflushed", (t) =>
  onBench("files", (bench) =>
    Effect.gen(function* () {
      yield* bench.merge;
      let asked = 0;
      // It has committed up to 5, and learns of that at the 15th question.
      bench.headFrom = () => ++asked < 15 ? 3 : 5;
      yield* timesOf(t, bench, "log query");
      t.equal(asked, 15);
      asked = 0;
      t.same(yield* bench.querier.series(request), [[["app", "a"]]]);
      t.equal(asked, 15);
    })));
