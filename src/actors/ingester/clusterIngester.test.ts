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
import { HeldAnswers, laterClient } from "../HeldAnswers.ts";
import { HeadRoom } from "../querier/HeadRoom.ts";
import { QueryFailed } from "../querier/queryFailed.ts";
import { SimulatedWorld } from "../../testing/simulation/SimulatedWorld.ts";

/** What a querier may read of a log is twice this: a record below, and less than all of its rows. */
const unflushedBytesMax = 5000;

/** A record of twenty lines, half of them of stream a, or as many as it says. */
function record(prefix = "", { lineBytes = 500, ofA = 10 } = {}): Uint8Array {
  const rows = Array.from({ length: 20 }, (_, at) => ({
    timestamp: BigInt(at + 1),
    line: [...new TextEncoder().encode(`${prefix}${at} `.padEnd(lineBytes, "x"))],
    metadata: [],
  }));
  const slices = [
    { labels: '{app="a"}', rowStart: 0, rowEnd: ofA },
    { labels: '{app="b"}', rowStart: ofA, rowEnd: 20 },
  ];
  return encodeBatch(buildBatch("t", slices, columnsOf(rows)), "none");
}

const request = {
  tenant: "t",
  matchers: [makeMatcher("app", "=", "a")],
  range: { start: 0n, end: 100n },
};

async function cluster(limits = { log: "1MB", unflushed: unflushedBytesMax }) {
  const world = new SimulatedWorld(randomFrom("heads"));
  const network = new SimulatedNetwork(world);
  new SimulatedJetStream(network, { tellAll: true });
  const settings = {
    "ingester.segment_target_bytes": limits.log,
    "nats.log_max_bytes": limits.log,
  };
  const small = { ...settings, "ingester.max_unflushed_bytes": limits.unflushed };
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
  const push = (bytes: Uint8Array) => ask(distributor, ({ append }) => append(0, bytes));
  const lines = (room?: HeadRoom) =>
    ask(querier, async ({ query }) => (await query(request, room)).length);
  const streams = () => ask(querier, ({ streams }) => streams(request));
  const flush = () => ask(querier, ({ flush }) => flush().then(() => true));
  return { world, network, owner, querier, ask, push, lines, streams, flush };
}

/** The same with one record. */
async function clusterOfOne() {
  const made = await cluster();
  t.ok(await made.push(record()));
  return made;
}

t.test("what no distributor wrote into the log stops nothing", async (t) => {
  const { world, network, owner, lines, flush } = await clusterOfOne();
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
  const { world, owner, lines, streams } = await clusterOfOne();
  t.equal(await lines(), 10);
  owner.freeze();
  world.later(world.process("thaw"), 2000, () => owner.thaw());
  t.equal(await lines(), 10, "it is slow");
  owner.kill();
  t.equal(await lines(), undefined, "without it the question fails");
  t.same(await streams(), ['{app="a"}'], "but labels take no room");
});

t.test("rows that come from elsewhere are counted, and wait for room", async (t) => {
  const { world, owner, push, lines, streams } = await cluster({ log: "64MB", unflushed: 16e6 });
  const count = 300;
  const lineBytes = 2000;
  for (let i = 0; i < count; i++) t.ok(await push(record(`${i}: `, { lineBytes })));
  const account = new HeldAnswers({ bytesMax: 8_000_000, waitMs: 2 ** 30 });
  const other = account.open();
  const client = laterClient();
  const room = new HeadRoom(() => account.open(client));
  /** Asks while another answer leaves too little room, which it gives up `afterMs` later. */
  const askInWant = async (afterMs: number) => {
    other.resize(5_000_000);
    let bytesBefore = 0;
    const began = world.nowMs;
    world.later(world.process("reader"), afterMs, () => {
      bytesBefore = account.bytes;
      other.resize(0);
    });
    t.equal(await lines(room), count * 10);
    t.ok(world.nowMs - began >= afterMs, "it waited");
    t.equal(bytesBefore, 5_000_000, "and held nothing meanwhile");
    const bytes = account.bytes;
    room.release();
    t.equal(account.bytes, 0);
    return bytes;
  };
  const all = count * 10 * lineBytes;
  const bytes = await askInWant(3000);
  t.ok(bytes > all && bytes < 1.2 * all, `${bytes} bytes are counted`);
  owner.kill();
  // A record of the log is held with all of its streams.
  const ofLog = await askInWant(6000);
  t.ok(ofLog > 2 * all && ofLog < 2.4 * all, `${ofLog} bytes are counted`);
  t.same(await streams(), ['{app="a"}']);
});

t.test("an owner that is slow and has little is not given up for a log that has much", async (t) => {
  const { world, owner, push, lines } = await cluster({ log: "64MB", unflushed: 64e6 });
  const count = 200;
  for (let i = 0; i < count; i++) {
    t.ok(await push(record(`${i}: `, { lineBytes: 2000, ofA: 1 })));
  }
  const account = new HeldAnswers({ bytesMax: 8_000_000 });
  const room = new HeadRoom(() => account.open());
  owner.freeze();
  world.later(world.process("thaw"), 3000, () => owner.thaw());
  t.equal(await lines(room), count);
  t.ok(account.bytes < 2 * count * 2000, `${account.bytes} bytes are counted`);
});

t.test("a query for which there is no room begins again, and is not refused", async (t) => {
  const { push, ask, querier } = await cluster({ log: "64MB", unflushed: 16e6 });
  for (let i = 0; i < 300; i++) t.ok(await push(record(`${i}: `, { lineBytes: 2000 })));
  const full = { ...new HeldAnswers({ bytesMax: 1 }).open(), tryResize: () => false };
  const busy = new QueryFailed({ reason: "Busy", message: "no room" });
  const room = new HeadRoom(() => ({ ...full, grow: () => Promise.reject(busy) }));
  const reason = await ask(
    querier,
    ({ query }) =>
      query(request, room).then(() => "answered", (error: QueryFailed) => error.reason),
  );
  t.equal(reason, "GaveWay");
});

t.test("a flush waits for the partition's next owner", async (t) => {
  const { world, owner, lines, flush } = await clusterOfOne();
  owner.kill();
  world.later(world.process("start"), 4000, () => owner.start());
  const began = world.nowMs;
  t.equal(await flush(), true);
  t.ok(world.nowMs - began >= 4000);
  t.equal(await lines(), 10);
});
