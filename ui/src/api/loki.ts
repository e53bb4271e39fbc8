// Loki's HTTP API as the page uses it: queries, labels, values. Owns turning answers into entries and series; request.ts
// owns addresses and errors, queryStream.ts answers that come in pieces, tailSocket.ts live tails.
import { compareNanoseconds } from "../model/nanoseconds.ts";
import type { Entry, Labels } from "../model/row.ts";
import type { ResolvedRange } from "../model/timeRange.ts";
import {
  boundsParameters,
  type Direction,
  rangeParameters,
  type RangeQuery,
  seriesParameters,
  type SeriesQuery,
} from "./parameters.ts";
import { ApiError, request } from "./request.ts";

export interface LogPage {
  /** In the order of the direction asked for; entries of one stream and time keep the server's order. */
  readonly entries: Entry[];
  readonly statistics: Statistics;
  readonly warnings: readonly string[];
}

export interface Series {
  readonly labels: Labels;
  /** Seconds since 1970 and the value as text, oldest first. */
  readonly points: readonly (readonly [seconds: number, value: string])[];
}

export interface SeriesPage {
  readonly series: readonly Series[];
  readonly statistics: Statistics;
  readonly warnings: readonly string[];
}

export interface Statistics {
  readonly bytesProcessed: number;
  readonly linesProcessed: number;
  readonly seconds: number;
}

/** Runs a log query over a range. */
export async function queryRange(query: RangeQuery, signal: AbortSignal): Promise<LogPage> {
  const data = await ask("query_range", rangeParameters(query), signal);
  if (data.resultType !== "streams") {
    throw new ApiError(400, "This query computes numbers, where lines are wanted.");
  }
  const entries = readStreams(data.result as WireStream[]);
  sortEntries(entries, query.direction);
  return { entries, statistics: readStatistics(data.stats), warnings: data.warnings };
}

/** Runs a metric query. */
export async function querySeries(query: SeriesQuery, signal: AbortSignal): Promise<SeriesPage> {
  const data = query.stepSeconds === undefined
    ? await ask("query", { query: query.query, time: query.end.toString() }, signal)
    : await ask("query_range", seriesParameters(query), signal);
  if (data.resultType === "streams") {
    throw new ApiError(400, "This query gives lines, where numbers are wanted.");
  }
  return {
    series: readSeries(data.resultType, data.result),
    statistics: readStatistics(data.stats),
    warnings: data.warnings,
  };
}

/** Orders entries of several streams by time; those of one time keep their order. */
export function sortEntries(entries: Entry[], direction: Direction): void {
  const sign = direction === "backward" ? -1 : 1;
  entries.sort((a, b) => sign * compareNanoseconds(a.nanoseconds, b.nanoseconds));
}

/** Names of the stream labels in a range, sorted. */
export async function labelNames(range: ResolvedRange, signal: AbortSignal): Promise<string[]> {
  const parameters = boundsParameters(range);
  return (await request<{ data?: string[] }>("loki/api/v1/labels", parameters, signal)).data ?? [];
}

/** Values of one label in a range, sorted; with a selector, only those of streams that match it. */
export async function labelValues(
  name: string,
  selector: string | undefined,
  range: ResolvedRange,
  signal: AbortSignal,
): Promise<string[]> {
  const parameters = boundsParameters(range);
  if (selector !== undefined) parameters.query = selector;
  const path = `loki/api/v1/label/${encodeURIComponent(name)}/values`;
  return (await request<{ data?: string[] }>(path, parameters, signal)).data ?? [];
}

/** A stream as it travels: in answers to queries and in frames of a tail. */
export interface WireStream {
  readonly stream: Labels;
  readonly values: readonly (readonly [
    nanoseconds: string,
    line: string,
    categories?: { readonly structuredMetadata?: Labels; readonly parsed?: Labels },
  ])[];
}

/** Flattens streams to entries, stream by stream; the label map of a stream is shared. */
export function readStreams(streams: readonly WireStream[]): Entry[] {
  const entries: Entry[] = [];
  for (const { stream, values } of streams) {
    for (const [nanoseconds, line, categories] of values) {
      const metadata = categories?.structuredMetadata;
      const parsed = categories?.parsed;
      entries.push({
        kind: "entry",
        nanoseconds,
        line,
        stream,
        ...(metadata === undefined ? {} : { metadata }),
        ...(parsed === undefined ? {} : { parsed }),
      });
    }
  }
  return entries;
}

interface QueryData {
  readonly resultType: string;
  readonly result: unknown;
  readonly stats?: WireStatistics;
}

/** What an answer says it cost. */
export interface WireStatistics {
  readonly summary?: {
    readonly totalBytesProcessed?: number;
    readonly totalLinesProcessed?: number;
    readonly execTime?: number;
  };
}

async function ask(
  path: string,
  parameters: Record<string, string>,
  signal: AbortSignal,
): Promise<QueryData & { readonly warnings: readonly string[] }> {
  type Answer = { readonly warnings?: string[]; readonly data?: QueryData };
  const answer = await request<Answer>(`loki/api/v1/${path}`, parameters, signal, {
    "X-Loki-Response-Encoding-Flags": "categorize-labels",
  });
  const data = answer.data ?? { resultType: "streams", result: [] };
  return { ...data, warnings: answer.warnings ?? [] };
}

export function readStatistics(stats: WireStatistics | undefined): Statistics {
  const summary = stats?.summary;
  return {
    bytesProcessed: summary?.totalBytesProcessed ?? 0,
    linesProcessed: summary?.totalLinesProcessed ?? 0,
    seconds: summary?.execTime ?? 0,
  };
}

/** Series from the result of a metric query. */
export function readSeries(resultType: string, result: unknown): Series[] {
  type Point = readonly [number, string];
  if (resultType === "scalar") return [{ labels: {}, points: [result as Point] }];
  const rows = result as { metric: Labels; values?: Point[]; value?: Point }[];
  return rows.map(({ metric, values, value }) => ({
    labels: metric,
    points: values ?? (value === undefined ? [] : [value]),
  }));
}
