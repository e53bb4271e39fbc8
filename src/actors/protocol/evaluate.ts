/** What threads are asked to make of the states that aggregate jobs return, and what they answer: states of many jobs put
 *  together, windows of states, the samples of a whole query. No number of series makes the thread that asks do more than pass
 *  on a few columns. */
import type { WindowSpec } from "../../logql/metrics/buckets.ts";
import type { MetricLimits } from "../../logql/metrics/cells.ts";
import type { StepGrid } from "../../logql/metrics/grid.ts";
import type { PackedMatrix } from "../../logql/metrics/packedMatrix.ts";
import type { RangeFunctionSpec } from "../../logql/metrics/states/catalogue.ts";
import type { MetricTree } from "../../logql/planner/metricPlan.ts";
import type { Labels } from "../../streams/labels.ts";
import type { CellStates } from "./aggregate.ts";

/** Puts states together; the answer is CellStates. */
export interface MergeStatesJob {
  readonly spec: RangeFunctionSpec;
  readonly limits: MetricLimits;
  readonly states: ReadonlyArray<CellStates>;
}

/** Makes a leaf's matrix of all its states. */
export interface WindowsJob extends MergeStatesJob {
  readonly windows: WindowSpec;
  /** Samples of the query's other leaves, which count for limits.samplesMax too. */
  readonly samplesHeld: number;
  /** The labels of absent_over_time; null for every other function. */
  readonly absentLabels: Labels | null;
}

export interface WindowsResult {
  readonly matrix: PackedMatrix;
  readonly cellCount: number;
  readonly seriesCount: number;
}

/** Evaluates a query over its leaves, and writes the samples. */
export interface EvaluateJob {
  readonly tree: MetricTree;
  /** The matrices of the plan's leaves. */
  readonly leaves: ReadonlyArray<PackedMatrix>;
  readonly grid: StepGrid;
  readonly form: SamplesForm;
  readonly samplesMax: number;
  /** Bytes of the answer. */
  readonly bytesMax: number;
}

/** As query_range answers, or as query does. */
export type SamplesForm = "matrix" | "vector";

export interface EncodedSamples {
  readonly resultType: "matrix" | "vector" | "scalar";
  /** The JSON of `data.result`, UTF-8. */
  readonly result: Uint8Array<ArrayBuffer>;
  readonly sampleCount: number;
}
