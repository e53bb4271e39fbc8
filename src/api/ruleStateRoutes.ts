/** What has become of a tenant's rules, as Prometheus' API says it: /prometheus/api/v1/rules and /prometheus/api/v1/alerts.
 *  Grafana's alerting pages and our page read it. */
import { Effect } from "effect";
import { HttpRouter, HttpServerResponse } from "effect/http";
import type { Alert } from "../actors/ruler/alertStates.ts";
import type { RuleState } from "../actors/ruler/groupState.ts";
import { labelsOfRule, type PlacedGroup, type Rule } from "../actors/ruler/rule.ts";
import { type GroupView, RuleBook } from "../actors/ruler/RuleBook.ts";
import type { Settings } from "../platform/config/mod.ts";
import { RuleStoreError } from "../storage/RuleStore.ts";
import { addResponseRoute, type ResponseHandler } from "./readRoute.ts";
import { respondJson } from "./respond.ts";

export const ruleStateRoutes = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const book = yield* RuleBook;
    const route = (path: HttpRouter.PathInput, handler: ResponseHandler) =>
      addResponseRoute(
        router,
        settings,
        path,
        (call) =>
          Effect.catch(handler(call), (error) =>
            error instanceof RuleStoreError
              ? Effect.succeed(refusal(503, "server_error", error.message))
              : Effect.fail(error)),
      );

    yield* route("/prometheus/api/v1/rules", ({ tenant, params }) =>
      Effect.gen(function* () {
        const wanted = filterOf(params);
        if (typeof wanted === "string") return refusal(400, "bad_data", wanted);
        const groups = (yield* book.views(tenant)).flatMap((view) => {
          const group = groupJson(settings, view, wanted);
          return group === undefined ? [] : [group];
        });
        return yield* respondJson(envelope({ groups }));
      }));

    yield* route("/prometheus/api/v1/alerts", ({ tenant }) =>
      Effect.gen(function* () {
        const views = yield* book.views(tenant);
        const alerts = views.flatMap(({ record }) =>
          (record?.state.rules ?? []).flatMap(({ alerts }) => active(alerts).map(alertJson))
        );
        return yield* respondJson(envelope({ alerts }));
      }));
  }));

interface RuleFilter {
  readonly kind: Rule["kind"] | undefined;
  readonly files: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
  readonly rules: ReadonlySet<string>;
}

/** What is asked for, or what is wrong with it. */
function filterOf(params: URLSearchParams): RuleFilter | string {
  const type = (params.get("type") ?? "").toLowerCase();
  if (type !== "" && type !== "alert" && type !== "record") {
    return `not supported value "${type}" of parameter type: want alert or record`;
  }
  const all = (name: string) => new Set([...params.getAll(name), ...params.getAll(`${name}[]`)]);
  return {
    kind: type === "" ? undefined : type === "alert" ? "alerting" : "recording",
    files: all("file"),
    groups: all("rule_group"),
    rules: all("rule_name"),
  };
}

/** Undefined for a group that is not asked for. */
function groupJson(settings: Settings, { placed, record }: GroupView, filter: RuleFilter) {
  const { group, namespace } = placed;
  const isWanted = (set: ReadonlySet<string>, name: string) => set.size === 0 || set.has(name);
  if (!isWanted(filter.files, namespace) || !isWanted(filter.groups, group.name)) return undefined;
  const states = record?.state.rules ?? [];
  const rules = group.rules.flatMap((rule, index) => {
    if (filter.kind !== undefined && filter.kind !== rule.kind) return [];
    return isWanted(filter.rules, rule.name) ? [ruleJson(placed, rule, states[index])] : [];
  });
  const filtersRules = filter.kind !== undefined || filter.rules.size > 0;
  if (filtersRules && rules.length === 0) return undefined;
  return {
    name: group.name,
    file: namespace,
    rules,
    interval: (group.intervalMs ?? settings.ruler.evaluation_interval) / 1000,
    limit: group.limit,
    evaluationTime: record?.state.evaluationSeconds ?? 0,
    lastEvaluation: timeText(record?.state.lastEvaluationMs ?? 0),
  };
}

function ruleJson({ group }: PlacedGroup, rule: Rule, state: RuleState | undefined) {
  const { health = "unknown", lastError = "", alerts = [] } = state ?? {};
  const common = {
    name: rule.name,
    query: rule.expr,
    labels: labelsOfRule(group, rule),
    health,
    ...(lastError === "" ? {} : { lastError }),
    evaluationTime: state?.evaluationSeconds ?? 0,
    lastEvaluation: timeText(state?.lastEvaluationMs ?? 0),
  };
  if (rule.kind === "recording") return { ...common, type: "recording" };
  const shown = active(alerts);
  return {
    state: stateOf(shown),
    ...common,
    duration: rule.forMs / 1000,
    keepFiringFor: rule.keepFiringForMs / 1000,
    annotations: rule.annotations,
    alerts: shown.map(alertJson),
    type: "alerting",
  };
}

function active(alerts: ReadonlyArray<Alert>): ReadonlyArray<Alert> {
  return alerts.filter(({ state }) => state !== "inactive");
}

function stateOf(alerts: ReadonlyArray<Alert>): Alert["state"] {
  if (alerts.some(({ state }) => state === "firing")) return "firing";
  return alerts.length > 0 ? "pending" : "inactive";
}

function alertJson(alert: Alert) {
  return {
    labels: Object.fromEntries(alert.labels),
    annotations: alert.annotations,
    state: alert.state,
    activeAt: timeText(alert.activeAtMs),
    ...(alert.keepFiringSinceMs === null
      ? {}
      : { keepFiringSince: timeText(alert.keepFiringSinceMs) }),
    value: exponent(alert.value),
  };
}

/** Go's %e with the least digits: 1 is `1e+00`. */
function exponent(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}

/** Go's zero time for what never was. */
function timeText(ms: number): string {
  return ms === 0 ? "0001-01-01T00:00:00Z" : new Date(ms).toISOString();
}

function envelope(data: unknown): string {
  return JSON.stringify({ status: "success", data, errorType: "", error: "" });
}

function refusal(status: number, errorType: string, error: string) {
  return HttpServerResponse.text(
    JSON.stringify({ status: "error", data: null, errorType, error }),
    { status, contentType: "application/json" },
  );
}
