/** Evaluates a log query over rows: selects, runs the pipeline, orders, cuts at the limit. */
import type { LogQuery, Selector } from "../../logql/ast.ts";
import { type Entry, foldedLabels, labelText, type LogRow } from "./row.ts";
import { runPipeline, type TemplateEngine } from "./stages.ts";
import { matcherAccepts } from "./values.ts";

export interface LogQueryRequest {
  /** Inclusive. */
  readonly startNs: bigint;
  /** Exclusive. */
  readonly endNs: bigint;
  readonly limit: number;
  readonly direction: "forward" | "backward";
  /** 0 for none. */
  readonly intervalNs: bigint;
}

/** Whether a stream passes a selector. */
export function isSelected(row: LogRow, selector: Selector): boolean {
  return selector.matchers.every(({ name, op, value }) =>
    matcherAccepts(op, value, Object.hasOwn(row.labels, name) ? row.labels[name]! : "")
  );
}

/** Rows without repetitions: same stream, time, line and metadata is one row, the first. */
export function distinctRows(rows: ReadonlyArray<LogRow>): LogRow[] {
  const byIdentity = new Map<string, LogRow>();
  for (const row of rows) {
    const identity = JSON.stringify([
      labelText(row.labels),
      String(row.timestampNs),
      row.line,
      labelText(row.metadata),
    ]);
    if (!byIdentity.has(identity)) byIdentity.set(identity, row);
  }
  return [...byIdentity.values()];
}

/** The lines of the answer in its direction. Rows come in the order in which they arrived, which is their order among equal
 *  timestamps of a stream; backward is the exact reverse of forward. */
export function evaluateLogQuery(
  rows: ReadonlyArray<LogRow>,
  query: LogQuery,
  request: LogQueryRequest,
  templates: TemplateEngine,
): Entry[] {
  const inRange = distinctRows(rows)
    .filter((row) => row.timestampNs >= request.startNs && row.timestampNs < request.endNs)
    .filter((row) => isSelected(row, query.selector));
  const ordered = inRange.sort((a, b) => compareTime(a, b));
  if (request.direction === "backward") ordered.reverse();
  const found: Entry[] = [];
  let last: bigint | null = null;
  for (const row of ordered) {
    if (found.length === request.limit) break;
    const entry = runPipeline(row, query.pipeline, templates);
    if (entry === null) continue;
    if (request.intervalNs > 0n && last !== null) {
      const distance = row.timestampNs > last ? row.timestampNs - last : last - row.timestampNs;
      if (distance < request.intervalNs) continue;
    }
    last = row.timestampNs;
    found.push(entry);
  }
  return found;
}

/** Lines grouped by their full label set, groups ordered by label text. */
export function groupStreams(
  entries: ReadonlyArray<Entry>,
): Array<{ readonly labels: Record<string, string>; readonly entries: Entry[] }> {
  const groups = new Map<string, { labels: Record<string, string>; entries: Entry[] }>();
  for (const entry of entries) {
    const labels = foldedLabels(entry);
    const key = labelText(labels);
    const group = groups.get(key) ?? { labels, entries: [] };
    group.entries.push(entry);
    groups.set(key, group);
  }
  return [...groups].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0).map(([, group]) => group);
}

function compareTime(a: LogRow, b: LogRow): number {
  return a.timestampNs < b.timestampNs ? -1 : a.timestampNs > b.timestampNs ? 1 : 0;
}
