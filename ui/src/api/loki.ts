// Loki's HTTP API as the page uses it: queries, labels, values. Owns addresses, errors and turning answers into rows;
// tailSocket.ts owns the WebSocket. Invariant: addresses are relative to the page, so any path prefix works.
import { compareNanoseconds } from "../model/nanoseconds.ts";
import type { Entry, Labels } from "../model/row.ts";
import type { ResolvedRange } from "../model/timeRange.ts";

/** What went wrong, for a person: the server's own words, and where in the query it points (1-based). */
export class ApiError extends Error {
  /** HTTP status, or 0 when there was no answer. */
  readonly status: number;
  readonly position: { readonly line: number; readonly column: number } | undefined;

  constructor(status: number, message: string) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    const found = /line (\d+),? col(?:umn)?:? ?(\d+)/i.exec(message);
    this.position = found === null
      ? undefined
      : { line: Number(found[1]), column: Number(found[2]) };
  }
}

export type Direction = "backward" | "forward";

export interface LogPage {
  readonly kind: "logs";
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
  readonly kind: "series";
  readonly series: readonly Series[];
  readonly statistics: Statistics;
  readonly warnings: readonly string[];
}

export interface Statistics {
  readonly bytesProcessed: number;
  readonly linesProcessed: number;
  readonly seconds: number;
}

export interface RangeQuery extends ResolvedRange {
  readonly query: string;
  readonly limit: number;
  readonly direction: Direction;
}

/** Runs a query over a range. */
export async function queryRange(
  query: RangeQuery,
  signal: AbortSignal,
): Promise<LogPage | SeriesPage> {
  const parameters = {
    query: query.query,
    start: query.start.toString(),
    end: query.end.toString(),
    limit: String(query.limit),
    direction: query.direction,
  };
  const body = await request<QueryAnswer>("query_range", parameters, signal, {
    "X-Loki-Response-Encoding-Flags": "categorize-labels",
  });
  const data = body.data ?? { resultType: "streams", result: [] };
  const common = { statistics: readStatistics(data.stats), warnings: body.warnings ?? [] };
  if (data.resultType === "streams") {
    const entries = readStreams(data.result as WireStream[]);
    const sign = query.direction === "backward" ? -1 : 1;
    entries.sort((a, b) => sign * compareNanoseconds(a.nanoseconds, b.nanoseconds));
    return { kind: "logs", entries, ...common };
  }
  return { kind: "series", series: readSeries(data.resultType, data.result), ...common };
}

/** Names of the stream labels in a range, sorted. */
export async function labelNames(range: ResolvedRange, signal: AbortSignal): Promise<string[]> {
  const parameters = { start: range.start.toString(), end: range.end.toString() };
  return (await request<{ data?: string[] }>("labels", parameters, signal)).data ?? [];
}

/** Values of one label in a range, sorted; with a selector, only those of streams that match it. */
export async function labelValues(
  name: string,
  selector: string | undefined,
  range: ResolvedRange,
  signal: AbortSignal,
): Promise<string[]> {
  const parameters: Record<string, string> = {
    start: range.start.toString(),
    end: range.end.toString(),
  };
  if (selector !== undefined) parameters.query = selector;
  const path = `label/${encodeURIComponent(name)}/values`;
  return (await request<{ data?: string[] }>(path, parameters, signal)).data ?? [];
}

/** The address of an endpoint, below wherever the page is. */
export function endpoint(path: string): URL {
  return new URL(`./loki/api/v1/${path}`, document.baseURI);
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

interface QueryAnswer {
  readonly warnings?: string[];
  readonly data?: {
    readonly resultType: string;
    readonly result: unknown;
    readonly stats?: WireStatistics;
  };
}

interface WireStatistics {
  readonly summary?: {
    readonly totalBytesProcessed?: number;
    readonly totalLinesProcessed?: number;
    readonly execTime?: number;
  };
}

const addressCharactersMax = 4000;
const messageCharactersMax = 4000;

async function request<Answer>(
  path: string,
  parameters: Record<string, string>,
  signal: AbortSignal,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const url = endpoint(path);
  const form = new URLSearchParams(parameters);
  // Proxies refuse long addresses; every read endpoint takes a form as well.
  const post = url.href.length + form.toString().length > addressCharactersMax;
  if (!post) url.search = form.toString();
  let response: Response;
  try {
    response = await fetch(url, {
      signal,
      headers,
      ...(post ? { method: "POST", body: form } : {}),
    });
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new ApiError(
      0,
      `No answer from ${url.host}. Is the server running, and can this browser reach it?`,
    );
  }
  if (!response.ok) {
    throw new ApiError(response.status, errorMessage(response.status, await response.text()));
  }
  try {
    return await response.json() as Answer;
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new ApiError(
      response.status,
      `The answer of ${path} is not JSON. Does a proxy stand in between?`,
    );
  }
}

function errorMessage(status: number, body: string): string {
  let message = body.trim();
  try {
    const parsed = JSON.parse(message) as { message?: unknown; error?: unknown };
    if (typeof parsed.message === "string") message = parsed.message;
    else if (typeof parsed.error === "string") message = parsed.error;
  } catch {
    // Loki's errors are plain text; only gateways in front of it answer in JSON.
  }
  if (message === "" || /^<(!doctype|html)/i.test(message)) {
    message = `The server answered ${status}.`;
  }
  if (message === "no org id") {
    message += ": this server has several tenants; a proxy must set X-Scope-OrgID.";
  }
  return message.slice(0, messageCharactersMax);
}

function readStatistics(stats: WireStatistics | undefined): Statistics {
  const summary = stats?.summary;
  return {
    bytesProcessed: summary?.totalBytesProcessed ?? 0,
    linesProcessed: summary?.totalLinesProcessed ?? 0,
    seconds: summary?.execTime ?? 0,
  };
}

function readSeries(resultType: string, result: unknown): Series[] {
  type Point = readonly [number, string];
  if (resultType === "scalar") return [{ labels: {}, points: [result as Point] }];
  const rows = result as { metric: Labels; values?: Point[]; value?: Point }[];
  return rows.map(({ metric, values, value }) => ({
    labels: metric,
    points: values ?? (value === undefined ? [] : [value]),
  }));
}
