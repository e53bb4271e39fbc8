/** The `explain` of an answer: the plan in words and what each step cost, beside the data. Asked for with
 *  the header X-Tailrace-Explain: 1 or the parameter explain=true. docs/api.md has its members; planner/
 *  explain.ts words the plan. */
import { Effect } from "effect";
import type { MetricAnswer, MetricRequest } from "../actors/querier/metricQuery.ts";
import type { LogAnswer, LogRequest, Querier, QueryFailed } from "../actors/querier/Querier.ts";
import type { UnitCounts } from "../actors/querier/unitCounts.ts";
import { rowRange } from "../logql/metrics/buckets.ts";
import { gridEnd } from "../logql/metrics/grid.ts";
import { explainLeaf, explainPipeline } from "../logql/planner/explain.ts";
import { print, printMatcher } from "../logql/printer.ts";
import type { ScanStats } from "../actors/protocol/scan.ts";
import type { TimeRange } from "../streams/record.ts";

/** Whether a request asks for it. */
export function wantsExplain(
  params: URLSearchParams,
  headers: Readonly<Record<string, string | undefined>>,
): boolean {
  const asked = params.get("explain") ?? headers["x-tailrace-explain"] ?? "";
  return asked === "1" || asked.toLowerCase() === "true";
}

/** The member to put into an answer's JSON, comma and all; nothing if it was not asked for. */
export function explainMember(
  querier: Querier["Service"],
  tenant: string,
  asked: boolean,
  explain: (storedChunks: number) => unknown,
): Effect.Effect<string, QueryFailed> {
  if (!asked) return Effect.succeed("");
  return Effect.map(
    querier.storedChunks(tenant),
    (chunks) => `,"explain":${JSON.stringify(explain(chunks))}`,
  );
}

export function explainLog(request: LogRequest, answer: LogAnswer, storedChunks: number) {
  const work = answer.work;
  const { stats, rows } = answer;
  return {
    type: "log",
    matchers: request.matchers.map(printMatcher),
    range: rangeText(request.range),
    direction: request.direction,
    limit: request.limit,
    ...explainPipeline(request.pipeline),
    steps: [
      indexStep(work, work.indexMs, storedChunks),
      { ...scanStep(stats, work.scanMs), rowsReturned: rows.length },
    ],
    queueMs: rounded(stats.queueSeconds * 1000),
    totalMs: rounded(stats.execSeconds * 1000),
  };
}

export function explainMetric(
  { plan, grid }: MetricRequest,
  { work, stats }: MetricAnswer,
  storedChunks: number,
) {
  return {
    type: "metric",
    query: print(plan.expr),
    steps: { start: String(grid.startNs), end: String(gridEnd(grid)), count: grid.count },
    leaves: plan.leaves.map((leaf, index) => {
      const cost = work.leaves[index]!;
      const { rangeNs, offsetNs, selector } = leaf.range;
      const { query, ...text } = explainLeaf(leaf);
      return {
        query,
        matchers: selector.matchers.map(printMatcher),
        range: rangeText(rowRange({ grid, rangeNs, offsetNs })),
        ...text,
        steps: [
          { ...indexStep(cost, cost.indexMs, storedChunks), answeredChunks: cost.chunksFromIndex },
          {
            ...scanStep(cost.stats, cost.scanMs),
            jobs: cost.jobs,
            rowsFolded: cost.stats.rowsFolded,
          },
          { step: "merge", cells: cost.cells, series: cost.series, ms: rounded(cost.mergeMs) },
        ],
      };
    }),
    evaluateMs: rounded(work.evaluateMs),
    queueMs: rounded(stats.queueSeconds * 1000),
    totalMs: rounded(stats.execSeconds * 1000),
  };
}

/** Chunks that matchers and time range left out were never looked at. */
function indexStep(counts: UnitCounts, ms: number, storedChunks: number) {
  const { streams, chunks, slices, chunksPruned } = counts;
  return {
    step: "index",
    streams,
    storedChunks,
    consideredChunks: chunks,
    prunedByLabels: chunksPruned,
    unflushedSlices: slices,
    ms: rounded(ms),
  };
}

function scanStep({ chunksRead, bytesRead, bytesScanned, rowsScanned }: ScanStats, ms: number) {
  return {
    step: "scan",
    chunksRead,
    bytesRead,
    lineBytesDecoded: bytesScanned,
    rowsScanned,
    ms: rounded(ms),
  };
}

function rangeText({ start, end }: TimeRange) {
  return { start: String(start), end: String(end) };
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
