/** The value of retention_stream: a list of rules. Written as YAML, as in Loki; the environment and flags have it as one text, in
 *  YAML or JSON. Selectors are read by src/actors/policy/retention.ts, which knows LogQL. */
import { Effect, Result, Schema, SchemaIssue, SchemaTransformation } from "effect";
import { parse } from "yaml";
import { formatDuration, parseDuration, type Scalar } from "./units.ts";

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

export const RetentionRules: Schema.Codec<ReadonlyArray<RetentionRule>, Scalar> = Schema.Union([
  Schema.String,
  Schema.Number,
  Schema.Boolean,
]).pipe(
  Schema.decodeTo(
    Schema.Array(Rule),
    SchemaTransformation.transformEffect({
      decode: (input: Scalar, options) =>
        Effect.fromResult(
          Result.mapError(
            parseRules(String(input)),
            (message) => new SchemaIssue.InvalidValue({ message }, input, options),
          ),
        ),
      encode: (rules: ReadonlyArray<RetentionRule>) =>
        Effect.succeed(
          JSON.stringify(rules.map((rule) => ({ ...rule, period: formatDuration(rule.period) }))),
        ),
    }),
  ),
);

/** Rules as text to rules; the failure says which rule is wrong. */
export function parseRules(text: string): Result.Result<ReadonlyArray<RetentionRule>, string> {
  let list: unknown;
  try {
    list = parse(text);
  } catch (error) {
    return Result.fail(`is not YAML: ${error instanceof Error ? error.message : error}`);
  }
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
  if (typeof each !== "object" || each === null) return "is not a map";
  const { selector, priority = 0, period, ...others } = each as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    return `has the key "${unknown}": selector, priority and period are known`;
  }
  if (typeof selector !== "string") return "has no selector";
  if (typeof priority !== "number" || !Number.isInteger(priority)) {
    return `has the priority ${JSON.stringify(priority)}: write a whole number`;
  }
  const milliseconds = parseDuration(String(period ?? ""));
  if (Result.isFailure(milliseconds)) return `has the period ${milliseconds.failure}`;
  return { selector, priority, period: milliseconds.success };
}
