/** Evaluates a metric query's tree, once its leaves are known (planner/metricPlan.ts). Owns the walk;
 *  vector/ and binary/ have the operators. Invariant: a step of the result depends on that step of the
 *  operands alone. */
import type { MetricExpr, VectorAggregation } from "../ast.ts";
import { type MetricPlan, vectorGrouping } from "../planner/metricPlan.ts";
import { combine } from "./binary/combine.ts";
import type { StepGrid } from "./grid.ts";
import {
  constantSeries,
  type Evaluated,
  EvaluationError,
  joinEqual,
  type Matrix,
} from "./matrix.ts";
import { tagVariants } from "./variants.ts";
import { aggregateVector } from "./vector/aggregate.ts";
import { replaceLabel } from "./vector/labelReplace.ts";
import { sortVector } from "./vector/sort.ts";
import { chooseSeries } from "./vector/topk.ts";

/** The value of the plan's expression at every step; `leaves` are the plan's, evaluated. Throws an
 *  EvaluationError for what only the data shows to be wrong, such as many-to-many matches. */
export function evaluate(
  plan: MetricPlan,
  leaves: ReadonlyArray<Matrix>,
  grid: StepGrid,
): Evaluated {
  const value = (node: MetricExpr): Evaluated => {
    const leaf = plan.leafOf.get(node);
    if (leaf !== undefined) return leaves[leaf]!;
    switch (node.kind) {
      case "NumberLiteral":
        return { kind: "scalar", value: node.value };
      case "VectorExpr":
        return { kind: "matrix", series: [constantSeries([], node.value, grid.count)] };
      case "BinaryExpr":
        return combine(node, value(node.left), value(node.right));
      case "LabelReplace":
        return replaceLabel(vectorOf(value(node.expr), "label_replace"), node);
      case "VectorAggregation":
        return aggregate(node, vectorOf(value(node.expr), node.op), grid);
      case "Variants":
        return tagVariants(node.variants.map((variant) => vectorOf(value(variant), "variants")));
      case "RangeAggregation":
        throw new Error("a range aggregation is no leaf of its plan");
    }
  };
  const result = value(plan.expr);
  // Of one step, every sample counts, in the order of a sort function.
  return result.kind === "scalar" || grid.count === 1 ? result : joinEqual(result);
}

function aggregate(node: VectorAggregation, operand: Matrix, grid: StepGrid): Matrix {
  const grouping = vectorGrouping(node.grouping);
  switch (node.op) {
    case "topk":
    case "approx_topk":
      return chooseSeries("greatest", node.parameter!, operand, grouping);
    case "bottomk":
      return chooseSeries("least", node.parameter!, operand, grouping);
    case "sort":
      return grid.count === 1 ? sortVector(operand, false) : operand;
    case "sort_desc":
      return grid.count === 1 ? sortVector(operand, true) : operand;
    default:
      return aggregateVector(node.op, operand, grouping);
  }
}

function vectorOf(operand: Evaluated, what: string): Matrix {
  if (operand.kind === "matrix") return operand;
  throw new EvaluationError(
    `${what} takes a vector: write vector(${operand.value}) for the number`,
  );
}
