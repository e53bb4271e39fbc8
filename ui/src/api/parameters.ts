// What a query's request carries, and where a query that is answered in pieces is asked. Small and apart from loki.ts and
// queryStream.ts, which read the answers, because boot.ts asks before those are loaded.
import type { ResolvedRange } from "../model/timeRange.ts";
import { socketUrl } from "./serverUrl.ts";

export type Direction = "backward" | "forward";

/** A metric query; with `stepSeconds`, over the range, else at its end alone. */
export interface SeriesQuery extends ResolvedRange {
  readonly query: string;
  readonly stepSeconds?: number;
}

export interface RangeQuery extends ResolvedRange {
  readonly query: string;
  readonly limit: number;
  readonly direction: Direction;
}

/** The parameters of query_range for a log query. */
export function rangeParameters(query: RangeQuery): Record<string, string> {
  return {
    query: query.query,
    ...boundsParameters(query),
    limit: String(query.limit),
    direction: query.direction,
  };
}

/** The parameters of query_range for a metric query. */
export function seriesParameters(query: SeriesQuery): Record<string, string> {
  return {
    query: query.query,
    ...boundsParameters(query),
    step: String(query.stepSeconds ?? 1),
  };
}

/** A range as every read endpoint takes it. */
export function boundsParameters({ start, end }: ResolvedRange): Record<string, string> {
  return { start: start.toString(), end: end.toString() };
}

/** The address of the WebSocket that answers a query in pieces; undefined when the query is too long for one: a WebSocket
 *  cannot carry it in a body, and servers and proxies bound addresses. */
export function streamUrl(parameters: Record<string, string>): URL | undefined {
  if ((parameters.query ?? "").length >= queryCharactersMax) return undefined;
  return socketUrl("tailrace/api/v1/query", { ...parameters, encoding_flags: "categorize-labels" });
}

const queryCharactersMax = 4000;
