/** Loki's read API: query_range, query, labels, label values, series. GET and POST alike. */
import { Effect, Result } from "effect";
import { HttpRouter } from "effect/http";
import { growing } from "../actors/HeldAnswers.ts";
import { ActiveQueries } from "../actors/querier/ActiveQueries.ts";
import { type LogAnswer, type LogRequest, Querier } from "../actors/querier/Querier.ts";
import { parseMatchers } from "../logql/mod.ts";
import { limitsFor, type Settings } from "../platform/config/mod.ts";
import { systemNowNs } from "../platform/clock.ts";
import type { Matcher } from "../streams/matcher.ts";
import type { TimeRange } from "../streams/record.ts";
import { encodedBytes, encodeStreamsInTurns } from "./encodeRows.ts";
import { parseCursor, selectPage } from "./cursor.ts";
import { explainLog, explainMember, wantsExplain } from "./explain.ts";
import { logQueryOf } from "./logQuery.ts";
import {
  BadRequest,
  parseCategorize,
  parseDirection,
  parseInterval,
  parseLimit,
  parsePartial,
  parseRange,
  parseRequired,
} from "./params.ts";
import { type ApiCall, attempt, type Handler } from "./apiCall.ts";
import { instantQuery, metricExprOf, metricRange } from "./metricQuery.ts";
import { queryStats, warningsMember } from "./queryStats.ts";
import { limitedRange } from "./queryRange.ts";
import { addReadRoute } from "./readRoute.ts";
import { selectSpaced } from "./spacedLines.ts";
import { utf8Of } from "./utf8.ts";

/** Lines that a query gets when it does not say how many it wants. */
const limitDefault = 100;

export const queryRoutes = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const querier = yield* Querier;
    const add = (path: HttpRouter.PathInput, handler: Handler) =>
      addReadRoute(router, settings, path, handler);
    const active = yield* ActiveQueries;
    const watched = (handler: (querier: Querier["Service"]) => Handler): Handler => (call) =>
      handler(active.watch(querier, call.params.get("query") ?? ""))(call);
    yield* add("/loki/api/v1/query_range", watched((querier) => queryRange(settings, querier)));
    yield* add("/loki/api/v1/query", watched((querier) => instantQuery(settings, querier)));
    for (const path of ["/loki/api/v1/labels", "/loki/api/v1/label"] as const) {
      yield* add(path, labelNames(settings, querier));
    }
    yield* add("/loki/api/v1/label/:name/values", labelValues(settings, querier));
    for (const path of ["/loki/api/v1/series", "/api/prom/series"] as const) {
      yield* add(path, series(settings, querier));
    }
  }));

const queryRange = (settings: Settings, querier: Querier["Service"]): Handler => (call) =>
  Effect.gen(function* () {
    const metric = yield* attempt(() => metricExprOf(parseRequired(call.params, "query")));
    if (metric !== undefined) return yield* metricRange(settings, querier, metric, call);
    const { request: whole, categorize } = yield* attempt(() => logCallOf(settings, call));
    const request = {
      ...whole,
      allowPartial: yield* attempt(() => parsePartial(call.params)),
    };
    const intervalNs = yield* attempt(() => parseInterval(call.params));
    const place = yield* attempt(() => parseCursor(call.params, request.direction));
    if (place !== undefined && intervalNs !== 0n) {
      return yield* Effect.fail(new BadRequest("interval and cursor do not go together"));
    }
    const { answer, cursor } = place !== undefined ? yield* selectPage(querier, request, place) : {
      answer: intervalNs === 0n
        ? yield* querier.selectLogs(request)
        : yield* selectSpaced(querier, request, intervalNs),
      cursor: null,
    };
    const asked = wantsExplain(call.params, call.headers);
    const explain = yield* explainMember(
      querier,
      call.tenant,
      asked,
      (chunks) => explainLog(request, answer, chunks),
    );
    // Beside the rows there will be their text.
    yield* growing(answer.held, answer.held.bytes + encodedBytes(answer.rows));
    const streams = yield* encodeStreamsInTurns(answer.rows, categorize);
    return streamsEnvelope(answer, streams, categorize, cursor, explain);
  });

/** A log query as the parameters of query_range ask for it. Throws BadRequest. */
export function logCallOf(
  settings: Settings,
  { tenant, params, headers }: Omit<ApiCall, "path">,
): { readonly request: LogRequest; readonly categorize: boolean } {
  const limits = limitsFor(settings, tenant);
  const query = logQueryOf(parseRequired(params, "query"));
  const range = limitedRange(settings, tenant, parseRange(params, systemNowNs()));
  const limit = parseLimit(params, limitDefault, limits.max_entries_limit_per_query);
  return {
    request: { tenant, ...query, range, limit, direction: parseDirection(params) },
    categorize: parseCategorize(params, headers),
  };
}

const labelNames = (settings: Settings, querier: Querier["Service"]): Handler => (call) =>
  Effect.gen(function* () {
    const { matchers, range } = yield* attempt(() => streamQuery(settings, call));
    const names = yield* querier.labelNames({ tenant: call.tenant, matchers, range });
    return dataEnvelope(names);
  });

const labelValues = (settings: Settings, querier: Querier["Service"]): Handler => (call) =>
  Effect.gen(function* () {
    const { matchers, range } = yield* attempt(() => streamQuery(settings, call));
    const name = call.path["name"] ?? "";
    return dataEnvelope(yield* querier.labelValues({ tenant: call.tenant, matchers, range, name }));
  });

const series = (settings: Settings, querier: Querier["Service"]): Handler => (call) =>
  Effect.gen(function* () {
    const { selectors, range } = yield* attempt(() => {
      const texts = [...call.params.getAll("match[]"), ...call.params.getAll("match")];
      const { max_streams_matchers_per_query: selectorsMax } = limitsFor(settings, call.tenant);
      if (texts.length > selectorsMax) {
        throw new BadRequest(
          `max streams matchers per query exceeded, matchers-count > limit (${texts.length} > ${selectorsMax}): ask in ` +
            "several requests, or raise limits_config.max_streams_matchers_per_query",
        );
      }
      return {
        selectors: texts.length === 0 ? [[]] : texts.map(matchersOf),
        range: limitedRange(settings, call.tenant, parseRange(call.params, systemNowNs())),
      };
    });
    const found = new Map<string, Record<string, string>>();
    for (const matchers of selectors) {
      for (const labels of yield* querier.series({ tenant: call.tenant, matchers, range })) {
        found.set(JSON.stringify(labels), Object.fromEntries(labels));
      }
    }
    return JSON.stringify({ status: "success", data: [...found.values()] });
  });

/** The range of a question about streams, and the matchers that `query` may hold. */
export function streamQuery(
  settings: Settings,
  call: ApiCall,
): { readonly matchers: ReadonlyArray<Matcher>; readonly range: TimeRange } {
  return {
    matchers: matchersOf(call.params.get("query") ?? ""),
    range: limitedRange(settings, call.tenant, parseRange(call.params, systemNowNs())),
  };
}

/** The matchers of a selector, `{}` and nothing included. Throws BadRequest. */
export function matchersOf(text: string): ReadonlyArray<Matcher> {
  const matchers = parseMatchers(text.trim());
  if (Result.isFailure(matchers)) throw new BadRequest(matchers.failure.message);
  return matchers.success;
}

/** `data` is left out when it would be empty, as Loki does. */
function dataEnvelope(data: ReadonlyArray<string>): string {
  return JSON.stringify(data.length === 0 ? { status: "success" } : { status: "success", data });
}

function streamsEnvelope(
  answer: LogAnswer,
  streams: ReadonlyArray<Uint8Array>,
  categorize: boolean,
  cursor: string | null,
  explain: string,
): ReadonlyArray<Uint8Array> {
  const next = cursor === null ? "" : `"cursor":"${cursor}",`;
  const flags = categorize ? '"encodingFlags":["categorize-labels"],' : "";
  const stats = JSON.stringify(statsOf(answer));
  return utf8Of([
    `{"status":"success","data":{"resultType":"streams",${flags}${next}"result":`,
    ...streams,
    `,"stats":${stats}}${warningsMember(answer.warnings)}${explain}}`,
  ]);
}

/** Loki's statistics of a log query. */
export function statsOf({ rows, stats }: LogAnswer) {
  return queryStats(stats, rows.length, rows.length);
}
