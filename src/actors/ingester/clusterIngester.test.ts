/** Unflushed rows of a partition whose owner answers, is slow or is gone, in a simulated world. Whole runs are
 *  test/faults/simulation.test.ts. */
import t from "tap";
import { settingsWith } from "../../platform/config/mod.ts";
import { buildBatch, encodeBatch } from "../../streams/batch.ts";
import { makeMatcher } from "../../streams/matcher.ts";
import { columnsOf } from "../../testing/modelRows.ts";
import { randomFrom } from "../../testing/random.ts";
import { SimulatedMember } from "../../testing/simulation/SimulatedCluster.ts";
import { SimulatedJetStream } from "../../testing/simulation/SimulatedJetStream.ts";
import { SimulatedNetwork } from "../../testing/simulation/SimulatedNetwork.ts";
import { SimulatedWorld } from "../../testing/simulation/SimulatedWorld.ts";

/** What a querier may read of a log is twice this: a record below, and less than all of its rows. */
const unflushedBytesMax = 5000;

/** A record of twenty lines of 500 bytes, half of them of stream a. */
function record(): Uint8Array {
  const rows = Array.from({ length: 20 }, (_, at) => ({
    timestamp: BigInt(at + 1),
    line: [...new TextEncoder().encode(`${at} `.padEnd(500, "x"))],
    metadata: [],
  }));
  const slices = [
    { labels: '{app="a"}', rowStart: 0, rowEnd: 10 },
    { labels: '{app="b"}', rowStart: 10, rowEnd: 20 },
  ];
  return encodeBatch(buildBatch("t", slices, columnsOf(rows)), "none");
}

async function cluster() {
  const world = new SimulatedWorld(randomFrom("heads"));
  const network = new SimulatedNetwork(world);
  new SimulatedJetStream(network, { tellAll: true });
  const settings = { "ingester.segment_target_bytes": "1MB", "nats.log_max_bytes": "1MB" };
  const small = { ...settings, "ingester.max_unflushed_bytes": unflushedBytesMax };
  const member = (role: SimulatedMember["role"], changes: Record<string, string | number>) =>
    new SimulatedMember(network, role, role, settingsWith(changes));
  const owner = member("ingester", settings);
  const distributor = member("distributor", settings);
  const querier = member("querier", small);
  for (const member of [owner, distributor, querier]) member.start();
  await world.run(8000);
  const ask = async <Result>(
    member: SimulatedMember,
    work: Parameters<typeof member.ask<Result>>[1],
  ) => {
    let answer: { readonly result: Result | undefined } | undefined;
    member.ask(network.nature, work, (result) => answer = { result });
    await world.run(world.nowMs + 20_000, () => answer !== undefined);
    return answer?.result;
  };
  t.ok(await ask(distributor, ({ append }) => append(0, record())));
  const lines = () =>
    ask(querier, async ({ query }) => {
      const matchers = [makeMatcher("app", "=", "a")];
      return (await query({ tenant: "t", matchers, range: { start: 0n, end: 100n } })).length;
    });
  const flush = () => ask(querier, ({ flush }) => flush().then(() => true));
  return { world, network, owner, lines, flush };
}

t.test("what no distributor wrote into the log stops nothing", async (t) => {
  const { world, network, owner, lines, flush } = await cluster();
  const stranger = world.process("stranger");
  world.later(stranger, 0, () => network.connect(stranger).publish("logs.t.0", "hello"));
  await world.run(world.nowMs + 1000);
  t.equal(await lines(), 10, "it was told of");
  owner.kill();
  owner.start();
  await world.run(world.nowMs + 8000);
  t.equal(await lines(), 10, "it is replayed");
  owner.freeze();
  t.equal(await lines(), undefined, "which is too much to be read from the log");
  owner.thaw();
  await world.run(world.nowMs + 8000);
  t.equal(await flush(), true);
  t.equal(await lines(), 10, "all is in a segment");
});

t.test("an owner that answers is asked, and waited for when the log is too much to read", async (t) => {
  const { world, owner, lines } = await cluster();
  t.equal(await lines(), 10);
  owner.freeze();
  world.later(world.process("thaw"), 2000, () => owner.thaw());
  t.equal(await lines(), 10, "it is slow");
  owner.kill();
  t.equal(await lines(), undefined, "without it the question fails");
});
