/** Turns merged states into the matrix of a range aggregation: reads each series' windows, divides what
 *  is per second, and turns absence around. */
import { type Labels, parseLabels } from "../../streams/labels.ts";
import type { Selector } from "../ast.ts";
import type { WindowBuckets } from "./buckets.ts";
import { type CellTable, type MetricLimits, tooManySamples } from "./cells.ts";
import { emptySeries, type Matrix, matrixOf } from "./matrix.ts";
import { isPerSecond, type RangeFunctionSpec } from "./states/catalogue.ts";
import type { RangeStates } from "./states/rangeStates.ts";

interface RangeLimits {
  /** Of samplesMax, what other leaves of the query have; none by default. */
  readonly samplesHeld?: number;
  /** Throws when nobody waits for the result any more; called for each series. */
  readonly checkpoint?: () => void;
}

/** The windows' values of every series. `table` numbers the cells of `states`. */
export function rangeMatrix(
  spec: RangeFunctionSpec,
  rangeNs: bigint,
  table: CellTable,
  states: RangeStates,
  buckets: WindowBuckets,
  limits: MetricLimits & RangeLimits,
): Matrix {
  const stepCount = buckets.first.length;
  const { samplesMax, samplesHeld = 0, checkpoint = () => {} } = limits;
  if (samplesHeld + table.seriesCount * stepCount > samplesMax) throw tooManySamples(samplesMax);
  const { cells, ends } = table.bySeries();
  const seconds = Number(rangeNs) / 1e9;
  const perSecond = isPerSecond(spec.op);
  return matrixOf(table.keys.map((key, id) => {
    checkpoint();
    const series = emptySeries(parseLabels(key), stepCount);
    const own = cells.subarray(id === 0 ? 0 : ends[id - 1]!, ends[id]!);
    states.windows({ cells: own, bucketOf: table.buckets }, buckets, series);
    if (perSecond) {
      for (let step = 0; step < stepCount; step++) series.values[step]! /= seconds;
    }
    return series;
  }));
}

/** absent_over_time: 1 where no series of `found` has a value, with these labels. */
export function absence(found: Matrix, labels: Labels, stepCount: number): Matrix {
  const absent = emptySeries(labels, stepCount);
  absent.values.fill(1);
  absent.present.fill(1);
  for (const { present } of found.series) {
    for (let step = 0; step < stepCount; step++) if (present[step] === 1) absent.present[step] = 0;
  }
  return matrixOf([absent]);
}

/** The labels of absent_over_time: those that the selector fixes to one value, by `=` and nothing else of that name. */
export function absentLabels({ matchers }: Selector): Labels {
  const fixed = new Map<string, string>();
  const open = new Set<string>();
  for (const { name, op, value } of matchers) {
    if (op === "=" && !fixed.has(name)) fixed.set(name, value);
    else open.add(name);
  }
  const labels = [...fixed].filter(([name, value]) => !open.has(name) && value !== "");
  return labels.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
}
