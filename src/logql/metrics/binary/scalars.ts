/** Arithmetic and comparison with a number on one side or both. A comparison without bool keeps the
 *  vector's value where it holds, on whichever side the vector stands. */
import type { Matrix, Scalar, Series } from "../matrix.ts";
import { matrixOf } from "../matrix.ts";
import { applyNumbers, compareNumbers, isComparison, type NumberOp } from "./operators.ts";

/** Two numbers; a comparison gives 1 or 0, with bool or without. */
export function combineScalars(op: NumberOp, left: Scalar, right: Scalar): Scalar {
  return { kind: "scalar", value: applyNumbers(op, left.value, right.value) };
}

/** A vector and a number; `scalarIsLeft` says on which side the number stands. */
export function combineWithScalar(
  op: NumberOp,
  returnBool: boolean,
  vector: Matrix,
  scalar: Scalar,
  scalarIsLeft: boolean,
): Matrix {
  const filters = isComparison(op) && !returnBool;
  return matrixOf(vector.series.map((series): Series => {
    const values = new Float64Array(series.values.length);
    const present = series.present.slice();
    for (let step = 0; step < values.length; step++) {
      if (present[step] === 0) continue;
      const value = series.values[step]!;
      const [left, right] = scalarIsLeft ? [scalar.value, value] : [value, scalar.value];
      if (filters) {
        values[step] = value;
        if (!compareNumbers(op, left, right)) present[step] = 0;
      } else values[step] = applyNumbers(op, left, right);
    }
    return { labels: series.labels, values, present };
  }));
}
