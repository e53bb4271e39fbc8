/** Writes rule groups as the YAML that parseRules.ts reads, as Loki's API gives them. Pure. */
import { stringify } from "yaml";
import { formatDuration } from "../../platform/config/units.ts";
import type { Rule, RuleGroup } from "./rule.ts";

/** One group. */
export function printRuleGroup(group: RuleGroup): string {
  return stringify(groupSource(group), options);
}

/** Groups by namespace. */
export function printNamespaces(
  namespaces: ReadonlyMap<string, ReadonlyArray<RuleGroup>>,
): string {
  return stringify(
    Object.fromEntries([...namespaces].map(([name, groups]) => [name, groups.map(groupSource)])),
    options,
  );
}

const options = { indent: 4, lineWidth: 0 } as const;

function groupSource(group: RuleGroup) {
  return {
    name: group.name,
    ...(group.intervalMs === null ? {} : { interval: formatDuration(group.intervalMs) }),
    ...(group.queryOffsetMs === 0 ? {} : { query_offset: formatDuration(group.queryOffsetMs) }),
    ...(group.limit === 0 ? {} : { limit: group.limit }),
    ...labels("labels", group.labels),
    rules: group.rules.map(ruleSource),
  };
}

function ruleSource(rule: Rule) {
  if (rule.kind === "recording") {
    return { record: rule.name, expr: rule.expr, ...labels("labels", rule.labels) };
  }
  return {
    alert: rule.name,
    expr: rule.expr,
    ...(rule.forMs === 0 ? {} : { for: formatDuration(rule.forMs) }),
    ...(rule.keepFiringForMs === 0
      ? {}
      : { keep_firing_for: formatDuration(rule.keepFiringForMs) }),
    ...labels("labels", rule.labels),
    ...labels("annotations", rule.annotations),
  };
}

function labels(key: string, values: Readonly<Record<string, string>>) {
  return Object.keys(values).length === 0 ? {} : { [key]: values };
}
