/** The index on real NATS servers: the port's contract on one and on three; that a claim fences
 *  earlier owners; that a copy can be deleted; that another process's commits are seen when a question needs them. */
import { Cause, Context, Effect, Exit, Fiber, Layer, type Scope } from "effect";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { Nats, type NatsLink } from "../../cluster/Nats.ts";
import type { SegmentRecord } from "../../streams/record.ts";
import { NatsServers } from "../../testing/natsServer.ts";
import { natsLayer, removeStreams } from "../../testing/natsStorage.ts";
import { Index, IndexError } from "../Index.ts";
import { indexContract } from "../Index.contract.ts";
import { type IndexCopy, sqliteCopy } from "./IndexCopy.ts";
import { jetStreamIndexLayer } from "./JetStreamIndex.ts";

t.setTimeout(0);

const one = await NatsServers.start({ nodes: 1 });
const three = await NatsServers.start({ nodes: 3 });
const directories: string[] = [];
t.teardown(async () => {
  await one.remove();
  await three.remove();
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

const newDirectory = () => {
  const directory = mkdtempSync(join(tmpdir(), "tailrace-index-"));
  directories.push(directory);
  return directory;
};

const layerOf = (servers: NatsServers, directory = newDirectory()) =>
  jetStreamIndexLayer({ copyOf: (created) => sqliteCopy(directory, created) }).pipe(
    Layer.provide(natsLayer(servers)),
  );

for (const [name, servers] of [["one server", one], ["three servers", three]] as const) {
  indexContract(`JetStreamIndex on ${name}`, () => {
    const directory = newDirectory();
    return Promise.resolve({
      open: () => layerOf(servers, directory),
      cleanUp: () => removeStreams(servers),
    });
  });
}

type Service = Index["Service"];

/** Two processes' views of one index. */
const withTwo = <Failure>(
  body: (a: Service, b: Service) => Effect.Effect<void, Failure, Scope.Scope>,
) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const a = Context.get(yield* Layer.build(layerOf(three)), Index);
      const b = Context.get(yield* Layer.build(layerOf(three)), Index);
      yield* body(a, b);
    }).pipe(Effect.scoped),
  ).finally(() => removeStreams(three));

t.test("a claim refuses the commits of whoever claimed before", (t) =>
  withTwo((a, b) =>
    Effect.gen(function* () {
      t.equal(yield* a.claim(0), 1);
      yield* a.commit(segment(1, 10));
      t.equal(yield* b.claim(0), 10);
      const error: IndexError = yield* Effect.flip(a.commit(segment(10, 20)));
      t.equal(error.reason, "Conflict");
      t.equal(yield* b.checkpoint(0), 10, "nothing was changed");
      yield* b.commit(segment(10, 15));
      t.equal((yield* Effect.flip(a.commit(segment(15, 20)))).reason, "Conflict");
      t.equal(yield* a.claim(0), 15, "who claims again may go on");
      yield* a.commit(segment(15, 20));
    })
  ));

t.test("a commit that was given up and ends after the next claim changes nothing for it", async (t) => {
  let acknowledged: Promise<void> | undefined;
  /** A connection on which the acknowledgement of one change comes late. */
  const late = (link: NatsLink): NatsLink => {
    const request: NatsLink["connection"]["request"] = async (subject, ...rest) => {
      const wait = subject.endsWith("checkpoint.0") ? acknowledged : undefined;
      if (wait !== undefined) acknowledged = undefined;
      const answer = await link.connection.request(subject, ...rest);
      await wait;
      return answer;
    };
    const connection = new Proxy(link.connection, {
      get: (real, name) => {
        if (name === "request") return request;
        const value = Reflect.get(real, name);
        return typeof value === "function" ? value.bind(real) : value;
      },
    });
    return { ...link, connection };
  };
  const layer = jetStreamIndexLayer({ copyOf: (created) => sqliteCopy(newDirectory(), created) })
    .pipe(
      Layer.provide(Layer.effect(Nats, Effect.map(Nats, late))),
      Layer.provide(natsLayer(one)),
    );
  const body = Effect.gen(function* () {
    const index = yield* Index;
    yield* index.claim(0);
    let acknowledge = () => {};
    acknowledged = new Promise((resolve) => acknowledge = resolve);
    const given = yield* Effect.forkChild(index.commit(segment(1, 10)));
    while (acknowledged !== undefined || (yield* index.checkpoint(0)) < 10) yield* Effect.sleep(5);
    t.equal(yield* index.claim(0), 10);
    acknowledge();
    yield* Fiber.join(given);
    yield* index.commit(segment(10, 20));
    t.equal(yield* index.checkpoint(0), 20);
  });
  await Effect.runPromise(body.pipe(Effect.provide(layer), Effect.scoped));
  await removeStreams(one);
});

t.test("a question sees what it needs of other processes' commits", (t) =>
  withTwo((a, b) =>
    Effect.gen(function* () {
      for (let from = 1; from < 20; from++) {
        yield* a.commit(segment(from, from + 1));
        const query = {
          tenant: "fake",
          matchers: [],
          range: { start: 0n, end: 1000n },
          coveredTo: new Map([[0, from + 1]]),
        };
        t.equal((yield* b.findChunks(query)).length, from);
      }
    })
  ));

t.test("a merged segment is met in any order, and never in part", (t) =>
  withTwo((a, b) =>
    Effect.gen(function* () {
      const query = {
        tenant: "fake",
        matchers: [],
        range: { start: 0n, end: 1000n },
        coveredTo: new Map([[0, 7]]),
      };
      const streams = (from: number, to: number) => ({
        ...segment(from, to),
        streams: segment(from, to).streams.map((stream) => ({
          ...stream,
          chunks: Array.from({ length: to - from }, (_, at) => ({
            ...stream.chunks[0]!,
            offset: 48 + at,
          })),
        })),
      });
      for (let from = 1; from < 7; from++) yield* a.commit(segment(from, from + 1));
      yield* a.replace(["s-1-2", "s-2-3"], streams(1, 3));
      t.equal((yield* b.findChunks(query)).length, 6);
      yield* b.replace(["s-3-4", "s-4-5"], streams(3, 5));
      const late: IndexError = yield* Effect.flip(a.replace(["s-4-5", "s-5-6"], streams(4, 6)));
      t.equal(late.reason, "Conflict", "another process has replaced one of them");
      yield* a.replace(["s-1-3", "s-3-5"], streams(1, 5));
      yield* a.commit(segment(7, 8));
      // A third copy meets s-5-6 and s-6-7 before s-1-5.
      const c = Context.get(yield* Layer.build(layerOf(three)), Index);
      for (const index of [a, b, c]) {
        t.equal((yield* index.findChunks(query)).length, 6);
        const keys = (yield* index.segments()).map(({ key }) => key);
        t.same(keys, ["s-1-5", "s-5-6", "s-6-7", "s-7-8"]);
        t.same(yield* index.labelNames(query), ["a"]);
      }
    })
  ));

t.test("a segment whose object was discarded is not committed, however late", (t) =>
  withTwo((a, b) =>
    Effect.gen(function* () {
      yield* a.commit(segment(1, 2));
      yield* a.commit(segment(2, 3));
      t.equal(yield* b.discard("s-1-3"), true);
      const error: IndexError = yield* Effect.flip(a.replace(["s-1-2", "s-2-3"], segment(1, 3)));
      t.equal(error.reason, "Conflict");
      t.equal((yield* a.segments()).length, 2);
    })
  ));

t.test("a copy that was deleted is made again", async (t) => {
  const directory = newDirectory();
  const count = Effect.flatMap(Index, (index) => index.segments()).pipe(
    Effect.map((segments) => segments.length),
  );
  const commit = Effect.flatMap(
    Index,
    (index) => Effect.forEach([1, 2, 3], (from) => index.commit(segment(from, from + 1))),
  );
  const use = <Result, Failure>(body: Effect.Effect<Result, Failure, Index>) =>
    Effect.runPromise(body.pipe(Effect.provide(layerOf(one, directory)), Effect.scoped));
  await use(commit);
  t.equal(await use(count), 3, "kept over a restart");
  rmSync(directory, { recursive: true });
  t.equal(await use(count), 3, "made again");
  await removeStreams(one);
  t.equal(await use(count), 0, "another bucket of the same name");
  await removeStreams(one);
});

t.test("while a copy that lacks something is deleted, questions fail and nobody opens it", async (t) => {
  const isForgotten: boolean[] = [];
  let isClosing = false;
  const slowCopy = (created: string): IndexCopy => {
    const copy = sqliteCopy(newDirectory(), created);
    return {
      ...copy,
      open: () => {
        isForgotten.push(!isClosing);
        return copy.open();
      },
      close: async () => {
        isClosing = true;
        await new Promise((resolve) => setTimeout(resolve, 400));
        await copy.close();
      },
      remove: async () => {
        await copy.remove();
        isClosing = false;
      },
    };
  };
  const range = { start: 0n, end: 1000n };
  const query = { tenant: "fake", matchers: [], range, coveredTo: new Map([[0, 9]]) };
  const body = Effect.gen(function* () {
    const index = yield* Index;
    // What the bucket must have had at offset 1 is gone.
    yield* index.restore(segment(5, 9));
    const asking = yield* Effect.forkChild(Effect.flip(index.findChunks(query)));
    const exits: Array<Exit.Exit<unknown, IndexError>> = [];
    for (let times = 0; times < 60; times++) {
      exits.push(
        yield* Effect.exit(index.segments()),
        yield* Effect.exit(index.findChunks({ ...query, coveredTo: new Map() })),
      );
      yield* Effect.sleep(10);
    }
    t.equal((yield* Fiber.join(asking)).reason, "Corrupt");
    const failures = exits.filter(Exit.isFailure);
    t.ok(failures.length > 0, "some were asked in between");
    t.ok(failures.every(({ cause }) => Cause.squash(cause) instanceof IndexError));
    t.notOk(failures.some(({ cause }) => Cause.hasDies(cause)), "and told so");
    t.ok(isForgotten.length > 1 && isForgotten.every(Boolean), "opened again when it was gone");
  });
  const layer = jetStreamIndexLayer({ copyOf: slowCopy }).pipe(Layer.provide(natsLayer(one)));
  await Effect.runPromise(body.pipe(Effect.provide(layer), Effect.scoped));
  await removeStreams(one);
});

function segment(logFrom: number, logTo: number): SegmentRecord {
  const time = BigInt(logFrom);
  const chunk = { offset: 48, length: 9, rowCount: 1, rawBytes: 5, minTime: time, maxTime: time };
  return {
    key: `s-${logFrom}-${logTo}`,
    partition: 0,
    logFrom,
    logTo,
    bytes: 100,
    createdAt: 5n,
    streams: [{ tenant: "fake", labels: '{a="b"}', chunks: [chunk] }],
  };
}
