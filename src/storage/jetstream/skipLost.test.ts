/** Finding and skipping what a log has lost, on three real servers of which one may be alone with a record. Whole processes are
 *  test/faults/skip.test.ts. */
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { readdirSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { Effect } from "effect";
import t from "tap";
import { firstWith, skippedOffsets, withSkipped } from "../../cluster/skipMarks.ts";
import {
  bucketStream,
  indexBucket,
  leaseBucket,
  leaseStream,
  logStream,
} from "../../cluster/streams.ts";
import { settingsWith } from "../../platform/config/mod.ts";
import { buildBatch, decodeBatch, encodeBatch } from "../../streams/batch.ts";
import { columnsOf } from "../../testing/modelRows.ts";
import { type NatsNode, NatsServers } from "../../testing/natsServer.ts";
import { Nats } from "../../cluster/Nats.ts";
import { WriteLog } from "../WriteLog.ts";
import { jetStreamWriteLogLayer } from "./JetStreamWriteLog.ts";
import { findLost, type LogFinding, skipLost } from "./skipLost.ts";

t.test("ranges are kept beside what else the metadata has, the newest hundred of them", (t) => {
  let metadata: Record<string, string> = { other: "value" };
  for (let from = 1; from <= 300; from += 2) {
    metadata = withSkipped({ metadata }, { from, to: from + 1, at: "2026-11-30T00:00:00.000Z" });
  }
  const ranges = skippedOffsets({ metadata });
  t.equal(metadata["other"], "value");
  t.equal(ranges.length, 100);
  t.same(ranges.at(-1), { from: 299, to: 300, at: "2026-11-30T00:00:00.000Z" });
  for (const text of ["", "nonsense", "5 to 4 at now", "1 to 2"]) {
    t.same(skippedOffsets({ metadata: { "tailrace-skipped": text } }), [], text);
  }
  t.end();
});

t.test("a log begins before what was skipped right before its first message", (t) => {
  const at = "now";
  const ranges = [{ from: 3, to: 5, at }, { from: 5, to: 9, at }, { from: 20, to: 25, at }];
  const f = (first: number, want: number) => t.equal(firstWith(ranges, first), want, `${first}`);
  f(1, 1);
  f(3, 3);
  f(9, 3);
  f(7, 3);
  f(10, 10);
  f(25, 20);
  t.end();
});

t.test("what is lost on three servers", async (t) => {
  const servers = await NatsServers.start({ nodes: 3, links: true });
  t.teardown(() => servers.remove());
  const nc = await connect({ servers: servers.urls.split(",") });
  const manager = await jetstreamManager(nc, { checkAPI: false, timeout: 1000 });
  await makeStreams(manager);
  // Of the server that is to be alone, nothing else is wanted.
  const leader = (await manager.streams.info("LOGS_0")).cluster?.leader ?? "";
  for (const name of [indexBucket, leaseBucket]) await lead(nc, `KV_${name}`, leader);
  await nc.close();
  const alone = servers.nodes.findIndex(({ name }) => name !== leader);
  const others = [0, 1, 2].filter((node) => node !== alone);
  const urls = others.map((node) => servers.nodes[node]!.url).join(",");
  const admin = await connect({ servers: urls.split(",") });
  t.teardown(() => admin.close());
  const { streams } = await jetstreamManager(admin, { checkAPI: false, timeout: 5000 });
  const use = <Result, Failure>(body: Effect.Effect<Result, Failure, Nats | WriteLog>) =>
    Effect.runPromise(
      body.pipe(
        Effect.provide(jetStreamWriteLogLayer({ partitionBytesMax: 1e6, createsLogs: false })),
        Effect.provide(Nats.layer(settingsWith({ "nats.url": urls }))),
        Effect.scoped,
      ),
    );
  const find = () => use(findLost(0));
  const skip = async (found: LogFinding) => {
    if (found.kind !== "lost") throw new Error(`nothing is lost: ${JSON.stringify(found)}`);
    await use(skipLost(0, found));
  };
  /** Finds what is expected, and skips it. */
  const skipThat = async (expected: object, what: string) => {
    const found = await find();
    t.match(found, { kind: "lost", ...expected }, what);
    await skip(found);
  };
  const rows = (from: number) =>
    use(Effect.gen(function* () {
      const log = yield* WriteLog;
      const found: string[] = [];
      for (let offset = from;;) {
        const records = yield* log.read(0, offset, 1e6);
        if (records.length === 0) return found;
        for (const record of records) {
          if (record.offset !== offset++) throw new Error(`${record.offset} after ${offset - 2}`);
          const { rowCount } = decodeBatch(record.bytes);
          found.push(rowCount === 0 ? "" : String(record.offset));
        }
      }
    }));

  let row = 0;
  const append = (count: number) =>
    use(Effect.gen(function* () {
      const log = yield* WriteLog;
      for (const end = row + count; row < end;) yield* log.append(0, batchOf(++row));
    }));
  await append(8);
  t.match(await find(), { kind: "whole", checkpoint: 1, next: 9 });

  for (const other of others) servers.cut(alone, other);
  for (const seq of [3, 4]) await streams.deleteMessage("LOGS_0", seq);
  const name = servers.nodes[alone]!.name;
  t.match(await find(), { kind: "away", offset: 3, servers: [name] }, "one still has it");
  for (const other of others) servers.heal(alone, other);
  let found: LogFinding;
  // It has the record until it has heard that it is deleted.
  while ((found = await find()).kind !== "lost") await sleep(200);
  t.match(found, { kind: "lost", from: 3, to: 5, isBeginning: false, owner: "" });
  const { after, before } = found as Extract<LogFinding, { kind: "lost" }>;
  t.ok(after! <= before! && Number(before) <= Date.now(), "times of the records around");
  await t.rejects(rows(1), /offset 3 is missing .*tailrace cluster skip --partition=0/);
  await skip(found);
  t.same(await rows(1), ["1", "2", "", "", "5", "6", "7", "8"]);
  t.same(await rows(4), ["", "5", "6", "7", "8"], "also from within");

  // Then a record that is there and damaged.
  const damaged = batchOf(99).fill(0, 70, 80);
  const js = (await jetstreamManager(admin)).jetstream();
  await js.publish("logs.t.0", damaged, { msgID: "damaged" });
  await append(1);
  await skipThat({ from: 9, to: 10 }, "and no other");
  t.match(await find(), { kind: "whole", next: 11 });
  t.same(await rows(1), ["1", "2", "", "", "5", "6", "7", "8", "", "10"]);

  // All of it is gone, and the checkpoint still is 1.
  await streams.purge("LOGS_0");
  await skipThat({ from: 1, to: 11, isBeginning: true }, "the beginning");
  t.same(await rows(1), Array(10).fill(""));
  t.match(await find(), { kind: "whole", checkpoint: 1, next: 11 });
  const { config } = await streams.info("LOGS_0");
  t.equal(skippedOffsets(config).length, 3, "the note says all of it");

  // One server is away while the last record is damaged. Its block is cut short, and it becomes the leader.
  await append(20);
  const victim = servers.nodes[alone]!;
  await victim.stop();
  await js.publish("logs.t.0", damaged, { msgID: "damaged again" });
  t.match(await find(), { kind: "away", offset: 31, servers: [name] }, "one that died just now");
  const block = newestBlock(victim);
  truncateSync(block, Math.floor(statSync(block).size * 0.6));
  await victim.start();
  await lead(admin, "LOGS_0", victim.name);
  // Most reads are answered by the others, which lack nothing but the last record.
  const hasHole = async () => (await streams.info("LOGS_0")).state.num_deleted !== undefined;
  do {
    found = await find();
    if (found.kind !== "lost") continue;
    t.match(found, { from: 31, to: 32 }, "that alone");
    await skip(found);
  } while (found.kind !== "elsewhere" && await hasHole());
  if (await hasHole()) t.match(found, { kind: "elsewhere", hasLeader: false, leader: name });
  else t.comment("NATS has mended it");
});

/** As Tailrace makes them, but that messages may be deleted. */
async function makeStreams({ streams }: JetStreamManager): Promise<void> {
  const all = [
    { ...logStream(0, 1e6), deny_delete: false },
    bucketStream(indexBucket, { allow_atomic: true, allow_msg_ttl: true }),
    leaseStream(),
  ];
  for (const stream of all) {
    const config = { ...stream, num_replicas: 3, allow_direct: true };
    // Servers that have just started may not know of one another.
    while (!await streams.add(config).then(() => true, () => false)) await sleep(200);
  }
}

function newestBlock({ store }: NatsNode): string {
  const directory = join(store, "jetstream", "$G", "streams", "LOGS_0", "msgs");
  const blocks = readdirSync(directory).filter((name) => name.endsWith(".blk"))
    .map((name) => join(directory, name));
  return blocks.sort((a, b) => statSync(b).size - statSync(a).size)[0]!;
}

/** Has a stream's leader step down until that server leads. */
async function lead(nc: NatsConnection, stream: string, name: string): Promise<void> {
  const { streams } = await jetstreamManager(nc, { checkAPI: false, timeout: 1000 });
  const leader = () => streams.info(stream).then(({ cluster }) => cluster?.leader ?? "", () => "");
  for (let now = await leader(); now !== name; now = await leader()) {
    // Refused while it does not have everything yet, or there is no leader.
    const request = JSON.stringify({ placement: { preferred: name } });
    if (now !== "") {
      await nc.request(`$JS.API.STREAM.LEADER.STEPDOWN.${stream}`, request).catch(() => {});
    }
    await sleep(200);
  }
}

function batchOf(row: number): Uint8Array<ArrayBuffer> {
  const rows = [{ timestamp: BigInt(row), line: [65], metadata: [] }];
  const slices = [{ labels: '{a="b"}', rowStart: 0, rowEnd: 1 }];
  return encodeBatch(buildBatch("t", slices, columnsOf(rows)), "none");
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
