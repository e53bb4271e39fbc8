/** Damage to the store of one NATS server that then leads: a flipped bit, and a block that was cut short while the server
 *  kept its index, which NATS itself does not notice. Either everything is found or there is an alarm; never a shorter
 *  answer. */
import type { Test } from "tap";
import t from "tap";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { openSync, readdirSync, readSync, statSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type NatsNode, NatsServers } from "../../src/testing/natsServer.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { runtimes, ServerProcess } from "../../src/testing/serverProcess.ts";

const lineCount = 400;
const stream = "LOGS_0";
const now = BigInt(Math.floor(Date.now() / 1000)) * 1_000_000_000n;
const lines = Array.from({ length: lineCount }, (_, at) => `line ${String(at).padStart(5, "0")}`);

t.test("a flipped bit in a block of the log", async (t) => {
  const { server, servers, manager } = await start(t);
  const victim = await stopFollower(servers, manager);
  flipBit(largestBlock(victim));
  await startAndLead(victim, manager);
  await restart(server);
  t.same(await answer(server), lines, "NATS notices and takes it from another server");
});

t.test("a block of the log that is cut short", async (t) => {
  const { server, servers, manager } = await start(t);
  const victim = await stopFollower(servers, manager);
  const block = largestBlock(victim);
  truncateSync(block, Math.floor(statSync(block).size * 0.6));
  await startAndLead(victim, manager);
  server.launch();
  const found = await firstAnswer(server);
  const { state } = await untilItWorks(() => manager.streams.info(stream));
  t.comment(`${victim.name} leads with ${state.messages} messages to ${state.last_seq}`);
  if (found !== undefined) t.same(found, lines, "everything, or no answer at all");
  else {
    t.match(server.output, /stream LOGS_0 held offsets below \d+ and now ends before|is missing/);
    const leads = servers.nodes.find((node) => node !== victim)!;
    await lead(leads, manager);
    await restart(server);
    t.same(await untilItWorks(() => answer(server)), lines, "with another leader all is found");
  }
});

/** A server with unflushed lines in three NATS servers. It has been killed. */
async function start(t: Test) {
  const servers = await NatsServers.start({ nodes: 3 });
  t.teardown(() => servers.remove());
  const server = await ServerProcess.start({
    runtime: runtimes.at(-1)!,
    settings: {
      "storage.engine": "nats",
      "nats.url": servers.urls,
      "ingester.partitions": "1",
      "ingester.max_segment_age": "1h",
      "querier.workers": "1",
    },
  });
  t.teardown(() => server.remove());
  const push = new PushClient(server.baseUrl);
  for (const [at, line] of lines.entries()) {
    const entries = [{ timestamp: now + BigInt(at), line }];
    await push.push([{ labels: '{app="shop"}', entries }]);
  }
  push.close();
  // The owner notes the end of the log once a second.
  await sleep(2500);
  t.same(await answer(server), lines, "before");
  await server.kill();
  const nc = await connect({ servers: servers.urls.split(","), maxReconnectAttempts: -1 });
  t.teardown(() => nc.close());
  const manager = await jetstreamManager(nc, { checkAPI: false, timeout: 1000 });
  return { server, servers, manager };
}

async function stopFollower(servers: NatsServers, manager: JetStreamManager): Promise<NatsNode> {
  const info = await untilItWorks(() => manager.streams.info(stream));
  const victim = servers.nodes.find(({ name }) => name !== info.cluster?.leader)!;
  await victim.stop();
  return victim;
}

async function startAndLead(node: NatsNode, manager: JetStreamManager): Promise<void> {
  await node.start();
  await lead(node, manager);
}

/** Has the stream's leader step down until `node` leads. */
async function lead(node: NatsNode, manager: JetStreamManager): Promise<void> {
  const nc = (manager.jetstream() as unknown as { readonly nc: NatsConnection }).nc;
  let last = "";
  for (let attempt = 0; attempt < 100; attempt++) {
    const info = await manager.streams.info(stream).catch(() => undefined);
    const leader = info?.cluster?.leader ?? "";
    if (leader === node.name) return;
    if (leader !== "") {
      // A server that does not have everything yet cannot be preferred; then chance decides.
      const isPreferred = attempt % 2 === 0;
      const request = isPreferred ? JSON.stringify({ placement: { preferred: node.name } }) : "";
      last = await nc.request(`$JS.API.STREAM.LEADER.STEPDOWN.${stream}`, request).then(
        (reply) => reply.string(),
        String,
      );
    }
    // Longer each time: a server that still catches up begins that anew with each election.
    await sleep(Math.min(500 + 100 * attempt, 5000));
  }
  throw new Error(`${node.name} does not lead ${stream}: ${last}`);
}

async function restart(server: ServerProcess): Promise<void> {
  await server.kill();
  await server.launchAndWait();
}

async function answer(server: ServerProcess): Promise<ReadonlyArray<string>> {
  const query = new QueryClient(server.baseUrl);
  const range = { start: now - 1n, end: now + 1_000_000_000n };
  const found = await query.all({ query: '{app="shop"}', ...range });
  query.close();
  return found.map(({ line }) => line).sort();
}

/** What the server says within a minute; undefined if it refuses all the time. */
async function firstAnswer(server: ServerProcess): Promise<ReadonlyArray<string> | undefined> {
  for (const endMs = performance.now() + 60_000; performance.now() < endMs; await sleep(500)) {
    const found = await answer(server).catch(() => undefined);
    if (found !== undefined) return found;
    if (/now ends before|is missing/.test(server.output)) return undefined;
  }
  return undefined;
}

function largestBlock(node: NatsNode): string {
  const directory = join(node.store, "jetstream", "$G", "streams", stream, "msgs");
  const blocks = readdirSync(directory).filter((name) => name.endsWith(".blk"))
    .map((name) => join(directory, name));
  return blocks.sort((a, b) => statSync(b).size - statSync(a).size)[0]!;
}

function flipBit(path: string): void {
  const file = openSync(path, "r+");
  const byte = new Uint8Array(1);
  const at = Math.floor(statSync(path).size / 2);
  readSync(file, byte, 0, 1, at);
  byte[0]! ^= 1;
  writeSync(file, byte, 0, 1, at);
}

async function untilItWorks<Result>(work: () => Promise<Result>): Promise<Result> {
  for (;;) {
    const result = await work().catch(() => undefined);
    if (result !== undefined) return result;
    await sleep(200);
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
