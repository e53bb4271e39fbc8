/** Answers log queries, and metric queries with metricQuery.ts: takes the head snapshots first, then
 *  the index, and has worker threads read both. Also labels and series, which need no scan. Owns
 *  concurrency and time limits of queries. Invariant: every acknowledged row is in an answer exactly
 *  once, whatever is flushed meanwhile. */
import { Context, Effect, Layer, Metric, Schedule, type Scope, Semaphore } from "effect";
import { limitsFor, type Settings } from "../../platform/config/mod.ts";
import { queryBytesScanned } from "../../platform/metrics.ts";
import { compilePipeline } from "../../logql/pipeline.ts";
import type { PipelineDescription } from "../../logql/pipelinePlan.ts";
import { Index } from "../../storage/Index.ts";
import { ObjectStoreError } from "../../storage/ObjectStore.ts";
import { type Labels, parseLabels } from "../../streams/labels.ts";
import type { Matcher } from "../../streams/matcher.ts";
import type { TimeRange } from "../../streams/record.ts";
import { Ingester } from "../ingester/Ingester.ts";
import { Retention } from "../policy/retention.ts";
import type { PlannedUnit } from "../policy/scanPlan.ts";
import type { Direction, ScanStats } from "../protocol/scan.ts";
import { type AnswerClient, Answers, type HeldAnswer, laterClient } from "../HeldAnswers.ts";
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
import { HeadRoom } from "./HeadRoom.ts";
import { MissingParts } from "./MissingParts.ts";
import { QueryFailed } from "./queryFailed.ts";
import { type MeasureRequest, runMeasure, type StreamVolume } from "./runMeasure.ts";
import { QueryTurn } from "./QueryTurn.ts";
import { runScan } from "./runScan.ts";
import { makeStreamFinder, type StreamRequest } from "./streamFinder.ts";
import { countUnits, type UnitCounts } from "./unitCounts.ts";
import { missingMatchers } from "./requiredMatchers.ts";

export { QueryFailed } from "./queryFailed.ts";
export type { StreamRequest } from "./streamFinder.ts";

export interface LogRequest {
  readonly tenant: string;
  readonly matchers: ReadonlyArray<Matcher>;
  readonly pipeline: PipelineDescription;
  readonly range: TimeRange;
  readonly limit: number;
  readonly direction: Direction;
  /** Whether what cannot be read may be left out of the answer; else the query fails. */
  readonly allowPartial?: boolean;
}

export interface LogAnswer {
  readonly rows: ReadonlyArray<ResultRow>;
  /** What they hold. */
  readonly held: HeldAnswer;
  /** What is missing, if anything is. */
  readonly warnings: ReadonlyArray<string>;
  readonly stats: ScanStats & {
    /** Time the query waited for its turn, and ran, in seconds. */
    readonly queueSeconds: number;
    readonly execSeconds: number;
  };
  /** What explain shows; times in ms. Counts alone: what they count may be all unflushed rows, and an answer is held for long. */
  readonly work: UnitCounts & { readonly indexMs: number; readonly scanMs: number };
  /** Where a tail continues: the first log offset of each partition that the answer does not cover.
   */
  readonly logTo: ReadonlyMap<number, number>;
}

/** Who waits for an answer. */
export interface LogWatcher {
  /** Called as the scan goes on; it must not throw, and the scan does not wait for what it starts. */
  readonly onProgress?: (progress: ScanProgress) => void;
  /** Is ended when it reads nothing while the query needs memory. */
  readonly client?: AnswerClient;
}

export class Querier extends Context.Service<Querier, {
  /** The rows are counted among what answers hold until the scope closes. */
  readonly selectLogs: (
    request: LogRequest,
    watcher?: LogWatcher,
  ) => Effect.Effect<LogAnswer, QueryFailed, Scope.Scope>;
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
        const answers = yield* Answers;
        const turns = Semaphore.makeUnsafe(settings.querier.max_concurrent);
        const waiting = new Map<string, number>();

        const checkMatchers = ({ tenant, matchers }: StreamRequest) => {
          const message = missingMatchers(limitsFor(settings, tenant), matchers);
          if (message === null) return Effect.void;
          return Effect.fail(new QueryFailed({ reason: "Refused", message }));
        };
        const retention = yield* Effect.try({
          try: () => new Retention(settings),
          catch: (error) => error as Error,
        });
        const finder = makeStreamFinder({ settings, index, ingester, retention });

        const scannersOf = (missing: MissingParts | undefined) =>
          missing?.scanners(scanners, (error) => partlyUnreadable.has(scanFailure(error).reason)) ??
            scanners;

        const scan = Effect.fn("Querier.scan")(function* (
          request: LogRequest,
          { turn, room, queuedMs, missing }: Turn,
          held: HeldAnswer,
          onProgress?: (progress: ScanProgress) => void,
        ) {
          const startMs = performance.now();
          yield* checkMatchers(request);
          const { units: found, heads } = yield* finder.units(request, request.direction, {
            missing,
            room,
          });
          const units = unitsWanted(found, request);
          const plannedMs = performance.now();
          const { rows, stats } = yield* Effect.tryPromise({
            try: (signal) =>
              runScan(
                scannersOf(missing),
                units,
                request,
                {
                  bytesMax: settings.querier.max_response_bytes,
                  bytesScannedMax: limitsFor(settings, request.tenant).max_query_bytes_read,
                },
                turn.leftWhileWaiting(held),
                signal,
                onProgress,
              ),
            catch: scanFailure,
          });
          yield* Metric.update(queryBytesScanned, stats.bytesScanned);
          const execSeconds = (performance.now() - startMs) / 1000;
          const logTo = new Map(heads.map((head) => [head.partition, head.logTo]));
          const scanMs = performance.now() - plannedMs;
          const kept = new Set(units);
          const counts = countUnits(found, found.filter((unit) => !kept.has(unit)));
          const work = { ...counts, indexMs: plannedMs - startMs, scanMs };
          const timed = { ...stats, execSeconds, queueSeconds: queuedMs / 1000 };
          const warnings = missing?.warnings() ?? [];
          return { rows, held, warnings, logTo, work, stats: timed };
        });

        /** Runs a query when its turn has come, within the tenant's time limit. */
        const inTurn = Effect.fnUntraced(function* <A>(
          { tenant, allowPartial = false }: {
            readonly tenant: string;
            readonly allowPartial?: boolean;
          },
          query: (turn: Turn) => Effect.Effect<A, QueryFailed>,
          client: AnswerClient = laterClient(),
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
          return yield* QueryTurn.run(
            turns,
            // The segments that it chose may have been merged, and are gone when it took long.
            (turn) => {
              const queuedMs = performance.now() - queuedAt;
              const room = new HeadRoom(() => turn.leftWhileWaiting(answers.open(client)));
              const attempt = (missing: MissingParts | undefined) =>
                turn.again.pipe(
                  Effect.andThen(room.attempt(query({ turn, room, queuedMs, missing }))),
                );
              const whole = attempt(undefined).pipe(
                Effect.retry({ while: ({ reason }) => reason === "Moved", ...movedRetries }),
              );
              const allowed = !allowPartial
                ? whole
                : whole.pipe(Effect.catch((failure) =>
                  partlyUnreadable.has(failure.reason)
                    ? Effect.suspend(() => attempt(new MissingParts()))
                    : Effect.fail(failure)
                ));
              return allowed.pipe(
                Effect.retry({ while: ({ reason }) => reason === "GaveWay", ...gaveWayRetries }),
                Effect.ensuring(Effect.sync(() => room.release())),
              );
            },
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

        const selectLogs = Effect.fn("Querier.selectLogs")(function* (
          request: LogRequest,
          { client = laterClient(), onProgress }: LogWatcher = {},
        ) {
          const held = yield* Effect.acquireRelease(
            Effect.sync(() => answers.open(client)),
            ({ release }) => Effect.sync(release),
          );
          return yield* inTurn(
            request,
            (turn) =>
              scan(request, turn, held, onProgress).pipe(
                Effect.onError(() => Effect.sync(() => held.resize(0))),
              ),
            client,
          );
        });

        const selectMetrics = Effect.fn("Querier.selectMetrics")((
          request: MetricRequest,
          onProgress?: (progress: MetricProgress) => void,
        ) =>
          inTurn(
            request,
            Effect.fnUntraced(function* ({ room, queuedMs, missing }) {
              const startMs = performance.now();
              const limits = limitsFor(settings, request.tenant);
              const { samples, stats, work } = yield* answerMetric(
                {
                  scanners: scannersOf(missing),
                  limits: {
                    seriesMax: limits.max_query_series,
                    samplesMax: limits.max_query_samples,
                    bytesScannedMax: limits.max_query_bytes_read,
                  },
                  bytesMax: settings.querier.max_response_bytes,
                  unitsOf: (wanted) => {
                    // Those of one leaf are gone when the next is read.
                    room.clear();
                    return checkMatchers(wanted).pipe(
                      Effect.andThen(finder.units(wanted, "forward", { missing, room })),
                      Effect.map(({ units }) => units),
                    );
                  },
                  failure: scanFailure,
                },
                request,
                onProgress,
              );
              yield* Metric.update(queryBytesScanned, stats.bytesScanned);
              const execSeconds = (performance.now() - startMs) / 1000;
              const timed = { ...stats, execSeconds, queueSeconds: queuedMs / 1000 };
              const warnings = missing?.warnings() ?? [];
              return { samples, warnings, stats: timed, work };
            }),
          )
        );

        const volumes = Effect.fn("Querier.volumes")((request: StreamRequest & MeasureRequest) =>
          inTurn(
            request,
            Effect.fnUntraced(function* ({ room }) {
              const { units } = yield* finder.units(request, "forward", { room });
              return yield* Effect.tryPromise({
                try: (signal) => runMeasure(scanners, units, request, signal),
                catch: scanFailure,
              });
            }),
          )
        );

        const storedChunks = finder.storedChunks;
        const series = Effect.fn("Querier.series")((request: StreamRequest) =>
          Effect.map(finder.streams(request), (found) => found.map(parseLabels))
        );
        const labelNames = Effect.fn("Querier.labelNames")(finder.labelNames);
        const labelValues = Effect.fn("Querier.labelValues")(
          (request: StreamRequest & { readonly name: string }) =>
            finder.labelValues(request, request.name),
        );

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

/** One attempt at a query. */
interface Turn {
  readonly turn: QueryTurn;
  readonly room: HeadRoom;
  readonly queuedMs: number;
  /** Takes note of what is left out; undefined if everything must be read. */
  readonly missing: MissingParts | undefined;
}

/** How a query fails of which other parts can be read. */
const partlyUnreadable: ReadonlySet<QueryFailed["reason"]> = new Set([
  "Moved",
  "Failed",
  "Unavailable",
]);

/** Half a minute, in which those may be done that it gave way to; more if it waits for memory each time. */
const gaveWayRetries = { times: 60, schedule: Schedule.spaced(500) };

/** A copy of the index learns of a merge within a second. */
const movedRetries = { times: 5, schedule: Schedule.spaced(400) };

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

function timedOut(timeoutMs: number): QueryFailed {
  return new QueryFailed({
    reason: "Timeout",
    message:
      `request timed out, decrease the duration of the request or add more label matchers (prefer exact match over ` +
      `regex match) to reduce the amount of data processed; query_timeout is ${timeoutMs / 1000} s`,
  });
}

function scanFailure(error: unknown): QueryFailed {
  if (error instanceof QueryFailed) return error;
  if (isQueryError(error)) return new QueryFailed({ reason: "Refused", message: error.message });
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  if (error instanceof ObjectStoreError && error.reason === "NotFound") {
    return new QueryFailed({ reason: "Moved", message });
  }
  switch (name) {
    case "ObjectMissing":
      return new QueryFailed({ reason: "Moved", message });
    case "ResponseTooLarge":
      return new QueryFailed({
        reason: "TooLarge",
        message:
          `${message}, which is querier.max_response_bytes; ask for fewer lines or a shorter time range`,
      });
    case "QueryReadsTooMuch":
    case "AnswerTooLarge":
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
