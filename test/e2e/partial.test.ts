/** Queries over a segment whose object is gone: an error, or, if asked for, what is left with a warning; never a shorter answer
 *  that does not say so. On one server and in a cluster, by the API and the CLI. */
import { spawn } from "node:child_process";
import { type ObjectStore, Objm } from "@nats-io/obj";
import { connect } from "@nats-io/transport-node";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { TailraceCluster } from "../../src/testing/cluster.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { runtimes, ServerProcess } from "../../src/testing/serverProcess.ts";

const launcher = fileURLToPath(new URL("../../bin/tailrace.mjs", import.meta.url));
const selector = '{app="shop"} |~ "kept|lost|unflushed"';
const now = BigInt(Math.floor(Date.now() / 1000)) * 1_000_000_000n;
const start = String(now - 10_000_000_000n);
const end = String(now + 10_000_000_000n);
const time = String(now / 1_000_000_000n + 1n);

interface Objects {
  readonly names: () => Promise<ReadonlyArray<string>>;
  readonly remove: (name: string) => Promise<unknown>;
}

/** Lines one after another: in a segment that stays, in one whose object is lost, unflushed. */
async function pushAll(push: PushClient, query: QueryClient, { names, remove }: Objects) {
  const pushLine = (line: string, at: bigint) =>
    push.push([{ labels: '{app="shop"}', entries: [{ timestamp: now + at, line }] }]);
  await pushLine("kept", 0n);
  await query.flush();
  const kept = new Set(await names());
  await pushLine("lost", 1n);
  await query.flush();
  for (const name of await names()) if (!kept.has(name)) await remove(name);
  await pushLine("unflushed", 2n);
  push.close();
}

async function check(t: Test, client: QueryClient): Promise<void> {
  const lines = { query: selector, start, end };
  const sum = { query: `sum(count_over_time(${selector} [1m]))`, time };
  for (const [path, question] of [["query_range", lines], ["query", sum]] as const) {
    const refused = await client.get(`/loki/api/v1/${path}`, question);
    t.equal(refused.status, 503, `${path}: ${refused.body}`);
    const partial = await client.get(`/loki/api/v1/${path}`, {
      ...question,
      allow_partial: "true",
    });
    t.equal(partial.status, 200, partial.body);
    const { data, warnings } = JSON.parse(partial.body);
    t.equal(warnings?.length, 1, partial.body);
    t.match(warnings[0], /^partial result: .* 1 segment could not be read: /);
    if (path === "query") t.equal(data.result[0].value[1], "2");
    else {
      const found = data.result[0].values.map((value: readonly string[]) => value[1]);
      t.same(found, ["unflushed", "kept"]);
    }
  }
  const whole = await client.get("/loki/api/v1/query_range", {
    ...lines,
    end: String(now + 1n),
    allow_partial: "true",
  });
  t.notOk("warnings" in JSON.parse(whole.body), "no warning where nothing is missing");
  const wrong = await client.get("/loki/api/v1/query_range", { ...lines, allow_partial: "maybe" });
  t.equal(wrong.status, 400);
  t.match(wrong.body, /allow_partial is "maybe": want true or false/);
}

for (const runtime of runtimes) {
  t.test(`one server: ${runtime}`, async (t) => {
    const server = await ServerProcess.start({ runtime });
    t.teardown(() => server.remove());
    const client = new QueryClient(server.baseUrl);
    const objects = join(server.dataDirectory, "objects");
    await pushAll(new PushClient(server.baseUrl), client, {
      names: async () =>
        readdirSync(objects, { recursive: true, encoding: "utf8" }).filter((name) =>
          statSync(join(objects, name)).isFile()
        ),
      remove: async (name) => rmSync(join(objects, name)),
    });
    await check(t, client);
    const cli = (...flags: ReadonlyArray<string>) =>
      tailrace("query", "--addr", server.baseUrl, "-o", "raw", ...flags, selector);
    t.not((await cli()).code, 0);
    const partial = await cli("--allow-partial");
    t.same([partial.code, partial.stdout], [0, "unflushed\nkept\n"]);
    t.match(partial.stderr, /warning: partial result: .* 1 segment could not be read/);
  });
}

t.test("a cluster", async (t) => {
  const cluster = await TailraceCluster.start({
    runtime: runtimes.at(-1)!,
    counts: { distributor: 1, ingester: 1, querier: 2 },
    settings: { "ingester.partitions": "1", "querier.workers": "1" },
  });
  t.teardown(() => cluster.remove());
  const nc = await connect({ servers: cluster.nats.urls.split(",") });
  t.teardown(() => nc.close());
  const clients = cluster.of("querier").map(({ baseUrl }) => new QueryClient(baseUrl));
  const push = new PushClient(cluster.of("distributor")[0]!.baseUrl);
  const buckets: ObjectStore[] = [];
  for await (const { bucket } of new Objm(nc).list()) buckets.push(await new Objm(nc).open(bucket));
  await pushAll(push, clients[0]!, {
    names: async () =>
      (await Promise.all(buckets.map((bucket) => bucket.list()))).flat().map(({ name }) => name),
    remove: (name) => Promise.all(buckets.map((bucket) => bucket.delete(name).catch(() => {}))),
  });
  for (const client of clients) await check(t, client);
});

async function tailrace(...parameters: ReadonlyArray<string>) {
  // tap adds its hooks to the options of every Node that it sees being started: they are taken away out of its sight.
  const child = spawn("env", ["-u", "NODE_OPTIONS", process.execPath, launcher, ...parameters], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (part: string) => output[name] += part);
  }
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, ...output };
}
