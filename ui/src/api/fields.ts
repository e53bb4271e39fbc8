// What the server finds inside lines: fields with their types and cardinality, values of one field, and patterns.
// Loki's endpoints detected_fields, detected_field/<name>/values and patterns.
import type { ResolvedRange } from "../model/timeRange.ts";
import { request } from "./request.ts";

export interface DetectedField {
  readonly label: string;
  readonly type: string;
  readonly cardinality: number;
  /** The parsers that find it: "json", "logfmt"; none for structured metadata. */
  readonly parsers: readonly string[] | null;
}

export interface Pattern {
  readonly pattern: string;
  readonly level?: string;
  /** Seconds since 1970 and lines, oldest first. */
  readonly samples: readonly (readonly [seconds: number, lines: number])[];
}

export interface Patterns {
  readonly patterns: readonly Pattern[];
  /** How many lines they are counted from, the newest ones; absent when the server does not say. */
  readonly linesRead?: number;
  /** Whether those are all lines in the range. */
  readonly complete?: boolean;
}

/** Fields of the lines that a query matches. */
export async function detectedFields(
  query: string,
  range: ResolvedRange,
  signal: AbortSignal,
): Promise<readonly DetectedField[]> {
  const path = "loki/api/v1/detected_fields";
  const answer = await request<{ fields?: DetectedField[] | null }>(path, {
    query,
    ...bounds(range),
    line_limit: "1000",
    limit: "500",
  }, signal);
  return answer.fields ?? [];
}

/** Values of one detected field, the most frequent of a sample. */
export async function detectedFieldValues(
  name: string,
  query: string,
  range: ResolvedRange,
  signal: AbortSignal,
): Promise<string[]> {
  const path = `loki/api/v1/detected_field/${encodeURIComponent(name)}/values`;
  const answer = await request<{ values?: string[] | null }>(path, {
    query,
    ...bounds(range),
    line_limit: "1000",
    limit: "200",
  }, signal);
  return answer.values ?? [];
}

/** Patterns of the lines that a query matches. */
export async function patterns(
  query: string,
  range: ResolvedRange,
  stepSeconds: number,
  signal: AbortSignal,
): Promise<Patterns> {
  const parameters = { query, ...bounds(range), step: `${stepSeconds}s` };
  const { data, ...rest } = await request<
    { data?: Pattern[] | null } & Omit<Patterns, "patterns">
  >("loki/api/v1/patterns", parameters, signal);
  return { ...rest, patterns: data ?? [] };
}

/** `start` and `end` as parameters. */
export function bounds(range: ResolvedRange): { start: string; end: string } {
  return { start: range.start.toString(), end: range.end.toString() };
}
