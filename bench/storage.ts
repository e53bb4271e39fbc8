/** Measures the embedded storage: appends per second of the write log by writers and record size, commits and queries of the
 *  index. Usage: node|deno run -A bench/storage.ts [log|index]. Data goes to a temporary directory of the machine's disk. */
import { Effect, Layer } from "effect";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataDirectory } from "../src/storage/embedded/DataDirectory.ts";
import { fileWriteLogLayer } from "../src/storage/embedded/FileWriteLog.ts";
import { sqliteIndexLayer } from "../src/storage/embedded/SqliteIndex.ts";
import { Index } from "../src/storage/Index.ts";
import { WriteLog } from "../src/storage/WriteLog.ts";
import { makeMatcher } from "../src/streams/matcher.ts";
import type { SegmentRecord } from "../src/streams/record.ts";

const measureMs = 1500;

const benchLog = (writers: number, recordBytes: number) =>
  Effect.gen(function* () {
    const log = yield* WriteLog;
    const payload = crypto.getRandomValues(new Uint8Array(Math.min(recordBytes, 65536)));
    const record = new Uint8Array(recordBytes).map((_, index) => payload[index % 65536] as number);
    let appends = 0;
    let last = 0;
    const start = performance.now();
    const cpu = process.cpuUsage();
    yield* Effect.all(
      Array.from({ length: writers }, () =>
        Effect.gen(function* () {
          while (performance.now() - start < measureMs) {
            last = Math.max(last, yield* log.append(0, record));
            appends++;
            if (appends % 512 === 0) yield* log.release(0, last);
          }
        })),
      { concurrency: "unbounded" },
    );
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const megabytes = appends * recordBytes / 1e6;
    const perSecond = Math.round(appends / seconds);
    const rate = (megabytes / seconds).toFixed(1);
    const cpuMs = ((user + system) / 1000 / megabytes).toFixed(2);
    console.log(
      `log: ${writers} writers of ${recordBytes} bytes: ${perSecond} appends/s, ${rate} MB/s, ` +
        `${((user + system) / 1e6).toFixed(2)} s CPU in ${
          seconds.toFixed(2)
        } s, ${cpuMs} ms CPU/MB`,
    );
  });

const segment = (number: number, streamCount: number): SegmentRecord => {
  const time = BigInt(number) * 600_000_000_000n;
  const streams = Array.from({ length: streamCount }, (_, index) => ({
    tenant: "fake",
    labels: `{app="app-${index % 100}", cluster="c1", namespace="ns-${
      index % 20
    }", pod="pod-${index}"}`,
    chunks: [{
      offset: index * 1000,
      length: 1000,
      rowCount: 100,
      rawBytes: 9000,
      minTime: time,
      maxTime: time + 600_000_000_000n,
    }],
  }));
  const key = `segments/00000/${number}`;
  const range = { logFrom: number + 1, logTo: number + 2 };
  return { key, partition: 0, ...range, bytes: streamCount * 1000, createdAt: time, streams };
};

const timed = <Result>(name: string, effect: Effect.Effect<Result, unknown>) =>
  Effect.gen(function* () {
    const cpu = process.cpuUsage();
    const start = performance.now();
    const result = yield* effect;
    const ms = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    const size = Array.isArray(result) ? `, ${result.length} found` : "";
    console.log(
      `${name}: ${ms.toFixed(1)} ms, ${((user + system) / 1000).toFixed(0)} ms CPU${size}`,
    );
    return result;
  });

/** The longest time that nothing else could run. */
const longestPause = <Result>(effect: Effect.Effect<Result, unknown>) =>
  Effect.gen(function* () {
    let [last, longest] = [performance.now(), 0];
    const timer = setInterval(() => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    }, 1);
    yield* effect;
    clearInterval(timer);
    console.log(`  longest pause of the event loop: ${longest.toFixed(1)} ms`);
  });

const benchIndex = Effect.gen(function* () {
  const index = yield* Index;
  yield* longestPause(timed("commit 100k new streams", index.commit(segment(0, 100_000))));
  yield* longestPause(timed("commit 100k known streams", index.commit(segment(1, 100_000))));
  yield* timed("commit 1000 known streams", index.commit(segment(2, 1000)));
  yield* timed(
    "1000 commits of 100 streams",
    Effect.gen(function* () {
      for (let number = 3; number < 1003; number++) yield* index.commit(segment(number, 100));
    }),
  );
  const query = (matchers: ReadonlyArray<string>, from: number, to: number) => ({
    tenant: "fake",
    matchers: matchers.map((text) => {
      const [, name = "", op, value = ""] = /^(\w+)(=~|!~|!=|=)(.*)$/.exec(text) ?? [];
      return makeMatcher(name, op as "=", value);
    }),
    range: { start: BigInt(from) * 600_000_000_000n, end: BigInt(to) * 600_000_000_000n },
    coveredTo: new Map(),
  });
  const chunks = (name: string, matchers: ReadonlyArray<string>, from: number, to: number) =>
    timed(`findChunks ${name}`, index.findChunks(query(matchers, from, to)));
  for (let warmUp = 0; warmUp < 3; warmUp++) yield* index.findChunks(query(["pod=pod-7"], 0, 2000));
  yield* chunks("one stream, all time", ["pod=pod-7"], 0, 2000);
  yield* chunks("one stream, newest hour", ["pod=pod-7"], 997, 1003);
  yield* chunks("one app of 100, newest hour", ["app=app-7"], 997, 1003);
  yield* chunks("one app of 100, all time", ["app=app-7"], 0, 2000);
  yield* chunks("regex over 100k values, newest hour", ["pod=~pod-.*9"], 997, 1003);
  yield* chunks("everything, newest hour", [], 997, 1003);
  yield* chunks("everything, first ten minutes", [], 0, 1);
  yield* timed(
    "findStreams of one app, all time",
    index.findStreams(query(["app=app-7"], 0, 2000)),
  );
  yield* timed("labelNames, all time", index.labelNames(query([], 0, 2000)));
  yield* timed("labelValues of pod, newest hour", index.labelValues(query([], 997, 1003), "pod"));
  yield* timed("stats of everything, all time", index.stats(query([], 0, 2000)));
});

const inDirectory = async <Service>(
  layer: Layer.Layer<Service, unknown, DataDirectory>,
  program: Effect.Effect<unknown, unknown, Service>,
): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), "tailrace-bench-"));
  const provided = layer.pipe(Layer.provide(DataDirectory.layer(directory)));
  await Effect.runPromise(program.pipe(Effect.provide(provided), Effect.scoped));
  rmSync(directory, { recursive: true });
};

const only = process.argv[2];
if (only !== "index") {
  for (const recordBytes of [1024, 256 * 1024]) {
    for (const writers of [1, 8, 64]) {
      await inDirectory(fileWriteLogLayer(), benchLog(writers, recordBytes));
    }
  }
}
if (only !== "log") await inDirectory(sqliteIndexLayer, benchIndex);
