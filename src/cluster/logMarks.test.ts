/** The marks of logs on a real NATS server: they say where an owner knew its log to end, and that the partition is there. */
import { Effect } from "effect";
import t, { type Test } from "tap";
import { NatsServers } from "../testing/natsServer.ts";
import { natsLayer } from "../testing/natsStorage.ts";
import { announcedLogs, announceLog, LogMark, readLogMark } from "./logMarks.ts";
import { Nats, type NatsLink } from "./Nats.ts";

t.setTimeout(0);

const servers = await NatsServers.start({ nodes: 1 });
t.teardown(() => servers.remove());

function natsTest(name: string, body: (t: Test, link: NatsLink) => Promise<void>): void {
  t.test(name, (t) =>
    Effect.runPromise(
      Effect.flatMap(Nats, (link) => Effect.promise(() => body(t, link))).pipe(
        Effect.provide(natsLayer(servers)),
        Effect.scoped,
      ),
    ));
}

natsTest("a mark never goes back, whoever was its owner last", async (t, link) => {
  await announceLog(link, 0);
  const first = await LogMark.open(link, 0);
  await first.note(100);
  const second = await LogMark.open(link, 0);
  await second.note(70);
  t.equal(await readLogMark(link, 0), 100, "an owner that is behind");
  await second.note(120);
  await first.note(110);
  await first.note(110);
  t.equal(await readLogMark(link, 0), 120, "one that has lost the partition and does not know");
  await first.note(130);
  t.equal(await readLogMark(link, 0), 130);
});

natsTest("what could not be noted is noted later", async (t, link) => {
  await announceLog(link, 1);
  const mark = await LogMark.open(link, 1);
  await servers.nodes[0]!.kill();
  await t.rejects(mark.note(7));
  await servers.nodes[0]!.start();
  while (await readLogMark(link, 1).catch(() => 0) !== 7) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    await mark.note(7).catch(() => {});
  }
});

natsTest("an entry that an operator removed is written again", async (t, link) => {
  await announceLog(link, 2);
  const mark = await LogMark.open(link, 2);
  await mark.note(9);
  await link.manager.streams.purge("KV_tailrace_leases");
  t.same(await announcedLogs(link, 5000), []);
  mark.missing();
  await mark.note(9);
  t.same(await announcedLogs(link, 5000), [2]);
  t.equal(await readLogMark(link, 2), 9);
  mark.missing();
  await mark.note(8);
  await mark.note(8);
  t.equal(await readLogMark(link, 2), 9, "it was there all the same");
});
