/** Metric queries of Loki's API: query (one moment) and query_range (a grid of moments). Owns their
 *  parameters and envelope; worker/encodeSamples.ts writes samples. Start and end are taken as asked: the
 *  steps are start, start + step, … up to end. */
import { Effect, Result } from "effect";
import type { MetricAnswer, MetricRequest } from "../actors/querier/metricQuery.ts";
import type { Querier } from "../actors/querier/Querier.ts";
import type { MetricExpr } from "../logql/mod.ts";
import { isLogQuery, parse } from "../logql/mod.ts";
import { instantGrid, type StepGrid, stepGrid } from "../logql/metrics/grid.ts";
import { planMetric } from "../logql/planner/metricPlan.ts";
import { systemNowNs } from "../platform/clock.ts";
import type { Settings } from "../platform/config/mod.ts";
import { type ApiCall, attempt, type Handler } from "./apiCall.ts";
import { explainMember, explainMetric, wantsExplain } from "./explain.ts";
import {
  BadRequest,
  parseDuration,
  parsePartial,
  parseRange,
  parseRequired,
  parseTime,
} from "./params.ts";
import { checkRanges, limitedRange, oldestVisible } from "./queryRange.ts";
import { queryStats, warningsMember } from "./queryStats.ts";
import { utf8Of } from "./utf8.ts";

/** Steps of a range query, as in Loki and Prometheus. */
export const stepsMax = 11_000n;
const secondNs = 1_000_000_000n;

/** The metric query that a text is; undefined for a log query, and for what cannot be read. */
export function metricExprOf(text: string): MetricExpr | undefined {
  const parsed = parse(text);
  if (Result.isFailure(parsed)) return undefined;
  return isLogQuery(parsed.success) ? undefined : parsed.success;
}

/** query_range of a metric query. */
export function metricRange(
  settings: Settings,
  querier: Querier["Service"],
  expr: MetricExpr,
  call: Omit<ApiCall, "path">,
): Effect.Effect<ReadonlyArray<Uint8Array>, unknown> {
  return Effect.gen(function* () {
    const request = yield* attempt(() => ({
      ...metricCallOf(settings, expr, call),
      allowPartial: parsePartial(call.params),
    }));
    const answer = yield* querier.selectMetrics(request);
    const explain = yield* explained(querier, call, request, answer);
    return envelope(answer, explain);
  });
}

/** A metric query as the parameters of query_range ask for it. Throws BadRequest. */
export function metricCallOf(
  settings: Settings,
  expr: MetricExpr,
  { tenant, params }: Omit<ApiCall, "path">,
): MetricRequest {
  const grid = gridOf(settings, tenant, params);
  const plan = planMetric(expr);
  checkRanges(settings, tenant, plan.leaves);
  return { tenant, plan, grid, form: "matrix", oldestNs: oldestVisible(settings, tenant) };
}

/** The route `query`. */
export const instantQuery = (settings: Settings, querier: Querier["Service"]): Handler => (call) =>
  Effect.gen(function* () {
    const request = yield* attempt(() => {
      const { tenant, params } = call;
      const parsed = parse(parseRequired(params, "query"));
      if (Result.isFailure(parsed)) throw new BadRequest(parsed.failure.message);
      if (isLogQuery(parsed.success)) {
        throw new BadRequest(
          "log queries are not supported as an instant query type, please change your query to a " +
            "range query type: use /loki/api/v1/query_range, or wrap it as in count_over_time(...[5m])",
        );
      }
      const time = parseTime(params, "time") ?? systemNowNs();
      const plan = planMetric(parsed.success);
      checkRanges(settings, tenant, plan.leaves);
      return {
        tenant,
        plan,
        grid: instantGrid(time),
        form: "vector" as const,
        oldestNs: oldestVisible(settings, tenant),
        allowPartial: parsePartial(params),
      };
    });
    const answer = yield* querier.selectMetrics(request);
    const explain = yield* explained(querier, call, request, answer);
    return envelope(answer, explain);
  });

function explained(
  querier: Querier["Service"],
  { tenant, params, headers }: Omit<ApiCall, "path">,
  request: MetricRequest,
  answer: MetricAnswer,
): Effect.Effect<string, unknown> {
  const asked = wantsExplain(params, headers);
  return explainMember(querier, tenant, asked, (chunks) => explainMetric(request, answer, chunks));
}

/** The JSON of a whole answer; `explain` is a member with its comma, or nothing. */
function envelope(answer: MetricAnswer, explain: string): ReadonlyArray<Uint8Array> {
  const { resultType, result } = answer.samples;
  const stats = JSON.stringify(metricStats(answer));
  return utf8Of([
    `{"status":"success","data":{"resultType":"${resultType}","result":`,
    result,
    `,"stats":${stats}}${warningsMember(answer.warnings)}${explain}}`,
  ]);
}

/** Loki's statistics of a metric query. */
export function metricStats({ samples, stats }: MetricAnswer) {
  return queryStats(stats, samples.sampleCount, stats.rowsFolded);
}

/** The grid of start, end, since and step. Throws BadRequest. */
function gridOf(settings: Settings, tenant: string, params: URLSearchParams): StepGrid {
  const asked = parseRange(params, systemNowNs());
  const step = stepOf(params, asked.end - asked.start);
  limitedRange(settings, tenant, asked);
  const steps = (asked.end - asked.start) / step;
  if (steps > stepsMax) {
    throw new BadRequest(
      "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the " +
        `step parameter: it asks for ${steps} steps of ${Number(step) / 1e9} s`,
    );
  }
  return stepGrid(asked.start, asked.end, step);
}

/** The parameter step in ns, or what fits the range. Throws BadRequest. */
export function stepOf(params: URLSearchParams, rangeNs: bigint): bigint {
  const text = params.get("step");
  if (text === null || text === "") {
    const seconds = rangeNs / (250n * secondNs);
    return (seconds > 0n ? seconds : 1n) * secondNs;
  }
  const step = /^-/.test(text) ? 0n : parseDuration("step", text);
  if (step <= 0n) {
    throw new BadRequest(
      `zero or negative query resolution step widths are not accepted: step is "${text}", ` +
        "try a positive one such as 60 or 1m",
    );
  }
  return step;
}
