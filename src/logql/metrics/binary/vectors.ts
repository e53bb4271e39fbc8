/** Arithmetic and comparison between two vectors, one to one, or many to one with group_left and
 *  group_right. A comparison without bool keeps the left side's value where it holds. */
import type { BinaryExpr } from "../../ast.ts";
import { formatLabels, type Labels } from "../../../streams/labels.ts";
import { type Budget, seriesSize } from "../budget.ts";
import { emptySeries, EvaluationError, type Matrix, matrixOf, type Series } from "../matrix.ts";
import { bySignature, resultLabels, signatureLabels } from "./matching.ts";
import { applyNumbers, compareNumbers, isComparison, type NumberOp } from "./operators.ts";

export interface VectorOperation {
  readonly op: NumberOp;
  readonly returnBool: boolean;
  readonly matching: BinaryExpr["matching"];
}

/** A series of the answer, and the steps that a pair of series was found for. */
interface Result {
  readonly series: Series;
  readonly matched: Uint8Array;
}

/** Throws an EvaluationError where a series of the "one" side is not alone at a step, or where several
 *  pairs would make one result. There may be as many pairs as one side's series times the other's. */
export function combineVectors(
  operation: VectorOperation,
  left: Matrix,
  right: Matrix,
  budget: Budget,
): Matrix {
  const { matching } = operation;
  // The side that may have several series for one of the other: the left, unless group_right.
  const manyIsRight = matching?.group?.side === "right";
  const [many, one] = manyIsRight ? [right, left] : [left, right];
  const ones = bySignature(one.series, matching);
  for (const same of ones.values()) checkUnique(same, manyIsRight ? "left" : "right");
  const results = new Map<string, Result>();
  for (const member of many.series) {
    const signature = formatLabels(signatureLabels(member.labels, matching));
    for (const partner of ones.get(signature) ?? []) {
      budget.work(member.values.length);
      const labels = resultLabels(member.labels, partner.labels, matching);
      const result = resultFor(results, labels, member, budget);
      const [a, b] = manyIsRight ? [partner, member] : [member, partner];
      combineSeries(operation, a, b, result);
    }
  }
  return matrixOf([...results.values()].map(({ series }) => series));
}

function resultFor(
  results: Map<string, Result>,
  labels: Labels,
  { values }: Series,
  budget: Budget,
): Result {
  const key = formatLabels(labels);
  let result = results.get(key);
  if (result === undefined) {
    budget.hold(seriesSize(labels, values.length));
    const matched = new Uint8Array(values.length);
    results.set(key, result = { series: emptySeries(labels, values.length), matched });
  }
  return result;
}

function combineSeries(
  { op, returnBool, matching }: VectorOperation,
  left: Series,
  right: Series,
  { series, matched }: Result,
): void {
  for (let step = 0; step < matched.length; step++) {
    if (left.present[step] === 0 || right.present[step] === 0) continue;
    if (matched[step] === 1) throw ambiguous(matching, series.labels);
    matched[step] = 1;
    const [a, b] = [left.values[step]!, right.values[step]!];
    if (isComparison(op) && !returnBool) {
      if (!compareNumbers(op, a, b)) continue;
      series.values[step] = a;
    } else series.values[step] = applyNumbers(op, a, b);
    series.present[step] = 1;
  }
}

/** At every step at most one of these series may have a value. */
function checkUnique(series: ReadonlyArray<Series>, side: "left" | "right"): void {
  if (series.length === 1) return;
  const taken = new Uint8Array(series[0]!.present.length);
  for (const { present, labels } of series) {
    for (let step = 0; step < present.length; step++) {
      if (present[step] === 0) continue;
      if (taken[step] === 1) {
        throw new EvaluationError(
          `found duplicate series on the ${side} hand-side; many-to-many matching not allowed: ` +
            `matching labels must be unique on one side; one of them is ${formatLabels(labels)}`,
        );
      }
      taken[step] = 1;
    }
  }
}

function ambiguous(matching: VectorOperation["matching"], labels: Labels): EvaluationError {
  const result = `several pairs would make the series ${formatLabels(labels)}`;
  return new EvaluationError(
    matching?.group == null
      ? "multiple matches for labels: many-to-one matching must be explicit " +
        `(group_left/group_right); ${result}`
      : `multiple matches for labels: grouping labels must ensure unique matches; ${result}`,
  );
}
