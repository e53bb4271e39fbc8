/** Makes a partition's batches durable and hands them on. While one append runs, the batches that
 *  arrive wait and are merged into the next record: that is the group commit, without a timer.
 *  Invariants: batches reach the partition actor in log order; a push is answered only after its
 *  batch is durable and the actor has it, so that a query that starts after the answer sees it. */
import { Cause, Deferred, Effect, Exit, Latch, Schema } from "effect";
import type { ActorStopped } from "../runtime/Actor.ts";
import { type WriteLog, WriteLogError } from "../../storage/WriteLog.ts";
import type { Handover } from "./Handover.ts";
import {
  type Batch,
  type BatchCodec,
  batchParts,
  batchPartsCompressed,
  mergeBatches,
} from "../../streams/batch.ts";

export type AppendError = WriteLogError | ActorStopped | PartitionFull;

/** Nothing was stored: too much waits already, or too much is unflushed. */
export class PartitionFull extends Schema.TaggedError<PartitionFull>()("PartitionFull", {
  partition: Schema.Int,
  message: Schema.String,
}) {}

export interface PartitionAppenderOptions {
  readonly partition: number;
  readonly writeLog: WriteLog["Service"];
  readonly handover: Handover["Service"];
  /** Of records in the log. */
  readonly compression: BatchCodec;
  /** Body bytes that may wait for the log. */
  readonly waitingBytesMax: number;
  /** Body bytes at which a record is not merged any further. */
  readonly recordBytesTarget: number;
  /** Bytes in memory that may be unflushed; beyond it pushes are refused until a segment is committed. */
  readonly unflushedBytesMax: number;
}

interface Waiting {
  readonly batch: Batch;
  readonly done: Deferred.Deferred<void, AppendError>;
}

export class PartitionAppender {
  readonly #options: PartitionAppenderOptions;
  readonly #work = Latch.makeUnsafe(false);
  #waiting: Waiting[] = [];
  #waitingBytes = 0;

  constructor(options: PartitionAppenderOptions) {
    this.#options = options;
  }

  /** Succeeds when the batch is durable and queries can see it. */
  readonly append = (batch: Batch): Effect.Effect<void, AppendError> =>
    Effect.suspend(() => {
      const refusal = this.#refusal(batch.buffer.byteLength);
      if (refusal !== undefined) return Effect.fail(refusal);
      const done = Deferred.makeUnsafe<void, AppendError>();
      this.#waiting.push({ batch, done });
      this.#waitingBytes += batch.buffer.byteLength;
      this.#work.openUnsafe();
      return Deferred.await(done);
    });

  /** Appends what waits, for ever. */
  readonly run: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(Effect.andThen(this.#work.await, Effect.suspend(() => this.#appendNext())))
  );

  #refusal(bytes: number): PartitionFull | undefined {
    const { partition, waitingBytesMax, unflushedBytesMax, handover } = this.#options;
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > waitingBytesMax) {
      return new PartitionFull({
        partition,
        message:
          `partition ${partition} has ${this.#waitingBytes} bytes waiting for the write log, the limit is ` +
          `${waitingBytesMax}; send again later`,
      });
    }
    const unflushed = handover.unflushedBytes(partition);
    if (unflushed > unflushedBytesMax) {
      return new PartitionFull({
        partition,
        message:
          `partition ${partition} has ${unflushed} bytes that are not flushed, the limit is ${unflushedBytesMax}; ` +
          "the disk does not keep up or is full; send again later",
      });
    }
    return undefined;
  }

  #take(): Waiting[] {
    const { recordBytesTarget } = this.#options;
    const tenant = this.#waiting[0]?.batch.tenant;
    let [count, bytes] = [0, 0];
    for (const { batch } of this.#waiting) {
      if (
        batch.tenant !== tenant ||
        (count > 0 && bytes + batch.buffer.byteLength > recordBytesTarget)
      ) break;
      bytes += batch.buffer.byteLength;
      count++;
    }
    this.#waitingBytes -= bytes;
    const taken = this.#waiting.splice(0, count);
    if (this.#waiting.length === 0) this.#work.closeUnsafe();
    return taken;
  }

  /** What waits would wait in vain, one record after the other: clients are told now, and send again later. */
  #failWaiting(exit: Exit.Exit<never, AppendError>): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#work.closeUnsafe();
    for (const { done } of waiting) Deferred.doneUnsafe(done, exit);
  }

  #appendNext(): Effect.Effect<void> {
    const taken = this.#take();
    if (taken.length === 0) return Effect.void;
    const { partition, writeLog, handover, compression } = this.#options;
    return Effect.gen(function* () {
      const batch = mergeBatches(taken.map((waiting) => waiting.batch));
      const parts = compression === "none"
        ? batchParts(batch)
        : yield* Effect.promise(() => batchPartsCompressed(batch));
      const offset = yield* writeLog.append(partition, ...parts);
      yield* handover.deliver(partition, offset, batch);
    }).pipe(
      // The waiting pushes get the cause, whatever it is; the next ones are tried anew.
      Effect.exit,
      Effect.map((exit) => {
        for (const { done } of taken) Deferred.doneUnsafe(done, exit);
        if (isUnavailable(exit)) this.#failWaiting(exit);
      }),
    );
  }
}

function isUnavailable(
  exit: Exit.Exit<void, AppendError>,
): exit is Exit.Failure<never, AppendError> {
  if (Exit.isSuccess(exit)) return false;
  const error = Cause.squash(exit.cause);
  return error instanceof WriteLogError && error.reason === "Unavailable";
}
