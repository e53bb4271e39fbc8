/** Answers log queries, and metric queries with metricQuery.ts: takes the head snapshots first, then
 *  the index, and has worker threads read both. Also labels and series, which need no scan. Owns
 *  concurrency and time limits of queries. Invariant: every acknowledged row is in an answer exactly
 *  once, whatever is flushed meanwhile. */
import { Context, Effect, Layer, Metric, Schedule, Schema, Semaphore } from "effect";
import { limitsFor, type Settings } from "../../platform/config/mod.ts";
import { queryBytesScanned } from "../../platform/metrics.ts";
import { compilePipeline } from "../../logql/pipeline.ts";
import type { PipelineDescription } from "../../logql/pipelinePlan.ts";
import { Index, type IndexError } from "../../storage/Index.ts";
import { type Labels, parseLabels } from "../../streams/labels.ts";
import type { Matcher } from "../../streams/matcher.ts";
import type { TimeRange } from "../../streams/record.ts";
import { Ingester } from "../ingester/Ingester.ts";
import { type PlannedUnit, planUnits } from "../policy/scanPlan.ts";
import type { HeadSnapshot } from "../protocol/head.ts";
import type { Direction, ScanStats } from "../protocol/scan.ts";
import { Scanners } from "../Scanners.ts";
import type { ResultRow } from "./merge.ts";
import {
  answerMetric,
  isQueryError,
  type MetricAnswer,
  type MetricProgress,
  type MetricRequest,
} from "./metricQuery.ts";
import type { ScanProgress } from "./progress.ts";
import { type MeasureRequest, runMeasure, type StreamVolume } from "./runMeasure.ts";
import { runScan } from "./runScan.ts";
import { countUnits, type UnitCounts } from "./unitCounts.ts";

export interface LogRequest {
  readonly tenant: string;
  readonly matchers: ReadonlyArray<Matcher>;
  readonly pipeline: PipelineDescription;
  readonly range: TimeRange;
  readonly limit: number;
  readonly direction: Direction;
}

export interface LogAnswer {
  readonly rows: ReadonlyArray<ResultRow>;
  readonly stats: ScanStats & {
    /** Time the query waited for its turn, and ran, in seconds. */
    readonly queueSeconds: number;
    readonly execSeconds: number;
  };
  /** What explain shows, counted when it is asked for; times in ms. */
  readonly work: () => UnitCounts & { readonly indexMs: number; readonly scanMs: number };
  /** Where a tail continues: the first log offset of each partition that the answer does not cover.
   */
  readonly logTo: ReadonlyMap<number, number>;
}

/** Timeout: query_timeout passed. TooLarge: the answer or what it reads exceeds a limit. Refused: the
 *  data shows the query to be wrong. Busy: too many queries wait. Unavailable: a partition is
 *  recovering; try again. Failed: storage said no. Cancelled: someone ended the query. */
export class QueryFailed extends Schema.TaggedError<QueryFailed>()("QueryFailed", {
  reason: Schema.Literals([
    "Timeout",
    "TooLarge",
    "Refused",
    "Busy",
    "Unavailable",
    "Failed",
    "Cancelled",
  ]),
  message: Schema.String,
}) {}

export interface StreamRequest {
  readonly tenant: string;
  readonly matchers: ReadonlyArray<Matcher>;
  readonly range: TimeRange;
}

export class Querier extends Context.Service<Querier, {
  /** `onProgress` is called as the scan goes on; it must not throw, and the scan does not wait for what it starts. */
  readonly selectLogs: (
    request: LogRequest,
    onProgress?: (progress: ScanProgress) => void,
  ) => Effect.Effect<LogAnswer, QueryFailed>;
  readonly selectMetrics: (
    request: MetricRequest,
    onProgress?: (progress: MetricProgress) => void,
  ) => Effect.Effect<MetricAnswer, QueryFailed>;
  /** Lines and bytes of the streams that have rows in the range, by bucket of time, unflushed ones included. */
  readonly volumes: (
    request: StreamRequest & MeasureRequest,
  ) => Effect.Effect<ReadonlyArray<StreamVolume>, QueryFailed>;
  /** Chunks that are stored for a tenant, whatever their labels and time. */
  readonly storedChunks: (tenant: string) => Effect.Effect<number, QueryFailed>;
  /** Label sets of streams that have rows in the range, sorted by label string. */
  readonly series: (
    request: StreamRequest,
  ) => Effect.Effect<ReadonlyArray<Labels>, QueryFailed>;
  /** Names of labels of those streams, sorted. */
  readonly labelNames: (
    request: StreamRequest,
  ) => Effect.Effect<ReadonlyArray<string>, QueryFailed>;
  /** Values of one label of those streams, sorted. */
  readonly labelValues: (
    request: StreamRequest & { readonly name: string },
  ) => Effect.Effect<ReadonlyArray<string>, QueryFailed>;
}>()("tailrace/actors/Querier") {
  static readonly layer = (settings: Settings) =>
    Layer.effect(
      Querier,
      Effect.gen(function* () {
        const index = yield* Index;
        const ingester = yield* Ingester;
        const scanners = yield* Scanners;
        const turns = Semaphore.makeUnsafe(settings.querier.max_concurrent);
        const waiting = new Map<string, number>();

        const snapshot = (request: StreamRequest) =>
          ingester.describe(request).pipe(
            // A partition that is restarting is back in a moment.
            Effect.retry({ times: 5, schedule: retrySchedule }),
            Effect.mapError(({ message }) => new QueryFailed({ reason: "Unavailable", message })),
          );

        /** Everything that may hold rows of the request, each row once. */
        const plannedUnits = Effect.fnUntraced(function* (
          { tenant, matchers, range }: StreamRequest,
          direction: Direction,
        ) {
          const heads = yield* snapshot({ tenant, matchers, range });
          const chunks = yield* index.findChunks({
            tenant,
            matchers,
            range,
            coveredTo: coveredTo(heads),
          }).pipe(Effect.mapError(indexFailure));
          return { units: planUnits(chunks, heads, direction), heads };
        });

        const scan = Effect.fn("Querier.scan")(function* (
          request: LogRequest,
          queuedMs: number,
          onProgress?: (progress: ScanProgress) => void,
        ) {
          const startMs = performance.now();
          const { units: found, heads } = yield* plannedUnits(request, request.direction);
          const units = unitsWanted(found, request);
          const plannedMs = performance.now();
          const { rows, stats } = yield* Effect.tryPromise({
            try: (signal) =>
              runScan(
                scanners,
                units,
                request,
                {
                  bytesMax: settings.querier.max_response_bytes,
                  bytesScannedMax: limitsFor(settings, request.tenant).max_query_bytes_read,
                },
                signal,
                onProgress,
              ),
            catch: scanFailure,
          });
          yield* Metric.update(queryBytesScanned, stats.bytesScanned);
          const execSeconds = (performance.now() - startMs) / 1000;
          const logTo = new Map(heads.map((head) => [head.partition, head.logTo]));
          const scanMs = performance.now() - plannedMs;
          const work = () => {
            const kept = new Set(units);
            const pruned = found.filter((unit) => !kept.has(unit));
            return { ...countUnits(found, pruned), indexMs: plannedMs - startMs, scanMs };
          };
          const timed = { ...stats, execSeconds, queueSeconds: queuedMs / 1000 };
          return { rows, logTo, work, stats: timed };
        });

        /** Runs a query when its turn has come, within the tenant's time limit. */
        const inTurn = Effect.fnUntraced(function* <A>(
          tenant: string,
          query: (queuedMs: number) => Effect.Effect<A, QueryFailed>,
        ) {
          const most = settings.querier.max_outstanding_per_tenant;
          const ahead = waiting.get(tenant) ?? 0;
          if (ahead >= most) {
            return yield* new QueryFailed({
              reason: "Busy",
              message:
                `too many outstanding requests: ${ahead} queries of tenant ${tenant} are waiting or running, ` +
                `querier.max_outstanding_per_tenant is ${most}; try again later`,
            });
          }
          waiting.set(tenant, ahead + 1);
          const queuedAt = performance.now();
          const timeoutMs = limitsFor(settings, tenant).query_timeout;
          return yield* turns.withPermits(1)(
            Effect.suspend(() => query(performance.now() - queuedAt)),
          ).pipe(
            Effect.timeoutOrElse({
              duration: timeoutMs,
              orElse: () => Effect.fail(timedOut(timeoutMs)),
            }),
            Effect.ensuring(Effect.sync(() => {
              const left = (waiting.get(tenant) ?? 1) - 1;
              if (left === 0) waiting.delete(tenant);
              else waiting.set(tenant, left);
            })),
          );
        });

        const selectLogs = Effect.fn("Querier.selectLogs")(
          (request: LogRequest, onProgress?: (progress: ScanProgress) => void) =>
            inTurn(request.tenant, (queuedMs) => scan(request, queuedMs, onProgress)),
        );

        const selectMetrics = Effect.fn("Querier.selectMetrics")((
          request: MetricRequest,
          onProgress?: (progress: MetricProgress) => void,
        ) =>
          inTurn(
            request.tenant,
            Effect.fnUntraced(function* (queuedMs) {
              const startMs = performance.now();
              const limits = limitsFor(settings, request.tenant);
              const { value, stats, work } = yield* answerMetric(
                {
                  scanners,
                  limits: {
                    seriesMax: limits.max_query_series,
                    samplesMax: limits.max_query_samples,
                    bytesScannedMax: limits.max_query_bytes_read,
                  },
                  unitsOf: (wanted) =>
                    Effect.map(plannedUnits(wanted, "forward"), ({ units }) => units),
                  failure: scanFailure,
                },
                request,
                onProgress,
              );
              yield* Metric.update(queryBytesScanned, stats.bytesScanned);
              const execSeconds = (performance.now() - startMs) / 1000;
              const timed = { ...stats, execSeconds, queueSeconds: queuedMs / 1000 };
              return { value, grid: request.grid, stats: timed, work };
            }),
          )
        );

        const volumes = Effect.fn("Querier.volumes")((request: StreamRequest & MeasureRequest) =>
          inTurn(
            request.tenant,
            Effect.fnUntraced(function* () {
              const { units } = yield* plannedUnits(request, "forward");
              return yield* Effect.tryPromise({
                try: (signal) => runMeasure(scanners, units, request, signal),
                catch: scanFailure,
              });
            }),
          )
        );

        const storedChunks = (tenant: string) =>
          index.stats({ tenant, matchers: [], range: allTime, coveredTo: new Map() }).pipe(
            Effect.map(({ chunks }) => chunks),
            Effect.mapError(indexFailure),
          );

        const series = Effect.fn("Querier.series")(function* (request: StreamRequest) {
          const heads = yield* snapshot(request);
          const found = new Set(
            yield* index.findStreams({ ...request, coveredTo: coveredTo(heads) }).pipe(
              Effect.mapError(indexFailure),
            ),
          );
          for (const head of heads) for (const stream of head.streams) found.add(stream.labels);
          return [...found].sort().map(parseLabels);
        });

        const labelNames = Effect.fn("Querier.labelNames")(function* (request: StreamRequest) {
          const heads = yield* snapshot(request);
          const stored = yield* index.labelNames({ ...request, coveredTo: coveredTo(heads) }).pipe(
            Effect.mapError(indexFailure),
          );
          const names = new Set(stored);
          for (const labels of headLabels(heads)) for (const [name] of labels) names.add(name);
          return [...names].sort();
        });

        const labelValues = Effect.fn("Querier.labelValues")(function* (
          request: StreamRequest & { readonly name: string },
        ) {
          const heads = yield* snapshot(request);
          const stored = yield* index.labelValues(
            { ...request, coveredTo: coveredTo(heads) },
            request.name,
          ).pipe(
            Effect.mapError(indexFailure),
          );
          const values = new Set(stored);
          for (const labels of headLabels(heads)) {
            for (const [name, value] of labels) if (name === request.name) values.add(value);
          }
          return [...values].sort();
        });

        return Querier.of({
          selectLogs,
          selectMetrics,
          storedChunks,
          volumes,
          series,
          labelNames,
          labelValues,
        });
      }),
    );
}

/** Without the units of streams whose labels alone decide that no row passes the label filters. */
function unitsWanted(
  units: ReadonlyArray<PlannedUnit>,
  { pipeline: description }: LogRequest,
): ReadonlyArray<PlannedUnit> {
  if (description.stages[0]?.kind !== "LabelFilter") return units;
  const pipeline = compilePipeline(description);
  const wanted = new Map<string, boolean>();
  return units.filter(({ labels }) => {
    let passes = wanted.get(labels);
    if (passes === undefined) {
      passes = pipeline.forStream(parseLabels(labels)) !== "none";
      wanted.set(labels, passes);
    }
    return passes;
  });
}

const allTime: TimeRange = { start: -(2n ** 63n), end: 2n ** 63n - 1n };

/** A partition that restarts is back within moments, or not at all. */
const retrySchedule = Schedule.spaced(200);

function* headLabels(heads: ReadonlyArray<HeadSnapshot>): Iterable<Labels> {
  for (const head of heads) for (const stream of head.streams) yield parseLabels(stream.labels);
}

function coveredTo(heads: ReadonlyArray<HeadSnapshot>): ReadonlyMap<number, number> {
  return new Map(heads.map((head) => [head.partition, head.logFrom]));
}

function timedOut(timeoutMs: number): QueryFailed {
  return new QueryFailed({
    reason: "Timeout",
    message:
      `request timed out, decrease the duration of the request or add more label matchers (prefer exact match over ` +
      `regex match) to reduce the amount of data processed; query_timeout is ${timeoutMs / 1000} s`,
  });
}

function indexFailure(error: IndexError): QueryFailed {
  return new QueryFailed({ reason: "Failed", message: `the index failed: ${error.message}` });
}

function scanFailure(error: unknown): QueryFailed {
  if (isQueryError(error)) return new QueryFailed({ reason: "Refused", message: error.message });
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  switch (name) {
    case "ResponseTooLarge":
      return new QueryFailed({
        reason: "TooLarge",
        message:
          `${message}, which is querier.max_response_bytes; ask for fewer lines or a shorter time range`,
      });
    case "QueryReadsTooMuch":
      return new QueryFailed({ reason: "TooLarge", message });
    case "WorkerPoolBusy":
      return new QueryFailed({
        reason: "Busy",
        message: `too many outstanding requests: ${message}`,
      });
    default:
      return new QueryFailed({ reason: "Failed", message });
  }
}
