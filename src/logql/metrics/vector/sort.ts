/** sort and sort_desc: the order of the series of an instant query, NaN last. A range query's answer is
 *  ordered by labels, so there they change nothing, as in Loki. */
import type { Matrix, Series } from "../matrix.ts";

/** Orders by the value at the first step; equal values keep their order. */
export function sortVector(matrix: Matrix, descending: boolean): Matrix {
  const sign = descending ? -1 : 1;
  const series = matrix.series.toSorted((a, b) => {
    const [x, y] = [valueOf(a), valueOf(b)];
    if (x !== x || y !== y) return Number(x !== x) - Number(y !== y);
    return x === y ? 0 : (x < y ? -1 : 1) * sign;
  });
  return { kind: "matrix", series };
}

function valueOf({ values, present }: Series): number {
  return present[0] === 1 ? values[0]! : NaN;
}
