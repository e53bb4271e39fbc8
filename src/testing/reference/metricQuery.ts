/** Evaluates a metric query at one moment: vectors, scalars and what combines them, as Prometheus defines it. */
import type * as Ast from "../../logql/ast.ts";
import {
  Ambiguous,
  evaluateRange,
  QueryFailed,
  type Sample,
  variance,
} from "./rangeAggregation.ts";
import { compareLabels, labelText, type LogRow } from "./row.ts";
import { compare, type TemplateEngine } from "./stages.ts";
import { valueRegex } from "./values.ts";

export { Ambiguous, QueryFailed, type Sample };

/** A number, or a vector in the order that the query demands, else by labels. */
export type Value = number | Sample[];

/** The value of an expression at `timeNs`. sort and sort_desc change nothing unless `sorts`. Throws QueryFailed. */
export function evaluateMetric(
  rows: ReadonlyArray<LogRow>,
  expr: Ast.MetricExpr,
  timeNs: bigint,
  templates: TemplateEngine,
  sorts: boolean,
): Value {
  const evaluate = (inner: Ast.MetricExpr) => evaluateMetric(rows, inner, timeNs, templates, sorts);
  switch (expr.kind) {
    case "NumberLiteral":
      return expr.value;
    case "VectorExpr":
      return [{ labels: {}, value: expr.value }];
    case "RangeAggregation":
      return byLabels(evaluateRange(rows, expr, timeNs, templates, null));
    case "LabelReplace":
      return byLabels(vectorOf(evaluate(expr.expr)).map((sample) => replaceLabel(sample, expr)));
    case "VectorAggregation": {
      const inner = expr.op === "sum" && expr.expr.kind === "RangeAggregation"
        ? evaluateRange(rows, expr.expr, timeNs, templates, expr)
        : vectorOf(evaluate(expr.expr));
      return aggregate(expr, inner, sorts);
    }
    case "BinaryExpr":
      return binary(expr, evaluate(expr.left), evaluate(expr.right));
    case "Variants":
      return byLabels(
        expr.variants.flatMap((variant, index) =>
          vectorOf(evaluate(variant)).map(({ labels, value }) => ({
            labels: { ...labels, __variant__: String(index) },
            value,
          }))
        ),
      );
  }
}

function vectorOf(value: Value): Sample[] {
  if (typeof value === "number") throw new QueryFailed("a number is no vector");
  return value;
}

function byLabels(samples: Sample[]): Sample[] {
  return samples.sort((a, b) => compareLabels(a.labels, b.labels));
}

// ---- vector aggregations ----

function aggregate(
  expr: Ast.VectorAggregation,
  samples: ReadonlyArray<Sample>,
  sorts: boolean,
): Sample[] {
  if (!sorts && (expr.op === "sort" || expr.op === "sort_desc")) return [...samples];
  if (expr.op === "sort") return top(samples, samples.length, 1);
  if (expr.op === "sort_desc") return top(samples, samples.length, -1);
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = labelText(groupLabels(sample.labels, expr.grouping));
    groups.set(key, [...groups.get(key) ?? [], sample]);
  }
  return byLabels([...groups.values()].flatMap((group) => {
    if (expr.op === "topk" || expr.op === "approx_topk") return top(group, expr.parameter!, -1);
    if (expr.op === "bottomk") return top(group, expr.parameter!, 1);
    const labels = groupLabels(group[0]!.labels, expr.grouping);
    return [{ labels, value: reduceGroup(expr.op, group.map(({ value }) => value)) }];
  }));
}

function groupLabels(labels: Sample["labels"], grouping: Ast.Grouping | null): Sample["labels"] {
  if (grouping === null) return {};
  return Object.fromEntries(
    Object.entries(labels).filter(([name]) =>
      grouping.labels.includes(name) === (grouping.mode === "by")
    ),
  );
}

/** The first `count` by value, NaN last; of equal values those whose labels sort first. Throws Ambiguous where rounding decides
 *  whether values are equal. */
function top(samples: ReadonlyArray<Sample>, count: number, sign: number): Sample[] {
  const order = (value: number, other: number) =>
    Number.isNaN(value) || Number.isNaN(other)
      ? Number(Number.isNaN(value)) - Number(Number.isNaN(other))
      : value === other
      ? 0
      : sign * (value < other ? -1 : 1);
  const sorted = byLabels([...samples]).sort((a, b) => order(a.value, b.value));
  const isClose = (a: number, b: number) =>
    !(a === b && Number.isInteger(a)) &&
    Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));
  if (sorted.slice(1, count + 1).some(({ value }, index) => isClose(value, sorted[index]!.value))) {
    throw new Ambiguous();
  }
  return sorted.slice(0, count);
}

function reduceGroup(op: Ast.VectorOp, values: ReadonlyArray<number>): number {
  const sum = values.reduce((total, value) => total + value, 0);
  switch (op) {
    case "sum":
      return sum;
    case "avg":
      return sum / values.length;
    case "min":
      return Math.min(...values);
    case "max":
      return Math.max(...values);
    case "count":
      return values.length;
    case "stdvar":
      return variance(values);
    case "stddev":
      return Math.sqrt(variance(values));
    default:
      throw new Error(`${op} reduces no group to one number`);
  }
}

// ---- label_replace ----

function replaceLabel({ labels, value }: Sample, expr: Ast.LabelReplace): Sample {
  const match = valueRegex(expr.regex).exec(labels[expr.source] ?? "");
  if (match === null) return { labels, value };
  const text = expr.replacement.replace(
    /\$(?:(\$)|\{(\w+)\}|(\w+))/g,
    (_, dollar: string | undefined, braced: string | undefined, bare: string | undefined) => {
      const name = braced ?? bare ?? "";
      if (dollar !== undefined) return "$";
      return (/^\d+$/.test(name) ? match[Number(name)] : match.groups?.[name]) ?? "";
    },
  );
  const { [expr.destination]: _, ...others } = labels;
  return { labels: text === "" ? others : { ...others, [expr.destination]: text }, value };
}

// ---- binary operators ----

const comparisons = ["==", "!=", ">", ">=", "<", "<="];

function binary(expr: Ast.BinaryExpr, left: Value, right: Value): Value {
  if (typeof left === "number" && typeof right === "number") return compute(expr.op, left, right);
  if (typeof left !== "number" && typeof right !== "number") {
    return byLabels(combine(expr, left, right));
  }
  const samples = byLabels(vectorOf(typeof left === "number" ? right : left));
  return samples.flatMap(({ labels, value }) => {
    const result = typeof left === "number"
      ? compute(expr.op, left, value)
      : compute(expr.op, value, right as number);
    if (!comparisons.includes(expr.op) || expr.returnBool) return [{ labels, value: result }];
    return result === 1 ? [{ labels, value }] : [];
  });
}

/** Division by zero gives NaN; a comparison 1 or 0. */
function compute(op: Ast.BinaryOp, left: number, right: number): number {
  switch (op) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return right === 0 ? NaN : left / right;
    case "%":
      return right === 0 ? NaN : left % right;
    case "^":
      return left ** right;
    default:
      return compare(op as Ast.CompareOp, left, right) ? 1 : 0;
  }
}

function combine(
  expr: Ast.BinaryExpr,
  left: ReadonlyArray<Sample>,
  right: ReadonlyArray<Sample>,
): Sample[] {
  const key = (sample: Sample) => labelText(matchedLabels(sample.labels, expr.matching));
  const leftKeys = new Set(left.map(key));
  const rightKeys = new Set(right.map(key));
  switch (expr.op) {
    case "and":
      return left.filter((sample) => rightKeys.has(key(sample)));
    case "unless":
      return left.filter((sample) => !rightKeys.has(key(sample)));
    case "or":
      return [...left, ...right.filter((sample) => !leftKeys.has(key(sample)))];
  }
  const isRightMany = expr.matching?.group?.side === "right";
  const [many, one] = isRightMany ? [right, left] : [left, right];
  const single = new Map(one.map((sample) => [key(sample), sample]));
  // Whether that is an error when the other side is empty is not written anywhere.
  if (many.length === 0 && single.size < one.length) throw new Ambiguous();
  if (single.size < one.length) throw new QueryFailed("many-to-many matching");
  const isGrouped = (expr.matching?.group ?? null) !== null;
  const seen = new Set<string>();
  return many.flatMap((sample) => {
    const other = single.get(key(sample));
    if (other === undefined) return [];
    const labels = resultLabels(sample, other, expr.matching);
    const identity = isGrouped ? labelText(labels) : key(sample);
    const [l, r] = isRightMany ? [other, sample] : [sample, other];
    const result = compute(expr.op, l.value, r.value);
    const isFilter = comparisons.includes(expr.op) && !expr.returnBool;
    if (isFilter && result !== 1) return [];
    if (seen.has(identity)) throw new QueryFailed("multiple matches for labels");
    seen.add(identity);
    return [{ labels, value: isFilter ? l.value : result }];
  });
}

function matchedLabels(
  labels: Sample["labels"],
  matching: Ast.VectorMatching | null,
): Sample["labels"] {
  if (matching === null) return labels;
  return Object.fromEntries(
    Object.entries(labels).filter(([name]) =>
      matching.labels.includes(name) === (matching.mode === "on")
    ),
  );
}

/** One to one, the labels that were matched on; else those of the many side and what group_left copies. */
function resultLabels(
  many: Sample,
  one: Sample,
  matching: Ast.VectorMatching | null,
): Sample["labels"] {
  const group = matching?.group ?? null;
  if (group === null) return matchedLabels(many.labels, matching);
  const labels: Record<string, string> = { ...many.labels };
  for (const name of group.labels) {
    const value = one.labels[name] ?? "";
    if (value === "") delete labels[name];
    else labels[name] = value;
  }
  return labels;
}
