// What the server did for a query: the `explain` member of an answer (docs/api.md).
import { isMetricQuery } from "../model/queryKind.ts";
import { rangeParameters, seriesParameters, type SeriesQuery } from "./parameters.ts";
import { request } from "./request.ts";

/** Counts of one step; which there are depends on the step. */
export type ExplainStep = Readonly<Record<string, number | string>> & {
  readonly step: string;
  readonly ms: number;
};

/** A scan: what is read, how it is narrowed, what it cost. */
export interface ExplainScan {
  readonly query?: string;
  readonly matchers: readonly string[];
  readonly filters: readonly string[];
  readonly stages: readonly string[];
  readonly skipped: readonly string[];
  readonly labels: readonly string[] | string;
  readonly readsLines: boolean;
  readonly grouping?: string | null;
  readonly pushedDown?: string | null;
  readonly steps: readonly ExplainStep[];
}

export interface Explanation {
  readonly scans: readonly ExplainScan[];
  readonly queueMs: number;
  readonly evaluateMs: number | undefined;
  readonly totalMs: number;
}

type Wire = {
  readonly leaves?: readonly ExplainScan[];
  readonly queueMs: number;
  readonly evaluateMs?: number;
  readonly totalMs: number;
} & Partial<ExplainScan>;

/** Runs a query and gives what that took; its answer is let go. */
export async function explainQuery(
  query: SeriesQuery,
  limit: number,
  signal: AbortSignal,
): Promise<Explanation> {
  const parameters = isMetricQuery(query.query)
    ? query.stepSeconds === undefined
      ? { query: query.query, time: query.end.toString() }
      : seriesParameters(query)
    : rangeParameters({ ...query, limit, direction: "backward" });
  const isInstant = "time" in parameters;
  const { explain } = await request<{ readonly explain: Wire }>(
    `loki/api/v1/${isInstant ? "query" : "query_range"}`,
    { ...parameters, explain: "true" },
    signal,
  );
  const { leaves, queueMs, evaluateMs, totalMs } = explain;
  return { scans: leaves ?? [explain as ExplainScan], queueMs, evaluateMs, totalMs };
}
