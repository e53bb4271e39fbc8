/** A partition under random appends, flushes, failures and crashes: whatever happens, a query that takes the head first and the
 *  index second sees every row that the log accepted exactly once. */
import { Effect, Layer, Logger } from "effect";
import fc from "fast-check";
import t from "tap";
import type { WorkerPool } from "../../platform/workerPool.ts";
import { IndexError } from "../../storage/Index.ts";
import type { Index } from "../../storage/Index.ts";
import { ObjectStoreError } from "../../storage/ObjectStore.ts";
import type { ObjectStore } from "../../storage/ObjectStore.ts";
import { WriteLog } from "../../storage/WriteLog.ts";
import { type Batch, buildBatch, encodeBatch } from "../../streams/batch.ts";
import { openChunk } from "../../streams/chunk.ts";
import { chunkOptionsDefault } from "../../streams/chunkWriter.ts";
import type { SegmentRecord } from "../../streams/record.ts";
import { memoryWriteLog } from "../../testing/memoryStorage.ts";
import { columnsOf, rowsOfColumns } from "../../testing/modelRows.ts";
import type { HeadSnapshot } from "../protocol/head.ts";
import type { PartitionMessage } from "../protocol/ingester.ts";
import { type ActorRef, ActorSystem } from "../runtime/mod.ts";
import { build } from "../worker/buildJob.ts";
import type { BuildJob } from "../protocol/build.ts";
import { ChunkBuilder } from "./ChunkBuilder.ts";
import { partitionBehaviour } from "./partition.ts";
import { SegmentWriter } from "./SegmentWriter.ts";

/** Failed flushes are logged as errors; here they are made on purpose. */
const quiet = Logger.layer([]);

const everything = { start: -(2n ** 63n), end: 2n ** 63n - 1n };

/** Storage that survives the actor, and faults to inject. */
class Store {
  readonly objects = new Map<string, Uint8Array>();
  readonly segments: SegmentRecord[] = [];
  checkpoint = 1;
  failPut = false;
  failCommit = false;
  /** Commits that are done and reported as failed, as when an acknowledgement is lost. */
  untoldCommits = 0;
  conflicts = 0;

  readonly objectStore = {
    put: (key, parts) =>
      Effect.suspend(() => {
        if (this.failPut) {
          return Effect.fail(new ObjectStoreError({ reason: "Full", key, message: "disk full" }));
        }
        this.objects.set(key, Uint8Array.from(parts.flatMap((part) => [...part])));
        return Effect.void;
      }),
    get: () => Effect.die("unused"),
    getRange: () => Effect.die("unused"),
    list: () => Effect.die("unused"),
    remove: () => Effect.die("unused"),
  } satisfies ObjectStore["Service"];

  readonly index = {
    commit: (record: SegmentRecord) =>
      Effect.suspend(() => {
        if (this.failCommit) {
          return Effect.fail(new IndexError({ reason: "Io", message: "cannot write" }));
        }
        if (record.logFrom !== this.checkpoint) {
          if (++this.conflicts > 10) return Effect.die("it does not see that it is in vain");
          return Effect.fail(new IndexError({ reason: "Conflict", message: "another owner" }));
        }
        this.segments.push(record);
        this.checkpoint = record.logTo;
        return this.untoldCommits-- > 0
          ? Effect.fail(new IndexError({ reason: "Io", message: "no acknowledgement" }))
          : Effect.void;
      }),
    claim: () => Effect.sync(() => this.checkpoint),
    checkpoint: () => Effect.sync(() => this.checkpoint),
  } as unknown as Index["Service"];

  /** Rows of segments that end at or before a log offset. */
  rowsBefore(logTo: number): string[] {
    const rows: string[] = [];
    for (const segment of this.segments) {
      if (segment.logTo > logTo) continue;
      const bytes = this.objects.get(segment.key)!;
      for (const { labels, chunks } of segment.streams) {
        for (const { offset, length } of chunks) {
          const chunk = openChunk(bytes.slice(offset, offset + length));
          chunk.select({ range: everything, filters: [], order: "forward" }, (block) => {
            for (
              const row of rowsOfColumns(
                { ...block, ...columns(block) },
                block.rowStart,
                block.rowEnd,
              )
            ) {
              rows.push(rowText(labels, row.timestamp, row.line));
            }
            return true;
          });
        }
      }
    }
    return rows;
  }
}

function columns(block: Parameters<Parameters<ReturnType<typeof openChunk>["select"]>[1]>[0]) {
  const { timestamps, lineEnds, lines, metaIds, sets } = block;
  return { timestamps, lineEnds, lines, metaIds, setEnds: sets.setEnds, meta: sets.meta };
}

function rowText(labels: string, time: bigint, line: ReadonlyArray<number>): string {
  return `${labels} ${time} ${new TextDecoder().decode(Uint8Array.from(line))}`;
}

function headRows(head: HeadSnapshot): string[] {
  return head.streams.flatMap(({ labels, slices }) =>
    slices.flatMap(({ batch, rowStart, rowEnd }) =>
      rowsOfColumns(batch, rowStart, rowEnd).map((row) => rowText(labels, row.timestamp, row.line))
    )
  );
}

/** Runs jobs on this thread, later. */
const inlinePool = {
  run: async (_kind: string, job: BuildJob) => {
    await new Promise((resolve) => setTimeout(resolve, 0));
    return build(job, { cancelled: () => false, transfer: [], sharedBytes: 0 });
  },
} as unknown as WorkerPool;

let nextLine = 0;

/** A batch of unique lines over some of three streams. */
function randomBatch(streams: ReadonlyArray<number>): { batch: Batch; rows: string[] } {
  const slices = streams.map((stream, index) => ({
    labels: `{s="${stream}"}`,
    rowStart: index,
    rowEnd: index + 1,
  }));
  const model = streams.map(() => ({
    timestamp: BigInt(nextLine % 7),
    line: [...new TextEncoder().encode(`line ${nextLine++}`)],
    metadata: [],
  }));
  return {
    batch: buildBatch("t", slices, columnsOf(model)),
    rows: model.map((row, index) => rowText(slices[index]!.labels, row.timestamp, row.line)),
  };
}

type Step =
  | { readonly kind: "append"; readonly streams: number[] }
  /** In the log, but the actor is not told: as when the process died in between, or the actor was down. */
  | { readonly kind: "appendUntold"; readonly streams: number[] }
  | { readonly kind: "flush" | "flushAside" | "crash" | "failPut" | "failCommit" | "heal" };

const streamsArbitrary = fc.array(fc.nat(2), { minLength: 1, maxLength: 4 });
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: streamsArbitrary.map((streams): Step => ({ kind: "append", streams })) },
  {
    weight: 1,
    arbitrary: streamsArbitrary.map((streams): Step => ({ kind: "appendUntold", streams })),
  },
  {
    weight: 5,
    arbitrary: fc.constantFrom<Step["kind"] & ("flush" | "crash")>("flush", "crash")
      .chain((kind) =>
        fc.constantFrom<Step>(
          { kind },
          { kind: "flushAside" },
          { kind: "failPut" },
          { kind: "failCommit" },
          { kind: "heal" },
        )
      ),
  },
);

function partitionOf(store: Store, writeLog: WriteLog["Service"], unflushedBytesMax: number) {
  return partitionBehaviour({
    incompleteAdvice: "",
    partition: 0,
    cut: { segmentBytesTarget: 60, segmentAgeMsMax: 1e9 },
    streamIdleMs: 1e9,
    cutRetryMs: 1,
    unflushedBytesMax,
    nowMs: () => Date.now(),
    writeLog,
    index: store.index,
    segmentWriter: new SegmentWriter(store.objectStore, store.index, writeLog, () => 1n),
    chunkBuilder: new ChunkBuilder(inlinePool, chunkOptionsDefault),
  });
}

const runSteps = Effect.fnUntraced(function* (steps: ReadonlyArray<Step>) {
  const system = yield* ActorSystem;
  const writeLog = yield* WriteLog;
  const store = new Store();
  const accepted: string[] = [];
  let generation = 0;
  const start = () =>
    system.spawn(partitionOf(store, writeLog, 1e9), { name: `partition-${generation++}` });
  let actor: ActorRef<PartitionMessage> = yield* start();
  yield* actor.ready;
  const flush = () => actor.ask<void, Error>((reply) => ({ type: "Flush", reply }));
  // What was only logged is seen after the next start, or when a later batch shows that it is missing.
  let untold: string[] = [];
  for (const step of steps) {
    switch (step.kind) {
      case "append":
      case "appendUntold": {
        const { batch, rows } = randomBatch(step.streams);
        const offset = yield* writeLog.append(0, encodeBatch(batch, "none"));
        if (step.kind === "appendUntold") {
          untold.push(...rows);
          break;
        }
        yield* actor.tell({ type: "Append", offset, batch });
        accepted.push(...untold, ...rows);
        untold = [];
        break;
      }
      case "flush":
        yield* Effect.ignore(flush());
        break;
      case "flushAside":
        yield* Effect.forkChild(Effect.ignore(flush()));
        break;
      case "crash":
        yield* actor.kill;
        actor = yield* start();
        yield* actor.ready;
        accepted.push(...untold);
        untold = [];
        break;
      case "heal":
        store.failPut = store.failCommit = false;
        break;
      default:
        store[step.kind] = true;
    }
    yield* check(actor, store, accepted, JSON.stringify(step));
  }
  store.failPut = store.failCommit = false;
  yield* flush();
  const head = yield* check(actor, store, accepted, "after the last flush");
  if (head.streams.length > 0 && untold.length === 0) {
    throw new Error("the last flush left rows in the head");
  }
  yield* actor.kill;
});

const check = Effect.fnUntraced(function* (
  actor: ActorRef<PartitionMessage>,
  store: Store,
  accepted: ReadonlyArray<string>,
  after: string,
) {
  const query = { tenant: "t", matchers: [], range: everything };
  const head = yield* actor.ask<HeadSnapshot>((reply) => ({ type: "Describe", query, reply }));
  // Anything may happen between the head and the index; the log offset in the head makes up for it.
  yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 0)));
  const seen = [...store.rowsBefore(head.logFrom), ...headRows(head)].sort();
  const want = accepted.toSorted();
  if (JSON.stringify(seen) !== JSON.stringify(want)) {
    throw new Error(`after ${after}: saw ${seen.length} rows ${seen}; want ${want.length} ${want}`);
  }
  return head;
});

t.test("every row of the log is seen exactly once, at any moment", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(stepArbitrary, { maxLength: 25 }), (steps) =>
      Effect.runPromise(
        runSteps(steps).pipe(
          Effect.provide(Layer.mergeAll(ActorSystem.layer(), memoryWriteLog())),
          Effect.provide(quiet),
        ),
      )),
    { numRuns: 150 },
  );
  t.pass("150 random histories");
  t.end();
});

t.test("a cut that fails loses nothing and says so; the next one succeeds", (t) =>
  Effect.runPromise(
    runSteps([
      { kind: "append", streams: [0, 1] },
      { kind: "failPut" },
      { kind: "flush" },
      { kind: "append", streams: [2] },
      { kind: "failCommit" },
      { kind: "heal" },
      { kind: "flush" },
    ]).pipe(
      Effect.provide(Layer.mergeAll(ActorSystem.layer(), memoryWriteLog())),
      Effect.provide(quiet),
      Effect.tap(() => Effect.sync(() => t.pass("no row was lost"))),
    ),
  ));

t.test("a start whose commit was done without its knowing begins again from there", (t) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const system = yield* ActorSystem;
      const writeLog = yield* WriteLog;
      const store = new Store();
      store.untoldCommits = 1;
      const accepted: string[] = [];
      for (let count = 0; count < 20; count++) {
        const { batch, rows } = randomBatch([0, 1]);
        yield* writeLog.append(0, encodeBatch(batch, "none"));
        accepted.push(...rows);
      }
      // So much is unflushed that it waits until it is not.
      const actor = yield* system.spawn(partitionOf(store, writeLog, 100), { name: "partition" });
      yield* actor.ready;
      yield* check(actor, store, accepted, "the start");
      t.equal(store.conflicts, 1);
      yield* actor.kill;
    }).pipe(
      Effect.provide(Layer.mergeAll(ActorSystem.layer(), memoryWriteLog())),
      Effect.provide(quiet),
    ),
  ));
