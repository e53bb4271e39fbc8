/** Plans a metric query: finds the leaves, which read rows, and what of the tree above them they can do
 *  themselves. evaluate.ts (metrics/) does the rest once the leaves are known.
 *
 *  A vector aggregation directly above a range aggregation is taken into the leaf where that is exact:
 *  a sum of sums is the sum over the group, a maximum of maxima the maximum. Then only the groups' series
 *  exist anywhere, and the pipeline extracts only the labels of the grouping. Equal leaves are read once.
 *  Invariant: evaluating the plan gives what evaluating the tree node by node gives. */
import type {
  Grouping,
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
  /** The leaf, by its place in `leaves`, that stands for a node of the tree. */
  readonly leafOf: ReadonlyMap<MetricExpr, number>;
}

export function planMetric(expr: MetricExpr): MetricPlan {
  const leaves: Leaf[] = [];
  const leafOf = new Map<MetricExpr, number>();
  const known = new Map<string, number>();
  const add = (node: MetricExpr, leaf: Leaf) => {
    let at = known.get(leaf.text);
    if (at === undefined) known.set(leaf.text, at = leaves.push(leaf) - 1);
    leafOf.set(node, at);
  };
  const visit = (node: MetricExpr): void => {
    switch (node.kind) {
      case "RangeAggregation":
        return add(node, leafOfRange(node));
      case "VectorAggregation": {
        const pushed = pushedDown(node);
        return pushed === null ? visit(node.expr) : add(node, pushed);
      }
      case "BinaryExpr":
        visit(node.left);
        return visit(node.right);
      case "LabelReplace":
        return visit(node.expr);
      case "Variants":
        return node.variants.forEach(visit);
      case "NumberLiteral":
      case "VectorExpr":
        return;
    }
  };
  visit(expr);
  return { expr, leaves, leafOf };
}

/** The grouping of a vector aggregation: without a clause, one group. */
export function vectorGrouping(grouping: Grouping | null): LabelGrouping {
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
