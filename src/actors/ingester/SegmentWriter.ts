/** Makes sealed chunks a committed segment: put the object, commit its index record on condition that the partition's checkpoint
 *  is where the segment starts, release the log. A crash between any two steps replays to the same state. */
import { Effect, Metric } from "effect";
import { flushFailures, segmentBytesFlushed, segmentsFlushed } from "../../platform/metrics.ts";
import type { Index } from "../../storage/Index.ts";
import type { ObjectStore } from "../../storage/ObjectStore.ts";
import type { WriteLog } from "../../storage/WriteLog.ts";
import type { BuiltChunk } from "../../streams/chunkWriter.ts";
import { buildSegment } from "../../streams/segment.ts";

export interface SealedStream {
  readonly tenant: string;
  readonly labels: string;
  readonly chunks: ReadonlyArray<BuiltChunk>;
}

export class SegmentWriter {
  readonly #objectStore: ObjectStore["Service"];
  readonly #index: Index["Service"];
  readonly #writeLog: WriteLog["Service"];
  readonly #nowNs: () => bigint;

  constructor(
    objectStore: ObjectStore["Service"],
    index: Index["Service"],
    writeLog: WriteLog["Service"],
    nowNs: () => bigint,
  ) {
    this.#objectStore = objectStore;
    this.#index = index;
    this.#writeLog = writeLog;
    this.#nowNs = nowNs;
  }

  /** Stores the rows of log offsets [logFrom, logTo) of a partition. On success the log below logTo is released. */
  readonly write = Effect.fn("SegmentWriter.write")({ self: this }, function* (
    this: SegmentWriter,
    partition: number,
    logFrom: number,
    logTo: number,
    sealed: ReadonlyArray<SealedStream>,
  ) {
    const segment = buildSegment({
      partition,
      logFrom,
      logTo,
      createdAt: this.#nowNs(),
      streams: sealed,
    });
    yield* this.#objectStore.put(segment.record.key, segment.parts).pipe(
      Effect.andThen(this.#index.commit(segment.record)),
      Effect.tapError(() => Metric.update(flushFailures, 1)),
    );
    yield* Metric.update(segmentsFlushed, 1);
    const bytes = segment.parts.reduce((sum, { length }) => sum + length, 0);
    yield* Metric.update(segmentBytesFlushed, bytes);
    // The segment is safe; log that stays behind costs disk until the next release.
    yield* this.#writeLog.release(partition, logTo).pipe(
      Effect.catch((error) =>
        Effect.logWarning(
          `partition ${partition}: cannot release the log below ${logTo}: ${error.message}`,
        )
      ),
    );
  });
}
