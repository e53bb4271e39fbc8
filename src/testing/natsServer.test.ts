/** The harness itself: real servers start alone and as a cluster, survive kill -9 with what they acknowledged, and are gone
 *  afterwards. */
import { existsSync } from "node:fs";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import t from "tap";
import { NatsServers } from "./natsServer.ts";

t.test("one server keeps what it acknowledged over kill -9", async (t) => {
  const servers = await NatsServers.start({ nodes: 1 });
  try {
    const nc = await connect({ servers: servers.urls.split(","), maxReconnectAttempts: -1 });
    const jsm = await jetstreamManager(nc);
    await jsm.streams.add({ name: "S", subjects: ["s"] });
    t.equal((await jetstream(nc).publish("s", "one")).seq, 1);
    await servers.nodes[0]!.kill();
    await servers.nodes[0]!.start();
    t.equal((await untilItWorks(() => jsm.streams.info("S"))).state.last_seq, 1);
    await nc.close();
  } finally {
    await servers.remove();
  }
  t.notOk(existsSync(servers.directory));
});

t.test("three servers are one cluster that keeps three copies", async (t) => {
  const servers = await NatsServers.start({ nodes: 3 });
  try {
    const nc = await connect({ servers: servers.urls.split(",") });
    const jsm = await jetstreamManager(nc, { checkAPI: false });
    const info = await untilItWorks(() =>
      jsm.streams.add({ name: "S", subjects: ["s"], num_replicas: 3 })
    );
    t.equal(info.cluster?.replicas?.length, 2, "the leader and two others");
    await nc.close();
  } finally {
    await servers.remove();
  }
});

/** A client reconnects, and a new cluster refuses while it elects a leader. */
async function untilItWorks<Result>(work: () => Promise<Result>): Promise<Result> {
  for (;;) {
    const result = await work().catch(() => undefined);
    if (result !== undefined) return result;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

t.test("a server that is cut off keeps nothing, and catches up when it is not any more", async (t) => {
  const servers = await NatsServers.start({ nodes: 3, links: true });
  t.teardown(() => servers.remove());
  const [first, ...rest] = servers.nodes;
  const alone = await connect({ servers: first!.url });
  const most = await connect({ servers: rest.map(({ url }) => url) });
  t.teardown(() => Promise.all([alone.close(), most.close()]));
  const manager = (nc: typeof alone) => jetstreamManager(nc, { checkAPI: false, timeout: 1000 });
  const [cutOff, others] = [await manager(alone), await manager(most)];
  await untilItWorks(() => others.streams.add({ name: "S", subjects: ["s"], num_replicas: 3 }));
  const publish = (nc: typeof alone) => jetstream(nc, { timeout: 1000 }).publish("s", "x");
  for (const other of [1, 2]) servers.cut(0, other);
  await t.rejects(untilItFails(() => publish(alone)), "no quorum");
  const { seq } = await untilItWorks(() => publish(most));
  for (const other of [1, 2]) servers.heal(0, other);
  await untilItWorks(async () => {
    const { state } = await cutOff.streams.info("S");
    return state.last_seq >= seq ? true : await Promise.reject(new Error("behind"));
  });
});

/** What was a leader may take a message or two before it notices. */
async function untilItFails(work: () => Promise<unknown>): Promise<never> {
  for (;;) await work();
}
