/** Evaluates a metric query's tree, once its leaves are known (planner/metricPlan.ts). Owns the walk;
 *  vector/ and binary/ have the operators. Invariant: a step of the result depends on that step of the
 *  operands alone. */
import type { AggregationTree, MetricTree } from "../planner/metricPlan.ts";
import { type Budget, sizeOf } from "./budget.ts";
import { combine } from "./binary/combine.ts";
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

/** The moments that a tree is evaluated for. */
export interface Steps {
  readonly count: number;
  /** Of the one moment of an instant query every sample counts, in the order of a sort function; a range query orders series by
   *  their labels, also when it has one step. */
  readonly isInstant: boolean;
}

/** The value of a plan's tree at every step; `leaves` are the plan's, evaluated. Throws an
 *  EvaluationError for what only the data shows to be wrong, such as many-to-many matches, and what the
 *  budget throws. */
export function evaluate(
  tree: MetricTree,
  leaves: ReadonlyArray<Matrix>,
  steps: Steps,
  budget: Budget,
): Evaluated {
  /** Runs an operator. What may make more than it gets asks the budget for the rest itself. */
  const operate = <Operand extends Evaluated, Result extends Evaluated>(
    heldBefore: number,
    operands: ReadonlyArray<Operand>,
    operator: (...operands: ReadonlyArray<Operand>) => Result,
  ): Result => {
    for (const operand of operands) budget.hold(sizeOf(operand));
    const result = operator(...operands);
    budget.settle(heldBefore + sizeOf(result));
    return result;
  };
  const value = (node: MetricTree): Evaluated => {
    const held = budget.held;
    switch (node.kind) {
      case "Leaf":
        return leaves[node.index]!;
      case "Number":
        return { kind: "scalar", value: node.value };
      case "Vector":
        return { kind: "matrix", series: [constantSeries([], node.value, steps.count)] };
      case "Binary": {
        const sides = [value(node.left), value(node.right)];
        return operate(held, sides, (left, right) => combine(node, left!, right!, budget));
      }
      case "LabelReplace": {
        const of = vectorOf(value(node.of), "label_replace");
        return operate(held, [of], (operand) => replaceLabel(operand!, node, budget));
      }
      case "Aggregation": {
        const of = vectorOf(value(node.of), node.op);
        return operate(held, [of], (operand) => aggregate(node, operand!, steps, budget));
      }
      case "Variants": {
        const all = node.variants.map((variant) => vectorOf(value(variant), "variants"));
        return operate(held, all, (...variants) => tagVariants(variants));
      }
    }
  };
  const result = value(tree);
  if (result.kind === "scalar" || steps.isInstant) return result;
  return operate(0, [result], (matrix) => joinEqual(matrix!));
}

function aggregate(
  { op, parameter, grouping }: AggregationTree,
  operand: Matrix,
  steps: Steps,
  budget: Budget,
): Matrix {
  switch (op) {
    case "topk":
    case "approx_topk":
      return chooseSeries("greatest", parameter!, operand, grouping, budget);
    case "bottomk":
      return chooseSeries("least", parameter!, operand, grouping, budget);
    case "sort":
      return steps.isInstant ? sortVector(operand, false) : operand;
    case "sort_desc":
      return steps.isInstant ? sortVector(operand, true) : operand;
    default:
      return aggregateVector(op, operand, grouping);
  }
}

function vectorOf(operand: Evaluated, what: string): Matrix {
  if (operand.kind === "matrix") return operand;
  throw new EvaluationError(
    `${what} takes a vector: write vector(${operand.value}) for the number`,
  );
}
