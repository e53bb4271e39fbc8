/** variants(m1, m2) of (…): several metrics in one answer, told apart by the label __variant__, which
 *  counts them from 0. */
import { type Matrix, matrixOf } from "./matrix.ts";

const variantLabel = "__variant__";

export function tagVariants(variants: ReadonlyArray<Matrix>): Matrix {
  return matrixOf(variants.flatMap(({ series }, index) =>
    series.map((one) => ({
      ...one,
      labels: [
        ...one.labels.filter(([name]) => name !== variantLabel),
        [variantLabel, String(index)] as const,
      ].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0),
    }))
  ));
}
