/** A cluster whose processes do not agree on `ingester.partitions`, as while pods roll after it was changed: a querier, a ui and
 *  an ingester that know of 2, a distributor and an ingester that know of 10. Whatever a process was told, each answer has all
 *  that was acknowledged before the question, tails have it too, and who owns partitions flushes all that there are: also when
 *  there are fewer again. The same of one server that is started with fewer. */
import t from "tap";
import { TailraceCluster } from "../../src/testing/cluster.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { runtimes, ServerProcess } from "../../src/testing/serverProcess.ts";
import { TailClient } from "../../src/testing/tailClient.ts";

const [few, many] = ["2", "10"];
const streamCount = 40;

for (const runtime of runtimes) {
  t.test(`more partitions, and fewer again: ${runtime}`, async (t) => {
    const settings = { "querier.workers": "1" };
    const cluster = await TailraceCluster.start({
      runtime,
      counts: { distributor: 1, ingester: 1, querier: 1, ui: 1 },
      settings: { ...settings, "ingester.partitions": few! },
    });
    t.teardown(() => cluster.remove());
    const start = (target: string) =>
      ServerProcess.start({
        runtime,
        settings: {
          ...settings,
          "ingester.partitions": many!,
          "storage.engine": "nats",
          "nats.url": cluster.nats.urls,
          "nats.replicas": "3",
          target,
        },
      });
    const now = BigInt(Math.floor(Date.now() / 1000)) * 1_000_000_000n;
    const lines: string[] = [];
    /** One line for each of many streams, so that every partition gets some. */
    const push = async ({ baseUrl }: ServerProcess) => {
      const round = lines.length / streamCount;
      const some = Array.from({ length: streamCount }, (_, index) => `round ${round} of ${index}`);
      const client = new PushClient(baseUrl);
      await client.push(some.map((line, index) => ({
        labels: `{app="app${index}"}`,
        entries: [{ timestamp: now + BigInt(round), line }],
      })));
      client.close();
      lines.push(...some);
    };
    const readers = [...cluster.of("querier"), ...cluster.of("ui")];
    const range = { query: '{app=~".+"}', start: now - 1n, end: now + 10_000_000_000n };
    const check = async (when: string) => {
      for (const { baseUrl } of readers) {
        const client = new QueryClient(baseUrl);
        const found = await client.all(range);
        client.close();
        t.same(found.map(({ line }) => line).sort(), [...lines].sort(), when);
      }
    };
    const [oldDistributor] = cluster.of("distributor");
    const client = new QueryClient(readers[0]!.baseUrl);
    t.teardown(() => client.close());
    await push(oldDistributor!);
    await check("before there are more");
    const tails = await Promise.all(
      readers.map(({ baseUrl }) => TailClient.open(baseUrl, { query: range.query, start: now })),
    );
    t.teardown(() => Promise.all(tails.map((tail) => tail.close())));

    const [newIngester, newDistributor] = await Promise.all([
      start("ingester"),
      start("distributor"),
    ]);
    t.teardown(() => Promise.all([newIngester.remove(), newDistributor.remove()]));
    await push(newDistributor);
    await check("in new partitions");
    await push(oldDistributor!);
    await check("while both write");
    await flushed(client);
    await check("flushed, by both ingesters");
    await newIngester.stop();
    await push(newDistributor);
    await check("after the ingester that was told of them has gone");

    await push(oldDistributor!);
    await flushed(client);
    await check("flushed by the ingester that was told of fewer");
    const { body } = await client.get("/tailrace/api/v1/cluster");
    const { partitions, problems } = JSON.parse(body) as {
      readonly partitions: ReadonlyArray<{ readonly checkpoint: number; readonly next: number }>;
      readonly problems: ReadonlyArray<string>;
    };
    t.equal(partitions.length, Number(many));
    t.same(partitions.filter(({ checkpoint, next }) => checkpoint < next), [], "nothing waits");
    t.same(problems, []);
    for (const tail of tails) {
      while (tail.entries.length < lines.length) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      t.same(tail.entries.map(({ line }) => line).sort(), [...lines].sort(), "tailed");
    }
  });
}

for (const runtime of runtimes) {
  t.test(`one server, started with fewer partitions: ${runtime}`, async (t) => {
    const start = (partitions: string, options: { dataDirectory?: string } = {}) =>
      ServerProcess.start({
        runtime,
        settings: { "ingester.partitions": partitions, "querier.workers": "1" },
        ...options,
      });
    const first = await start("5");
    t.teardown(() => first.remove());
    const now = BigInt(Math.floor(Date.now() / 1000)) * 1_000_000_000n;
    const lines: string[] = [];
    const push = async (baseUrl: string, round: number) => {
      const client = new PushClient(baseUrl);
      const some = Array.from({ length: 20 }, (_, index) => `round ${round} of ${index}`);
      await client.push(some.map((line, index) => ({
        labels: `{app="app${index}"}`,
        entries: [{ timestamp: now + BigInt(round), line }],
      })));
      client.close();
      lines.push(...some);
    };
    await push(first.baseUrl, 0);
    await first.kill();
    const second = await start("1", { dataDirectory: first.dataDirectory });
    t.teardown(() => second.remove());
    const client = new QueryClient(second.baseUrl);
    t.teardown(() => client.close());
    const check = async (when: string) => {
      const found = await client.all({ query: '{app=~".+"}', start: now - 1n, end: now + 10n });
      t.same(found.map(({ line }) => line).sort(), [...lines].sort(), when);
    };
    await check("from the logs of all");
    await push(second.baseUrl, 1);
    await check("and what came since");
    await client.flush();
    await check("flushed");
    const { body } = await client.get("/tailrace/api/v1/cluster");
    const { partitions } = JSON.parse(body) as {
      readonly partitions: ReadonlyArray<{ readonly checkpoint: number; readonly next: number }>;
    };
    t.same(partitions.filter(({ checkpoint, next }) => checkpoint < next), [], "nothing waits");
  });
}

/** Flushes everything as soon as every partition has an owner, which takes a second. */
async function flushed(client: QueryClient): Promise<void> {
  while (!await client.flush().then(() => true, () => false)) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
