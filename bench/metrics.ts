/** Measures metric queries against a server that holds the corpus: CPU seconds of the server and wall time,
 *  every point of every answer checked against metricFacts.ts. Owns the list of queries, which are the metric
 *  rows of the performance goals. `node bench/metrics.ts [--scale=0.1]` starts a server, fills it, and prints the
 *  figures; bench/report.ts has them with all others. */
import type { CorpusFacts } from "../src/testing/corpus.ts";
import { QueryClient } from "../src/testing/queryClient.ts";
import { runtimes, ServerProcess, settingsWithoutLimits } from "../src/testing/serverProcess.ts";
import { type CachedCorpus, cachedCorpus, scaleFrom } from "./corpus.ts";
import { measureIngest, quantile } from "./ingest.ts";
import { type Counts, type MetricFacts, metricFacts, stepNs } from "./metricFacts.ts";
import type { QueryFigures } from "./query.ts";

interface MetricRow {
  readonly name: string;
  readonly query: string;
  /** Share of the corpus that the selector picks. */
  readonly share: number;
  /** Throws when the answer is wrong. */
  readonly check: (answer: ReadonlyArray<Series>) => void;
}

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: ReadonlyArray<readonly [number, string]>;
}

/** Asks each query once and then `repetitions` times, with 5 minute steps over the whole corpus. */
export async function measureMetrics(
  server: ServerProcess,
  corpus: CachedCorpus,
  repetitions = 10,
): Promise<QueryFigures[]> {
  const client = new QueryClient(server.baseUrl);
  const figures: QueryFigures[] = [];
  for (const row of metricRows(corpus.facts, await metricFacts(corpus))) {
    const before = server.usage().cpuSeconds;
    const first = await timed(() => ask(client, row.query, corpus.facts));
    row.check(first.answer);
    const afterFirst = server.usage().cpuSeconds;
    const walls: number[] = [];
    for (let i = 0; i < repetitions; i++) {
      walls.push((await timed(() => ask(client, row.query, corpus.facts))).seconds);
    }
    figures.push({
      name: row.name,
      query: row.query,
      entryCount: first.answer.length,
      firstCpuSeconds: afterFirst - before,
      cpuSeconds: (server.usage().cpuSeconds - afterFirst) / repetitions,
      firstWallSeconds: first.seconds,
      wallSecondsMedian: quantile(walls.toSorted((a, b) => a - b), 0.5),
      selectedBytes: corpus.facts.lineBytes * row.share,
    });
  }
  client.close();
  return figures;
}

async function timed<A>(work: () => Promise<A>): Promise<{ answer: A; seconds: number }> {
  const startedAt = performance.now();
  const answer = await work();
  return { answer, seconds: (performance.now() - startedAt) / 1000 };
}

async function ask(
  client: QueryClient,
  query: string,
  facts: CorpusFacts,
): Promise<ReadonlyArray<Series>> {
  const reply = await client.get("/loki/api/v1/query_range", {
    query,
    start: facts.startNs,
    end: String(BigInt(facts.endNs) + stepNs),
    step: "5m",
  });
  if (reply.status !== 200) throw new Error(`${query} answered ${reply.status}: ${reply.body}`);
  return (JSON.parse(reply.body) as { data: { result: ReadonlyArray<Series> } }).data.result;
}

function metricRows(corpus: CorpusFacts, facts: MetricFacts): ReadonlyArray<MetricRow> {
  const all = `{cluster="eu-1"}`;
  const start = Number(BigInt(corpus.startNs) / 1_000_000_000n);
  const shareOf = (app: string) => (corpus.lineBytesByApp[app] as number) / corpus.lineBytes;
  const counted = (label: string, counts: Counts) => (answer: ReadonlyArray<Series>) =>
    checkCounts(answer, label, counts, start);
  return [
    {
      name: "count_over_time by app",
      query: `sum by (app) (count_over_time(${all}[5m]))`,
      share: 1,
      check: counted("app", facts.linesByApp),
    },
    {
      name: "the same by detected_level and app",
      query: `sum by (app) (sum by (app, detected_level) (count_over_time(${all}[5m])))`,
      share: 1,
      check: counted("app", facts.linesByApp),
    },
    {
      name: 'count_over_time |= "error" by app',
      query: `sum by (app) (count_over_time(${all} |= "error" [5m]))`,
      share: 1,
      check: counted("app", facts.errorLinesByApp),
    },
    {
      name: "json, status >= 500, by status, one app",
      query: `sum by (status) (count_over_time({app="gateway"} | json | status >= 500 [5m]))`,
      share: shareOf("gateway"),
      check: counted("status", facts.failuresByStatus),
    },
    {
      name: "logfmt, unwrap, quantile 0.99, one app",
      query:
        `quantile_over_time(0.99, {app="payments"} | logfmt | unwrap duration(duration) [5m]) by (app)`,
      share: shareOf("payments"),
      check: (answer) => checkQuantiles(answer, facts.durationQuantile, start),
    },
    {
      name: "pattern, topk by path, one app",
      query:
        `topk(10, sum by (path) (count_over_time({app="static"} | pattern "<_> \\"<_> /<path>/<_>" [5m])))`,
      share: shareOf("static"),
      check: counted("path", facts.linesByPath),
    },
  ];
}

function stepOf(seconds: number, start: number): number {
  return Math.round((seconds - start) / (Number(stepNs) / 1e9));
}

/** Every point is there with its count, and no other. */
function checkCounts(
  answer: ReadonlyArray<Series>,
  label: string,
  counts: Counts,
  start: number,
): void {
  const left = new Map(
    Object.entries(counts).flatMap(([value, steps]) =>
      steps.flatMap((count, step): Array<[string, number]> =>
        count === 0 ? [] : [[`${value} ${step}`, count]]
      )
    ),
  );
  for (const { metric, values } of answer) {
    for (const [seconds, value] of values) {
      const key = `${metric[label]} ${stepOf(seconds, start)}`;
      if (Number(value) !== left.get(key)) {
        throw new Error(`${label} ${key}: ${value}, wanted ${left.get(key)}`);
      }
      left.delete(key);
    }
  }
  if (left.size > 0) throw new Error(`${left.size} points are missing, such as ${[...left][0]}`);
}

function checkQuantiles(
  answer: ReadonlyArray<Series>,
  wanted: ReadonlyArray<number>,
  start: number,
): void {
  const values = answer[0]?.values ?? [];
  const present = wanted.filter((value) => value !== 0).length;
  if (answer.length !== 1 || values.length !== present) {
    throw new Error("not one series of all steps");
  }
  for (const [seconds, value] of values) {
    const right = wanted[stepOf(seconds, start)]!;
    if (Math.abs(Number(value) - right) > 1e-12) throw new Error(`${value}, wanted ${right}`);
  }
}

if (import.meta.main) {
  const corpus = await cachedCorpus(scaleFrom(process.argv.slice(2)));
  await metricFacts(corpus);
  for (const runtime of runtimes) {
    const server = await ServerProcess.start({ runtime, settings: settingsWithoutLimits });
    try {
      await measureIngest(server, corpus);
      for (
        const { name, cpuSeconds, wallSecondsMedian, firstCpuSeconds } of await measureMetrics(
          server,
          corpus,
        )
      ) {
        console.log(
          `${runtime} | ${name} | ${cpuSeconds.toFixed(3)} CPU s | ${
            (wallSecondsMedian * 1000).toFixed(0)
          } ms | first ${firstCpuSeconds.toFixed(2)} CPU s`,
        );
      }
    } finally {
      await server.remove();
    }
  }
}
