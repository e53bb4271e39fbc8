// The pages of a query's lines, each asked for in one plain request: for files, for the lines around one, and for pages of a
// list that come back. explore.ts asks for the first reading of a list, which is told how far the search is.
import { queryRange } from "../api/loki.ts";
import type { ResolvedRange } from "../model/timeRange.ts";
import { Pages } from "./pages.ts";
import { directionOf } from "./question.ts";

/** The most lines of one answer: Loki's default of max_entries_limit_per_query. */
export const answerRowsMax = 5000;

/** Pages of `limit` lines; aborting ends the request on its way. */
export function pagesOfQuery(
  query: string,
  range: ResolvedRange,
  order: "newest" | "oldest",
  limit: number,
  abort: AbortSignal,
): Pages {
  const direction = directionOf(order);
  return new Pages(
    range,
    order,
    async (part, count, onEntries) => {
      onEntries((await queryRange({ query, ...part, limit: count, direction }, abort)).entries);
    },
    Math.min(limit, answerRowsMax),
    answerRowsMax,
  );
}
