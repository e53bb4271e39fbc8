/** The actor of one partition: owns which log offsets are unflushed, routes slices to stream
 *  actors, and cuts segments. Rows are the stream actors' business, durability the write log's.
 *  Invariants: `from` is the checkpoint that the index has; every row of offsets [from, next) is
 *  with a stream actor; one cut runs at a time and covers exactly [from, its logTo). A restart
 *  rebuilds all of it from the checkpoint and the log. */
import { Cause, Effect, Schedule } from "effect";
import type {
  ActorContext,
  ActorRef,
  Behaviour,
  Children,
  Handler,
  Reply,
  Supervision,
} from "../runtime/Actor.ts";
import type { CutPolicy } from "../policy/cut.ts";
import { shouldCut } from "../policy/cut.ts";
import type { HeadSnapshot, HeadStream } from "../protocol/head.ts";
import type { HeadQuery, PartitionMessage, StreamMessage } from "../protocol/ingester.ts";
import { releaseShared } from "../../platform/externalMemory.ts";
import type { Batch } from "../../streams/batch.ts";
import { type Labels, parseLabels } from "../../streams/labels.ts";
import { matchAll } from "../../streams/matcher.ts";
import { type Index, IndexError } from "../../storage/Index.ts";
import type { WriteLog } from "../../storage/WriteLog.ts";
import { batchOf } from "./batchOf.ts";
import type { ChunkBuilder } from "./ChunkBuilder.ts";
import { headSlice } from "./headSlice.ts";
import { streamBehaviour } from "./stream.ts";
import type { SealedStream, SegmentWriter } from "./SegmentWriter.ts";

export interface PartitionOptions {
  readonly partition: number;
  readonly cut: CutPolicy;
  /** A stream actor without rows ends after so long without a message. */
  readonly streamIdleMs: number;
  /** How long after a failed cut the next one is tried. */
  readonly cutRetryMs: number;
  readonly nowMs: () => number;
  /** Bytes that a replay may hold in memory when segments cannot be written. */
  readonly unflushedBytesMax: number;
  /** What an operator can do when offsets are in no segment and not in the log: a sentence. */
  readonly incompleteAdvice: string;
  readonly writeLog: WriteLog["Service"];
  readonly index: Index["Service"];
  readonly segmentWriter: SegmentWriter;
  readonly chunkBuilder: ChunkBuilder;
}

/** Lines that were acknowledged are neither in the segments that the index knows nor in the log. */
class LogIncomplete extends Error {
  override readonly name = "LogIncomplete";
  constructor({ partition, incompleteAdvice }: PartitionOptions, from: number, first: number) {
    super(
      `partition ${partition}: the index ends at log offset ${from}, but the write log begins at ${first}: the index is older ` +
        `than the data, or some of the log was deleted. ${incompleteAdvice}`,
    );
  }
}

/** Bytes of log read at a time while replaying. */
const replayBytes = 8 * 1024 * 1024;

export function partitionBehaviour(options: PartitionOptions): Behaviour<PartitionMessage> {
  return {
    kind: "partition",
    mailbox: {
      capacity: 4096,
      weightMax: 64 * 1024 * 1024,
      weigh: (message) => message.type === "Append" ? message.batch.buffer.byteLength : 64,
    },
    supervision: {
      restartsMax: 5,
      windowMs: 60_000,
      // Starting again would find the same.
      decide: (cause) => Cause.squash(cause) instanceof LogIncomplete ? "escalate" : "restart",
    },
    start: (self) => startPartition(options, self),
  };
}

/** How failures of a partition are treated where another process may have taken it over: then it
 *  ends, and a lease decides who starts it again. While NATS does not answer it tries again for as
 *  long as it owns the partition. */
export const clusterSupervision: Supervision = {
  restartsMax: Infinity,
  windowMs: 60_000,
  backoff: Schedule.spaced(1000),
  decide: (cause) => {
    const error = Cause.squash(cause);
    return isFenced(error) || error instanceof LogIncomplete ? "stop" : "restart";
  },
};

/** Somebody else committed, or this process did and could not tell: only a new start knows where the partition stands. */
function isFenced(error: unknown): boolean {
  return error instanceof IndexError && error.reason === "Conflict";
}

const startPartition = Effect.fnUntraced(function* (
  options: PartitionOptions,
  self: ActorContext<PartitionMessage>,
) {
  const from = yield* options.index.claim(options.partition);
  const { first } = yield* options.writeLog.bounds(options.partition);
  if (first > from) return yield* Effect.fail(new LogIncomplete(options, from, first));
  // A crash between commit and release leaves log that nothing needs.
  yield* options.writeLog.release(options.partition, from);
  const streams = self.children<string, StreamMessage>({
    name: "streams",
    countMax: 10_000_000,
    idleAfterMs: options.streamIdleMs,
  });
  const handler = new PartitionHandler(options, self, streams, from);
  yield* handler.replay();
  self.fork(
    Effect.forever(Effect.andThen(Effect.sleep(1000), self.ref.tell({ type: "Tick" }))).pipe(
      Effect.catchTag("ActorStopped", () => Effect.void),
    ),
  );
  return handler;
});

/** About what a slice costs in memory beside its share of the batch: empty lines of many streams are not free. */
const sliceBytes = 400;

interface KnownStream {
  readonly tenant: string;
  readonly labels: string;
  readonly parsed: Labels;
}

interface FlushWaiter {
  readonly logTo: number;
  readonly reply: Reply<void, Error>;
}

class PartitionHandler implements Handler<PartitionMessage> {
  readonly #options: PartitionOptions;
  readonly #self: ActorContext<PartitionMessage>;
  readonly #streams: Children<string, StreamMessage>;
  /** Streams by child key, so that matchers see labels without asking the actor. */
  readonly #known = new Map<string, KnownStream>();
  #from: number;
  #next: number;
  /** End of the cut that is running. */
  #cutTo: number | undefined;
  #cutBytes = 0;
  #uncutBytes = 0;
  #oldestMs: number | undefined;
  #retryAtMs = 0;
  #flushWaiters: FlushWaiter[] = [];

  constructor(
    options: PartitionOptions,
    self: ActorContext<PartitionMessage>,
    streams: Children<string, StreamMessage>,
    from: number,
  ) {
    this.#options = options;
    this.#self = self;
    this.#streams = streams;
    this.#from = this.#next = from;
  }

  readonly receive = (message: PartitionMessage): void | Effect.Effect<void, unknown> => {
    switch (message.type) {
      case "Append":
        return this.#append(message.offset, message.batch);
      case "Describe":
        return this.#describe(message.query, message.reply);
      case "Flush":
        return this.#flush(message.reply);
      case "Tick":
        return this.#cutIfDue();
      case "SegmentCommitted":
        return this.#committed(message.logTo);
      case "CutFailed":
        return this.#cutFailed(message.error);
    }
  };

  readonly observe = () => ({
    from: this.#from,
    next: this.#next,
    unflushedBytes: this.#uncutBytes + this.#cutBytes,
    streams: this.#streams.count(),
    cutting: this.#cutTo !== undefined,
  });

  /** Reads the log from where this actor's knowledge ends. Cuts on the way what is too much for
   *  memory; when that fails (a full disk) it goes on without as long as memory allows, then
   *  waits. */
  readonly replay = (): Effect.Effect<void, unknown> =>
    Effect.gen({ self: this }, function* () {
      const { partition, writeLog, cut, unflushedBytesMax } = this.#options;
      while (true) {
        const records = yield* writeLog.read(partition, this.#next, replayBytes);
        if (records.length === 0) return;
        for (const record of records) {
          const { offset } = record;
          if (offset !== this.#next) {
            return yield* Effect.fail(new LogIncomplete(this.#options, this.#next, offset));
          }
          yield* this.#routeNow(offset, batchOf(partition, record)) ?? Effect.void;
        }
        while (this.#cutTo === undefined && this.#uncutBytes >= cut.segmentBytesTarget) {
          const error = yield* this.#cutInReplay();
          if (error === undefined || this.#uncutBytes < unflushedBytesMax) break;
          yield* Effect.sleep(this.#options.cutRetryMs);
        }
      }
    });

  /** Cuts everything that was replayed; the result is why it could not. Fails when somebody else has moved the checkpoint on. */
  #cutInReplay(): Effect.Effect<Error | undefined, Error> {
    const { partition, segmentWriter } = this.#options;
    const logTo = this.#next;
    return this.#seal(logTo).pipe(
      Effect.flatMap((sealed) => segmentWriter.write(partition, this.#from, logTo, sealed)),
      Effect.flatMap(() => {
        this.#cutBytes = this.#uncutBytes;
        this.#uncutBytes = 0;
        this.#oldestMs = undefined;
        return this.#forget(logTo) ?? Effect.void;
      }),
      Effect.as(undefined),
      Effect.catch((error) =>
        isFenced(error) ? Effect.fail(error) : Effect.as(this.#logCutFailure(error), error)
      ),
    );
  }

  #append(offset: number, batch: Batch): void | Effect.Effect<void, unknown> {
    if (offset < this.#next) return;
    // A gap means that deliveries were lost while this actor was down; the log has them, this batch included.
    const routed = offset > this.#next ? this.replay() : this.#routeNow(offset, batch);
    return routed === undefined
      ? this.#cutIfDue()
      : Effect.andThen(routed, Effect.suspend(() => this.#cutIfDue() ?? Effect.void));
  }

  /** Gives every slice to its stream; an effect only when some stream's mailbox is full. */
  #routeNow(offset: number, batch: Batch): Effect.Effect<void, unknown> | undefined {
    const late: Effect.Effect<void, unknown>[] = [];
    if (batch.sliceCount === 0) late.push(this.#logForeign(offset));
    for (let index = 0; index < batch.sliceCount; index++) {
      const slice = headSlice(batch, offset, index);
      if (slice.rowEnd === slice.rowStart) continue;
      const message: StreamMessage = { type: "Append", slice };
      const stream = this.#streamOf(batch.tenant, batch.labelsOf(index));
      if (!stream.tryTell(message)) late.push(stream.tell(message));
    }
    this.#uncutBytes += batch.buffer.byteLength + batch.sliceCount * sliceBytes;
    this.#next = offset + 1;
    this.#oldestMs ??= this.#options.nowMs();
    return late.length === 0 ? undefined : Effect.all(late, { discard: true });
  }

  #logForeign(offset: number): Effect.Effect<void> {
    return Effect.logWarning(
      `partition ${this.#options.partition}: offset ${offset} of its log was written by no distributor, and holds no lines: ` +
        "somebody else publishes to logs.*, which only distributors should be allowed to",
    );
  }

  #streamOf(tenant: string, labels: string): ActorRef<StreamMessage> {
    const key = `${tenant}\n${labels}`;
    const stream = this.#streams.getOrStart(
      key,
      () => streamBehaviour(labels, this.#options.chunkBuilder),
    );
    if (stream === undefined) {
      throw new Error(`partition ${this.#options.partition} cannot start a stream`);
    }
    if (!this.#known.has(key)) {
      this.#known.set(key, { tenant, labels, parsed: parseLabels(labels) });
    }
    return stream;
  }

  /** Asks the stream actors that a query may need; the answer comes when the last of them has answered. */
  #describe(query: HeadQuery, reply: Reply<HeadSnapshot>): void | Effect.Effect<void, unknown> {
    const { partition } = this.#options;
    const [logFrom, logTo] = [this.#from, this.#next];
    const wanted: ActorRef<StreamMessage>[] = [];
    for (const [key, { tenant, parsed }] of this.#known) {
      if (tenant !== query.tenant || !matchAll(query.matchers, parsed)) continue;
      const stream = this.#streams.get(key);
      if (stream !== undefined) wanted.push(stream);
    }
    const streams: HeadStream[] = [];
    const answers = new Countdown(wanted.length, () => {
      reply.succeed({ partition, logFrom, logTo, streams });
    });
    return tellAll(wanted, () => ({
      type: "Describe",
      range: query.range,
      done: (stream) => {
        if (stream.slices.length > 0) streams.push(stream);
        answers.one();
      },
    }), () => answers.one());
  }

  #flush(reply: Reply<void, Error>): void | Effect.Effect<void, unknown> {
    if (this.#next === this.#from) return reply.succeed(undefined);
    this.#flushWaiters.push({ logTo: this.#next, reply });
    this.#retryAtMs = 0;
    if (this.#cutTo === undefined) this.#startCut();
  }

  #cutIfDue(): void {
    const nowMs = this.#options.nowMs();
    if (this.#cutTo !== undefined || nowMs < this.#retryAtMs) return;
    const uncut = { bytes: this.#uncutBytes, oldestMs: this.#oldestMs };
    if (shouldCut(this.#options.cut, uncut, nowMs)) this.#startCut();
  }

  /** Cuts beside the messages, so that pushes and queries go on meanwhile. */
  #startCut(): void {
    const { partition, segmentWriter } = this.#options;
    const logFrom = this.#from;
    const logTo = this.#cutTo = this.#next;
    this.#cutBytes = this.#uncutBytes;
    this.#uncutBytes = 0;
    this.#oldestMs = undefined;
    const cut = this.#seal(logTo).pipe(
      Effect.flatMap((sealed) => segmentWriter.write(partition, logFrom, logTo, sealed)),
      Effect.matchEffect({
        onSuccess: () => this.#self.ref.tell({ type: "SegmentCommitted", logTo }),
        onFailure: (error) => this.#self.ref.tell({ type: "CutFailed", error }),
      }),
      // Ended meanwhile: whoever starts next finds the index as it is.
      Effect.catchTag("ActorStopped", () => Effect.void),
    );
    this.#self.fork(cut);
  }

  /** Has every stream build its rows below `logTo` into chunks. */
  #seal(logTo: number): Effect.Effect<ReadonlyArray<SealedStream>, Error> {
    return Effect.callback<ReadonlyArray<SealedStream>, Error>((resume) => {
      const sealed: SealedStream[] = [];
      const keys = [...this.#streams.keys()];
      const answers = new Countdown(keys.length, () => resume(Effect.succeed(sealed)));
      const tells: Effect.Effect<void>[] = [];
      for (const key of keys) {
        const stream = this.#streams.get(key);
        const known = this.#known.get(key);
        if (stream === undefined || known === undefined) {
          answers.one();
          continue;
        }
        const late = tellAll([stream], () => ({
          type: "Seal",
          logTo,
          done: (chunks) => {
            if (chunks instanceof Error) return resume(Effect.fail(chunks));
            if (chunks.length > 0) {
              sealed.push({ tenant: known.tenant, labels: known.labels, chunks });
            }
            answers.one();
          },
        }), () => answers.one());
        if (late !== undefined) tells.push(late);
      }
      if (tells.length > 0) this.#self.fork(Effect.all(tells, { discard: true }));
    });
  }

  #committed(logTo: number): Effect.Effect<void> | void {
    this.#cutTo = undefined;
    // Whatever is sealed next must not meet rows that are already in a segment.
    const forgotten = this.#forget(logTo);
    if (forgotten === undefined) return this.#answerFlushes();
    return Effect.andThen(forgotten, Effect.sync(() => this.#answerFlushes()));
  }

  #answerFlushes(): void {
    const waiting = this.#flushWaiters;
    this.#flushWaiters = waiting.filter((waiter) => waiter.logTo > this.#from);
    for (const waiter of waiting) if (waiter.logTo <= this.#from) waiter.reply.succeed(undefined);
    if (this.#flushWaiters.length > 0) this.#startCut();
    else this.#cutIfDue();
  }

  /** The rows below `logTo` are in the index now: the streams drop them, in the same turn in which
   *  snapshots stop at them. */
  #forget(logTo: number): Effect.Effect<void> | undefined {
    this.#from = logTo;
    releaseShared(this.#cutBytes);
    this.#cutBytes = 0;
    const streams: ActorRef<StreamMessage>[] = [];
    for (const key of this.#known.keys()) {
      const stream = this.#streams.get(key);
      if (stream === undefined) this.#known.delete(key);
      else streams.push(stream);
    }
    return tellAll(streams, () => ({ type: "SegmentCommitted", logTo }), () => {});
  }

  /** The rows stay where they are; what failed is said and tried again later. */
  #cutFailed(error: Error): Effect.Effect<void, Error> {
    if (isFenced(error)) return Effect.fail(error);
    const { cutRetryMs, nowMs } = this.#options;
    this.#cutTo = undefined;
    this.#uncutBytes += this.#cutBytes;
    this.#cutBytes = 0;
    this.#oldestMs = nowMs();
    this.#retryAtMs = nowMs() + cutRetryMs;
    for (const waiter of this.#flushWaiters.splice(0)) waiter.reply.fail(error);
    return this.#logCutFailure(error);
  }

  #logCutFailure(error: Error): Effect.Effect<void> {
    const { partition, cutRetryMs } = this.#options;
    return Effect.logError(
      `partition ${partition} could not flush log offsets ${this.#from} to ${this.#next}: ${error.message}; ` +
        `nothing is lost, the next try is in ${cutRetryMs / 1000} s`,
    );
  }
}

/** Calls back after so many calls of one(). */
class Countdown {
  #left: number;
  readonly #done: () => void;

  constructor(count: number, done: () => void) {
    this.#left = count;
    this.#done = done;
    if (count === 0) done();
  }

  one(): void {
    if (--this.#left === 0) this.#done();
  }
}

/** Sends to all at once; an effect only when some mailbox is full. `ended` is called for streams
 *  that are gone, which hold no rows: a stream ends when it is idle, or by a failure, which
 *  restarts the partition. */
function tellAll(
  streams: ReadonlyArray<ActorRef<StreamMessage>>,
  make: () => StreamMessage,
  ended: () => void,
): Effect.Effect<void> | undefined {
  const late: Effect.Effect<void>[] = [];
  for (const stream of streams) {
    const message = make();
    if (stream.tryTell(message)) continue;
    late.push(
      stream.tell(message).pipe(
        Effect.catchTag("ActorStopped", () => Effect.sync(ended)),
      ),
    );
  }
  return late.length === 0 ? undefined : Effect.all(late, { discard: true });
}
