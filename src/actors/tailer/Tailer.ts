/** Live tail: hands every durable batch to the tails that want lines of it. A tail keeps what its
 *  pipeline made of the rows until its client takes them; beyond a bound they are dropped and
 *  counted, so a slow client costs memory only up to the bound. Invariant: a client that keeps up
 *  gets every matching row of every batch published after it subscribed, in log order. */
import { Context, Effect, Latch, Layer } from "effect";
import { systemNowNs } from "../../platform/clock.ts";
import { threadProcessorMs } from "../../platform/system.ts";
import type { Batch } from "../../streams/batch.ts";
import { compilePipeline, type Pipeline, type StreamPipeline } from "../../logql/pipeline.ts";
import type { PipelineDescription } from "../../logql/pipelinePlan.ts";
import { parseLabels } from "../../streams/labels.ts";
import { batchBlock } from "../../streams/lineBlock.ts";
import { matchAll, type Matcher } from "../../streams/matcher.ts";
import { tailClients, tailLinesDropped } from "../../platform/metrics.ts";
import { type AnswerClient, Answers, type HeldAnswer } from "../HeldAnswers.ts";
import type { PipelineRows } from "../protocol/scan.ts";
import { RowSink } from "../worker/rowSink.ts";
import { type Dropped, DroppedRows } from "./droppedRows.ts";

export interface TailRequest {
  readonly tenant: string;
  readonly matchers: ReadonlyArray<Matcher>;
  readonly pipeline: PipelineDescription;
  /** Bytes of rows that may wait for the client. */
  readonly bufferBytesMax: number;
  /** Is ended when it reads nothing while others need memory. */
  readonly client?: AnswerClient;
}

/** Rows of one stream in one batch that passed. */
export interface TailedRows {
  readonly partition: number;
  readonly offset: number;
  readonly labels: string;
  readonly rows: PipelineRows;
  readonly receivedMs: number;
}

export interface Taken extends Dropped {
  readonly rows: ReadonlyArray<TailedRows>;
}

export interface Tail {
  /** Rows that are stored once this succeeded reach the tail. */
  readonly ready: Effect.Effect<void>;
  /** The client has got what lies before these log offsets, by partition, in another way: of that the tail has nothing, and has
   *  dropped nothing. To be called before the first take, if at all. */
  readonly startAt: (logTo: ReadonlyMap<number, number>) => void;
  /** Waits for something to send. What was taken before is not held any more. */
  readonly take: Effect.Effect<Taken>;
  readonly close: () => void;
}

export class Tailer extends Context.Service<Tailer, {
  readonly subscribe: (request: TailRequest) => Tail;
  readonly publish: (partition: number, offset: number, batch: Batch) => void;
  /** Tells a tenant's tails that rows are lost of which nothing is known: they have one dropped row without labels. */
  readonly lose: (tenant: string) => void;
  /** Open tails of a tenant. */
  readonly count: (tenant: string) => number;
  /** Ends every tail and all later ones: the server stops, and waits for no client to go. */
  readonly stop: Effect.Effect<void>;
  /** Succeeds once `stop` was called. */
  readonly stopped: Effect.Effect<void>;
}>()("tailrace/actors/Tailer") {
  static readonly layer = Layer.effect(
    Tailer,
    Effect.gen(function* () {
      const context = yield* Effect.context<never>();
      const answers = yield* Answers;
      const tails = new Map<string, Set<OpenTail>>();
      const stopped = Latch.makeUnsafe(false);
      const onDropped = (count: number) => tailLinesDropped.updateUnsafe(count, context);
      return Tailer.of({
        subscribe: (request) => {
          const same = tails.get(request.tenant) ?? new Set();
          tails.set(request.tenant, same);
          const tail = new OpenTail(request, answers.open(request.client), onDropped, () => {
            // Closed before. Its tenant may have a new set since.
            if (!same.delete(tail)) return;
            tailClients.modifyUnsafe(-1, context);
            if (same.size === 0) tails.delete(request.tenant);
          });
          same.add(tail);
          tailClients.modifyUnsafe(1, context);
          return tail;
        },
        publish: (partition, offset, batch) => {
          for (const tail of tails.get(batch.tenant) ?? []) tail.offer(partition, offset, batch);
        },
        lose: (tenant) => {
          for (const tail of tails.get(tenant) ?? []) tail.lose();
        },
        count: (tenant) => tails.get(tenant)?.size ?? 0,
        stop: Effect.sync(() => stopped.openUnsafe()),
        stopped: stopped.await,
      });
    }),
  );
}

class TailTooSlow extends Error {}

/** Time that one tail's filters may take for one batch: as much by the clock, and then as much of the
 *  processor, so that waiting for a processor is not taken for the filter's doing. Asking how much of
 *  the processor a thread had is too slow to do it for every batch. */
const batchMsMax = 50;
const knownStreamsMax = 10_000;
/** What a waiting row costs besides its bytes, and what those of one stream in one batch cost together. */
const rowBytes = 64;
const tailedRowsBytes = 2000;
const rowsBetweenChecks = 64;

class OpenTail implements Tail {
  readonly #request: TailRequest;
  readonly #pipeline: Pipeline;
  readonly #sink = new RowSink(Number.MAX_SAFE_INTEGER);
  readonly #onDropped: (count: number) => void;
  readonly #onClose: () => void;
  /** By label string. */
  #streams = new Map<string, StreamPipeline | "none">();
  #waiting: TailedRows[] = [];
  #waitingBytes = 0;
  /** Of what its client is being sent. */
  #takenBytes = 0;
  readonly #held: HeldAnswer;
  readonly #dropped = new DroppedRows();
  #startAt: ReadonlyMap<number, number> = new Map();
  /** When the present batch was begun, and what the thread had had of the processor when its time by the
   *  clock was over. */
  #startedMs = 0;
  #processorMs: number | undefined;
  #wake: (() => void) | undefined;

  constructor(
    request: TailRequest,
    held: HeldAnswer,
    onDropped: (count: number) => void,
    onClose: () => void,
  ) {
    this.#request = request;
    this.#held = held;
    this.#pipeline = compilePipeline(request.pipeline, () => this.#checkTime());
    this.#onDropped = onDropped;
    this.#onClose = onClose;
  }

  readonly ready = Effect.void;

  readonly startAt = (logTo: ReadonlyMap<number, number>): void => {
    this.#startAt = logTo;
    this.#dropped.startAt(logTo);
    this.#waiting = this.#waiting.filter(({ partition, offset }) =>
      offset >= (logTo.get(partition) ?? 0)
    );
    this.#waitingBytes = this.#waiting.reduce((sum, { rows }) => sum + bytesOf(rows), 0);
    this.#held.resize(this.#heldBytes(0));
  };

  readonly close = (): void => {
    this.#waiting = [];
    this.#held.release();
    this.#onClose();
  };

  readonly take: Effect.Effect<Taken> = Effect.callback<Taken>((resume) => {
    const answer = () => {
      this.#wake = undefined;
      const dropped = this.#dropped.take();
      if (dropped.droppedCount > 0) this.#onDropped(dropped.droppedCount);
      const taken = { rows: this.#waiting, ...dropped };
      this.#takenBytes = this.#heldBytes(0);
      this.#waiting = [];
      this.#waitingBytes = 0;
      resume(Effect.succeed(taken));
    };
    this.#takenBytes = 0;
    this.#held.resize(this.#heldBytes(0));
    if (this.#waiting.length > 0 || !this.#dropped.isEmpty) answer();
    else this.#wake = answer;
    return Effect.sync(() => this.#wake = undefined);
  });

  /** Filters run on the thread that serves everybody: an expensive regex costs its own tail lines,
   *  not other people's time. */
  #checkTime(): void {
    if (performance.now() - this.#startedMs <= batchMsMax) return;
    const processorMs = threadProcessorMs();
    this.#processorMs ??= processorMs;
    if (processorMs - this.#processorMs > batchMsMax) throw new TailTooSlow();
  }

  offer(partition: number, offset: number, batch: Batch): void {
    if (offset < (this.#startAt.get(partition) ?? 0)) return;
    this.#startedMs = performance.now();
    this.#processorMs = undefined;
    for (let slice = 0; slice < batch.sliceCount; slice++) {
      const labels = batch.labelsOf(slice);
      const stream = this.#streamOf(labels);
      if (stream === "none") continue;
      const rowStart = batch.sliceRowStart(slice);
      const rowEnd = batch.sliceRowEnds[slice]!;
      const unexamined = this.#select(batch, rowStart, rowEnd, stream);
      if (unexamined.length > 0) {
        this.#dropped.add({ partition, offset, labels, times: unexamined, isUnexamined: true });
      }
      if (this.#sink.rowCount === 0) continue;
      const rows = this.#sink.rows();
      const bytes = bytesOf(rows);
      const fits = this.#waitingBytes === 0 ||
        this.#waitingBytes + bytes <= this.#request.bufferBytesMax;
      if (!fits || !this.#held.tryResize(this.#heldBytes(bytes + tailedRowsBytes))) {
        const { timestamps: times } = rows;
        this.#dropped.add({ partition, offset, labels, times, isUnexamined: false });
      } else {
        this.#waitingBytes += bytes;
        const receivedMs = performance.now();
        this.#waiting.push({ partition, offset, labels, rows, receivedMs });
      }
    }
    if (this.#waiting.length > 0 || !this.#dropped.isEmpty) this.#wake?.();
  }

  /** Of all that it holds, and so many more. */
  #heldBytes(more: number): number {
    return this.#takenBytes + this.#waitingBytes + this.#waiting.length * tailedRowsBytes + more;
  }

  lose(): void {
    this.#dropped.addUnknown(systemNowNs());
    this.#wake?.();
  }

  #streamOf(labels: string): StreamPipeline | "none" {
    let stream = this.#streams.get(labels);
    if (stream === undefined) {
      if (this.#streams.size >= knownStreamsMax) this.#streams = new Map();
      const parsed = parseLabels(labels);
      stream = matchAll(this.#request.matchers, parsed) ? this.#pipeline.forStream(parsed) : "none";
      this.#streams.set(labels, stream);
    }
    return stream;
  }

  /** Leaves in the sink what the pipeline makes of the rows; the times of those for which it took too long. */
  #select(
    batch: Batch,
    rowStart: number,
    rowEnd: number,
    stream: StreamPipeline,
  ): ReadonlyArray<bigint> {
    const sink = this.#sink;
    sink.clear();
    const mask = new Uint8Array(rowEnd - rowStart).fill(1);
    const block = batchBlock(batch, rowStart, rowEnd);
    const { timestamps } = batch;
    const times = new Int32Array(timestamps.buffer, timestamps.byteOffset, timestamps.length * 2);
    let index = 0;
    try {
      for (const filter of stream.filters) {
        if (filter.apply(block, mask) === 0) return [];
      }
      stream.begin(block, mask);
      for (index = mask.indexOf(1); index >= 0; index = mask.indexOf(1, index + 1)) {
        if (index % rowsBetweenChecks === 0) this.#checkTime();
        if (stream.run(rowStart + index)) {
          sink.pushRow(times, rowStart + index, this.#pipeline.row);
        }
      }
    } catch (error) {
      if (!(error instanceof TailTooSlow)) throw error;
      // What a filter was not at yet is as it was before.
      return Array.from(timestamps.subarray(rowStart + index, rowEnd))
        .filter((_, at) => mask[index + at] === 1);
    }
    return [];
  }
}

function bytesOf(rows: PipelineRows): number {
  const { lines, meta, parsed, timestamps } = rows;
  return lines.length + meta.length + parsed.length + rowBytes * timestamps.length;
}
