/** The front door of the reference evaluator: any LogQL tree over an array of rows, as slowly and plainly as the documentation
 *  reads. It is written from docs/logql.md and Loki's public documentation, not from the engine, which is compared with it.
 *  stages.ts owns pipelines, metricQuery.ts vectors. */
import { isLogQuery } from "../../logql/ast.ts";
import type { Expr } from "../../logql/ast.ts";
import { evaluateLogQuery, groupStreams, type LogQueryRequest } from "./logQuery.ts";
import { evaluateMetric, QueryFailed, type Sample } from "./metricQuery.ts";
import { compareLabels, type Entry, labelText, type LogRow } from "./row.ts";
import { plainTemplates, type TemplateEngine } from "./stages.ts";

export { QueryFailed };

/** The streams of a log query, ordered by labels. */
export function evaluateLogs(
  rows: ReadonlyArray<LogRow>,
  expr: Expr,
  request: LogQueryRequest,
  templates: TemplateEngine = plainTemplates,
): ReturnType<typeof groupStreams> {
  if (!isLogQuery(expr)) throw new Error("This is a metric query");
  return groupStreams(evaluateLogQuery(rows, expr, request, templates));
}

/** The lines of a log query in the order of its direction. */
export function evaluateLines(
  rows: ReadonlyArray<LogRow>,
  expr: Expr,
  request: LogQueryRequest,
  templates: TemplateEngine = plainTemplates,
): Entry[] {
  if (!isLogQuery(expr)) throw new Error("This is a metric query");
  return evaluateLogQuery(rows, expr, request, templates);
}

/** A vector or a number at one moment. Throws QueryFailed. */
export function evaluateInstant(
  rows: ReadonlyArray<LogRow>,
  expr: Expr,
  timeNs: bigint,
  templates: TemplateEngine = plainTemplates,
  sorts = true,
): number | Sample[] {
  if (isLogQuery(expr)) {
    throw new QueryFailed("log queries are not supported as an instant query type");
  }
  return evaluateMetric(rows, expr, timeNs, templates, sorts);
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Index of the step, and the value there. */
  readonly points: Array<readonly [step: number, value: number]>;
}

/** A matrix: the value at start, start + step, … up to and including end. Throws QueryFailed. */
export function evaluateSteps(
  rows: ReadonlyArray<LogRow>,
  expr: Expr,
  range: { readonly startNs: bigint; readonly endNs: bigint; readonly stepNs: bigint },
  templates: TemplateEngine = plainTemplates,
): Series[] {
  const series = new Map<string, Series>();
  for (let step = 0;; step++) {
    const time = range.startNs + BigInt(step) * range.stepNs;
    if (time > range.endNs) break;
    // sort and sort_desc order an instant query's answer alone.
    const value = evaluateInstant(rows, expr, time, templates, false);
    const samples = typeof value === "number" ? [{ labels: {}, value }] : value;
    const seen = new Map<string, number>();
    for (const sample of samples) {
      const labels = labelText(sample.labels);
      // Samples of the same labels at one moment are of several series.
      const number = seen.get(labels) ?? 0;
      seen.set(labels, number + 1);
      const key = `${number} ${labels}`;
      const found = series.get(key) ?? { labels: sample.labels, points: [] };
      found.points.push([step, sample.value]);
      series.set(key, found);
    }
  }
  return [...series.values()].sort((a, b) => compareLabels(a.labels, b.labels));
}
