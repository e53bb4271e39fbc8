/** A cluster of several processes without faults in particular: pushes to a distributor are found
 *  and tailed through queriers, which share the scans of flushed lines; while NATS is away pushes
 *  are refused at once, and all goes on by itself when it is back. */
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import t from "tap";
import { TailraceCluster } from "../../src/testing/cluster.ts";
import { protobufBody, PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { runtimes } from "../../src/testing/serverProcess.ts";
import { TailClient } from "../../src/testing/tailClient.ts";

for (const runtime of runtimes) {
  t.test(`distributor, ingester, two queriers: ${runtime}`, async (t) => {
    const cluster = await TailraceCluster.start({
      runtime,
      counts: { distributor: 1, ingester: 1, querier: 2, ui: 1 },
      settings: { "ingester.partitions": "2", "querier.workers": "1" },
    });
    t.teardown(() => cluster.remove());
    const nc = await connect({ servers: cluster.nats.urls.split(","), maxReconnectAttempts: -1 });
    t.teardown(() => nc.close());
    const [distributor] = cluster.of("distributor");
    const [first, second] = cluster.of("querier");
    const push = new PushClient(distributor!.baseUrl);
    const queries = [first!, second!].map(({ baseUrl }) => new QueryClient(baseUrl));
    const now = BigInt(Math.floor(Date.now() / 1000)) * 1_000_000_000n;
    const lines: string[] = [];
    const pushLines = async (count: number) => {
      for (let index = 0; index < count; index++) {
        const line = `line ${String(lines.length).padStart(5, "0")}`;
        const entries = [{ timestamp: now + BigInt(lines.length), line }];
        await push.push([{ labels: `{app="app${index % 20}"}`, entries }]);
        lines.push(line);
      }
    };
    const range = { start: now - 10_000_000_000n, end: now + 3_600_000_000_000n };
    const checkAll = async (when: string) => {
      for (const query of queries) {
        const found = await query.all({ query: '{app=~".+"}', ...range });
        t.same(found.map(({ line }) => line).sort(), lines, when);
      }
    };

    await t.test("roles serve their own routes", async (t) => {
      t.equal((await new QueryClient(distributor!.baseUrl).get("/loki/api/v1/labels")).status, 404);
      const refused = await new PushClient(first!.baseUrl).send(protobufBody([]));
      t.equal(refused.status, 404);
    });

    await t.test("lines are found as soon as they are acknowledged, flushed or not", async () => {
      await pushLines(60);
      await checkAll("unflushed");
      await queries[0]!.flush();
      await checkAll("flushed");
      await pushLines(20);
      await checkAll("both");
    });

    await t.test("queriers are a micro service and share the scans", async (t) => {
      const scans = async () => {
        let count = 0;
        const request = { strategy: "timer", maxWait: 300 } as const;
        const subject = "$SRV.STATS.tailrace-querier";
        for await (const message of await nc.requestMany(subject, "", request)) {
          const { endpoints } = message.json<{ endpoints: Array<{ num_requests: number }> }>();
          for (const { num_requests } of endpoints) count += num_requests;
        }
        return count;
      };
      await queries[0]!.flush();
      // Queriers hear of each other within a second.
      for (let attempt = 0; attempt < 20 && await scans() === 0; attempt++) await checkAll("again");
      t.ok(await scans() > 0, "jobs were sent to another querier");
    });

    await t.test("a process for the page answers and scans nothing", async (t) => {
      const [ui] = cluster.of("ui");
      const found = await new QueryClient(ui!.baseUrl).all({ query: '{app=~".+"}', ...range });
      t.same(found.map(({ line }) => line).sort(), lines);
      t.equal((await fetch(ui!.baseUrl)).status, 200, "the page");
      const members = await nc.requestMany("$SRV.INFO.tailrace-ui", "", {
        strategy: "timer",
        maxWait: 300,
      });
      for await (const message of members) {
        t.same(message.json<{ endpoints: unknown[] }>().endpoints, [], "no scans");
      }
    });

    await t.test("a tail on a querier has what any distributor takes", async (t) => {
      const tail = await TailClient.open(second!.baseUrl, {
        query: '{app=~".+"}',
        start: now + 1_000_000n,
      });
      t.teardown(() => tail.close());
      const before = lines.length;
      await new Promise((resolve) => setTimeout(resolve, 300));
      await pushLines(40);
      const wanted = lines.slice(before);
      while (tail.entries.length < wanted.length) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      t.same(tail.entries.map(({ line }) => line).sort(), wanted);
    });

    await t.test("while NATS is away pushes get 503, then all goes on", async (t) => {
      await Promise.all(cluster.nats.nodes.map((node) => node.kill()));
      const startMs = performance.now();
      const entries = [{ timestamp: now, line: "never acknowledged" }];
      const reply = await push.send(protobufBody([{ labels: '{app="away"}', entries }]));
      t.equal(reply.status, 503, reply.body);
      t.ok(reply.headers["retry-after"] !== undefined, "with Retry-After");
      t.ok(performance.now() - startMs < 2500, `after ${performance.now() - startMs} ms`);
      await Promise.all(cluster.nats.nodes.map((node) => node.start()));
      while (
        (await push.send(protobufBody([{ labels: '{app="away"}', entries }]))).status !== 204
      ) {
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      const found = await untilItWorks(() => queries[0]!.all({ query: '{app="away"}', ...range }));
      t.same(
        found.map(({ line }) => line),
        ["never acknowledged"],
        "once, though it was sent twice",
      );
    });

    await t.test("no consumers are left behind", async (t) => {
      const manager = await jetstreamManager(nc, { checkAPI: false });
      const streams = await untilItWorks(() => manager.streams.list().next());
      t.same(streams.map(({ state }) => state.consumer_count), streams.map(() => 0));
    });
  });
}

async function untilItWorks<Result>(work: () => Promise<Result>): Promise<Result> {
  for (;;) {
    const result = await work().catch(() => undefined);
    if (result !== undefined) return result;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
