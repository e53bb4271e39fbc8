/** The index in SQLite: the port's contract on SQLite and in memory; damage; versions; crashes; what queries see of a commit. */
import { Effect, Layer } from "effect";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t from "tap";
import { makeMatcher } from "../../streams/matcher.ts";
import type { SegmentRecord } from "../../streams/record.ts";
import { memoryIndex } from "../../testing/memoryStorage.ts";
import { Index } from "../Index.ts";
import { indexContract } from "../Index.contract.ts";
import { DataDirectory } from "./DataDirectory.ts";
import { IndexReader } from "./indexQuery.ts";
import { openIndexDatabase } from "./indexSchema.ts";
import { indexFileName, sqliteIndexLayer } from "./SqliteIndex.ts";

t.setTimeout(0);

type Service = (typeof Index)["Service"];

const makeDirectory = () => fs.mkdtempSync(join(tmpdir(), "tailrace-index-"));

const open = (directory: string) =>
  sqliteIndexLayer.pipe(Layer.provide(DataDirectory.layer(directory)));

const within = <Result>(
  directory: string,
  body: (index: Service) => Effect.Effect<Result, unknown>,
): Promise<Result> =>
  Effect.runPromise(
    Effect.flatMap(Index, body).pipe(Effect.provide(open(directory)), Effect.scoped),
  );

indexContract("sqlite", async () => {
  const directory = makeDirectory();
  return {
    open: () => open(directory),
    cleanUp: async () => fs.rmSync(directory, { recursive: true }),
  };
});

indexContract("memory", async () => {
  const layer = memoryIndex();
  return { open: () => layer, cleanUp: async () => {} };
});

/** A segment with one chunk in each of `streamCount` streams. */
function bigSegment(logFrom: number, streamCount: number): SegmentRecord {
  const streams = Array.from({ length: streamCount }, (_, index) => ({
    tenant: "fake",
    labels: `{app="app-${index % 10}", pod="pod-${index}"}`,
    chunks: [{ offset: index, length: 1, rowCount: 1, rawBytes: 1, minTime: 1n, maxTime: 2n }],
  }));
  const key = `segment-${logFrom}`;
  return { key, partition: 0, logFrom, logTo: logFrom + 1, bytes: 1, createdAt: 1n, streams };
}

t.test("a query sees nothing of a commit that is going on", async (t) => {
  const directory = makeDirectory();
  await within(directory, (index) =>
    Effect.gen(function* () {
      const query = {
        tenant: "fake",
        matchers: [makeMatcher("app", "=", "app-3")],
        range: { start: 0n, end: 10n },
        coveredTo: new Map(),
      };
      const committing = yield* Effect.forkChild(index.commit(bigSegment(1, 20_000)));
      const counts = new Set<number>();
      while (committing.pollUnsafe() === undefined) {
        counts.add((yield* index.findChunks(query)).length);
        yield* Effect.sleep(1);
      }
      counts.add((yield* index.findChunks(query)).length);
      t.same([...counts], [0, 2000]);
    }));
  fs.rmSync(directory, { recursive: true });
});

/** The error of opening and asking an index. */
const errorOf = (directory: string) =>
  within(directory, (index) => Effect.andThen(index.segments(), index.checkpoint(0)))
    .then(() => undefined, (error) => error);

t.test("an index of version 1 is brought up to date", async (t) => {
  const directory = makeDirectory();
  const file = join(directory, "index.sqlite");
  const ofTwo = { ...bigSegment(2, 3), key: "two" };
  await within(directory, (index) =>
    Effect.gen(function* () {
      yield* index.commit(bigSegment(1, 5));
      yield* index.commit(ofTwo);
    }));
  const old = new DatabaseSync(file);
  old.exec(`ALTER TABLE streams DROP COLUMN segment_count; DROP INDEX segments_by_log;
    PRAGMA user_version = 1`);
  old.close();
  await within(directory, (index) =>
    Effect.gen(function* () {
      const query = {
        tenant: "fake",
        matchers: [],
        range: { start: 0n, end: 9n },
        coveredTo: new Map(),
      };
      const names = () => Effect.map(index.findStreams(query), (found) => found.length);
      t.equal(yield* names(), 5);
      yield* index.replace(["segment-1"], { ...bigSegment(1, 0), key: "empty" });
      t.equal(yield* names(), 3, "the other segment's streams stay");
      t.same(yield* index.labelValues(query, "pod"), ["pod-0", "pod-1", "pod-2"]);
    }));
  fs.rmSync(directory, { recursive: true });
});

t.test("an index that is damaged, missing or newer says what to do", async (t) => {
  const directory = makeDirectory();
  const file = join(directory, "index.sqlite");
  await within(directory, (index) => index.commit(bigSegment(1, 100)));
  t.equal(await errorOf(directory), undefined);

  const whole = fs.readFileSync(file);
  fs.writeFileSync(file, "this is no database".repeat(100));
  let error = await errorOf(directory);
  t.equal(error.reason, "Corrupt");
  t.match(error.message, `Cannot use the index "${file}"`);
  t.match(error.message, "`tailrace rebuild-index`");

  const damaged = Buffer.from(whole);
  damaged.fill(0xa5, 4096);
  fs.writeFileSync(file, damaged);
  error = await errorOf(directory);
  t.equal(error.reason, "Corrupt");
  t.match(error.message, "`tailrace rebuild-index`");

  fs.rmSync(file);
  const other = new DatabaseSync(file);
  other.exec("CREATE TABLE something (x)");
  other.close();
  t.match((await errorOf(directory)).message, "not an index of Tailrace");

  fs.writeFileSync(file, whole);
  const newer = new DatabaseSync(file);
  newer.exec("PRAGMA user_version = 99");
  newer.close();
  t.match((await errorOf(directory)).message, "it has schema version 99, this program knows 2");

  fs.rmSync(file);
  t.equal(await errorOf(directory), undefined, "a new directory gets a new index");
  fs.rmSync(file);
  fs.mkdirSync(join(directory, "objects", "segments", "00000"), { recursive: true });
  t.match((await errorOf(directory)).message, /it is missing, though there are segments/);
  fs.rmSync(directory, { recursive: true });
});

t.test("segments that are merged while their chunks are read are in the answer once", async (t) => {
  const streamCount = 3000;
  for (const merges of ["once", "between all steps"]) {
    const directory = makeDirectory();
    t.teardown(() => fs.rmSync(directory, { recursive: true }));
    const program = (index: Service) =>
      Effect.gen(function* () {
        for (let logFrom = 1; logFrom <= 12; logFrom++) {
          yield* index.commit(bigSegment(logFrom, streamCount));
        }
        // What is merged is one more segment with all streams, at the beginning.
        let merged = "segment-1";
        let logTo = 2;
        const mergeNext = index.replace([merged, `segment-${logTo}`], {
          ...bigSegment(1, streamCount),
          key: "merged-3",
          logTo: 3,
        });
        const database = openIndexDatabase(join(directory, indexFileName));
        const steps = new IndexReader(database).findChunks({
          tenant: "fake",
          matchers: [],
          range: { start: 0n, end: 10n },
          coveredTo: new Map(),
        });
        let step = steps.next();
        t.notOk(step.done, "it takes several steps");
        yield* mergeNext;
        [merged, logTo] = ["merged-3", 3];
        step = steps.next();
        while (step.done !== true) {
          if (merges !== "once" && logTo < 12) {
            const next = `merged-${logTo + 1}`;
            yield* index.replace([merged, `segment-${logTo}`], {
              ...bigSegment(1, streamCount),
              key: next,
              logTo: logTo + 1,
            });
            [merged, logTo] = [next, logTo + 1];
          }
          step = steps.next();
        }
        database.close();
        const keys = new Map<string, number>();
        for (const { segmentKey } of step.value) {
          keys.set(segmentKey, (keys.get(segmentKey) ?? 0) + 1);
        }
        const left = (yield* index.segments()).map(({ key }) => key);
        t.same([...keys.keys()].sort(), left.sort(), `${merges}: the segments that there are`);
        t.ok([...keys.values()].every((count) => count === streamCount), "each chunk once");
      });
    await within(directory, program);
  }
});
