/** Measures a cluster on three NATS servers of this machine: what a push and a query cost in CPU seconds of all processes
 *  together, and whether more ingesters or queriers make the work more; live tail across processes; what happens to 10,000
 *  streams when their owner dies. `node bench/cluster.ts [--only=ingest,query,tail,failover] [--scale=0.1]`. */
import { readCorpus } from "../src/testing/corpus.ts";
import { type Role, TailraceCluster } from "../src/testing/cluster.ts";
import { PushClient } from "../src/testing/pushClient.ts";
import { QueryClient } from "../src/testing/queryClient.ts";
import { cpuSecondsOf, runtimes, settingsWithoutLimits } from "../src/testing/serverProcess.ts";
import { cachedCorpus, scaleFrom } from "./corpus.ts";
import { measureTail, tailTable } from "./tail.ts";

const runtime = runtimes[0]!;
const partitions = 4;
const agentCount = 4;
const corpus = await cachedCorpus(scaleFrom(["--scale=0.1", ...process.argv.slice(2)].reverse()));

interface CpuSeconds {
  readonly tailrace: number;
  readonly nats: number;
}

async function clusterOf(counts: Partial<Record<Role, number>>, more: Record<string, string> = {}) {
  return await TailraceCluster.start({
    runtime,
    counts,
    settings: {
      ...settingsWithoutLimits,
      "ingester.partitions": String(partitions),
      "querier.workers": "1",
      ...more,
    },
  });
}

function cpuOf(cluster: TailraceCluster): CpuSeconds {
  const roles = [...cluster.roles.values()].flat();
  return {
    tailrace: roles.reduce((sum, process) => sum + process.usage().cpuSeconds, 0),
    nats: cluster.nats.nodes.reduce((sum, { pid }) => sum + cpuSecondsOf(pid!), 0),
  };
}

/** What all processes used while `work` ran, without what they use when nothing is asked of them. */
async function spent(cluster: TailraceCluster, work: () => Promise<void>): Promise<CpuSeconds> {
  const idle = await between(cluster, () => sleep(3000));
  const startMs = performance.now();
  const used = await between(cluster, work);
  const share = (performance.now() - startMs) / 3000;
  return { tailrace: used.tailrace - idle.tailrace * share, nats: used.nats - idle.nats * share };
}

async function between(cluster: TailraceCluster, work: () => Promise<void>): Promise<CpuSeconds> {
  const before = cpuOf(cluster);
  await work();
  const after = cpuOf(cluster);
  return { tailrace: after.tailrace - before.tailrace, nats: after.nats - before.nats };
}

/** Pushes the corpus through all distributors and flushes it. */
async function ingest(cluster: TailraceCluster): Promise<void> {
  const clients = cluster.of("distributor").map(({ baseUrl }) => new PushClient(baseUrl));
  const pushes = readCorpus(corpus.path);
  let turn = 0;
  const agent = async () => {
    for (let step = await pushes.next(); step.done !== true; step = await pushes.next()) {
      const reply = await clients[turn++ % clients.length]!.send({
        path: "/loki/api/v1/push",
        headers: { "content-type": "application/x-protobuf" },
        bytes: step.value.body,
      });
      if (reply.status !== 204) throw new Error(`Push answered ${reply.status}: ${reply.body}`);
    }
  };
  await Promise.all(Array.from({ length: agentCount }, agent));
  await new QueryClient(cluster.of("querier")[0]!.baseUrl).flush();
  for (const client of clients) client.close();
}

const megabytes = corpus.facts.lineBytes / 1e6;

async function ingestRows(): Promise<ReadonlyArray<string>> {
  const rows = [
    `| ${
      megabytes.toFixed(0)
    } MB, flush included | CPU s of Tailrace | of NATS | MB per CPU s of Tailrace | of NATS |`,
    "| --- | --- | --- | --- | --- |",
  ];
  for (const ingester of [1, 2, 4]) {
    const cluster = await clusterOf({ distributor: 2, ingester, querier: 1 });
    const { tailrace, nats } = await spent(cluster, () => ingest(cluster));
    await cluster.remove();
    rows.push(
      `| 2 distributors, ${ingester} ingesters | ${tailrace.toFixed(2)} | ${nats.toFixed(2)} | ` +
        `${(megabytes / tailrace).toFixed(1)} | ${(megabytes / nats).toFixed(1)} |`,
    );
  }
  return rows;
}

/** Asked by turns of all queriers. The first asks for two bytes that no line has: no index can tell, so it reads everything. */
const questions = [
  '{app=~".+"} |= "~~"',
  'sum by (app) (count_over_time({app=~".+"} |= "error" [1h]))',
];
const rounds = 20;

async function queryRows(): Promise<ReadonlyArray<string>> {
  const rows = [
    `| ${rounds} rounds over ${
      megabytes.toFixed(0)
    } MB, segments cached | CPU s of Tailrace | of NATS |`,
    "| --- | --- | --- |",
  ];
  for (const querier of [1, 2, 4]) {
    const cluster = await clusterOf({ distributor: 1, ingester: 1, querier });
    await ingest(cluster);
    const clients = cluster.of("querier").map(({ baseUrl }) => new QueryClient(baseUrl));
    const { startNs: start, endNs: end } = corpus.facts;
    const ask = async (count: number) => {
      for (let round = 0; round < count; round++) {
        for (const query of questions) {
          const reply = await clients[round % clients.length]!.get("/loki/api/v1/query_range", {
            query,
            start,
            end,
            step: "3600",
            limit: "100",
          });
          if (reply.status !== 200) throw new Error(`${query}: ${reply.status} ${reply.body}`);
        }
      }
    };
    // Queriers hear of each other within a second or two; then caches and compilers are warm.
    await sleep(2500);
    await ask(4 * clients.length);
    const { tailrace, nats } = await spent(cluster, () => ask(rounds));
    await cluster.remove();
    rows.push(`| ${querier} queriers | ${tailrace.toFixed(2)} | ${nats.toFixed(2)} |`);
  }
  return rows;
}

async function tailRows(): Promise<ReadonlyArray<string>> {
  const cluster = await clusterOf({ distributor: 2, ingester: 1, querier: 2 });
  const [, distributor] = cluster.of("distributor");
  const figures = await measureTail(distributor!, 10_000, 15, cluster.of("querier")[1]);
  await cluster.remove();
  return [tailTable([figures])];
}

const streamCount = 10_000;

/** Streams that are not flushed, whose owner is killed: seconds until a query has them all, and until they can be flushed. */
async function failoverRows(): Promise<ReadonlyArray<string>> {
  const cluster = await clusterOf({ distributor: 1, ingester: 2, querier: 1 }, {
    "ingester.partitions": "1",
    "ingester.max_segment_age": "1h",
    "ingester.segment_target_bytes": "200MB",
  });
  const push = new PushClient(cluster.of("distributor")[0]!.baseUrl);
  const query = new QueryClient(cluster.of("querier")[0]!.baseUrl);
  const now = BigInt(Date.now()) * 1_000_000n;
  for (let from = 0; from < streamCount; from += 500) {
    await push.push(Array.from({ length: 500 }, (_, at) => ({
      labels: `{app="moved", stream="${from + at}"}`,
      entries: Array.from({ length: 10 }, (_, row) => ({
        timestamp: now + BigInt(row),
        line: `line ${row} of stream ${from + at} level=info msg="request completed" status=200`,
      })),
    })));
  }
  const count = async () => {
    const reply = await query.get("/loki/api/v1/query", {
      query: 'sum(count_over_time({app="moved"}[1h]))',
      time: String(Math.ceil(Date.now() / 1000) + 1),
    });
    return reply.status === 200 ? Number(JSON.parse(reply.body).data.result[0]?.value[1] ?? 0) : -1;
  };
  const wanted = streamCount * 10;
  if (await count() !== wanted) throw new Error("not everything is there before");
  const owner = cluster.of("ingester").find(({ output }) => output.includes("owns partition 0"))!;
  await owner.kill();
  const startMs = performance.now();
  const seconds = () => ((performance.now() - startMs) / 1000).toFixed(1);
  while (await count() !== wanted) await sleep(20);
  const queryable = seconds();
  while (!await query.flush().then(() => true, () => false)) await sleep(50);
  const flushed = seconds();
  const found = await count();
  await cluster.remove();
  if (found !== wanted) throw new Error(`${found} of ${wanted} lines after the move`);
  return [
    `| ${streamCount} streams, ${wanted} lines, owner killed | seconds |`,
    "| --- | --- |",
    `| until a query has every line | ${queryable} |`,
    `| until the next owner has flushed them all | ${flushed} |`,
  ];
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

const parts = { ingest: ingestRows, query: queryRows, tail: tailRows, failover: failoverRows };
const only = process.argv.find((parameter) => parameter.startsWith("--only="))?.slice(7).split(",");
for (const [name, rows] of Object.entries(parts)) {
  if (only !== undefined && !only.includes(name)) continue;
  console.log(`\n### ${name}\n\n${(await rows()).join("\n")}`);
}
