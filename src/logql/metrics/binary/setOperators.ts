/** and, or, unless: which series of two vectors stay, step by step. Values and labels are left as they
 *  are; many series of one side may meet many of the other. */
import type { VectorMatching } from "../../ast.ts";
import { formatLabels } from "../../../streams/labels.ts";
import { type Matrix, matrixOf, type Series } from "../matrix.ts";
import { signatureLabels } from "./matching.ts";

export function combineSets(
  op: "and" | "or" | "unless",
  matching: VectorMatching | null,
  left: Matrix,
  right: Matrix,
): Matrix {
  switch (op) {
    case "and":
      return matrixOf(mask(left, presence(right, matching), matching, true));
    case "unless":
      return matrixOf(mask(left, presence(right, matching), matching, false));
    case "or":
      return matrixOf([
        ...left.series,
        ...mask(right, presence(left, matching), matching, false),
      ]);
  }
}

/** By signature: the steps at which any series of it has a value. */
function presence(
  { series }: Matrix,
  matching: VectorMatching | null,
): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const { labels, present } of series) {
    const key = formatLabels(signatureLabels(labels, matching));
    const steps = found.get(key);
    if (steps === undefined) found.set(key, present.slice());
    else for (let step = 0; step < present.length; step++) steps[step]! |= present[step]!;
  }
  return found;
}

/** The series where the other side has a value of their signature, or where it has none. */
function mask(
  { series }: Matrix,
  other: ReadonlyMap<string, Uint8Array>,
  matching: VectorMatching | null,
  wanted: boolean,
): ReadonlyArray<Series> {
  return series.map((one) => {
    const steps = other.get(formatLabels(signatureLabels(one.labels, matching)));
    const present = one.present.slice();
    for (let step = 0; step < present.length; step++) {
      if ((steps?.[step] === 1) !== wanted) present[step] = 0;
    }
    return { ...one, present };
  });
}
