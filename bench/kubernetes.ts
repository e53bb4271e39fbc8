/** Measures what the production shape of k8s/ needs: starts what the manifests say and measures every workload at rest, while
 *  the corpus is pushed through the distributors' Service and flushed, and while all of it is scanned through the page's. Prints
 *  Markdown: the figures, and the sizes that docs/kubernetes.md derives from them. `node bench/kubernetes.ts [--scale=0.1]`. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { readCorpus } from "../src/testing/corpus.ts";
import { ManifestCluster } from "../src/testing/manifestCluster.ts";
import { type Manifest, renderManifests } from "../src/testing/manifests.ts";
import { PushClient } from "../src/testing/pushClient.ts";
import { QueryClient } from "../src/testing/queryClient.ts";
import { cachedCorpus, scaleFrom } from "./corpus.ts";

/** A tenant's limits would set the pace. */
const withoutLimits = `limits_config:
  ingestion_rate_mb: 100000
  ingestion_burst_size_mb: 100000
  per_stream_rate_limit: 100GB
  per_stream_rate_limit_burst: 100GB
`;
const agentCount = 4;
const settleMs = 5000;
const restMs = 15_000;
const scans = 5;
/** Copies of everything; days that lines are kept; the busiest minutes against the day's mean. */
const [copies, days, busy] = [3, 30, 5];
/** What the logs of all partitions may take. */
const logGigabytes = 16;
let retries = 0;

const corpus = await cachedCorpus(scaleFrom(process.argv.slice(2)));
const { facts } = corpus;
const gigabytes = facts.lineBytes / 1e9;
const manifests = renderManifests(".").filter(({ kind }) => kind !== "DaemonSet").map(unlimited);
const cluster = await ManifestCluster.start(manifests);
const names = cluster.workloads.map(({ metadata: { name } }) => name);
try {
  await measure();
} finally {
  await cluster.remove();
}

/** CPU seconds by workload. */
type Cpu = ReadonlyMap<string, number>;

async function measure(): Promise<void> {
  await sleep(settleMs);
  const { cpu: rest, seconds: restSeconds } = await used(() => sleep(restMs));
  const perSecond = new Map([...rest].map(([name, cpu]) => [name, cpu / restSeconds]));
  const query = new QueryClient(cluster.serviceUrl("tailrace"));
  const empty = volumeBytes();
  let pushed = empty;
  const intake = await used(async () => {
    await pushAll();
    pushed = volumeBytes();
    await query.flush();
  });
  // What was flushed leaves the logs.
  await sleep(settleMs);
  const flushed = volumeBytes();
  const stored = flushed.segments / facts.lineBytes;
  const memory = new Map(names.map((name) => [name, peakBytes(name)]));
  await check(query);
  const first = await used(() => scan(query));
  const again = await used(async () => {
    for (let round = 0; round < scans; round++) await scan(query);
  });
  query.close();
  const without = ({ cpu, seconds }: Used, name: string) =>
    Math.max(0, cpu.get(name)! - perSecond.get(name)! * seconds);
  const rows = names.map((name) =>
    [
      name,
      cluster.of(name).length,
      (1000 * perSecond.get(name)! / cluster.of(name).length).toFixed(0),
      (without(intake, name) / gigabytes).toFixed(1),
      (without(first, name) / gigabytes).toFixed(1),
      (without(again, name) / gigabytes / scans).toFixed(1),
      (memory.get(name)! / 1e6).toFixed(0),
      (peakBytes(name) / 1e6).toFixed(0),
    ].join(" | ")
  );
  const sum = (phase: Used) => names.reduce((total, name) => total + without(phase, name), 0);
  print(
    `${Math.round(facts.lineBytes / 1e6)} MB of lines in ${intake.seconds.toFixed(1)} s with the ` +
      `flush, ${retries} pushes sent again. All workloads: ${
        (sum(intake) / gigabytes).toFixed(1)
      } CPU ` +
      `seconds for a GB taken in, ${
        (sum(again) / gigabytes / scans).toFixed(1)
      } for a GB scanned.\n`,
    "| workload | pods | at rest, a pod: thousandths of a CPU | taking in a GB, all pods: CPU s | " +
      "first scan of a GB: CPU s | later ones | peak MB of a pod after the flush | after the scans |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ...rows.map((row) => `| ${row} |`),
    `\nOn each of the three volumes: ${megabytes(empty.others)} MB before, ` +
      `${
        (pushed.others / copies / facts.lineBytes).toFixed(2)
      } bytes for a byte of lines after the pushes, ` +
      `after the flush ${(stored / copies).toFixed(3)} in segments and ${
        megabytes(flushed.others)
      } MB else.\n`,
  );
  const take = names.map((name) => without(intake, name) / gigabytes);
  const nats = without(intake, "nats") / gigabytes;
  printSizes(take.reduce((total, cpu) => total + cpu, -nats), nats, sum(again) / gigabytes / scans);
  function printSizes(roles: number, nats: number, perScan: number): void {
    print(
      "| a day | CPU to take it in, all roles | CPU of NATS, all servers | " +
        `each of three volumes, ${days} days | full scan of a day |`,
      "| --- | --- | --- | --- | --- |",
      ...[10, 100, 1000].map((amount) => {
        const cpu = (perGigabyte: number) => (amount * perGigabyte * busy / 86_400).toFixed(2);
        const volume = amount * stored * days / copies + logGigabytes;
        return `| ${amount} GB | ${cpu(roles)} | ${cpu(nats)} | ${volume.toFixed(0)} GB | ` +
          `${(amount * perScan).toFixed(0)} CPU s |`;
      }),
    );
  }
}

interface Used {
  readonly cpu: Cpu;
  readonly seconds: number;
}

/** What each workload uses while something is done. */
async function used(work: () => Promise<void>): Promise<Used> {
  const before = cpuSeconds();
  const startedAt = performance.now();
  await work();
  const seconds = (performance.now() - startedAt) / 1000;
  const after = cpuSeconds();
  return {
    seconds,
    cpu: new Map(names.map((name) => [name, after.get(name)! - before.get(name)!])),
  };
}

function cpuSeconds(): Cpu {
  return new Map(names.map((name) => {
    const usages = cluster.of(name).map((process) => process.usage().cpuSeconds);
    return [name, usages.reduce((sum, seconds) => sum + seconds, 0)];
  }));
}

function peakBytes(name: string): number {
  return Math.max(...cluster.of(name).map((process) => process.usage().peakResidentBytes));
}

async function pushAll(): Promise<void> {
  const client = new PushClient(cluster.serviceUrl("tailrace-distributor"), {
    connectionsMax: agentCount,
  });
  const pushes = readCorpus(corpus.path);
  await Promise.all(Array.from({ length: agentCount }, () => push(pushes, client)));
  client.close();
}

async function push(
  pushes: AsyncGenerator<{ readonly body: Uint8Array }>,
  client: PushClient,
): Promise<void> {
  for (let step = await pushes.next(); step.done !== true; step = await pushes.next()) {
    for (;;) {
      const reply = await client.send({
        path: "/loki/api/v1/push",
        headers: { "content-type": "application/x-protobuf" },
        bytes: step.value.body,
      });
      if (reply.status === 204) break;
      if (reply.status !== 429) {
        throw new Error(`a push is answered ${reply.status}: ${reply.body}`);
      }
      retries++;
      await sleep(500);
    }
  }
}

/** Throws unless every line is there. */
async function check(client: QueryClient): Promise<void> {
  const seconds = Math.ceil(Number(BigInt(facts.endNs) - BigInt(facts.startNs)) / 1e9);
  const reply = await client.get("/loki/api/v1/query", {
    query: `sum(count_over_time({app=~".+"}[${seconds}s]))`,
    time: facts.endNs,
  });
  if (!reply.body.includes(`"${facts.lineCount}"`)) {
    throw new Error(`${facts.lineCount} lines were pushed, the answer is ${reply.body}`);
  }
}

/** Two bytes that no line has: no index can tell, every block is read. */
async function scan(client: QueryClient): Promise<void> {
  const found = await client.range({
    query: '{app=~".+"} |= "~~"',
    start: BigInt(facts.startNs),
    end: BigInt(facts.endNs),
    limit: 1000,
  });
  if (found.length > 0) throw new Error("a line has what none has");
}

/** Bytes on all volumes. */
interface VolumeBytes {
  segments: number;
  others: number;
}

function volumeBytes(): VolumeBytes {
  const bytes: VolumeBytes = { segments: 0, others: 0 };
  for (const server of cluster.of("nats")) {
    const directory = server.pathOf("/data");
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      // A server may have removed it since.
      const size = (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
      bytes[path.includes("/streams/OBJ_") ? "segments" : "others"] += size;
    }
  }
  return bytes;
}

function megabytes(ofAll: number): string {
  return (ofAll / copies / 1e6).toFixed(0);
}

function unlimited(manifest: Manifest): Manifest {
  const { "tailrace.yaml": text, ...others } = manifest.data ?? {};
  if (text === undefined) return manifest;
  return { ...manifest, data: { ...others, "tailrace.yaml": `${text}${withoutLimits}` } };
}

function print(...lines: ReadonlyArray<string>): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
