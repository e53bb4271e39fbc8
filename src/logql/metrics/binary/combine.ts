/** Binary operators: picks the file that knows the two sides. */
import type { BinaryExpr } from "../../ast.ts";
import type { Budget } from "../budget.ts";
import { type Evaluated, EvaluationError } from "../matrix.ts";
import { isSetOperator } from "./operators.ts";
import { combineScalars, combineWithScalar } from "./scalars.ts";
import { combineSets } from "./setOperators.ts";
import { combineVectors } from "./vectors.ts";

/** Throws an EvaluationError for sides that the operator does not take, and what the budget throws. */
export function combine(
  { op, returnBool, matching }: Pick<BinaryExpr, "op" | "returnBool" | "matching">,
  left: Evaluated,
  right: Evaluated,
  budget: Budget,
): Evaluated {
  if (isSetOperator(op)) {
    if (left.kind === "scalar" || right.kind === "scalar") {
      throw new EvaluationError(`"${op}" combines vectors: write vector(1) for the number 1`);
    }
    return combineSets(op, matching, left, right);
  }
  if (left.kind === "scalar" && right.kind === "scalar") return combineScalars(op, left, right);
  if (left.kind === "matrix" && right.kind === "matrix") {
    return combineVectors({ op, returnBool, matching }, left, right, budget);
  }
  return left.kind === "scalar"
    ? combineWithScalar(op, returnBool, right as Extract<Evaluated, { kind: "matrix" }>, left, true)
    : combineWithScalar(
      op,
      returnBool,
      left,
      right as Extract<Evaluated, { kind: "scalar" }>,
      false,
    );
}
