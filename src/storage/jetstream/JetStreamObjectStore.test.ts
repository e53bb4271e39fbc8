/** The object store on real NATS servers: the port's contract on one and on three, and that other
 *  clients of object stores read what it writes. */
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { Objm } from "@nats-io/obj";
import { Effect, Layer } from "effect";
import t from "tap";
import { Nats } from "../../cluster/Nats.ts";
import { NatsServers } from "../../testing/natsServer.ts";
import { natsLayer, removeStreams } from "../../testing/natsStorage.ts";
import { ObjectStore } from "../ObjectStore.ts";
import { objectStoreContract } from "../ObjectStore.contract.ts";
import { jetStreamObjectStoreLayer } from "./JetStreamObjectStore.ts";
import { sweepChunks } from "./sweepChunks.ts";

const layerOf = (servers: NatsServers, shards = 2) =>
  jetStreamObjectStoreLayer({ shards }).pipe(Layer.provide(natsLayer(servers)));

const one = await NatsServers.start({ nodes: 1 });
const three = await NatsServers.start({ nodes: 3 });
t.teardown(async () => {
  await one.remove();
  await three.remove();
});

for (const [name, servers] of [["one server", one], ["three servers", three]] as const) {
  objectStoreContract(
    `JetStreamObjectStore on ${name}`,
    () => Promise.resolve({ open: () => layerOf(servers), cleanUp: () => removeStreams(servers) }),
  );
}

t.test("ranges over many chunks, and a client of the standard layout", async (t) => {
  const parts = Array.from(
    { length: 7 },
    (_, part) => Uint8Array.from({ length: 150_000 + part }, (_, at) => (at * 31 + part * 7) % 251),
  );
  const whole = Buffer.concat(parts);
  const body = Effect.flatMap(ObjectStore, (store) =>
    Effect.gen(function* () {
      yield* store.put("segments/a.seg", parts);
      for (const [offset, length] of [[0, 1], [262_143, 2], [262_144, 1], [0, whole.length]]) {
        const bytes = yield* store.getRange("segments/a.seg", offset!, length!);
        const wanted = whole.subarray(offset, offset! + length!);
        t.equal(Buffer.compare(bytes, wanted), 0, `${length} bytes at ${offset}`);
      }
      yield* store.put("removed", [new Uint8Array(10)]);
      yield* store.remove("removed");
    }));
  await Effect.runPromise(body.pipe(Effect.provide(layerOf(three, 1)), Effect.scoped));
  const nc = await connect({ servers: three.urls.split(",") });
  const bucket = await new Objm(nc).open("tailrace_0");
  t.same((await bucket.list()).map(({ name, size }) => [name, size]), [
    ["segments/a.seg", whole.length],
  ]);
  const read = await bucket.getBlob("segments/a.seg");
  t.equal(Buffer.compare(read!, whole), 0, "its digest and its order are what clients expect");
  await nc.close();
  await removeStreams(three);
});

t.test("chunks that no record names are swept once they are old, others never", async (t) => {
  const body = Effect.gen(function* () {
    const store = yield* ObjectStore;
    const link = yield* Nats;
    yield* store.put("kept", [new Uint8Array(600_000)]);
    const js = jetstream(link.connection);
    for (let index = 0; index < 3; index++) {
      yield* Effect.promise(() => js.publish("$O.tailrace_0.C.left", new Uint8Array(10)));
    }
    t.equal(yield* Effect.promise(() => sweepChunks(link, 0)), 0, "its writer may still live");
    t.equal(yield* Effect.promise(() => sweepChunks(link, 0, 0)), 1);
    t.equal((yield* store.get("kept")).length, 600_000);
    const info = yield* Effect.promise(() => link.manager.streams.info("OBJ_tailrace_0"));
    t.equal(info.state.messages, 4, "three chunks and a record");
  });
  const layer = jetStreamObjectStoreLayer({ shards: 1 }).pipe(
    Layer.provideMerge(natsLayer(one)),
  );
  await Effect.runPromise(body.pipe(Effect.provide(layer), Effect.scoped));
  await removeStreams(one);
});
