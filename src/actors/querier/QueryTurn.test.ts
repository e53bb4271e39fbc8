/** Turns of queries, and query_timeout by a clock that the test moves: what works for a query whose time is over is told to stop,
 *  and its turn is the next one's. */
import { Context, Effect, Fiber, Layer, Result } from "effect";
import { TestClock } from "effect/testing";
import t from "tap";
import { settingsWith } from "../../platform/config/mod.ts";
import type { JobOptions } from "../../platform/workerPool.ts";
import { instantGrid } from "../../logql/metrics/grid.ts";
import { parseMetricQuery } from "../../logql/mod.ts";
import { planMetric } from "../../logql/planner/metricPlan.ts";
import { Index } from "../../storage/Index.ts";
import { memoryIndex } from "../../testing/memoryStorage.ts";
import { pipelineOf } from "../../testing/pipelines.ts";
import { Ingester } from "../ingester/Ingester.ts";
import { Answers, growing, HeldAnswers } from "../HeldAnswers.ts";
import { Scanners } from "../Scanners.ts";
import { Querier, QueryFailed } from "./Querier.ts";

const chunk = { offset: 0, length: 10, rowCount: 1, rawBytes: 10, minTime: 5n, maxTime: 6n };
const record = {
  key: "s",
  partition: 0,
  logFrom: 1,
  logTo: 2,
  bytes: 100,
  createdAt: 0n,
  streams: [{ tenant: "fake", labels: '{app="a"}', chunks: [chunk] }],
};

/** Threads that are at a job until it is given up. */
class StuckScanners {
  readonly kinds: string[] = [];
  givenUp = 0;
  #begun: () => void = () => {};

  readonly run = (kind: string, _job: object, { signal }: JobOptions) =>
    new Promise<never>((_, reject) => {
      this.kinds.push(kind);
      signal?.addEventListener("abort", () => {
        this.givenUp++;
        reject(signal.reason);
      });
      this.#begun();
    });

  /** The next job has begun. */
  begun(): Promise<void> {
    return new Promise((resolve) => this.#begun = resolve);
  }
}

const logs = {
  tenant: "fake",
  matchers: [],
  range: { start: 0n, end: 1000n },
  pipeline: pipelineOf(""),
  limit: 100,
  direction: "forward",
} as const;

const metrics = {
  tenant: "fake",
  plan: planMetric(Result.getOrThrow(parseMetricQuery('count_over_time({app="a"} |= "x" [10s])'))),
  grid: instantGrid(1000n),
  form: "vector",
  oldestNs: null,
} as const;

/** A querier on one stored chunk, of which one query runs at a time. */
const onQuerier = (
  stuck: StuckScanners,
  body: (querier: Querier["Service"]) => Effect.Effect<void, unknown>,
  answers = new HeldAnswers({ bytesMax: 1e9 }),
  describe: Ingester["Service"]["describe"] = () => Effect.succeed([]),
) => {
  const service = { threadCount: 1, run: stuck.run, compute: stuck.run };
  const ingester = {
    owned: () => new Map(),
    ready: Effect.void,
    flush: Effect.void,
    describe,
  };
  const settings = settingsWith({
    "querier.max_concurrent": "1",
    "limits_config.query_timeout": "3s",
  });
  const layer = Querier.layer(settings).pipe(
    Layer.provideMerge(Layer.mergeAll(
      Layer.succeed(Scanners, service as unknown as Scanners["Service"]),
      Layer.succeed(Ingester, ingester as unknown as Ingester["Service"]),
      Layer.succeed(Answers, answers),
      memoryIndex(),
    )),
  );
  const program = Effect.gen(function* () {
    const context = yield* Layer.build(layer);
    yield* Context.get(context, Index).commit(record);
    yield* body(Context.get(context, Querier));
  });
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(TestClock.layer())));
};

t.test("a query whose time is over is given up, and the next has its turn", (t) => {
  const stuck = new StuckScanners();
  return onQuerier(stuck, (querier) =>
    Effect.gen(function* () {
      const asked: ReadonlyArray<Effect.Effect<unknown, QueryFailed>> = [
        Effect.scoped(querier.selectLogs(logs)),
        querier.selectMetrics(metrics),
      ];
      // Each can begin only when the one before has left its turn.
      for (const query of [...asked, ...asked]) {
        const begun = stuck.begun();
        const before = stuck.givenUp;
        const fiber = yield* Effect.forkChild(Effect.flip(query));
        yield* Effect.promise(() => begun);
        yield* TestClock.adjust("2999 millis");
        t.equal(stuck.givenUp, before);
        yield* TestClock.adjust("1 millis");
        const { reason, message } = yield* Fiber.join(fiber);
        t.equal(reason, "Timeout");
        t.match(message, /query_timeout is 3 s/);
        t.equal(stuck.givenUp, before + 1);
      }
      t.same(stuck.kinds, ["scan", "aggregate", "scan", "aggregate"]);
    }));
});

t.test("a query that waits for memory leaves its turn to others, and takes one when there is room", (t) => {
  const stuck = new StuckScanners();
  const answers = new HeldAnswers({ bytesMax: 1000 });
  const other = answers.open();
  other.resize(1000);
  return onQuerier(stuck, (querier) =>
    Effect.gen(function* () {
      const waiting = yield* Effect.forkChild(Effect.scoped(querier.selectLogs(logs)));
      // Another has the turn, again and again, until its time is over.
      for (let round = 0; round < 2; round++) {
        const begun = stuck.begun();
        const fiber = yield* Effect.forkChild(querier.selectMetrics(metrics));
        yield* Effect.promise(() => begun);
        yield* Fiber.interrupt(fiber);
      }
      const third = stuck.begun();
      const running = yield* Effect.forkChild(querier.selectMetrics(metrics));
      yield* Effect.promise(() => third);
      const begun = stuck.begun();
      other.release();
      yield* Effect.sleep(0).pipe(TestClock.withLive);
      t.same(stuck.kinds, ["aggregate", "aggregate", "aggregate"], "there is no turn");
      yield* Fiber.interrupt(running);
      yield* Effect.promise(() => begun);
      t.equal(stuck.kinds.at(-1), "scan");
      yield* Fiber.interrupt(waiting);
      // Its turn was given back once: one other has it, and no second.
      const last = stuck.begun();
      const [one, two] = [
        yield* Effect.forkChild(querier.selectMetrics(metrics)),
        yield* Effect.forkChild(querier.selectMetrics(metrics)),
      ];
      yield* Effect.promise(() => last);
      yield* Effect.sleep(0).pipe(TestClock.withLive);
      t.equal(stuck.kinds.length, 5);
      yield* Fiber.interruptAll([one, two]);
    }), answers);
});

t.test("a query that gave way to others begins again, with nothing held", (t) => {
  const stuck = new StuckScanners();
  const answers = new HeldAnswers({ bytesMax: 1000 });
  let tries = 0;
  const describe: Ingester["Service"]["describe"] = (_, { held } = {}) => {
    t.equal(answers.bytes, 0);
    held?.resize(500);
    if (++tries % 3 === 0) return Effect.succeed([]);
    return Effect.fail(new QueryFailed({ reason: "GaveWay", message: "others wait" }));
  };
  return onQuerier(
    stuck,
    (querier) =>
      Effect.gen(function* () {
        for (
          const query of [Effect.scoped(querier.selectLogs(logs)), querier.selectMetrics(metrics)]
        ) {
          const begun = stuck.begun();
          const fiber = yield* Effect.forkChild(query);
          yield* TestClock.adjust("1 seconds");
          yield* Effect.promise(() => begun);
          t.equal(answers.bytes >= 500, true, "what it was told of is held while it is read");
          yield* Fiber.interrupt(fiber);
          t.equal(answers.bytes, 0);
        }
        t.equal(tries, 6);
      }),
    answers,
    describe,
  );
});

t.test("a query that gave way begins again when it has a turn", (t) => {
  const stuck = new StuckScanners();
  const answers = new HeldAnswers({ bytesMax: 100_000, smallBytes: 10 });
  const other = answers.open();
  other.resize(50_000);
  let asked = 0;
  const describe: Ingester["Service"]["describe"] = (_, { held } = {}) => {
    if (asked++ > 0 || held === undefined) return Effect.succeed([]);
    held.resize(50_000);
    // Both want more, and neither can have it.
    other.grow(60_000).catch(t.threw);
    return Effect.as(growing(held, 60_000), []);
  };
  return onQuerier(
    stuck,
    (querier) =>
      Effect.gen(function* () {
        const first = yield* Effect.forkChild(Effect.scoped(querier.selectLogs(logs)));
        while (asked === 0) yield* Effect.sleep(1).pipe(TestClock.withLive);
        const begun = stuck.begun();
        const running = yield* Effect.forkChild(querier.selectMetrics(metrics));
        yield* Effect.promise(() => begun);
        t.equal(answers.bytes, 60_000, "it has let go of everything");
        yield* TestClock.adjust("1 seconds");
        yield* Effect.sleep(5).pipe(TestClock.withLive);
        t.same(stuck.kinds, ["aggregate"], "the other has the turn");
        const next = stuck.begun();
        yield* Fiber.interrupt(running);
        yield* Effect.promise(() => next);
        t.same(stuck.kinds, ["aggregate", "scan"]);
        yield* Fiber.interrupt(first);
      }),
    answers,
    describe,
  );
});
