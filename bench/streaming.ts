/** Measures queries over WebSocket on a large store: time to the first rows while another query scans everything, and how soon a
 *  query that is cancelled has left the worker threads to the next one.
 *  `node bench/streaming.ts [--scale=8.4]`: 5 GB; TAILRACE_TEST_RUNTIMES as for report.ts. */
import { QueryClient } from "../src/testing/queryClient.ts";
import { runtimes, ServerProcess, settingsWithoutLimits } from "../src/testing/serverProcess.ts";
import { streamQuery } from "../src/testing/streamQueryClient.ts";
import { type CachedCorpus, cachedCorpus, scaleFrom } from "./corpus.ts";
import { measureIngest, quantile } from "./ingest.ts";

const all = `{cluster="eu-1"}`;
/** Two bytes that no line has: the whole store is read. */
const fullScan = `${all} |= "~~"`;
const rounds = 20;

/** Milliseconds until a query's first rows, of all its rows, and of those of its first progress report. */
async function firstRowsMs(
  server: ServerProcess,
  corpus: CachedCorpus,
  query: string,
  limit: number,
): Promise<{ readonly rows: number; readonly progress: number }> {
  const startedAt = performance.now();
  let [rows, progress] = [Number.NaN, Number.NaN];
  await streamQuery(server.baseUrl, parametersOf(corpus, query, limit), (frame, close) => {
    const elapsed = performance.now() - startedAt;
    if (frame.type === "error") throw new Error(frame.message);
    if (frame.type === "progress" && Number.isNaN(progress)) progress = elapsed;
    if (frame.type !== "rows") return;
    rows = elapsed;
    close();
  });
  return { rows, progress };
}

function parametersOf({ facts }: CachedCorpus, query: string, limit: number) {
  return { query, start: facts.startNs, end: facts.endNs, limit: String(limit) };
}

/** Keeps a full scan running until `stop`. */
function scanForever(server: ServerProcess, corpus: CachedCorpus): () => Promise<void> {
  let isWanted = true;
  const run = async () => {
    while (isWanted) {
      await streamQuery(server.baseUrl, parametersOf(corpus, fullScan, 10), (_frame, close) => {
        if (!isWanted) close();
      });
    }
  };
  const running = run();
  return () => {
    isWanted = false;
    return running;
  };
}

/** Milliseconds of a query for ten lines: alone, and sent at the moment a full scan is cancelled. */
async function smallQueryMs(server: ServerProcess, corpus: CachedCorpus): Promise<number[][]> {
  const client = new QueryClient(server.baseUrl);
  const small = async () => {
    const startedAt = performance.now();
    await client.range({
      query: `{app="frontend"}`,
      start: BigInt(corpus.facts.startNs),
      end: BigInt(corpus.facts.endNs),
      limit: 10,
    });
    return performance.now() - startedAt;
  };
  const [alone, afterCancel]: number[][] = [[], []];
  for (let round = 0; round < rounds; round++) {
    alone!.push(await small());
    let cancelled: Promise<number> | undefined;
    let frames = 0;
    await streamQuery(server.baseUrl, parametersOf(corpus, fullScan, 10), (_frame, close) => {
      if (++frames !== 3) return;
      close();
      cancelled = small();
    });
    if (cancelled === undefined) throw new Error("the scan ended before it could be cancelled");
    afterCancel!.push(await cancelled);
  }
  client.close();
  return [alone!, afterCancel!];
}

const corpus = await cachedCorpus(scaleFrom(process.argv.slice(2)));
for (const runtime of runtimes) {
  const server = await ServerProcess.start({ runtime, settings: settingsWithoutLimits });
  try {
    await measureIngest(server, corpus);
    const wholeStartedAt = performance.now();
    await streamQuery(server.baseUrl, parametersOf(corpus, fullScan, 10), () => {});
    const wholeMs = performance.now() - wholeStartedAt;
    const stop = scanForever(server, corpus);
    const common: number[] = [];
    const rare: number[] = [];
    const reports: number[] = [];
    for (let round = 0; round < rounds; round++) {
      common.push((await firstRowsMs(server, corpus, `${all} |= "POST"`, 1000)).rows);
      const found = await firstRowsMs(server, corpus, `${all} |= "deadlock detected"`, 1000);
      rare.push(found.rows);
      reports.push(found.progress);
    }
    await stop();
    const [alone, afterCancel] = await smallQueryMs(server, corpus);
    const line = (name: string, values: number[]) => {
      const sorted = values.toSorted((a, b) => a - b);
      const [p50, max] = [quantile(sorted, 0.5), sorted.at(-1)!];
      console.log(`| ${name} | ${p50.toFixed(0)} | ${max.toFixed(0)} |`);
    };
    console.log(`${runtime}: ${(corpus.facts.lineBytes / 1e9).toFixed(1)} GB\n`);
    console.log("| ms | p50 | max |\n| --- | --- | --- |");
    line("full scan, alone", [wholeMs]);
    line("first rows of a common word, beside a full scan", common);
    line("first rows of a rare text, beside a full scan", rare);
    line("first progress report, beside a full scan", reports);
    line("newest ten lines, alone", alone!);
    line("newest ten lines, asked as a full scan is cancelled", afterCancel!);
  } finally {
    await server.remove();
  }
}
