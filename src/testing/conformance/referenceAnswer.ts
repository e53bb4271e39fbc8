/** Answers a conformance case with the reference evaluator. */
import { Result } from "effect";
import { isLogQuery } from "../../logql/ast.ts";
import { parse } from "../../logql/parser.ts";
import { parseDuration } from "../../logql/units.ts";
import {
  evaluateInstant,
  evaluateLines,
  evaluateSteps,
  QueryFailed,
  type Series,
} from "../reference/evaluate.ts";
import { groupStreams } from "../reference/logQuery.ts";
import {
  type Entry,
  foldedLabels,
  labelText,
  type LogRow,
  parsedLabels,
  textOf,
} from "../reference/row.ts";
import { type Case, timeOf } from "./caseFile.ts";
import { type AnsweredLine, formatValue } from "./expectation.ts";
import type { Answer } from "./judge.ts";

/** Seconds: what a case asks for when it does not say. */
export const defaults = { at: "60", start: "0", end: "3600", limit: "5000" } as const;

export function answerByReference(test: Case, rows: ReadonlyArray<LogRow>): Answer {
  const parsed = parse(test.query);
  if (Result.isFailure(parsed)) {
    return { kind: "error", status: 400, message: parsed.failure.message };
  }
  try {
    return evaluate(test, rows, parsed.success);
  } catch (error) {
    if (!(error instanceof QueryFailed)) throw error;
    return { kind: "error", status: 400, message: error.message };
  }
}

function evaluate(
  { kind, options }: Case,
  rows: ReadonlyArray<LogRow>,
  expr: Result.Result.Success<ReturnType<typeof parse>>,
): Answer {
  if (kind === "logs" && isLogQuery(expr)) {
    const lines = evaluateLines(rows, expr, {
      startNs: timeOf(options["start"] ?? defaults.start),
      endNs: timeOf(options["end"] ?? defaults.end),
      limit: Number(options["limit"] ?? defaults.limit),
      direction: options["forward"] === undefined ? "backward" : "forward",
      intervalNs: durationNs(options["interval"] ?? "0s"),
    });
    if (options["categorize"] !== undefined) return { kind: "lines", lines: categorized(lines) };
    const ordered = groupStreams(lines).flatMap(({ entries }) => entries);
    return { kind: "lines", lines: ordered.map((entry) => answered(entry, foldedLabels(entry))) };
  }
  if (kind === "instant") {
    const value = evaluateInstant(rows, expr, timeOf(options["at"] ?? defaults.at));
    if (typeof value === "number") return { kind: "scalar", value: formatValue(value) };
    return {
      kind: "series",
      series: value.map(({ labels, value }) => ({ labels, values: [formatValue(value)] })),
    };
  }
  if (kind === "range") {
    const range = {
      startNs: timeOf(options["start"] ?? defaults.start),
      endNs: timeOf(options["end"] ?? defaults.at),
      stepNs: durationNs(options["step"] ?? "20s"),
    };
    const steps = Number((range.endNs - range.startNs) / range.stepNs) + 1;
    const spread = ({ labels, points }: Series) => {
      const values = new Array<string | null>(steps).fill(null);
      for (const [step, value] of points) values[step] = formatValue(value);
      return { labels, values };
    };
    return { kind: "series", series: evaluateSteps(rows, expr, range).map(spread) };
  }
  throw new Error(`The reference does not answer ${kind}`);
}

function categorized(lines: ReadonlyArray<Entry>): AnsweredLine[] {
  const all = lines.map((entry) => ({
    ...answered(entry, Object.fromEntries(entry.stream)),
    categories: {
      metadata: Object.fromEntries(entry.metadata),
      parsed: Object.fromEntries(parsedLabels(entry)),
    },
  }));
  const keys = [...new Set(all.map(({ labels }) => labelText(labels)))].sort();
  return keys.flatMap((key) => all.filter(({ labels }) => labelText(labels) === key));
}

function answered(entry: Entry, labels: Record<string, string>): AnsweredLine {
  return { labels, timestampNs: entry.row.timestampNs, line: textOf(entry.line) };
}

/** A duration with a unit, or seconds. */
function durationNs(text: string): bigint {
  const ns = parseDuration(text);
  if (ns === null) throw new Error(`"${text}" is no duration`);
  return ns;
}
