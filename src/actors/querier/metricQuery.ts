/** Answers metric queries: each leaf of the plan from head snapshots, index and worker threads
 *  (runAggregate.ts), then the tree above them in a worker thread too. Querier.ts owns turns and time limits.
 *  Invariant: every acknowledged row is in a leaf exactly once, whatever is flushed meanwhile. */
import { Effect } from "effect";
import type { PackedMatrix } from "../../logql/metrics/packedMatrix.ts";
import { rowRange } from "../../logql/metrics/buckets.ts";
import type { StepGrid } from "../../logql/metrics/grid.ts";
import { selectorMatchers } from "../../logql/pipelinePlan.ts";
import { leafPipeline, type MetricPlan } from "../../logql/planner/metricPlan.ts";
import type { Scanners } from "../Scanners.ts";
import type { PlannedUnit } from "../policy/scanPlan.ts";
import type { AggregateStats } from "../protocol/aggregate.ts";
import type { EncodedSamples, EvaluateJob, SamplesForm } from "../protocol/evaluate.ts";
import type { WorkProgress } from "./progress.ts";
import type { QueryFailed, StreamRequest } from "./Querier.ts";
import { type LeafRequest, type LeafWork, runAggregate } from "./runAggregate.ts";

export interface MetricRequest {
  readonly tenant: string;
  readonly plan: MetricPlan;
  readonly grid: StepGrid;
  readonly form: SamplesForm;
  /** Rows before it are not seen; null for all. */
  readonly oldestNs: bigint | null;
  /** Whether what cannot be read may be left out of the answer; else the query fails. */
  readonly allowPartial?: boolean;
}

export interface MetricAnswer {
  readonly samples: EncodedSamples;
  /** What is missing, if anything is. */
  readonly warnings: ReadonlyArray<string>;
  readonly stats: AggregateStats & {
    /** Time the query waited for its turn, and ran, in seconds. */
    readonly queueSeconds: number;
    readonly execSeconds: number;
  };
  readonly work: MetricWork;
}

/** What answering took, for explain; times in ms. */
export interface MetricWork {
  /** In the plan's order. */
  readonly leaves: ReadonlyArray<LeafWork & LeafCost>;
  readonly evaluateMs: number;
}

interface LeafCost {
  readonly indexMs: number;
  readonly stats: AggregateStats;
}

/** How far a metric query is: `leaf` of `leaves`, from 1, which are read one after another. */
export interface MetricProgress extends WorkProgress {
  readonly leaf: number;
  readonly leaves: number;
}

/** What the querier lends. */
export interface MetricSources {
  readonly scanners: Scanners["Service"];
  readonly limits: Omit<LeafRequest["limits"], "samplesHeld">;
  /** Bytes of the answer. */
  readonly bytesMax: number;
  /** Everything that may hold rows of the request. */
  readonly unitsOf: (
    request: StreamRequest,
  ) => Effect.Effect<ReadonlyArray<PlannedUnit>, QueryFailed>;
  readonly failure: (error: unknown) => QueryFailed;
}

/** Evaluates the plan; leaf after leaf, so that one at a time holds states. */
export const answerMetric = Effect.fn("Querier.metric")(function* (
  { scanners, limits, bytesMax, unitsOf, failure }: MetricSources,
  { tenant, plan, grid, oldestNs, form }: MetricRequest,
  onProgress: (progress: MetricProgress) => void = () => {},
) {
  const matrices: PackedMatrix[] = [];
  let samplesHeld = 0;
  const leaves: Array<LeafWork & LeafCost> = [];
  for (const [index, leaf] of plan.leaves.entries()) {
    const report = (progress: WorkProgress) =>
      onProgress({ ...progress, leaf: index + 1, leaves: plan.leaves.length });
    const windows = { grid, rangeNs: leaf.range.rangeNs, offsetNs: leaf.range.offsetNs };
    const startedAt = performance.now();
    const whole = rowRange(windows);
    const start = oldestNs === null || whole.start > oldestNs ? whole.start : oldestNs;
    const range = { start, end: whole.end };
    const matchers = selectorMatchers(leaf.range.selector);
    const units = range.end <= range.start ? [] : yield* unitsOf({ tenant, matchers, range });
    const indexMs = performance.now() - startedAt;
    const request: LeafRequest = {
      leaf,
      pipeline: leafPipeline(leaf),
      windows,
      range,
      limits: { ...limits, samplesHeld },
    };
    const { matrix, stats, work } = yield* Effect.tryPromise({
      try: (signal) => runAggregate(scanners, units, request, signal, report),
      catch: failure,
    });
    matrices.push(matrix);
    samplesHeld += matrix.values.length;
    leaves.push({ ...work, indexMs, stats });
  }
  const startedAt = performance.now();
  const { samplesMax } = limits;
  const job: EvaluateJob = { tree: plan.tree, leaves: matrices, grid, form, samplesMax, bytesMax };
  const transfer = matrices.flatMap(({ values, present }) => [values.buffer, present.buffer]);
  const samples = yield* Effect.tryPromise({
    try: (signal) => scanners.compute<EncodedSamples>("evaluate", job, { signal, transfer }),
    catch: failure,
  });
  const work: MetricWork = { leaves, evaluateMs: performance.now() - startedAt };
  return { samples, stats: sumOf(leaves.map(({ stats }) => stats)), work };
});

/** Whether an error is the query's own, which the client can put right. */
export function isQueryError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  // Errors of worker threads come as plain ones with a name.
  return error.name === "EvaluationError" || error.name === "PipelineFailed" ||
    error.name === "MetricLimitReached";
}

function sumOf(all: ReadonlyArray<AggregateStats>): AggregateStats {
  const total = (key: keyof AggregateStats) => all.reduce((sum, stats) => sum + stats[key], 0);
  return {
    bytesScanned: total("bytesScanned"),
    rowsScanned: total("rowsScanned"),
    bytesRead: total("bytesRead"),
    chunksRead: total("chunksRead"),
    rowsFolded: total("rowsFolded"),
  };
}
