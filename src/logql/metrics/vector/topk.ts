/** topk, bottomk and approx_topk (which is exact here): at each step the k series of a group with the
 *  greatest or least values, with all their labels. NaN is wanted last; of equal values the series whose
 *  labels sort first is wanted first. */
import { formatLabels } from "../../../streams/labels.ts";
import type { Budget } from "../budget.ts";
import { groupLabels, type LabelGrouping } from "../grouping.ts";
import { type Matrix, matrixOf, type Series } from "../matrix.ts";

export function chooseSeries(
  which: "greatest" | "least",
  k: number,
  matrix: Matrix,
  grouping: LabelGrouping,
  budget: Budget,
): Matrix {
  const groups = new Map<string, number[]>();
  // In canonical order, so that ties fall to the series that sorts first, whatever ordered them before.
  const series = matrixOf(matrix.series).series;
  series.forEach(({ labels }, index) => {
    const key = formatLabels(groupLabels(labels, grouping));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [index]);
    else group.push(index);
  });
  const chosen = series.map((one): Series => ({
    ...one,
    present: new Uint8Array(one.present.length),
  }));
  const sign = which === "greatest" ? -1 : 1;
  for (const group of groups.values()) {
    const stepCount = series[group[0]!]!.values.length;
    for (let step = 0; step < stepCount; step++) {
      budget.work(group.length);
      for (const index of bestAt(series, group, step, k, sign)) chosen[index]!.present[step] = 1;
    }
  }
  return matrixOf(chosen);
}

function bestAt(
  series: ReadonlyArray<Series>,
  group: ReadonlyArray<number>,
  step: number,
  k: number,
  sign: number,
): ReadonlyArray<number> {
  const candidates = group.filter((index) => series[index]!.present[step] === 1);
  if (candidates.length <= k) return candidates;
  candidates.sort((a, b) => {
    const [x, y] = [series[a]!.values[step]!, series[b]!.values[step]!];
    if (x !== x || y !== y) return Number(x !== x) - Number(y !== y);
    return x === y ? 0 : (x < y ? -1 : 1) * sign;
  });
  return candidates.slice(0, k);
}
