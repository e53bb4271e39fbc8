/** Measures what the production shape of k8s/ needs for a GB of lines: starts what the manifests say, pushes the corpus through
 *  the distributors' Service, flushes, and prints CPU seconds and peak memory of each workload and bytes on the volumes, as
 *  Markdown. `--scale=0.3` is the default. docs/kubernetes.md derives sizes from it. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { readCorpus } from "../src/testing/corpus.ts";
import { ManifestCluster } from "../src/testing/manifestCluster.ts";
import { type Manifest, renderManifests } from "../src/testing/manifests.ts";
import { PushClient } from "../src/testing/pushClient.ts";
import { QueryClient } from "../src/testing/queryClient.ts";
import { cachedCorpus } from "./corpus.ts";

/** A tenant's limits would set the pace; the corpus is older than they allow. */
const withoutLimits = `limits_config:
  reject_old_samples: false
  ingestion_rate_mb: 100000
  ingestion_burst_size_mb: 100000
  per_stream_rate_limit: 100GB
  per_stream_rate_limit_burst: 100GB
`;
const agentCount = 4;
let retries = 0;

const scale = Number(process.argv.find((flag) => flag.startsWith("--scale="))?.slice(8) ?? "0.3");
const corpus = await cachedCorpus(scale);
const manifests = renderManifests(".").filter(({ kind }) => kind !== "DaemonSet").map(unlimited);
const cluster = await ManifestCluster.start(manifests);
try {
  await measure();
} finally {
  await cluster.remove();
}

async function measure(): Promise<void> {
  const idle = cpuSeconds();
  const startedAt = performance.now();
  const client = new PushClient(cluster.serviceUrl("tailrace-distributor"), {
    connectionsMax: agentCount,
  });
  const pushes = readCorpus(corpus.path);
  await Promise.all(Array.from({ length: agentCount }, () => push(pushes, client)));
  client.close();
  const logBytes = volumeBytes();
  const query = new QueryClient(cluster.serviceUrl("tailrace"));
  await query.flush();
  query.close();
  const wallSeconds = (performance.now() - startedAt) / 1000;
  const gigabytes = corpus.facts.lineBytes / 1e9;
  const rows = cluster.workloads.map(({ metadata: { name } }) => {
    const usages = cluster.of(name).map((process) => process.usage());
    const cpu = usages.reduce((sum, usage) => sum + usage.cpuSeconds, 0) - idle.get(name)!;
    const peak = Math.max(...usages.map(({ peakResidentBytes }) => peakResidentBytes));
    return `| ${name} | ${usages.length} | ${(cpu / gigabytes).toFixed(1)} | ${
      (peak / 1e6).toFixed(0)
    } |`;
  });
  const perByte = (bytes: number) => (bytes / corpus.facts.lineBytes).toFixed(2);
  process.stdout.write(
    `${Math.round(corpus.facts.lineBytes / 1e6)} MB of lines in ${
      wallSeconds.toFixed(1)
    } s, ${retries} pushes sent again\n\n` +
      "| workload | pods | CPU seconds per GB, all pods | peak MB of a pod |\n| --- | --- | --- | --- |\n" +
      `${rows.join("\n")}\n\n` +
      `Bytes on the three volumes per byte of lines: ${perByte(logBytes)} after the pushes, ` +
      `${perByte(volumeBytes())} after the flush.\n`,
  );
}

function cpuSeconds(): ReadonlyMap<string, number> {
  return new Map(cluster.workloads.map(({ metadata: { name } }) => {
    const usages = cluster.of(name).map((process) => process.usage().cpuSeconds);
    return [name, usages.reduce((sum, seconds) => sum + seconds, 0)];
  }));
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
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

function volumeBytes(): number {
  let bytes = 0;
  for (const server of cluster.of("nats")) {
    const directory = server.pathOf("/data");
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).blocks * 512;
    }
  }
  return bytes;
}

function unlimited(manifest: Manifest): Manifest {
  const { "tailrace.yaml": text, ...others } = manifest.data ?? {};
  if (text === undefined) return manifest;
  return { ...manifest, data: { ...others, "tailrace.yaml": `${text}${withoutLimits}` } };
}
