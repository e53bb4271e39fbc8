/** Drives one leaf of a metric query: answers from the index what it can, has worker threads fold the
 *  rest into states, and gathers what comes back (gatheredStates.ts). Invariant: each unit is counted once, by the index or
 *  by a job. */
import type { WindowSpec } from "../../logql/metrics/buckets.ts";
import { WindowBuckets } from "../../logql/metrics/buckets.ts";
import type { MetricLimits } from "../../logql/metrics/cells.ts";
import type { PackedMatrix } from "../../logql/metrics/packedMatrix.ts";
import { compilePipeline } from "../../logql/pipeline.ts";
import type { PipelineDescription } from "../../logql/pipelinePlan.ts";
import type { Leaf } from "../../logql/planner/metricPlan.ts";
import type { Scanners } from "../Scanners.ts";
import { runInTurns } from "../../platform/turns.ts";
import { type Batch, batchMessage } from "../../streams/batch.ts";
import { parseLabels } from "../../streams/labels.ts";
import type { TimeRange } from "../../streams/record.ts";
import { type PlannedSource, type PlannedUnit, rangeOfUnit } from "../policy/scanPlan.ts";
import type {
  AggregateJob,
  AggregateResult,
  AggregateSource,
  AggregateStats,
} from "../protocol/aggregate.ts";
import { RowFold } from "../worker/rowFold.ts";
import { GatheredStates } from "./gatheredStates.ts";
import type { WorkProgress } from "./progress.ts";
import { countChunks, countUnits, type UnitCounts } from "./unitCounts.ts";
import { tooMuchRead } from "./runScan.ts";

/** Stored bytes of a job: small queries use all threads, large ones send few messages. */
const jobBytesMin = 256 * 1024;
const jobBytesMax = 8 * 1024 * 1024;

export interface LeafRequest {
  readonly leaf: Leaf;
  readonly pipeline: PipelineDescription;
  readonly windows: WindowSpec;
  /** The rows that count: no window holds others. */
  readonly range: TimeRange;
  readonly limits: MetricLimits & {
    /** Line bytes that may be looked at; 0 for no limit. */
    readonly bytesScannedMax: number;
    /** Samples of the query's other leaves, which count for samplesMax too. */
    readonly samplesHeld: number;
  };
}

export interface LeafAnswer {
  readonly matrix: PackedMatrix;
  readonly stats: AggregateStats;
  /** What explain shows. */
  readonly work: LeafWork;
}

/** What answering a leaf took; times in ms. */
export interface LeafWork extends UnitCounts {
  /** Chunks that the index alone answered. */
  readonly chunksFromIndex: number;
  readonly jobs: number;
  readonly cells: number;
  readonly series: number;
  readonly scanMs: number;
  readonly mergeMs: number;
}

/** Evaluates a leaf over its units. Rejects with the first job's error, MetricLimitReached or the
 *  signal's reason; all jobs have then been told to stop. `onProgress` is called after every job. */
export async function runAggregate(
  pool: Scanners["Service"],
  units: ReadonlyArray<PlannedUnit>,
  request: LeafRequest,
  signal: AbortSignal,
  onProgress: (progress: WorkProgress) => void = () => {},
): Promise<LeafAnswer> {
  const { limits } = request;
  const startedAt = performance.now();
  const { counted, rest, pruned } = await runInTurns(countFromIndex(units, request), signal);
  const gathered = new GatheredStates(pool, request);
  gathered.add(counted);
  const jobs = await runInTurns(jobsOf(rest, request, units, pool.threadCount), signal);
  let unitsDone = units.length - rest.length;
  let bytesDone = 0;
  const bytesTotal = jobs.reduce((sum, { bytes }) => sum + bytes, 0);
  await runJobs(pool, jobs, signal, gathered, (result, { job, bytes }) => {
    gathered.add(result);
    unitsDone += job.units.length;
    bytesDone += bytes;
    onProgress({
      unitsDone,
      unitsTotal: units.length,
      bytesDone,
      bytesTotal,
      rowsMatched: gathered.stats.rowsFolded,
      stats: { ...gathered.stats },
    });
    if (limits.bytesScannedMax > 0 && gathered.stats.bytesScanned > limits.bytesScannedMax) {
      throw tooMuchRead(limits.bytesScannedMax);
    }
  });
  const scannedAt = performance.now();
  const { matrix, cellCount, seriesCount } = await gathered.windows(signal);
  const counts = countUnits(units, pruned);
  return {
    matrix,
    stats: gathered.stats,
    work: {
      ...counts,
      chunksFromIndex: counts.chunks - counts.chunksPruned - countChunks(rest),
      jobs: jobs.length,
      cells: cellCount,
      series: seriesCount,
      scanMs: scannedAt - startedAt,
      mergeMs: performance.now() - scannedAt,
    },
  };
}

interface PlannedJob {
  readonly job: AggregateJob;
  /** Stored bytes of its units. */
  readonly bytes: number;
}

/** Keeps all threads busy with jobs until every one is done, and puts states together whenever there are many. */
async function runJobs(
  pool: Scanners["Service"],
  jobs: ReadonlyArray<PlannedJob>,
  signal: AbortSignal,
  gathered: GatheredStates,
  take: (result: AggregateResult, planned: PlannedJob) => void,
): Promise<void> {
  const stop = new AbortController();
  const jobSignal = AbortSignal.any([signal, stop.signal]);
  const running = new Set<Promise<void>>();
  let next = 0;
  try {
    while (next < jobs.length || running.size > 0) {
      if (gathered.isLarge) await gathered.merge(jobSignal);
      while (running.size < pool.threadCount && next < jobs.length) {
        const planned = jobs[next++]!;
        const run: Promise<void> = pool.run<AggregateResult>("aggregate", planned.job, {
          signal: jobSignal,
        }).then((result) => {
          take(result, planned);
          // One that failed stays, so that it is seen also if nobody waited at that moment.
          running.delete(run);
        });
        running.add(run);
      }
      if (running.size > 0) await Promise.race(running);
    }
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(running);
    throw error;
  }
}

/** What the index alone says of a leaf. */
interface Counted {
  readonly counted: AggregateResult;
  readonly rest: ReadonlyArray<PlannedUnit>;
  /** Units of streams that no row of can pass. */
  readonly pruned: ReadonlyArray<PlannedUnit>;
}

/** Counts what needs no look at rows: a chunk on its own that lies within one bucket of time, of a stream
 *  that no filter or stage looks at and whose labels name the series. */
function* countFromIndex(
  units: ReadonlyArray<PlannedUnit>,
  request: LeafRequest,
): Generator<void, Counted> {
  const pipeline = compilePipeline(request.pipeline);
  const buckets = new WindowBuckets(request.windows);
  const fold = new RowFold(jobWith(request, [], []), pipeline, buckets, () => {});
  const rest: PlannedUnit[] = [];
  const pruned: PlannedUnit[] = [];
  let looked = 0;
  for (const [labels, own] of Map.groupBy(units, (unit) => unit.labels)) {
    const streamLabels = parseLabels(labels);
    const stream = pipeline.forStream(streamLabels);
    if (stream === "none") {
      for (const unit of own) pruned.push(unit);
      continue;
    }
    fold.begin(stream, streamLabels, 0);
    // Of a chunk's metadata the index knows nothing.
    const countable = stream.filters.length === 0 && fold.countsOnly(1);
    for (const unit of own) {
      if (++looked % stepUnits === 0) yield;
      const chunk = unit.sources.length === 1 ? unit.sources[0]!.chunk : undefined;
      const bucket =
        countable && chunk !== undefined && chunk.minTime >= rangeOfUnit(request.range, unit).start
          ? buckets.bucketOfSpan(chunk.minTime, chunk.maxTime)
          : -2;
      if (bucket === -2) rest.push(unit);
      else if (bucket >= 0) fold.addCounted(bucket, chunk!.rowCount, chunk!.rawBytes);
    }
  }
  const rows = fold.rowCount;
  const stats = { ...noWork, rowsScanned: rows, rowsFolded: rows };
  return { counted: fold.result(stats), rest, pruned };
}

/** Units of one step. */
const stepUnits = 1000;

const noWork: AggregateStats = {
  bytesScanned: 0,
  rowsScanned: 0,
  bytesRead: 0,
  chunksRead: 0,
  rowsFolded: 0,
};

function* jobsOf(
  units: ReadonlyArray<PlannedUnit>,
  request: LeafRequest,
  all: ReadonlyArray<PlannedUnit>,
  threadCount: number,
): Generator<void, ReadonlyArray<PlannedJob>> {
  const names = [...new Set(all.map(({ labels }) => labels))].sort();
  const ranks = new Map(names.map((labels, rank) => [labels, rank]));
  const total = units.reduce((sum, { bytes }) => sum + bytes, 0);
  const jobBytes = Math.min(jobBytesMax, Math.max(jobBytesMin, total / (4 * threadCount)));
  const jobs: PlannedJob[] = [];
  for (let from = 0; from < units.length;) {
    let [to, bytes] = [from, 0];
    do bytes += units[to++]!.bytes; while (
      to < units.length && bytes + units[to]!.bytes <= jobBytes &&
      units[to]!.keptFrom === units[from]!.keptFrom
    );
    const range = rangeOfUnit(request.range, units[from]!);
    jobs.push({ job: jobOf(units.slice(from, to), { ...request, range }, ranks), bytes });
    from = to;
    yield;
  }
  return jobs;
}

function jobOf(
  units: ReadonlyArray<PlannedUnit>,
  request: LeafRequest,
  ranks: ReadonlyMap<string, number>,
): AggregateJob {
  const batches = new Map<Batch, number>();
  const sourceOf = ({ chunk, slice, minTime }: PlannedSource): AggregateSource => {
    if (chunk !== undefined) {
      return {
        chunk: { key: chunk.segmentKey, offset: chunk.offset, length: chunk.length },
        minTime,
      };
    }
    const { batch, rowStart, rowEnd } = slice;
    let index = batches.get(batch);
    if (index === undefined) batches.set(batch, index = batches.size);
    return { batch: index, rowStart, rowEnd, minTime };
  };
  const jobUnits = units.map(({ labels, sources }) => ({
    labels,
    rank: ranks.get(labels)!,
    sources: sources.map(sourceOf),
  }));
  return jobWith(request, jobUnits, [...batches.keys()].map(batchMessage));
}

function jobWith(
  { leaf, pipeline, windows, range, limits }: LeafRequest,
  units: AggregateJob["units"],
  batches: AggregateJob["batches"],
): AggregateJob {
  const { seriesMax, samplesMax } = limits;
  return {
    pipeline,
    spec: leaf.spec,
    windows,
    range,
    grouping: leaf.grouping,
    keepsErrors: leaf.keepsErrors,
    limits: { seriesMax, samplesMax },
    units,
    batches,
  };
}
