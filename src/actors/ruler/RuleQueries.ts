/** What rules ask: an instant metric query, and the newest lines that such a query reads. Answered by the querier of this
 *  process (layer), or over NATS by whichever querier takes the question (ruleQueriesBus.ts). They are listed among the queries
 *  that run, and whoever may end those ends them.
 *  Invariant: a question is answered in full or fails with a text for the rule's lastError. */
import { Context, Effect, Layer, Result } from "effect";
import { systemNowNs } from "../../platform/clock.ts";
import { limitsFor, type Settings } from "../../platform/config/mod.ts";
import { instantGrid } from "../../logql/metrics/grid.ts";
import {
  describePipeline,
  type LogRange,
  type MetricExpr,
  parse,
  parseMetricQuery,
  print,
  selectorMatchers,
} from "../../logql/mod.ts";
import { planMetric } from "../../logql/planner/metricPlan.ts";
import { isLabelName, type Labels, quote } from "../../streams/labels.ts";
import { decodeInstant } from "../worker/encodeSamples.ts";
import { ActiveQueries } from "../querier/ActiveQueries.ts";
import { Querier, QueryFailed } from "../querier/Querier.ts";

export interface RuleQuery {
  readonly tenant: string;
  readonly expr: string;
  /** Moment of the evaluation, ms since 1970. */
  readonly atMs: number;
}

export interface LinesQuery extends RuleQuery {
  /** Lines must have these labels, as far as they are the lines' own. */
  readonly labels: Labels;
  readonly count: number;
}

export interface RuleSample {
  readonly labels: Labels;
  readonly value: number;
}

export class RuleQueries extends Context.Service<RuleQueries, {
  readonly instant: (query: RuleQuery) => Effect.Effect<ReadonlyArray<RuleSample>, QueryFailed>;
  /** Newest first. */
  readonly lines: (query: LinesQuery) => Effect.Effect<ReadonlyArray<string>, QueryFailed>;
}>()("tailrace/actors/RuleQueries") {
  static readonly layer = (settings: Settings) =>
    Layer.effect(
      RuleQueries,
      Effect.gen(function* () {
        return queriesOf(settings, yield* Querier, yield* ActiveQueries);
      }),
    );
}

function queriesOf(
  settings: Settings,
  unwatched: Querier["Service"],
  active: ActiveQueries["Service"],
): RuleQueries["Service"] {
  const oldestNs = (tenant: string) => {
    const { max_query_lookback: lookbackMs } = limitsFor(settings, tenant);
    return lookbackMs === 0 ? null : systemNowNs() - BigInt(lookbackMs) * 1_000_000n;
  };
  return {
    instant: Effect.fn("RuleQueries.instant")(function* ({ tenant, expr, atMs }) {
      const querier = active.watch(unwatched, expr);
      const plan = planMetric(yield* metricOf(expr));
      const grid = instantGrid(BigInt(Math.round(atMs)) * 1_000_000n);
      const request = { tenant, plan, grid, form: "vector", oldestNs: oldestNs(tenant) } as const;
      const { samples } = yield* querier.selectMetrics(request);
      return decodeInstant(samples);
    }),
    lines: Effect.fn("RuleQueries.lines")(function* ({ tenant, expr, atMs, labels, count }) {
      const querier = active.watch(unwatched, expr);
      const range = firstRange(yield* metricOf(expr));
      if (range === undefined) return [];
      const end = BigInt(Math.round(atMs)) * 1_000_000n - range.offsetNs + 1n;
      const pipeline = yield* linesPipeline(range, labels);
      const { rows } = yield* querier.selectLogs({
        tenant,
        matchers: selectorMatchers(range.selector),
        pipeline,
        range: { start: end - range.rangeNs, end },
        limit: count,
        direction: "backward",
      });
      const decoder = new TextDecoder();
      return rows.map(({ line }) => decoder.decode(line));
    }, Effect.scoped),
  };
}

function metricOf(expr: string): Effect.Effect<MetricExpr, QueryFailed> {
  return Effect.fromResult(Result.mapError(parseMetricQuery(expr), refused));
}

function refused({ message }: Error): QueryFailed {
  return new QueryFailed({ reason: "Refused", message });
}

/** Labels that say nothing about a line, because the rule or an aggregation made them. */
const notOfLines = new Set(["alertname", "__variant__"]);

/** The range's pipeline with a filter for each label. */
function linesPipeline({ selector, pipeline }: LogRange, labels: Labels) {
  const filters = labels.filter(([name, value]) =>
    value !== "" && isLabelName(name) && !notOfLines.has(name)
  );
  // Through the parser, since a filter's tree has more than is written.
  const text = filters.map(([name, value]) => ` | ${name}=${quote(value)}`).join("");
  const parsed = parse(
    `${print({ kind: "LogQuery", span: selector.span, selector, pipeline })}${text}`,
  );
  if (Result.isFailure(parsed)) return Effect.fail(refused(parsed.failure));
  const query = parsed.success;
  if (query.kind !== "LogQuery") return Effect.fail(refused(new Error("not a log query")));
  return Effect.succeed(describePipeline(query.pipeline));
}

/** The lines that an expression is about: those of its first range. */
function firstRange(expr: MetricExpr): LogRange | undefined {
  return planMetric(expr).leaves[0]?.range;
}
