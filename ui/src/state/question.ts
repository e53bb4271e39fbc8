// What the page's address asks of the server, in the terms of its API. boot.ts and explore.ts ask it: the same, or the first
// answer would be thrown away.
import type { Direction, RangeQuery, SeriesQuery } from "../api/parameters.ts";
import { fillVariables, roundStep } from "../model/queryKind.ts";
import { type ResolvedRange, resolveRange } from "../model/timeRange.ts";
import type { Address } from "./addressText.ts";

export const pageRows = 1000;
/** Points of a graph, at most. */
export const pointsMax = 300;

/** The range of the query; a sentence for the person when it cannot be read. */
export function askedRange({ range, live, zone }: Address, now: bigint): ResolvedRange | string {
  // Live mode goes on from the present, wherever the range ends.
  return resolveRange(live ? { from: range.from, to: "now" } : range, now, zone);
}

/** The first page of a log query. Live mode shows the newest lines before those that come. */
export function askedLines(query: string, range: ResolvedRange, state: Address): RangeQuery {
  const direction = directionOf(state.live ? "newest" : state.order);
  return { query, ...range, limit: pageRows, direction };
}

/** The direction in which a range is read for an order of lines. */
export function directionOf(order: "newest" | "oldest"): Direction {
  return order === "newest" ? "backward" : "forward";
}

/** A metric query with a step that suits the range. */
export function askedSeries(query: string, range: ResolvedRange, instant: boolean): SeriesQuery {
  const seconds = Number((range.end - range.start) / 1_000_000n) / 1000;
  const stepSeconds = roundStep(seconds, pointsMax);
  const filled = fillVariables(query, stepSeconds, seconds);
  return { query: filled, ...range, ...(instant ? {} : { stepSeconds }) };
}
