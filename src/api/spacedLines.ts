/** The parameter `interval` of a log query: of all streams together at most one line in each
 *  interval, the first in the query's direction. Asks the querier page by page, each page starting
 *  an interval behind the last line kept, so what lies between is not read where a page ends.
 *  Invariant: the kept lines are those that one walk over the whole answer would keep. */
import { Effect } from "effect";
import type { LogAnswer, LogRequest, Querier } from "../actors/querier/Querier.ts";
import { growing, holdInScope, laterClient } from "../actors/HeldAnswers.ts";
import { type ResultRow, rowObjectBytes } from "../actors/querier/merge.ts";

/** Lines of a page: each of them may be the only one kept. */
const pageLines = 1000;

/** `request.limit` counts the lines that are kept. */
export const selectSpaced = Effect.fnUntraced(function* (
  querier: Querier["Service"],
  request: LogRequest,
  intervalNs: bigint,
) {
  const rows: ResultRow[] = [];
  const client = laterClient();
  const held = yield* holdInScope(client);
  const pageRequest = { ...request, limit: Math.max(request.limit, pageLines) };
  const warnings = new Set<string>();
  let total: LogAnswer["stats"] | undefined;
  while (true) {
    const range = rangeBehind(request, rows.at(-1), intervalNs);
    const page = Effect.tap(
      querier.selectLogs({ ...pageRequest, range }, { client }),
      (found) =>
        Effect.sync(() => {
          keepSpaced(rows, found.rows, request.limit, intervalNs);
          held.resize(rows.reduce((sum, row) => sum + bytesOf(row), 0));
        }),
    );
    const answer: LogAnswer = yield* Effect.scoped(page);
    yield* growing(held, held.bytes);
    total = added(total, answer.stats);
    for (const warning of answer.warnings) warnings.add(warning);
    const isLast = answer.rows.length < pageRequest.limit || rows.length === request.limit;
    if (isLast) {
      return { ...answer, rows, held, warnings: [...warnings], stats: total } satisfies LogAnswer;
    }
  }
});

/** Adds to `kept` what is an interval away from the last line kept, up to `limit` lines in all. */
function keepSpaced(
  kept: ResultRow[],
  rows: ReadonlyArray<ResultRow>,
  limit: number,
  intervalNs: bigint,
): void {
  for (const row of rows) {
    const last = kept.at(-1);
    if (kept.length === limit) return;
    if (last === undefined || distance(row.time, last.time) >= intervalNs) kept.push(apart(row));
  }
}

/** A row in memory of its own: the page that it came in is not held any more. */
function apart(row: ResultRow): ResultRow {
  return { ...row, line: row.line.slice(), meta: row.meta.slice(), parsed: row.parsed.slice() };
}

function bytesOf({ line, meta, parsed }: ResultRow): number {
  return line.length + meta.length + parsed.length + rowObjectBytes;
}

/** The times whose lines may be kept once `last` was. */
function rangeBehind(
  { range, direction }: LogRequest,
  last: ResultRow | undefined,
  intervalNs: bigint,
): LogRequest["range"] {
  if (last === undefined) return range;
  if (direction === "backward") {
    const end = last.time - intervalNs + 1n;
    return { start: range.start, end: end < range.start ? range.start : end };
  }
  const start = last.time + intervalNs;
  return { start: start > range.end ? range.end : start, end: range.end };
}

function distance(a: bigint, b: bigint): bigint {
  return a < b ? b - a : a - b;
}

function added(
  total: LogAnswer["stats"] | undefined,
  page: LogAnswer["stats"],
): LogAnswer["stats"] {
  if (total === undefined) return page;
  return {
    bytesScanned: total.bytesScanned + page.bytesScanned,
    rowsScanned: total.rowsScanned + page.rowsScanned,
    bytesRead: total.bytesRead + page.bytesRead,
    chunksRead: total.chunksRead + page.chunksRead,
    queueSeconds: total.queueSeconds + page.queueSeconds,
    execSeconds: total.execSeconds + page.execSeconds,
  };
}
