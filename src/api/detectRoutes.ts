/** What there is to ask about, by Loki's routes detected_labels, detected_fields and
 *  detected_field/<name>/values. Fields come from the newest lines that the query finds. */
import { Effect, Result } from "effect";
import { HttpRouter } from "effect/http";
import { Querier } from "../actors/querier/Querier.ts";
import { parse, type Stage } from "../logql/mod.ts";
import { limitsFor, type Settings } from "../platform/config/mod.ts";
import { systemNowNs } from "../platform/clock.ts";
import { type ApiCall, attempt, type Handler } from "./apiCall.ts";
import { FieldCollector } from "./detectedFields.ts";
import { detectLabels } from "./detectedLabels.ts";
import { logQueryOf } from "./logQuery.ts";
import { parseCount, parseRange, parseRequired } from "./params.ts";
import { limitedRange } from "./queryRange.ts";
import { streamQuery } from "./queryRoutes.ts";
import { addReadRoute } from "./readRoute.ts";

/** Lines looked at, and fields or values answered, when the request does not say. */
const lineLimitDefault = 100;
const limitDefault = 1000;
const limitMax = 100_000;

export const detectRoutes = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const querier = yield* Querier;
    const add = (path: HttpRouter.PathInput, handler: Handler) =>
      addReadRoute(router, settings, path, handler);
    yield* add("/loki/api/v1/detected_labels", detectedLabels(settings, querier));
    yield* add("/loki/api/v1/detected_fields", detectedFields(settings, querier));
    for (const word of ["detected_field", "detected_fields"] as const) {
      yield* add(`/loki/api/v1/${word}/:name/values`, fieldValues(settings, querier));
    }
  }));

const detectedLabels = (settings: Settings, querier: Querier["Service"]): Handler => (call) =>
  Effect.gen(function* () {
    const query = yield* attempt(() => streamQuery(settings, call));
    const detected = detectLabels(yield* querier.series({ tenant: call.tenant, ...query }));
    return JSON.stringify(detected.length === 0 ? {} : { detectedLabels: detected });
  });

const detectedFields = (settings: Settings, querier: Querier["Service"]): Handler => (call) =>
  Effect.gen(function* () {
    const limit = yield* attempt(() => fieldLimit(call));
    const fields = (yield* collect(settings, querier, call)).fields().slice(0, limit);
    return JSON.stringify(fields.length === 0 ? {} : { fields, limit });
  });

const fieldValues = (settings: Settings, querier: Querier["Service"]): Handler => (call) =>
  Effect.gen(function* () {
    const limit = yield* attempt(() => fieldLimit(call));
    const collector = yield* collect(settings, querier, call);
    const values = collector.valuesOf(call.path["name"] ?? "").slice(0, limit);
    return JSON.stringify(values.length === 0 ? {} : { values, limit });
  });

/** Reads the newest lines of the query. */
const collect = Effect.fnUntraced(function* (
  settings: Settings,
  querier: Querier["Service"],
  { tenant, params }: ApiCall,
) {
  const { request, parsers } = yield* attempt(() => {
    const text = parseRequired(params, "query");
    const most = limitsFor(settings, tenant).max_entries_limit_per_query;
    return {
      parsers: parsersOf(text),
      request: {
        tenant,
        ...logQueryOf(text),
        range: limitedRange(settings, tenant, parseRange(params, systemNowNs())),
        limit: parseCount(params, "line_limit", lineLimitDefault, most),
        direction: "backward" as const,
      },
    };
  });
  const { rows } = yield* querier.selectLogs(request);
  const collector = new FieldCollector(parsers);
  for (const row of rows) collector.add(row);
  return collector;
});

function fieldLimit({ params }: ApiCall): number {
  const name = params.get("limit") ? "limit" : "field_limit";
  return parseCount(params, name, limitDefault, limitMax);
}

const parserNames: ReadonlyMap<Stage["kind"], string> = new Map<Stage["kind"], string>([
  ["PatternParser", "pattern"],
  ["RegexpParser", "regexp"],
  ["UnpackParser", "unpack"],
]);

/** The parsers of a query besides json and logfmt, which are tried on every line. */
function parsersOf(text: string): ReadonlyArray<string> {
  const parsed = parse(text);
  if (Result.isFailure(parsed) || parsed.success.kind !== "LogQuery") return [];
  return parsed.success.pipeline.flatMap(({ kind }) => parserNames.get(kind) ?? []);
}
