/** Items on their way to another server: a bounded queue, batches, retries. What a batch looks like and what an answer means is
 *  the caller's. Invariant: items are sent in order, and one that cannot wait any longer is counted, never lost in silence. */
import { Effect } from "effect";

/** What became of a batch. */
export type SendResult =
  | { readonly kind: "sent" }
  /** It may go the next time. */
  | { readonly kind: "again"; readonly why: string; readonly afterMs?: number }
  /** It never will. */
  | { readonly kind: "refused"; readonly why: string };

export interface BoundedSenderOptions<Item> {
  /** For messages. */
  readonly name: string;
  readonly capacity: number;
  /** How many of the first items go together. */
  readonly batchOf: (items: ReadonlyArray<Item>) => number;
  readonly send: (batch: ReadonlyArray<Item>) => Promise<SendResult>;
  /** Attempts after which a batch is dropped; Infinity to try as long as the queue has room. */
  readonly attemptsMax: number;
  readonly onDropped: (count: number) => Effect.Effect<void>;
  readonly onFailed: (count: number) => Effect.Effect<void>;
  readonly onSent: (count: number) => Effect.Effect<void>;
  /** Told how many wait whenever that has changed. */
  readonly onLength: (length: number) => Effect.Effect<void>;
}

const firstRetryMs = 500;
const retryMsMax = 10_000;

export class BoundedSender<Item> {
  readonly #options: BoundedSenderOptions<Item>;
  #items: Item[] = [];
  /** Items at the head that are being sent. */
  #sending = 0;
  #wake: (() => void) | undefined;

  constructor(options: BoundedSenderOptions<Item>) {
    this.#options = options;
  }

  /** Queues items; the oldest that are not being sent make room. */
  readonly add: (items: ReadonlyArray<Item>) => Effect.Effect<void> = Effect.fnUntraced(
    { self: this },
    function* (items) {
      this.#items.push(...items);
      this.#wake?.();
      const excess = Math.min(
        this.#items.length - this.#options.capacity,
        this.#items.length - this.#sending,
      );
      if (excess > 0) this.#items.splice(this.#sending, excess);
      yield* this.#options.onLength(this.#items.length);
      if (excess <= 0) return;
      yield* this.#options.onDropped(excess);
      yield* Effect.logWarning(
        `${this.#options.name}: ${excess} dropped, since ${this.#options.capacity} wait already`,
      );
    },
  );

  /** Sends until it is interrupted. */
  readonly run: Effect.Effect<never> = Effect.gen({ self: this }, function* () {
    for (;;) {
      if (this.#items.length === 0) yield* this.#waitForItems;
      else yield* this.#sendBatch;
    }
  });

  readonly #waitForItems: Effect.Effect<void> = Effect.callback<void>((resume) => {
    this.#wake = () => {
      this.#wake = undefined;
      resume(Effect.void);
    };
    return Effect.sync(() => this.#wake = undefined);
  });

  readonly #sendBatch: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const { name, send, batchOf, attemptsMax, onDropped, onFailed, onSent } = this.#options;
    const batch = this.#items.slice(0, Math.max(1, batchOf(this.#items)));
    this.#sending = batch.length;
    for (let attempt = 1, waitMs = firstRetryMs;; attempt++) {
      const result = yield* Effect.promise(() => send(batch));
      if (result.kind === "sent") {
        yield* onSent(batch.length);
        break;
      }
      yield* onFailed(batch.length);
      if (result.kind === "refused" || attempt >= attemptsMax) {
        yield* Effect.logError(`${name}: ${batch.length} dropped: ${result.why}`);
        yield* onDropped(batch.length);
        break;
      }
      if (attempt === 1) yield* Effect.logWarning(`${name}: ${result.why}; trying again`);
      yield* Effect.sleep(result.afterMs ?? waitMs);
      waitMs = Math.min(waitMs * 2, retryMsMax);
    }
    this.#items.splice(0, batch.length);
    this.#sending = 0;
    yield* this.#options.onLength(this.#items.length);
  });
}
