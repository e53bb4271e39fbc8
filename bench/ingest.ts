/** Measures ingestion: the whole corpus pushed by a few agents at once, then flushed, in CPU seconds of the server
 *  alone, bytes on disk and peak memory. Owns the measurement; bench/query.ts asks the same server afterwards,
 *  bench/report.ts prints. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { readCorpus } from "../src/testing/corpus.ts";
import { PushClient } from "../src/testing/pushClient.ts";
import { QueryClient } from "../src/testing/queryClient.ts";
import type { ServerProcess } from "../src/testing/serverProcess.ts";
import type { CachedCorpus } from "./corpus.ts";

export interface IngestFigures {
  readonly lineBytes: number;
  readonly lineCount: number;
  /** Of pushing alone, and of the final flush. */
  readonly pushCpuSeconds: number;
  readonly flushCpuSeconds: number;
  readonly pushWallSeconds: number;
  readonly flushWallSeconds: number;
  readonly peakResidentBytes: number;
  /** Allocated on disk after the flush, in all and per top folder of the data directory. */
  readonly storedBytes: number;
  readonly storedBytesByFolder: Readonly<Record<string, number>>;
  readonly pushMilliseconds: { readonly p50: number; readonly p99: number };
}

/** Agents that push at the same time, each waiting for its answer before the next push. */
const agentCount = 4;

/** Pushes the corpus to a fresh server and flushes it. Throws unless every push is answered 204. */
export async function measureIngest(
  server: ServerProcess,
  corpus: CachedCorpus,
): Promise<IngestFigures> {
  const client = new PushClient(server.baseUrl, { connectionsMax: agentCount });
  const query = new QueryClient(server.baseUrl);
  const pushes = readCorpus(corpus.path);
  const durations: number[] = [];
  const before = server.usage();
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: agentCount }, () => runAgent(pushes, client, durations)));
  const pushedAt = performance.now();
  const afterPushes = server.usage();
  await query.flush();
  const flushedAt = performance.now();
  const afterFlush = server.usage();
  client.close();
  query.close();
  durations.sort((a, b) => a - b);
  const storedBytesByFolder = bytesByFolder(server.dataDirectory);
  return {
    lineBytes: corpus.facts.lineBytes,
    lineCount: corpus.facts.lineCount,
    pushCpuSeconds: afterPushes.cpuSeconds - before.cpuSeconds,
    flushCpuSeconds: afterFlush.cpuSeconds - afterPushes.cpuSeconds,
    pushWallSeconds: (pushedAt - startedAt) / 1000,
    flushWallSeconds: (flushedAt - pushedAt) / 1000,
    peakResidentBytes: afterFlush.peakResidentBytes,
    storedBytes: Object.values(storedBytesByFolder).reduce((sum, bytes) => sum + bytes, 0),
    storedBytesByFolder,
    pushMilliseconds: { p50: quantile(durations, 0.5), p99: quantile(durations, 0.99) },
  };
}

/** The value at `fraction` of an ascending list. */
export function quantile(ascending: ReadonlyArray<number>, fraction: number): number {
  const index = Math.min(ascending.length - 1, Math.floor(ascending.length * fraction));
  return ascending[index] ?? Number.NaN;
}

async function runAgent(
  pushes: AsyncGenerator<{ readonly body: Uint8Array }>,
  client: PushClient,
  durations: number[],
): Promise<void> {
  for (let step = await pushes.next(); step.done !== true; step = await pushes.next()) {
    const startedAt = performance.now();
    const reply = await client.send({
      path: "/loki/api/v1/push",
      headers: { "content-type": "application/x-protobuf" },
      bytes: step.value.body,
    });
    if (reply.status !== 204) throw new Error(`Push answered ${reply.status}: ${reply.body}`);
    durations.push(performance.now() - startedAt);
  }
}

function bytesByFolder(directory: string): Record<string, number> {
  const folders: Record<string, number> = {};
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const folder = path.slice(directory.length + 1).split("/")[0] as string;
    folders[folder] = (folders[folder] ?? 0) + statSync(path).blocks * 512;
  }
  return folders;
}
