/** Makes small segments large and deletes what has expired, partition by partition, step by step. Owns the loop, what is known of
 *  segments between two looks, and what is said of it all; the choices are pure (policy/mergePlan.ts, policy/expiry.ts,
 *  policy/retention.ts), rewriteSegments.ts does the work.
 *  Invariant: what it does changes no answer, but for what has expired. It holds nothing that a restart would miss. */
import { Cause, Context, Effect, Layer, Metric, Schedule } from "effect";
import { systemNowNs } from "../../platform/clock.ts";
import { errorText } from "../../platform/files.ts";
import type { Settings } from "../../platform/config/mod.ts";
import {
  compactionFailures,
  compactionLag,
  compactionLastSuccess,
  compactorBytesRead,
  compactorBytesWritten,
  compactorSegmentsReplaced,
  removedObjects,
  storedBytes,
} from "../../platform/metrics.ts";
import { Index } from "../../storage/Index.ts";
import { ObjectStore } from "../../storage/ObjectStore.ts";
import { SegmentUnreadable } from "../../storage/rebuildIndex.ts";
import { chunkOptionsDefault } from "../../streams/chunkWriter.ts";
import type { SegmentSummary } from "../../streams/record.ts";
import { chunkRawBytes } from "../policy/chunkSize.ts";
import { expiredRun } from "../policy/expiry.ts";
import { chooseMerge, type MergePolicy } from "../policy/mergePlan.ts";
import { Retention } from "../policy/retention.ts";
import type { MergeJob, MergeResult } from "../protocol/merge.ts";
import { Scanners } from "../Scanners.ts";
import { ExpiryView } from "./ExpiryView.ts";
import { graceMs } from "./graceMs.ts";
import { RemovedObjects } from "./RemovedObjects.ts";
import { type RewriteReport, rewriteSegments, RewriteStopped } from "./rewriteSegments.ts";

/** Which partitions are this process's to compact, at this moment. */
export class CompactorTurns extends Context.Service<CompactorTurns, {
  readonly has: (partition: number) => boolean;
}>()("tailrace/actors/CompactorTurns") {
  /** All of them: no other process has the data. */
  static readonly all = Layer.succeed(CompactorTurns, { has: () => true });
}

export class Compactor extends Context.Service<Compactor, {
  /** Does everything that there is to do now, and returns what that was. For tests and benchmarks. */
  readonly compact: Effect.Effect<ReadonlyArray<RewriteReport>, Error>;
}>()("tailrace/actors/Compactor") {
  /** Compacts at each interval until the scope closes. */
  static readonly layer = (settings: Settings, concurrency = 1) =>
    Layer.effect(Compactor, makeCompactor(settings, concurrency));
}

/** Ages at which segments have settled: nothing of their hour comes any more that would be merged with them. */
const settledNs = 2n * 3_600_000_000_000n;

const makeCompactor = Effect.fnUntraced(function* (settings: Settings, concurrency: number) {
  const { compactor } = settings;
  const [index, objectStore, scanners, turns] = [
    yield* Index,
    yield* ObjectStore,
    yield* Scanners,
    yield* CompactorTurns,
  ];
  const retention = yield* Effect.try({
    try: () => new Retention(settings),
    catch: (error) => error as Error,
  });
  const view = new ExpiryView(objectStore, retention, compactor.retention_bytes);
  const removed = new RemovedObjects(objectStore, index, graceMs(settings));
  /** Segments that could not be read: they stay as they are until they expire, and others go on without them. */
  const damaged = new Set<string>();
  const policy: MergePolicy = {
    segmentBytesMax: compactor.merge_target_bytes,
    countMin: compactor.merge_min_segments,
    settledNs,
  };
  const options = {
    ...chunkOptionsDefault,
    rawBytesMax: chunkRawBytes(settings.ingester.chunk_target_size),
  };

  const rewrite = Effect.fnUntraced(function* (
    segments: ReadonlyArray<SegmentSummary>,
    isExpired: (segment: SegmentSummary) => boolean,
    why: string,
  ) {
    const { partition } = segments[0]!;
    const report = yield* rewriteSegments(
      {
        objectStore,
        index,
        run: (job: MergeJob) => scanners.run<MergeResult>("merge", job, {}),
        concurrency,
        options,
        keptFrom: (tenant, labels) =>
          view.keptFrom(tenant, labels, segments.length === 1 ? segments[0] : undefined),
        isAllowed: () => turns.has(partition),
      },
      segments,
      isExpired,
    ).pipe(Effect.tapError((error) =>
      Effect.sync(() => {
        if (error instanceof SegmentUnreadable) damaged.add(error.key);
      })
    ));
    removed.add(segments);
    yield* Metric.update(compactorSegmentsReplaced, report.segments);
    yield* Metric.update(compactorBytesRead, report.bytesIn);
    yield* Metric.update(compactorBytesWritten, report.bytesOut);
    const { segments: count, bytesIn, bytesOut, chunksIn, chunksOut, rowsIn, rowsOut } = report;
    yield* Effect.logInfo(
      `partition ${partition}: ${why} ${count} segments: ${bytesIn} to ${bytesOut} bytes` +
        (chunksIn > 0 ? `, ${chunksIn} to ${chunksOut} chunks, ${rowsIn} to ${rowsOut} lines` : ""),
    );
    return report;
  });

  /** The next step of a partition, which is given as its segments; undefined if there is none. */
  const step = Effect.fnUntraced(function* (segments: ReadonlyArray<SegmentSummary>) {
    const verdicts = yield* view.verdicts(segments);
    const isExpired = (segment: SegmentSummary) => verdicts.get(segment.key) === "drop";
    const expired = expiredRun(segments, isExpired);
    if (expired !== undefined) return yield* rewrite(expired, isExpired, "deleted");
    const readable = segments.filter(({ key }) => !damaged.has(key));
    const mixed = readable.find(({ key }) => verdicts.get(key) === "rewrite");
    if (mixed !== undefined) return yield* rewrite([mixed], isExpired, "deleted what expired of");
    if (!compactor.merge_enabled) return undefined;
    const merge = chooseMerge(readable, policy, systemNowNs());
    return merge === undefined ? undefined : yield* rewrite(merge, isExpired, "merged");
  });

  /** Steps until nothing is left to do; one partition's failure keeps no other from its turn, nor do objects that stay. */
  const compact = Effect.gen(function* () {
    const reports: RewriteReport[] = [];
    const failed = new Map<number, Error>();
    for (let isDone = false; !isDone;) {
      isDone = true;
      // Also in between: there may be work for hours, and all of it would be stored twice.
      yield* Effect.ignore(removed.removeDue());
      const all = yield* index.segments();
      view.look(all, systemNowNs());
      yield* Metric.update(storedBytes, all.reduce((sum, { bytes }) => sum + bytes, 0));
      for (const [partition, segments] of Map.groupBy(all, (one) => one.partition)) {
        if (failed.has(partition) || !turns.has(partition)) continue;
        const report = yield* step(segments).pipe(
          Effect.catchCause((cause) =>
            Effect.sync(() => {
              failed.set(partition, errorOf(Cause.squash(cause)));
              return undefined;
            })
          ),
        );
        if (report === undefined) continue;
        reports.push(report);
        isDone = false;
      }
    }
    const removal = yield* Effect.exit(removed.removeDue());
    yield* Metric.update(removedObjects, removed.bytes);
    for (const [partition, error] of failed) {
      if (!(error instanceof RewriteStopped)) return yield* Effect.fail(failure(partition, error));
    }
    yield* removal;
    return reports;
  });

  let lastSuccessMs = Date.now();
  yield* compact.pipe(
    Effect.tap(() => {
      lastSuccessMs = Date.now();
      return Metric.update(compactionLastSuccess, lastSuccessMs / 1000);
    }),
    // Whatever it is: a compactor that ended would be missed only when the disk is full.
    Effect.catchCause((cause) =>
      Effect.andThen(
        Metric.update(compactionFailures, 1),
        Effect.logWarning(`${errorText(Cause.squash(cause))}; it is tried again`),
      )
    ),
    Effect.andThen(
      Effect.suspend(() => Metric.update(compactionLag, (Date.now() - lastSuccessMs) / 1000)),
    ),
    Effect.repeat(Schedule.spaced(compactor.compaction_interval)),
    Effect.delay(Math.min(compactor.compaction_interval, 10_000)),
    Effect.forkScoped,
  );
  yield* warnings(settings);
  return Compactor.of({ compact });
});

function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(errorText(thrown));
}

function failure(partition: number, error: Error): Error {
  return new Error(`partition ${partition} cannot be compacted: ${error.message}`);
}

/** Tells of settings that have no effect. */
const warnings = Effect.fnUntraced(function* ({ compactor, limits_config, overrides }: Settings) {
  if (compactor.retention_enabled) return;
  const all = [limits_config, ...Object.values(overrides)];
  const isSet = compactor.retention_bytes > 0 ||
    all.some(({ retention_period = 0, retention_bytes = 0, retention_stream = [] }) =>
      retention_period > 0 || retention_bytes > 0 || retention_stream.length > 0
    );
  if (!isSet) return;
  yield* Effect.logWarning(
    "nothing is deleted, whatever the settings retention_* say: compactor.retention_enabled is false",
  );
});
