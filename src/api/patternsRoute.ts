/** `patterns`: what the newest lines of a query look like, with their counts over time. The answer says how
 *  many lines it is about; for those its counts are exact. */
import { Effect, type Scope } from "effect";
import { HttpRouter, HttpServerResponse } from "effect/http";
import { type LogAnswer, type LogRequest, Querier } from "../actors/querier/Querier.ts";
import { PatternMiner } from "../logql/patternMiner.ts";
import { limitsFor, type Settings } from "../platform/config/mod.ts";
import { systemNowNs } from "../platform/clock.ts";
import { decodeMetadata } from "../streams/metadata.ts";
import { type ApiCall, attempt } from "./apiCall.ts";
import { logQueryOf } from "./logQuery.ts";
import { parseCount, parseDuration, parseRange, parseRequired } from "./params.ts";
import { limitedRange } from "./queryRange.ts";
import { addResponseRoute } from "./readRoute.ts";
import { respondJson } from "./respond.ts";

/** Lines looked at unless line_limit says otherwise. */
const lineLimitDefault = 10_000;
const intervalSecondsMin = 10;
/** Patterns of one answer, the most frequent. */
const patternsMax = 500;
/** Lines between two turns of other requests. */
const sliceLines = 500;

export const patternsRoute = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const querier = yield* Querier;
    yield* addResponseRoute(
      router,
      settings,
      "/loki/api/v1/patterns",
      (call) =>
        settings.querier.patterns_enabled
          ? Effect.flatMap(Effect.scoped(patterns(settings, querier, call)), respondJson)
          : Effect.succeed(HttpServerResponse.empty({ status: 404 })),
    );
  }));

const patterns = Effect.fnUntraced(function* (
  settings: Settings,
  querier: Querier["Service"],
  call: ApiCall,
) {
  const { request, interval } = yield* attempt(() => patternCall(settings, call));
  const { rows, lineLimit } = yield* newestLines(querier, request);
  const miner = new PatternMiner(interval);
  for (let from = 0; from < rows.length; from += sliceLines) {
    for (const { line, time, meta } of rows.slice(from, from + sliceLines)) {
      const level = decodeMetadata(meta, 0, meta.length)
        .find(([name]) => name === "detected_level")?.[1] ?? "unknown";
      miner.add(decoder.decode(line), Number(time / 1_000_000n) / 1000, level);
    }
    yield* Effect.sleep(0);
  }
  return JSON.stringify({
    status: "success",
    data: miner.patterns().slice(0, patternsMax)
      .map(({ pattern, level, samples }) => ({ pattern, level, samples })),
    linesRead: rows.length - miner.uncounted,
    complete: rows.length < lineLimit && miner.uncounted === 0,
  });
});

const decoder = new TextDecoder();

function patternCall(
  settings: Settings,
  { tenant, params }: ApiCall,
): { readonly request: LogRequest; readonly interval: number } {
  const { max_entries_limit_per_query: most } = limitsFor(settings, tenant);
  const step = params.get("step");
  const stepNs = step === null || step === "" ? 0n : parseDuration("step", step);
  // A multiple of ten seconds, so that intervals begin alike whatever the step.
  const tens = Math.ceil(Number(stepNs) / 1e9 / intervalSecondsMin);
  return {
    interval: Math.max(1, tens) * intervalSecondsMin,
    request: {
      tenant,
      ...logQueryOf(parseRequired(params, "query")),
      range: limitedRange(settings, tenant, parseRange(params, systemNowNs())),
      limit: parseCount(params, "line_limit", lineLimitDefault, most),
      direction: "backward",
    },
  };
}

/** Fewer of them where lines are so long that the answer of a query could not hold as many. */
const newestLines = (
  querier: Querier["Service"],
  request: LogRequest,
): Effect.Effect<
  { readonly rows: LogAnswer["rows"]; readonly lineLimit: number },
  unknown,
  Scope.Scope
> =>
  querier.selectLogs(request).pipe(
    Effect.map(({ rows }) => ({ rows, lineLimit: request.limit })),
    Effect.catch((error) =>
      error.reason === "TooLarge" && request.limit > 100
        ? newestLines(querier, { ...request, limit: Math.ceil(request.limit / 10) })
        : Effect.fail(error)
    ),
  );
