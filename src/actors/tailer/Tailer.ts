/** Live tail: hands every durable batch to the tails that want lines of it. A tail keeps references to the matching rows until
 *  its client takes them; beyond a bound they are dropped and counted, so a slow client costs memory only up to the bound.
 *  Invariant: a client that keeps up gets every matching row of every batch published after it subscribed, in log order. */
import { Context, Effect, Latch, Layer } from "effect";
import type { Batch } from "../../streams/batch.ts";
import {
  compileLabelFilters,
  type LabelFilterDescription,
  type LabelFilters,
  type StreamVerdict,
} from "../../logql/labelFilter.ts";
import { compileLineFilters, type LineFilterDescription } from "../../logql/lineFilter.ts";
import { parseLabels } from "../../streams/labels.ts";
import { batchBlock, type BlockFilter } from "../../streams/lineBlock.ts";
import { matchAll, type Matcher } from "../../streams/matcher.ts";
import { tailClients, tailLinesDropped } from "../../platform/metrics.ts";

export interface TailRequest {
  readonly tenant: string;
  readonly matchers: ReadonlyArray<Matcher>;
  readonly labelFilters: ReadonlyArray<LabelFilterDescription>;
  readonly filters: ReadonlyArray<LineFilterDescription>;
  /** Bytes of batches that may wait for the client. */
  readonly bufferBytesMax: number;
}

/** Matching rows of one stream in one batch. */
export interface TailedRows {
  readonly partition: number;
  readonly offset: number;
  readonly labels: string;
  readonly batch: Batch;
  /** Row numbers in the batch. */
  readonly rows: Uint32Array;
  readonly receivedMs: number;
}

/** A row that the client did not get. */
export interface DroppedRow {
  readonly labels: string;
  readonly time: bigint;
}

export interface Taken {
  readonly rows: ReadonlyArray<TailedRows>;
  /** All rows that were dropped since the last take, and the first of them by name. */
  readonly droppedCount: number;
  readonly dropped: ReadonlyArray<DroppedRow>;
}

export interface Tail {
  /** Waits for something to send. */
  readonly take: Effect.Effect<Taken>;
  readonly close: () => void;
}

export class Tailer extends Context.Service<Tailer, {
  readonly subscribe: (request: TailRequest) => Tail;
  readonly publish: (partition: number, offset: number, batch: Batch) => void;
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
      const tails = new Map<string, Set<OpenTail>>();
      const stopped = Latch.makeUnsafe(false);
      const onDropped = (count: number) => tailLinesDropped.updateUnsafe(count, context);
      return Tailer.of({
        subscribe: (request) => {
          const same = tails.get(request.tenant) ?? new Set();
          tails.set(request.tenant, same);
          const tail = new OpenTail(request, onDropped, () => {
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
        count: (tenant) => tails.get(tenant)?.size ?? 0,
        stop: Effect.sync(() => stopped.openUnsafe()),
        stopped: stopped.await,
      });
    }),
  );
}

class TailTooSlow extends Error {}

function rowsOfSlice(batch: Batch, slice: number): Uint32Array {
  const rowStart = batch.sliceRowStart(slice);
  return Uint32Array.from(
    { length: batch.sliceRowEnds[slice]! - rowStart },
    (_, row) => rowStart + row,
  );
}

/** Time that one tail's filters may take for one batch. */
const batchMsMax = 50;
const droppedNamesMax = 1000;
const knownStreamsMax = 10_000;

class OpenTail implements Tail {
  readonly #request: TailRequest;
  readonly #lineFilters: ReadonlyArray<BlockFilter>;
  readonly #labelFilters: LabelFilters;
  readonly #onDropped: (count: number) => void;
  readonly #onClose: () => void;
  /** What matchers and label filters say to a stream, by label string. */
  #verdicts = new Map<string, StreamVerdict>();
  #waiting: TailedRows[] = [];
  #waitingBytes = 0;
  #dropped: DroppedRow[] = [];
  #droppedCount = 0;
  #deadlineMs = 0;
  #wake: (() => void) | undefined;

  constructor(request: TailRequest, onDropped: (count: number) => void, onClose: () => void) {
    this.#request = request;
    const checkpoint = () => this.#checkTime();
    this.#labelFilters = compileLabelFilters(request.labelFilters, checkpoint);
    this.#lineFilters = compileLineFilters(request.filters, checkpoint);
    this.#onDropped = onDropped;
    this.#onClose = onClose;
  }

  readonly close = (): void => {
    this.#waiting = [];
    this.#onClose();
  };

  readonly take: Effect.Effect<Taken> = Effect.callback<Taken>((resume) => {
    const answer = () => {
      this.#wake = undefined;
      const taken = {
        rows: this.#waiting,
        dropped: this.#dropped,
        droppedCount: this.#droppedCount,
      };
      this.#waiting = [];
      this.#waitingBytes = 0;
      this.#dropped = [];
      this.#droppedCount = 0;
      resume(Effect.succeed(taken));
    };
    if (this.#waiting.length > 0 || this.#droppedCount > 0) answer();
    else this.#wake = answer;
    return Effect.sync(() => this.#wake = undefined);
  });

  /** Filters run on the thread that serves everybody: an expensive regex costs its own tail lines, not other people's time. */
  #checkTime(): void {
    if (performance.now() > this.#deadlineMs) throw new TailTooSlow();
  }

  offer(partition: number, offset: number, batch: Batch): void {
    this.#deadlineMs = performance.now() + batchMsMax;
    let isCounted = false;
    for (let slice = 0; slice < batch.sliceCount; slice++) {
      const labels = batch.labelsOf(slice);
      const verdict = this.#verdictOf(labels);
      if (verdict === "none") continue;
      const filters = verdict === "all" ? this.#lineFilters : [verdict, ...this.#lineFilters];
      const rows = this.#matchingRows(batch, slice, filters);
      if (rows === undefined) {
        this.#drop(labels, batch, rowsOfSlice(batch, slice));
        continue;
      }
      if (rows.length === 0) continue;
      // Its rows keep the whole batch in memory, once.
      const bytes = isCounted ? 0 : batch.buffer.byteLength;
      if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > this.#request.bufferBytesMax) {
        this.#drop(labels, batch, rows);
      } else {
        this.#waitingBytes += bytes;
        isCounted = true;
        const receivedMs = performance.now();
        this.#waiting.push({ partition, offset, labels, batch, rows, receivedMs });
      }
    }
    if (this.#waiting.length > 0 || this.#droppedCount > 0) this.#wake?.();
  }

  #verdictOf(labels: string): StreamVerdict {
    let verdict = this.#verdicts.get(labels);
    if (verdict === undefined) {
      if (this.#verdicts.size >= knownStreamsMax) this.#verdicts = new Map();
      const parsed = parseLabels(labels);
      verdict = matchAll(this.#request.matchers, parsed)
        ? this.#labelFilters.forStream(parsed)
        : "none";
      this.#verdicts.set(labels, verdict);
    }
    return verdict;
  }

  /** Undefined if the filters took too long. */
  #matchingRows(
    batch: Batch,
    slice: number,
    filters: ReadonlyArray<BlockFilter>,
  ): Uint32Array | undefined {
    const rowStart = batch.sliceRowStart(slice);
    const rowEnd = batch.sliceRowEnds[slice]!;
    const mask = new Uint8Array(rowEnd - rowStart).fill(1);
    const block = batchBlock(batch, rowStart, rowEnd);
    let left = mask.length;
    try {
      for (const filter of filters) {
        if (left === 0) break;
        left = filter.apply(block, mask);
      }
    } catch (error) {
      if (error instanceof TailTooSlow) return undefined;
      throw error;
    }
    const rows = new Uint32Array(left);
    for (let index = 0, at = 0; index < mask.length; index++) {
      if (mask[index] !== 0) rows[at++] = rowStart + index;
    }
    return rows;
  }

  #drop(labels: string, batch: Batch, rows: Uint32Array): void {
    this.#droppedCount += rows.length;
    this.#onDropped(rows.length);
    for (const row of rows) {
      if (this.#dropped.length >= droppedNamesMax) break;
      this.#dropped.push({ labels, time: batch.timestamps[row]! });
    }
  }
}
