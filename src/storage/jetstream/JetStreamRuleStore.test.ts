/** Rules on real NATS servers: the port's contract on one and on three, and that processes hear of each other's writes. */
import { Effect, Layer } from "effect";
import t from "tap";
import { NatsServers } from "../../testing/natsServer.ts";
import { natsLayer, removeStreams } from "../../testing/natsStorage.ts";
import { RuleStore } from "../RuleStore.ts";
import { ruleStoreContract } from "../RuleStore.contract.ts";
import { jetStreamRuleStoreLayer } from "./JetStreamRuleStore.ts";

const layerOf = (servers: NatsServers) =>
  jetStreamRuleStoreLayer.pipe(Layer.provide(natsLayer(servers)));

const one = await NatsServers.start({ nodes: 1 });
const three = await NatsServers.start({ nodes: 3 });
t.teardown(async () => {
  await one.remove();
  await three.remove();
});

for (const [name, servers] of [["one server", one], ["three servers", three]] as const) {
  ruleStoreContract(
    `JetStream on ${name}`,
    () => Promise.resolve({ open: () => layerOf(servers), cleanUp: () => removeStreams(servers) }),
  );
}

t.test("two processes see each other's writes, and one of two that replace wins", async (t) => {
  const value = (text: string) => new TextEncoder().encode(text);
  const program = Effect.gen(function* () {
    const [a, b] = [
      yield* Effect.provide(RuleStore, yield* Layer.build(layerOf(one))),
      yield* Effect.provide(RuleStore, yield* Layer.build(Layer.fresh(layerOf(one)))),
    ];
    const first = yield* a.put("k", value("1"));
    t.equal((yield* b.list("k"))[0]?.revision, first);
    const results = yield* Effect.all([
      a.replace("k", value("a"), first),
      b.replace("k", value("b"), first),
    ], { concurrency: "unbounded" });
    t.equal(results.filter((revision) => revision !== undefined).length, 1);
    yield* b.remove("k");
    t.same(yield* a.list("k"), []);
    t.ok((yield* a.replace("k", value("again"), 0)) !== undefined);
    t.equal((yield* b.list("k")).length, 1);
  });
  await Effect.runPromise(Effect.scoped(program));
});
