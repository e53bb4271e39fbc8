/** Evaluates range aggregations over rows at one moment: the window's samples, grouped into series, each reduced to a number. */
import type { Grouping, LogRange, Predicate, RangeAggregation, Stage } from "../../logql/ast.ts";
import { distinctRows, isSelected } from "./logQuery.ts";
import {
  type Entry,
  fail,
  foldedLabels,
  type LabelMap,
  labelText,
  type LogRow,
  lookUp,
} from "./row.ts";
import { passesPredicate, runPipeline, type TemplateEngine } from "./stages.ts";
import { templateFields } from "./templates.ts";
import { numberOf, secondsOf, sizeOf } from "./values.ts";

/** One value of a vector. */
export interface Sample {
  readonly labels: LabelMap;
  readonly value: number;
}

/** What a query is answered with instead of a result. */
export class QueryFailed extends Error {}

/** A query whose answer the documentation leaves open. */
export class Ambiguous extends Error {}

/** A `sum` right around a range aggregation that adds up: nothing but its labels need be extracted. */
export interface OuterSum {
  readonly grouping: Grouping | null;
}

/** The vector at `timeNs`. Throws QueryFailed where a line has an error. */
export function evaluateRange(
  rows: ReadonlyArray<LogRow>,
  expr: RangeAggregation,
  timeNs: bigint,
  templates: TemplateEngine,
  sum: OuterSum | null,
): Sample[] {
  const { range } = expr;
  const isSummed = sum !== null && isAdditive(expr);
  const grouping = expr.grouping ?? (isSummed ? sum.grouping : null);
  const pipeline = neededStages(expr, grouping, isSummed || expr.op === "absent_over_time");
  const series = new Map<string, { labels: LabelMap; values: number[] }>();
  for (const row of windowOf(rows, range, timeNs)) {
    const entry = runPipeline(row, pipeline, templates);
    const value = entry === null ? null : sampleOf(entry, expr);
    if (entry === null || value === null) continue;
    if (entry.error !== null && !(grouping?.labels.includes("__error__") ?? false)) {
      const text = labelText(foldedLabels(entry));
      if (mayBeSkipped(entry, expr, grouping, isSummed)) throw new Ambiguous();
      if (!entry.isErrorWanted) {
        throw new QueryFailed(`pipeline error: '${entry.error}' for series: '${text}'`);
      }
      // Series then have the details of each error among their labels, in words that are not compared.
      if (grouping?.mode !== "by") throw new Ambiguous();
    }
    const labels = seriesLabels(entry, expr, grouping);
    const key = labelText(labels);
    const found = series.get(key) ?? { labels, values: [] };
    found.values.push(value);
    series.set(key, found);
  }
  if (expr.op === "absent_over_time") {
    return series.size > 0 ? [] : [{ labels: labelsOfAbsence(range), value: 1 }];
  }
  return [...series.values()].map(({ labels, values }) => ({
    labels,
    value: reduce(expr, values, Number(range.rangeNs) / 1e9),
  }));
}

/** `(t - offset - range, t - offset]`, oldest first. */
function windowOf(rows: ReadonlyArray<LogRow>, range: LogRange, timeNs: bigint): LogRow[] {
  const end = timeNs - range.offsetNs;
  return distinctRows(rows)
    .filter(({ timestampNs }) => timestampNs > end - range.rangeNs && timestampNs <= end)
    .filter((row) => isSelected(row, range.selector))
    .sort((a, b) => a.timestampNs < b.timestampNs ? -1 : a.timestampNs > b.timestampNs ? 1 : 0);
}

/** Operations whose sums over series are those over all lines. */
function isAdditive({ op }: RangeAggregation): boolean {
  return ["count_over_time", "rate", "bytes_over_time", "bytes_rate", "sum_over_time"].includes(op);
}

/** The pipeline without parsers whose labels nobody looks at and line formats whose line nobody reads, so that lines on which
 *  they fail are no errors. `isBare` says that a series has no labels but those of the grouping. */
function neededStages(
  { op, range }: RangeAggregation,
  grouping: Grouping | null,
  isBare: boolean,
): Stage[] {
  let readsLabels = !isBare || range.unwrap !== null || grouping?.mode === "without" ||
    (grouping?.labels.length ?? 0) > 0;
  let readsLine = op.startsWith("bytes");
  return range.pipeline.toReversed().filter((stage) => {
    const isParser = parserKinds.includes(stage.kind);
    if (isParser && !readsLabels) return false;
    // unpack gives a new line too.
    if (stage.kind === "UnpackParser" && !readsLabels && !readsLine) return false;
    if (stage.kind === "LineFormat" && !readsLine) return false;
    readsLabels ||= looksAtLabels(stage);
    readsLine ||= isParser || stage.kind === "UnpackParser" || stage.kind === "LineFilter" ||
      stage.kind === "LabelFormat" &&
        stage.assignments.some(({ source }) => source.includes("__line__"));
    return true;
  }).reverse();
}

/** Whether a stage reads labels: drop and keep without comparisons only take some away. */
function looksAtLabels(stage: Stage): boolean {
  switch (stage.kind) {
    case "LabelFilter":
    case "LabelFormat":
      return true;
    case "LineFormat":
      return templateFields(stage.template).length > 0;
    case "DropLabels":
    case "KeepLabels":
      return stage.labels.some(({ kind }) => kind === "LabelMatcher");
    default:
      return false;
  }
}

/** Whether it is a matter of taste that a parser ran for this row: no label that only it could give is asked for. Labels that
 *  streams and metadata have need no parser, and what drop and keep compare only decides over labels that go in any case. */
function mayBeSkipped(
  { row, error, isErrorWanted }: Entry,
  { op, range }: RangeAggregation,
  grouping: Grouping | null,
  isSummed: boolean,
): boolean {
  const isParserError = error === "JSONParserErr" || error === "LogfmtParserErr";
  if (!isParserError || isErrorWanted) return false;
  if (grouping === null ? !isSummed && op !== "absent_over_time" : grouping.mode !== "by") {
    return false;
  }
  const isGiven = (name: string) =>
    Object.hasOwn(row.labels, name) || Object.hasOwn(row.metadata, name);
  return namesRead(range, grouping)?.every(isGiven) ?? false;
}

/** The labels that a query names where a parser may have set them; null if it may read any. What stands in front of the first
 *  parser reads none of its labels. */
function namesRead({ pipeline, unwrap }: LogRange, grouping: Grouping | null): string[] | null {
  const after = pipeline.slice(pipeline.findIndex(({ kind }) => parserKinds.includes(kind)) + 1);
  const formats = after.flatMap((stage) => stage.kind === "LabelFormat" ? stage.assignments : []);
  if (after.some(({ kind }) => kind === "LineFormat")) return null;
  if (formats.some(({ type }) => type !== "rename")) return null;
  const filters = after.filter((stage) => stage.kind === "LabelFilter");
  return [
    ...[...filters, ...unwrap?.filters ?? []].flatMap(({ predicate }) => namesOf(predicate)),
    ...unwrap === null ? [] : [unwrap.label],
    ...grouping?.labels ?? [],
    // A renamed label is read, and so is the one in whose place it comes.
    ...formats.flatMap(({ name, source }) => [name, source]),
  ].filter((name) => name !== "__error__");
}

function namesOf(predicate: Predicate): string[] {
  if (predicate.kind !== "LogicalPredicate") return [predicate.name];
  return [...namesOf(predicate.left), ...namesOf(predicate.right)];
}

const parserKinds = ["JsonParser", "LogfmtParser", "PatternParser", "RegexpParser"];

/** A line's number; null if it has none, which is no error. */
function sampleOf(entry: Entry, expr: RangeAggregation): number | null {
  const { unwrap } = expr.range;
  if (unwrap === null) return expr.op.startsWith("bytes") ? entry.line.length : 1;
  const text = lookUp(entry, unwrap.label) ?? "";
  if (text === "") return null;
  const value = unwrap.conversion === null
    ? numberOf(text)
    : unwrap.conversion === "bytes"
    ? sizeOf(text)
    : secondsOf(text);
  if (value === null) fail(entry, "SampleExtractionErr");
  return unwrap.filters.every(({ predicate }) => passesPredicate(entry, predicate))
    ? value ?? 0
    : null;
}

/** An empty label is no label in a metric. */
function seriesLabels(
  entry: Entry,
  { range }: RangeAggregation,
  grouping: Grouping | null,
): LabelMap {
  const all = Object.entries(foldedLabels(entry)).filter(([, value]) => value !== "");
  return Object.fromEntries(
    all.filter(([name]) => {
      if (grouping?.mode === "by") return grouping.labels.includes(name);
      return name !== range.unwrap?.label && !(grouping?.labels.includes(name) ?? false);
    }).filter(([name]) => name !== "__error_details__"),
  );
}

/** The labels that the selector's equality matchers name, those with a further matcher left out. */
function labelsOfAbsence({ selector }: LogRange): LabelMap {
  const labels: Record<string, string> = {};
  const spoilt = new Set<string>();
  for (const { name, op, value } of selector.matchers) {
    if (op !== "=" || Object.hasOwn(labels, name)) spoilt.add(name);
    else labels[name] = value;
  }
  return Object.fromEntries(
    Object.entries(labels).filter(([name, value]) => !spoilt.has(name) && value !== ""),
  );
}

function reduce(
  { op, parameter, range }: RangeAggregation,
  values: number[],
  seconds: number,
): number {
  const total = values.reduce((sum, value) => sum + value, 0);
  switch (op) {
    case "count_over_time":
      return values.length;
    case "bytes_over_time":
    case "sum_over_time":
      return total;
    case "rate":
    case "bytes_rate":
      return (range.unwrap === null && op === "rate" ? values.length : total) / seconds;
    case "rate_counter":
      return values.length < 2 ? 0 : increase(values) / seconds;
    case "avg_over_time":
      return total / values.length;
    case "min_over_time":
      return Math.min(...values);
    case "max_over_time":
      return Math.max(...values);
    case "stdvar_over_time":
      return variance(values);
    case "stddev_over_time":
      return Math.sqrt(variance(values));
    case "first_over_time":
      return values[0]!;
    case "last_over_time":
      return values.at(-1)!;
    case "quantile_over_time":
      return quantile(parameter!, values);
    case "absent_over_time":
      return 1;
  }
}

/** What a counter grew by: where it fell it was reset to 0. */
function increase(values: ReadonlyArray<number>): number {
  let sum = 0;
  for (let i = 1; i < values.length; i++) {
    const step = values[i]! - values[i - 1]!;
    sum += step < 0 ? values[i]! : step;
  }
  return sum;
}

/** Of the population. */
export function variance(values: ReadonlyArray<number>): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}

function quantile(phi: number, values: ReadonlyArray<number>): number {
  if (phi < 0) return -Infinity;
  if (phi > 1) return Infinity;
  const sorted = [...values].sort((a, b) => a - b);
  const rank = phi * (sorted.length - 1);
  const low = Math.floor(rank);
  const high = Math.min(sorted.length - 1, low + 1);
  return sorted[low]! * (1 - (rank - low)) + sorted[high]! * (rank - low);
}
