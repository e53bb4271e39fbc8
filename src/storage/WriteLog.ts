/** The write log: what a 204 stands on. One ordered sequence of records per partition; offsets count records from 1 and are
 *  contiguous. Implementations own durability; what a record holds (a batch) is src/streams/batch.ts's business.
 *  Contract suite: WriteLog.contract.ts. */
import { Context, type Effect, Schema } from "effect";

export class WriteLogError extends Schema.TaggedError<WriteLogError>()("WriteLogError", {
  /** Full: the log or its disk has no room (push answers 429/503 and the agent retries). Corrupt: stored bytes fail their
   *  checksum. TooLarge: the record exceeds recordBytesMax. Io: anything else the disk said. Unavailable: a
   *  replicated log did not answer, and may have stored the record or not. Closed: shutting down. */
  reason: Schema.Literals(["Full", "Corrupt", "TooLarge", "Io", "Unavailable", "Closed"]),
  partition: Schema.Int,
  message: Schema.String,
}) {}

/** One record as read back. `bytes` is valid until the caller drops it; the log never reuses it. */
export interface LogRecord {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export class WriteLog extends Context.Service<WriteLog, {
  /** The largest record that append takes. */
  readonly recordBytesMax: number;
  /** Makes a record durable (fdatasync returned, or a quorum acknowledged) and returns its offset.
   *  Its bytes are `parts`, one after the other: a body need not be copied to follow its header.
   *  Nobody may write to them before the result.
   *  Concurrent appends share one commit. Appends of one partition get offsets in call order,
   *  unless a replicated log had to be asked twice. A failed append stores nothing that read would
   *  return, but for Unavailable. The same bytes again within minutes may be taken for a
   *  repetition: then the result is the first one's offset. */
  readonly append: (
    partition: number,
    ...parts: ReadonlyArray<Uint8Array>
  ) => Effect.Effect<number, WriteLogError>;
  /** Records from `offset` on, in order without gaps, stopping after about `bytesMax` (at least one record if there is one).
   *  Empty means: caught up. Released offsets are skipped only below the first kept record. */
  readonly read: (
    partition: number,
    offset: number,
    bytesMax: number,
  ) => Effect.Effect<ReadonlyArray<LogRecord>, WriteLogError>;
  /** Gives up all records below `offset`. They may stay readable for a while, and come back after a crash. If `offset` is beyond
   *  the end, the log continues there: that is how a log that was lost joins an index that was not. */
  readonly release: (partition: number, offset: number) => Effect.Effect<void, WriteLogError>;
  /** Every partition that holds records whose append succeeded before the question, whoever appended them, and perhaps others,
   *  in ascending order. */
  readonly partitions: Effect.Effect<ReadonlyArray<number>, WriteLogError>;
  /** [first kept offset, offset that the next append gets). */
  readonly bounds: (
    partition: number,
  ) => Effect.Effect<{ readonly first: number; readonly next: number }, WriteLogError>;
}>()("tailrace/storage/WriteLog") {}
