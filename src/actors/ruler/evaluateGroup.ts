/** One evaluation of a rule group: asks each rule's query, in order, and moves its alerts on. Owns what an evaluation gives;
 *  alertStates.ts owns the life of alerts, Ruler.ts what is done with the results. A rule that fails keeps its alerts as they
 *  are, and the others go on. */
import { Clock, Effect, Result } from "effect";
import { formatLabels, type Labels, labelsFromObject } from "../../streams/labels.ts";
import { errorText } from "../../platform/files.ts";
import { type Alert, alertsToSend, type FoundAlert, nextAlerts } from "./alertStates.ts";
import { type AlertTemplateContext, expandAlertTemplate } from "./alertTemplate.ts";
import type { GroupState, RuleState } from "./groupState.ts";
import { type AlertingRule, labelsOfRule, type PlacedGroup, type RecordingRule } from "./rule.ts";
import type { RuleQueries, RuleSample } from "./RuleQueries.ts";

export interface EvaluationOptions {
  readonly queries: RuleQueries["Service"];
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly externalUrl: string;
  readonly resendDelayMs: number;
  readonly intervalMs: number;
  /** Alerts or series that a rule may make, whatever its group says. */
  readonly resultsMax: number;
  /** What is wrong with recording rules; null if their results can be sent. */
  readonly recordingProblem: string | null;
}

export interface RecordedSample {
  readonly labels: Labels;
  readonly value: number;
}

export interface GroupEvaluation {
  readonly state: GroupState;
  /** For Alertmanagers. */
  readonly toSend: ReadonlyArray<SentAlert>;
  /** For remote write, of all rules: recorded series, and ALERTS as Prometheus writes them. By rule, null where it failed. */
  readonly recorded: ReadonlyArray<ReadonlyArray<RecordedSample> | null>;
  readonly failures: number;
}

export interface SentAlert {
  readonly alert: Alert;
  readonly expr: string;
}

interface Outcome {
  readonly state: RuleState;
  readonly toSend: ReadonlyArray<SentAlert>;
  readonly recorded: ReadonlyArray<RecordedSample> | null;
}

/** Evaluates all rules of a group for the moment `atMs`. `before` is the state after the evaluation before. */
export const evaluateGroup = Effect.fn("Ruler.evaluateGroup")(function* (
  placed: PlacedGroup,
  before: GroupState,
  atMs: number,
  options: EvaluationOptions,
) {
  const startMs = yield* Clock.currentTimeMillis;
  const outcomes: Outcome[] = [];
  for (const [index, rule] of placed.group.rules.entries()) {
    const previous = before.rules[index]!;
    const ruleStartMs = yield* Clock.currentTimeMillis;
    const work = rule.kind === "alerting"
      ? evaluateAlerting(placed, rule, previous, atMs, options)
      : evaluateRecording(placed, rule, previous, atMs, options);
    const result = yield* Effect.result(work);
    const endMs = yield* Clock.currentTimeMillis;
    const timing = { lastEvaluationMs: atMs, evaluationSeconds: (endMs - ruleStartMs) / 1000 };
    if (Result.isSuccess(result)) {
      const { state, ...rest } = result.success;
      outcomes.push({ state: { ...state, ...timing, health: "ok", lastError: "" }, ...rest });
    } else {
      const { message, alerts = previous.alerts } = result.failure;
      const state = { ...previous, ...timing, alerts, health: "err", lastError: message } as const;
      outcomes.push({ state, toSend: [], recorded: null });
    }
  }
  const endMs = yield* Clock.currentTimeMillis;
  const evaluation: GroupEvaluation = {
    state: {
      ...before,
      lastEvaluationMs: atMs,
      evaluationSeconds: (endMs - startMs) / 1000,
      rules: outcomes.map(({ state }) => state),
    },
    toSend: outcomes.flatMap(({ toSend }) => toSend),
    recorded: outcomes.map(({ recorded }) => recorded),
    failures: outcomes.filter(({ state }) => state.health === "err").length,
  };
  return evaluation;
});

/** Why a rule failed; `alerts` if that changes them. */
interface RuleFailure {
  readonly message: string;
  readonly alerts?: ReadonlyArray<Alert>;
}

const evaluateAlerting = Effect.fnUntraced(function* (
  placed: PlacedGroup,
  rule: AlertingRule,
  previous: RuleState,
  atMs: number,
  options: EvaluationOptions,
) {
  const { tenant, group } = placed;
  const queryAtMs = atMs - group.queryOffsetMs;
  const samples = yield* ask(options, tenant, rule.expr, queryAtMs);
  yield* checkCount("alerts", samples.length, 0, options.resultsMax);
  const context = yield* templateContext(placed, rule, queryAtMs, options);
  const found = yield* Effect.tryPromise({
    try: () => expandAll(placed, rule, samples, context),
    catch: (error): RuleFailure => ({ message: errorText(error) }),
  });
  const alerts = nextAlerts(previous.alerts, found, rule, atMs);
  const active = alerts.filter(({ state }) => state !== "inactive");
  if (group.limit > 0 && active.length > group.limit) {
    // As in Prometheus: half of them would be worse than none.
    const message = `exceeded limit of ${group.limit} with ${active.length} alerts`;
    return yield* Effect.fail<RuleFailure>({ message, alerts: [] });
  }
  const sending = alertsToSend(alerts, options, atMs);
  const outcome: Outcome = {
    state: { ...previous, alerts: sending.alerts },
    toSend: sending.toSend.map((alert) => ({ alert, expr: rule.expr })),
    recorded: active.flatMap(alertSeries),
  };
  return outcome;
});

const evaluateRecording = Effect.fnUntraced(function* (
  { tenant, group }: PlacedGroup,
  rule: RecordingRule,
  previous: RuleState,
  atMs: number,
  options: EvaluationOptions,
) {
  if (options.recordingProblem !== null) {
    return yield* Effect.fail<RuleFailure>({ message: options.recordingProblem });
  }
  const samples = yield* ask(options, tenant, rule.expr, atMs - group.queryOffsetMs);
  yield* checkCount("series", samples.length, group.limit, options.resultsMax);
  const added = { ...labelsOfRule(group, rule), __name__: rule.name };
  const recorded = samples.map(({ labels, value }) => ({
    labels: withLabels(labels, Object.entries(added)),
    value,
  }));
  yield* checkDistinct(recorded.map(({ labels }) => labels));
  const outcome: Outcome = { state: previous, toSend: [], recorded };
  return outcome;
});

function ask(
  { queries }: EvaluationOptions,
  tenant: string,
  expr: string,
  atMs: number,
): Effect.Effect<ReadonlyArray<RuleSample>, RuleFailure> {
  return Effect.mapError(queries.instant({ tenant, expr, atMs }), ({ message }) => ({ message }));
}

function checkCount(
  what: string,
  count: number,
  limit: number,
  most: number,
): Effect.Effect<void, RuleFailure> {
  if (limit > 0 && count > limit) {
    return Effect.fail({ message: `exceeded limit of ${limit} with ${count} ${what}` });
  }
  if (count <= most) return Effect.void;
  return Effect.fail({
    message: `the query has ${count} results and a rule may have ${most}: group by fewer labels`,
  });
}

const templateContext = Effect.fnUntraced(function* (
  { tenant }: PlacedGroup,
  rule: AlertingRule,
  atMs: number,
  { queries, externalLabels, externalUrl }: EvaluationOptions,
) {
  const services = yield* Effect.context<never>();
  const run = Effect.runPromiseWith(services);
  const context: AlertTemplateContext = {
    nowMs: atMs,
    externalLabels,
    externalUrl,
    query: (expr) => run(queries.instant({ tenant, expr, atMs })),
    lines: ({ labels }, count) =>
      run(queries.lines({ tenant, expr: rule.expr, atMs, labels, count })),
  };
  return context;
});

async function expandAll(
  { group }: PlacedGroup,
  rule: AlertingRule,
  samples: ReadonlyArray<RuleSample>,
  context: AlertTemplateContext,
): Promise<ReadonlyArray<FoundAlert>> {
  const found: FoundAlert[] = [];
  for (const sample of samples) {
    const expand = async (texts: Readonly<Record<string, string>>) => {
      const expanded: Array<[string, string]> = [];
      for (const [name, text] of Object.entries(texts)) {
        expanded.push([name, await expandAlertTemplate(text, sample, context)]);
      }
      return expanded;
    };
    const added = await expand(labelsOfRule(group, rule));
    const labels = withLabels(sample.labels, [...added, ["alertname", rule.name]]);
    const annotations = Object.fromEntries(await expand(rule.annotations));
    found.push({ labels, annotations, value: sample.value });
  }
  const twice = repeated(found.map(({ labels }) => labels));
  if (twice !== undefined) throw new Error(sameLabels(twice));
  return found;
}

/** The labels with others over them; an empty value takes one away. */
function withLabels(labels: Labels, added: ReadonlyArray<readonly [string, string]>): Labels {
  const all: Record<string, string> = Object.fromEntries(labels);
  for (const [name, value] of added) all[name] = value;
  delete all["__name__"];
  const name = added.find(([key]) => key === "__name__");
  if (name !== undefined) all["__name__"] = name[1];
  return labelsFromObject(
    Object.fromEntries(Object.entries(all).filter(([, value]) => value !== "")),
  );
}

function checkDistinct(all: ReadonlyArray<Labels>): Effect.Effect<void, RuleFailure> {
  const twice = repeated(all);
  return twice === undefined ? Effect.void : Effect.fail({ message: sameLabels(twice) });
}

function repeated(all: ReadonlyArray<Labels>): string | undefined {
  const seen = new Set<string>();
  for (const labels of all) {
    const key = formatLabels(labels);
    if (seen.has(key)) return key;
    seen.add(key);
  }
  return undefined;
}

function sameLabels(labels: string): string {
  return `two results have the labels ${labels} once the rule's are added: group by what tells ` +
    "them apart, or do not overwrite it";
}

/** What Prometheus records of an alert. */
function alertSeries(alert: Alert): ReadonlyArray<RecordedSample> {
  const state: ReadonlyArray<readonly [string, string]> = [
    ["__name__", "ALERTS"],
    ["alertstate", alert.state],
  ];
  return [
    { labels: withLabels(alert.labels, state), value: 1 },
    {
      labels: withLabels(alert.labels, [["__name__", "ALERTS_FOR_STATE"]]),
      value: Math.floor(alert.activeAtMs / 1000),
    },
  ];
}
