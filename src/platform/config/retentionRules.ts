/** The value of retention_stream: a list of rules. Written as YAML, as in Loki; the environment and flags have it as one text, in
 *  YAML or JSON. Selectors are read by src/actors/policy/retention.ts, which knows LogQL. */
import { Result, Schema } from "effect";
import { membersOf, structured } from "./structured.ts";
import { formatDuration, parseDuration } from "./units.ts";

export interface RetentionRule {
  /** Matchers alone, as `{app="x"}`. */
  readonly selector: string;
  /** Of rules that match, the one with the highest counts. */
  readonly priority: number;
  /** Milliseconds; 0 for ever. */
  readonly period: number;
}

const Rule: Schema.Codec<RetentionRule> = Schema.Struct({
  selector: Schema.String,
  priority: Schema.Number,
  period: Schema.Number,
});

export const RetentionRules = structured<ReadonlyArray<RetentionRule>>(
  Schema.Array(Rule),
  readRules,
  (rules) => rules.map((rule) => ({ ...rule, period: formatDuration(rule.period) })),
);

function readRules(list: unknown): Result.Result<ReadonlyArray<RetentionRule>, string> {
  if (!Array.isArray(list)) return Result.fail("is not a list of selector, priority and period");
  const rules: RetentionRule[] = [];
  for (const [index, each] of list.entries()) {
    const rule = ruleOf(each);
    if (typeof rule === "string") return Result.fail(`rule ${index + 1} ${rule}`);
    rules.push(rule);
  }
  return Result.succeed(rules);
}

function ruleOf(each: unknown): RetentionRule | string {
  const members = membersOf(each, ["selector", "priority", "period"]);
  if (typeof members === "string") return members;
  const { selector, priority = 0, period } = members;
  if (typeof selector !== "string") return "has no selector";
  if (typeof priority !== "number" || !Number.isInteger(priority)) {
    return `has the priority ${JSON.stringify(priority)}: write a whole number`;
  }
  const milliseconds = parseDuration(String(period ?? ""));
  if (Result.isFailure(milliseconds)) return `has the period ${milliseconds.failure}`;
  return { selector, priority, period: milliseconds.success };
}
