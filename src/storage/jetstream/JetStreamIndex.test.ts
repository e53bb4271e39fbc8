/** The index on real NATS servers: the port's contract on one and on three; that a claim fences
 *  earlier owners; that a copy can be deleted; that another process's commits are seen when a question needs them. */
import { Context, Effect, Layer } from "effect";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import type { SegmentRecord } from "../../streams/record.ts";
import { NatsServers } from "../../testing/natsServer.ts";
import { natsLayer, removeStreams } from "../../testing/natsStorage.ts";
import { Index, type IndexError } from "../Index.ts";
import { indexContract } from "../Index.contract.ts";
import { sqliteCopy } from "./IndexCopy.ts";
import { jetStreamIndexLayer } from "./JetStreamIndex.ts";

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
const withTwo = <Failure>(body: (a: Service, b: Service) => Effect.Effect<void, Failure>) =>
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
