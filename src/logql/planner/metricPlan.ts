/** Plans a metric query: finds the leaves, which read rows, and what of the tree above them they can do
 *  themselves. evaluate.ts (metrics/) does the rest once the leaves are known.
 *
 *  A vector aggregation directly above a range aggregation is taken into the leaf where that is exact:
 *  a sum of sums is the sum over the group, a maximum of maxima the maximum. Then only the groups' series
 *  exist anywhere, and the pipeline extracts only the labels of the grouping. Equal leaves are read once.
 *  Invariant: evaluating the plan gives what evaluating the tree node by node gives. */
import type {
  BinaryExpr,
  Grouping,
  LabelReplace,
  LogRange,
  MetricExpr,
  RangeAggregation,
  RangeOp,
  VectorAggregation,
  VectorOp,
} from "../ast.ts";
import { everyLabel, type LabelGrouping, oneGroup } from "../metrics/grouping.ts";
import { type RangeFunctionSpec, rowValueOf } from "../metrics/states/catalogue.ts";
import { describePipeline, type Needed, type PipelineDescription } from "../pipelinePlan.ts";
import { print } from "../printer.ts";

/** A range aggregation to be answered from rows, with what was taken into it. */
export interface Leaf {
  readonly spec: RangeFunctionSpec;
  readonly range: LogRange;
  readonly grouping: LabelGrouping;
  /** Whether rows are grouped by their errors: otherwise the first one that no filter asked for ends the query. */
  readonly keepsErrors: boolean;
  /** The aggregation that was taken in; null if none was. */
  readonly pushedDown: VectorOp | null;
  /** The text of what the leaf stands for. */
  readonly text: string;
}

export interface MetricPlan {
  readonly expr: MetricExpr;
  readonly leaves: ReadonlyArray<Leaf>;
  /** What is evaluated once the leaves are known. */
  readonly tree: MetricTree;
}

/** A metric expression over leaves, by their place in the plan; plain data, for crossing into worker threads. */
export type MetricTree =
  | { readonly kind: "Leaf"; readonly index: number }
  | { readonly kind: "Number" | "Vector"; readonly value: number }
  | BinaryTree
  | LabelReplaceTree
  | AggregationTree
  | { readonly kind: "Variants"; readonly variants: ReadonlyArray<MetricTree> };

export interface BinaryTree extends Pick<BinaryExpr, "op" | "returnBool" | "matching"> {
  readonly kind: "Binary";
  readonly left: MetricTree;
  readonly right: MetricTree;
}

export interface LabelReplaceTree
  extends Pick<LabelReplace, "source" | "destination" | "replacement" | "regex"> {
  readonly kind: "LabelReplace";
  readonly of: MetricTree;
}

export interface AggregationTree extends Pick<VectorAggregation, "op" | "parameter"> {
  readonly kind: "Aggregation";
  readonly grouping: LabelGrouping;
  readonly of: MetricTree;
}

export function planMetric(expr: MetricExpr): MetricPlan {
  const leaves: Leaf[] = [];
  const known = new Map<string, number>();
  const add = (leaf: Leaf): MetricTree => {
    let index = known.get(leaf.text);
    if (index === undefined) known.set(leaf.text, index = leaves.push(leaf) - 1);
    return { kind: "Leaf", index };
  };
  const visit = (node: MetricExpr): MetricTree => {
    switch (node.kind) {
      case "RangeAggregation":
        return add(leafOfRange(node));
      case "VectorAggregation": {
        const pushed = pushedDown(node);
        if (pushed !== null) return add(pushed);
        const { op, parameter, grouping } = node;
        const of = visit(node.expr);
        return { kind: "Aggregation", op, parameter, grouping: vectorGrouping(grouping), of };
      }
      case "BinaryExpr": {
        const { op, returnBool, matching } = node;
        const [left, right] = [visit(node.left), visit(node.right)];
        return { kind: "Binary", op, returnBool, matching, left, right };
      }
      case "LabelReplace": {
        const { source, destination, replacement, regex } = node;
        const of = visit(node.expr);
        return { kind: "LabelReplace", source, destination, replacement, regex, of };
      }
      case "Variants":
        return { kind: "Variants", variants: node.variants.map(visit) };
      case "NumberLiteral":
        return { kind: "Number", value: node.value };
      case "VectorExpr":
        return { kind: "Vector", value: node.value };
    }
  };
  return { expr, leaves, tree: visit(expr) };
}

/** The grouping of a vector aggregation: without a clause, one group. */
function vectorGrouping(grouping: Grouping | null): LabelGrouping {
  return grouping === null ? oneGroup : { mode: grouping.mode, labels: grouping.labels };
}

function leafOfRange(node: RangeAggregation): Leaf {
  const { op, parameter, range } = node;
  // absent_over_time only asks whether there are rows.
  const grouping = op === "absent_over_time"
    ? oneGroup
    : node.grouping === null
    ? everyLabel
    : { mode: node.grouping.mode, labels: node.grouping.labels };
  return {
    spec: { op, parameter, unwraps: range.unwrap !== null },
    range,
    grouping,
    keepsErrors: asksForErrors(grouping),
    pushedDown: null,
    text: print(node),
  };
}

/** What a leaf's pipeline must give: the labels of the grouping, and the line where bytes are counted. */
export function leafPipeline({ spec, range, grouping }: Leaf): PipelineDescription {
  const { pipeline, unwrap } = range;
  const needed: Needed = {
    labels: grouping.mode === "by" ? grouping.labels : "all",
    line: rowValueOf(spec) === "bytes",
  };
  return describePipeline(pipeline, needed, unwrap);
}

/** Whether the grouping names an error. Rows whose error a filter asked for say so themselves. */
function asksForErrors(grouping: LabelGrouping): boolean {
  return grouping.mode === "by" &&
    grouping.labels.some((name) => name === "__error__" || name === "__error_details__");
}

/** Range functions over whose results the aggregation gives what the function over all rows gives. */
const exactPushDown: Readonly<Partial<Record<VectorOp, ReadonlySet<RangeOp>>>> = {
  sum: new Set<RangeOp>([
    "count_over_time",
    "rate",
    "bytes_over_time",
    "bytes_rate",
    "sum_over_time",
  ]),
  min: new Set<RangeOp>(["min_over_time"]),
  max: new Set<RangeOp>(["max_over_time"]),
};

function pushedDown(node: VectorAggregation): Leaf | null {
  const inner = node.expr;
  if (inner.kind !== "RangeAggregation" || inner.grouping !== null) return null;
  if (exactPushDown[node.op]?.has(inner.op) !== true) return null;
  const grouping = vectorGrouping(node.grouping);
  return {
    ...leafOfRange(inner),
    grouping,
    keepsErrors: asksForErrors(grouping),
    pushedDown: node.op,
    text: print(node),
  };
}
