/** The write log on real NATS servers: the port's contract on one and on three, and what is JetStream's own: refusal of a full
 *  log, repetitions, holes. */
import { connect } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Effect, Fiber, Layer } from "effect";
import t from "tap";
import { recordOf } from "../../cluster/logRecords.ts";
import { Nats, type NatsLink } from "../../cluster/Nats.ts";
import { logStream } from "../../cluster/streams.ts";
import { buildBatch, decodeBatch, encodeBatch } from "../../streams/batch.ts";
import { columnsOf } from "../../testing/modelRows.ts";
import { NatsServers } from "../../testing/natsServer.ts";
import { natsLayer, removeStreams } from "../../testing/natsStorage.ts";
import { WriteLog, type WriteLogError } from "../WriteLog.ts";
import { writeLogContract } from "../WriteLog.contract.ts";
import { jetStreamWriteLogLayer, type JetStreamWriteLogOptions } from "./JetStreamWriteLog.ts";

const layerOf = (servers: NatsServers, options: Partial<JetStreamWriteLogOptions> = {}) =>
  jetStreamWriteLogLayer({ partitionBytesMax: 64 * 1024 * 1024, createsLogs: true, ...options })
    .pipe(Layer.provide(natsLayer(servers)));

const one = await NatsServers.start({ nodes: 1 });
const three = await NatsServers.start({ nodes: 3 });
t.teardown(async () => {
  await one.remove();
  await three.remove();
});

for (const [name, servers] of [["one server", one], ["three servers", three]] as const) {
  writeLogContract(`JetStreamWriteLog on ${name}`, () =>
    Promise.resolve({
      open: () => layerOf(servers),
      recordBytesMax: 1024 * 1024 - 4096,
      cleanUp: () => removeStreams(servers),
    }));
}

const use = <Result, Failure>(
  body: (log: (typeof WriteLog)["Service"]) => Effect.Effect<Result, Failure>,
  options?: Partial<JetStreamWriteLogOptions>,
) =>
  Effect.runPromise(
    Effect.flatMap(WriteLog, body).pipe(Effect.provide(layerOf(one, options)), Effect.scoped),
  );

t.test("the same record again takes no second offset", async (t) => {
  await use((log) =>
    Effect.gen(function* () {
      t.equal(yield* log.append(0, batchOf("fake", "a")), 1);
      t.equal(yield* log.append(0, batchOf("fake", "b")), 2);
      t.equal(yield* log.append(0, batchOf("fake", "a")), 1);
      t.equal((yield* log.bounds(0)).next, 3);
    })
  );
  await removeStreams(one);
});

t.test("a full log refuses at once, and takes more after a release", async (t) => {
  await use((log) =>
    Effect.gen(function* () {
      const record = (index: number) => new Uint8Array(100_000).fill(index);
      let error: WriteLogError | undefined;
      let count = 0;
      while (error === undefined) {
        error = yield* log.append(0, record(count++)).pipe(
          Effect.as(undefined),
          Effect.catch((error) => Effect.succeed(error)),
        );
      }
      t.equal(error.reason, "Full");
      t.equal(count, 10, "of 100 kB, ten exceed 1 MB with their headers");
      yield* log.release(0, 5);
      t.equal(yield* log.append(0, record(99)), 10);
    }), { partitionBytesMax: 1_000_000 });
  await removeStreams(one);
});

for (const [name, servers] of [["one server", one], ["three servers", three]] as const) {
  t.test(`a log that is larger than ${name} may store is refused with what to do`, async (t) => {
    const layer = layerOf(servers, { partitionBytesMax: 2 ** 52 });
    const error = await Effect.runPromise(
      Effect.flatMap(WriteLog, (log) => Effect.flip(log.append(0, new Uint8Array(1)))).pipe(
        Effect.provide(layer),
        Effect.scoped,
      ),
    );
    t.match(error.message, /insufficient storage.*make nats\.log_max_bytes smaller/);
    await removeStreams(servers);
  });
}

t.test("a tenant's batches have a subject and headers that say what is inside", async (t) => {
  await use((log) => log.append(3, batchOf("a.b*c", "hello")));
  const nc = await connect({ servers: one.urls });
  const jsm = await jetstreamManager(nc);
  const message = await jsm.streams.getMessage("LOGS_3", { seq: 1 });
  t.equal(message?.subject, "logs.a=2eb=2ac.3");
  t.equal(message?.header.get("Tailrace-Lines"), "1");
  t.equal(message?.header.get("Tailrace-First"), "2023-11-14T22:13:20.000Z");
  await nc.close();
  await removeStreams(one);
});

t.test("a hole in the sequence is an error, not the end", async (t) => {
  await use((log) =>
    Effect.gen(function* () {
      for (let index = 1; index <= 5; index++) yield* log.append(0, new Uint8Array([index]));
      yield* Effect.promise(async () => {
        const nc = await connect({ servers: one.urls });
        const jsm = await jetstreamManager(nc);
        // What damage does, an operator's command can do here only once the stream allows it again.
        await jsm.streams.delete("LOGS_0");
        await jsm.streams.add({ name: "LOGS_0", subjects: ["logs.*.0"], allow_direct: true });
        for (let index = 1; index <= 5; index++) {
          await jetstream(nc).publish("logs.x.0", new Uint8Array([index]));
        }
        await jsm.streams.deleteMessage("LOGS_0", 3);
        await nc.close();
      });
      t.same((yield* log.read(0, 1, 1e6)).map(({ offset }) => offset), [1, 2]);
      const error = yield* Effect.flip(log.read(0, 3, 1e6));
      t.equal(error.reason, "Corrupt");
      t.match(error.message, "offset 3 is missing");
      t.same((yield* log.read(0, 4, 1e6)).map(({ offset }) => offset), [4, 5]);
    })
  );
  await removeStreams(one);
});

t.test("what no distributor wrote has an offset and no lines", async (t) => {
  await use((log) =>
    Effect.gen(function* () {
      yield* log.append(0, batchOf("fake", "a"));
      yield* Effect.promise(async () => {
        const nc = await connect({ servers: one.urls });
        const told = nc.subscribe("tail.*.0", { max: 2 });
        await jetstream(nc).publish("logs.x.0", "hello");
        await jetstream(nc).publish("logs.fake.0", batchOf("fake", "b"), { msgID: "b" });
        const lines: number[] = [];
        for await (const { headers, data } of told) {
          lines.push(decodeBatch(recordOf(headers, data)).rowCount);
        }
        t.same(lines, [0, 1], "also where it is republished");
        await nc.close();
      });
      const records = yield* log.read(0, 1, 1e6);
      t.same(records.map(({ offset }) => offset), [1, 2, 3]);
      t.same(records.map(({ bytes }) => decodeBatch(bytes).rowCount), [1, 0, 1]);
    })
  );
  await removeStreams(one);
});

t.test("what is released while it is read is no damage", async (t) => {
  let release: (() => Promise<unknown>) | undefined;
  /** A connection on which the log is released right before records are asked for. */
  const releasing = (link: NatsLink): NatsLink => {
    const publish: NatsLink["connection"]["publish"] = (subject, ...rest) => {
      const before = subject.startsWith("$JS.API.DIRECT.GET") ? release : undefined;
      if (before === undefined) return link.connection.publish(subject, ...rest);
      release = undefined;
      void before().then(() => link.connection.publish(subject, ...rest));
    };
    const connection = new Proxy(link.connection, {
      get: (real, name) => {
        if (name === "publish") return publish;
        const value = Reflect.get(real, name);
        return typeof value === "function" ? value.bind(real) : value;
      },
    });
    return { ...link, connection };
  };
  const layer = jetStreamWriteLogLayer({ partitionBytesMax: 1e6, createsLogs: true }).pipe(
    Layer.provide(Layer.effect(Nats, Effect.map(Nats, releasing))),
    Layer.provide(natsLayer(one)),
  );
  const body = Effect.gen(function* () {
    const log = yield* WriteLog;
    for (let index = 1; index <= 5; index++) yield* log.append(0, new Uint8Array([index]));
    release = () => Effect.runPromise(log.release(0, 4));
    t.same((yield* log.read(0, 1, 1e6)).map(({ offset }) => offset), [4, 5]);
    release = () => Effect.runPromise(log.release(0, 6));
    t.same(yield* log.read(0, 4, 1e6), []);
  });
  await Effect.runPromise(body.pipe(Effect.provide(layer), Effect.scoped));
  await removeStreams(one);
});

t.test("a stream that an operator weakened is refused, with what to do", async (t) => {
  const nc = await connect({ servers: one.urls });
  const jsm = await jetstreamManager(nc);
  await jsm.streams.add({ name: "LOGS_0", subjects: ["logs.*.0"], max_age: 60e9 });
  const error = await use((log) => Effect.flip(log.append(0, new Uint8Array(1)))).catch((error) =>
    error
  );
  t.match(error.message, "max_age is 60000000000 and must be 0");
  await nc.close();
  await removeStreams(one);
});

t.test("a log takes nothing before every reader can know of it", async (t) => {
  const nc = await connect({ servers: one.urls });
  t.teardown(() => nc.close());
  const { streams } = await jetstreamManager(nc);
  // Whoever created it died at once.
  const { republish: _, ...config } = logStream(7, 1e6);
  await streams.add({ ...config, subjects: ["LOGS_7"], allow_direct: true });
  await use((reader) =>
    Effect.gen(function* () {
      const refused = yield* Effect.promise(() =>
        jetstream(nc).publish("logs.x.7", "a").then(() => false, () => true)
      );
      t.ok(refused, "a server refuses");
      t.equal((yield* Effect.flip(reader.append(7, batchOf("x", "a")))).reason, "Unavailable");
      t.same(yield* reader.partitions, []);
      t.equal(yield* Effect.promise(() => use((log) => log.append(7, batchOf("x", "b")))), 1);
      t.same(yield* reader.partitions, [7], "told to a process that was there before");
      t.equal(yield* reader.append(7, batchOf("x", "a")), 2);
      const { config } = yield* Effect.promise(() => streams.info("LOGS_7"));
      t.match(config, { subjects: ["logs.*.7"], republish: { src: "logs.*.7" } });
    }), { createsLogs: false });
  await removeStreams(one);
});

t.test("who creates no logs waits for them, and others' partitions are known at once", async (t) => {
  await use((reader) =>
    Effect.gen(function* () {
      const appended = yield* Effect.forkChild(reader.append(3, batchOf("x", "a")));
      yield* Effect.sleep(200);
      yield* Effect.promise(() => use((log) => log.bounds(3)));
      t.equal(yield* Fiber.join(appended), 1);
      t.same(yield* reader.partitions, [3]);
      // The bucket was restored from a backup that has no entries, or an operator emptied it: what is known stays so.
      yield* Effect.promise(async () => {
        const nc = await connect({ servers: one.urls });
        await (await jetstreamManager(nc)).streams.purge("KV_tailrace_leases");
        await nc.close();
      });
      t.same(yield* reader.partitions, [3]);
      t.same(yield* Effect.promise(() => use((log) => log.partitions)), [3], "and streams tell");
    }), { createsLogs: false });
  await removeStreams(one);
});

function batchOf(tenant: string, line: string): Uint8Array {
  const rows = [{
    timestamp: 1_700_000_000_000_000_000n,
    line: [...Buffer.from(line)],
    metadata: [],
  }];
  const slices = [{ labels: '{a="b"}', rowStart: 0, rowEnd: 1 }];
  return encodeBatch(buildBatch(tenant, slices, columnsOf(rows)), "none");
}
