/** Evaluates metric queries in a worker thread: puts the states of many jobs together (merge), makes the windows of a leaf of
 *  them, and walks the tree above the leaves. protocol/evaluate.ts has the jobs. Owns nothing of what operators do
 *  (src/logql/metrics). Invariant: whatever the order of states and how they were put together, the answer is the same. */
import { WindowBuckets } from "../../logql/metrics/buckets.ts";
import { Budget } from "../../logql/metrics/budget.ts";
import { CellTable } from "../../logql/metrics/cells.ts";
import { evaluate } from "../../logql/metrics/evaluate.ts";
import {
  packMatrix,
  packTexts,
  unpackMatrix,
  unpackTexts,
} from "../../logql/metrics/packedMatrix.ts";
import { absence, rangeMatrix } from "../../logql/metrics/rangeResult.ts";
import { makeStates } from "../../logql/metrics/states/catalogue.ts";
import type { JobContext } from "../../platform/workerHost.ts";
import { buffersOf, type CellStates } from "../protocol/aggregate.ts";
import type {
  EncodedSamples,
  EvaluateJob,
  MergeStatesJob,
  WindowsJob,
  WindowsResult,
} from "../protocol/evaluate.ts";
import { encodeInstant, encodeMatrix } from "./encodeSamples.ts";
import { ScanCancelled } from "./scanJob.ts";

/** Throws MetricLimitReached or ScanCancelled. */
export function mergeStates(job: MergeStatesJob, context: JobContext): CellStates {
  const { table, states } = merged(job, checkpointOf(context));
  const { keys, series, buckets, cellCount } = table;
  const result: CellStates = {
    keys: packTexts(keys),
    series: series.slice(0, cellCount),
    buckets: buckets.slice(0, cellCount),
    states: states.columns(cellCount),
  };
  context.transfer.push(...buffersOf(result));
  return result;
}

/** Throws MetricLimitReached or ScanCancelled. */
export function windows(job: WindowsJob, context: JobContext): WindowsResult {
  const checkpoint = checkpointOf(context);
  const { table, states } = merged(job, checkpoint);
  const { spec, limits, samplesHeld } = job;
  const { grid, rangeNs } = job.windows;
  const bounds = { ...limits, samplesHeld, checkpoint };
  const buckets = new WindowBuckets(job.windows);
  const found = rangeMatrix(spec, rangeNs, table, states, buckets, bounds);
  const whole = job.absentLabels === null ? found : absence(found, job.absentLabels, grid.count);
  const matrix = packMatrix(whole, grid.count);
  context.transfer.push(matrix.values.buffer, matrix.present.buffer);
  return { matrix, cellCount: table.cellCount, seriesCount: found.series.length };
}

/** Throws EvaluationError, MetricLimitReached, AnswerTooLarge or ScanCancelled. */
export function evaluateQuery(job: EvaluateJob, context: JobContext): EncodedSamples {
  const { grid, form, samplesMax, bytesMax } = job;
  const leaves = job.leaves.map((leaf) => unpackMatrix(leaf, grid.count));
  const checkpoint = checkpointOf(context);
  const steps = { count: grid.count, isInstant: form === "vector" };
  const value = evaluate(job.tree, leaves, steps, new Budget(samplesMax, checkpoint));
  const samples = form === "matrix"
    ? encodeMatrix(value, grid, bytesMax, checkpoint)
    : encodeInstant(value, grid, bytesMax);
  context.transfer.push(samples.result.buffer);
  return samples;
}

function checkpointOf(context: JobContext): () => void {
  return () => {
    if (context.cancelled()) throw new ScanCancelled("the query was cancelled");
  };
}

function merged({ spec, limits, states: all }: MergeStatesJob, checkpoint: () => void) {
  const table = new CellTable(limits);
  const states = makeStates(spec, limits.samplesMax);
  for (const { keys, series, buckets, states: columns } of all) {
    checkpoint();
    const seriesOf = unpackTexts(keys).map((key) => table.seriesOf(key));
    const cellOf = new Uint32Array(series.length);
    for (let cell = 0; cell < cellOf.length; cell++) {
      cellOf[cell] = table.cellOf(seriesOf[series[cell]!]!, buckets[cell]!);
    }
    states.merge(columns, cellOf);
  }
  return { table, states };
}
