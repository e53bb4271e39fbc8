/** Vector aggregations that make one series of each group: sum, avg, min, max, count, stddev, stdvar.
 *  topk.ts has those that choose among series, sort.ts those that order them. */
import { formatLabels } from "../../../streams/labels.ts";
import { additionError, rounded } from "../doubleDouble.ts";
import { groupLabels, type LabelGrouping } from "../grouping.ts";
import { emptySeries, type Matrix, matrixOf, type Series } from "../matrix.ts";

export type ReducingOp = "sum" | "avg" | "min" | "max" | "count" | "stddev" | "stdvar";

/** At each step, over the series of a group that have a value there. */
export function aggregateVector(op: ReducingOp, matrix: Matrix, grouping: LabelGrouping): Matrix {
  const groups = new Map<string, Series[]>();
  for (const series of matrix.series) {
    const key = formatLabels(groupLabels(series.labels, grouping));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [series]);
    else group.push(series);
  }
  return matrixOf([...groups.values()].map((members) => reduce(op, members, grouping)));
}

function reduce(op: ReducingOp, members: ReadonlyArray<Series>, grouping: LabelGrouping): Series {
  const first = members[0]!;
  const out = emptySeries(groupLabels(first.labels, grouping), first.values.length);
  for (const { present } of members) {
    for (let step = 0; step < present.length; step++) out.present[step]! |= present[step]!;
  }
  switch (op) {
    case "min":
      extreme(members, out, -1);
      break;
    case "max":
      extreme(members, out, 1);
      break;
    case "stddev":
    case "stdvar":
      spread(members, out, op === "stddev");
      break;
    default:
      total(members, out, op);
  }
  return out;
}

function total(members: ReadonlyArray<Series>, out: Series, op: "sum" | "avg" | "count"): void {
  const low = new Float64Array(out.values.length);
  const counts = new Float64Array(out.values.length);
  for (const { values, present } of members) {
    for (let step = 0; step < values.length; step++) {
      if (present[step] === 0) continue;
      counts[step]!++;
      const before = out.values[step]!;
      const sum = before + values[step]!;
      low[step]! += additionError(before, values[step]!, sum);
      out.values[step] = sum;
    }
  }
  for (let step = 0; step < counts.length; step++) {
    const sum = rounded(out.values[step]!, low[step]!);
    out.values[step] = op === "sum" ? sum : op === "avg" ? sum / counts[step]! : counts[step]!;
  }
}

/** NaN counts only where nothing else is. */
function extreme(members: ReadonlyArray<Series>, out: Series, sign: number): void {
  out.values.fill(NaN);
  for (const { values, present } of members) {
    for (let step = 0; step < values.length; step++) {
      if (present[step] === 0) continue;
      const best = out.values[step]!;
      if (best !== best || (values[step]! - best) * sign > 0) out.values[step] = values[step]!;
    }
  }
}

/** Welford's method, as momentStates.ts. */
function spread(members: ReadonlyArray<Series>, out: Series, deviation: boolean): void {
  const counts = new Float64Array(out.values.length);
  const means = new Float64Array(out.values.length);
  for (const { values, present } of members) {
    for (let step = 0; step < values.length; step++) {
      if (present[step] === 0) continue;
      const distance = values[step]! - means[step]!;
      const mean = means[step]! += distance / ++counts[step]!;
      out.values[step]! += distance * (values[step]! - mean);
    }
  }
  for (let step = 0; step < counts.length; step++) {
    const variance = out.values[step]! / counts[step]!;
    out.values[step] = deviation ? Math.sqrt(variance) : variance;
  }
}
