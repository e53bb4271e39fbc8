/** The memory of answers: what queries have found and clients have not read yet, of this process. Owns how many bytes all of it
 *  may be, who waits when there is no room, and that a client which reads nothing loses its connection. Lines are counted from
 *  the moment a query holds them (runScan.ts), texts until they are written out (respond.ts, sendHeld.ts), and what waits for
 *  live tails (Tailer.ts).
 *  Whoever came first goes on first: later ones stop growing while an earlier one waits.
 *  Invariant: nobody is let grow beyond `bytesMax` but an answer that is held alone, or beside small ones, which have `bytesMax`
 *  of their own then; what somebody has already is counted. */
import { Context, Effect, type Scope } from "effect";
import { heldAnswerBytes, slowClientsEnded } from "../platform/metrics.ts";
import { QueryFailed } from "./querier/queryFailed.ts";

/** Who reads an answer. */
export interface AnswerClient {
  /** For how long it has taken nothing of what is sent to it, ms; 0 while nothing is. */
  readonly stalledMs: () => number;
  /** Ends its connection, saying why as far as its protocol can. */
  readonly end: (reason: string) => void;
}

/** Stands for a client that nothing is sent to yet: what is held in several parts for it is one answer. */
export const laterClient = (): AnswerClient => ({ stalledMs: () => 0, end: () => {} });

/** What one answer holds, or one part of it: parts with the same client are one answer. */
export interface HeldAnswer {
  readonly bytes: number;
  /** Counts what it holds now, whatever the others do. */
  readonly resize: (bytes: number) => void;
  /** The same if there is room, or if ending clients that read nothing makes room; else false, and nothing has changed. */
  readonly tryResize: (bytes: number) => boolean;
  /** The same, waiting for room: resolves at once if there is. Rejects with QueryFailed, Busy, when that takes too long, GaveWay
   *  when others cannot go on while it holds what it has, or with the signal's reason. */
  readonly grow: (bytes: number, signal?: AbortSignal) => Promise<void>;
  /** It is not held any more, and never again. Only the first call counts. */
  readonly release: () => void;
}

export interface HeldAnswersOptions {
  readonly bytesMax: number;
  /** A client that has taken nothing for so long is ended. */
  readonly stalledMs?: number;
  /** The same while somebody waits for room. */
  readonly stalledMsYielding?: number;
  /** How long one waits for room. */
  readonly waitMs?: number;
  /** An answer that is no larger is small: it lets nobody go first, and nobody waits until there is none. */
  readonly smallBytes?: number;
  /** Told why, when a client is ended. */
  readonly onEnd?: (reason: string) => void;
}

interface Answer {
  /** Grows with each. */
  readonly number: number;
  readonly client: AnswerClient | undefined;
  readonly parts: Set<Part>;
  bytes: number;
}

interface Part {
  readonly answer: Answer;
  bytes: number;
}

interface Waiter {
  readonly part: Part;
  readonly bytes: number;
  readonly sinceMs: number;
  readonly settle: (error?: unknown) => void;
}

/** How often clients are looked at. */
const tickMs = 250;

export class HeldAnswers {
  readonly #options: Required<HeldAnswersOptions>;
  /** Those that have one. */
  readonly #byClient = new Map<AnswerClient, Answer>();
  /** By the number of their answers. */
  readonly #waiters: Waiter[] = [];
  #bytes = 0;
  /** Of them those of answers that are not small. */
  #largeBytes = 0;
  #count = 0;
  #ticking: ReturnType<typeof setInterval> | undefined;

  constructor(options: HeldAnswersOptions) {
    this.#options = {
      stalledMs: 30_000,
      stalledMsYielding: 1000,
      waitMs: 30_000,
      smallBytes: 1024 * 1024,
      onEnd: () => {},
      ...options,
    };
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** An answer that holds nothing yet. One without a client cannot be ended. */
  open(client?: AnswerClient): HeldAnswer {
    const part: Part = { answer: this.#answerOf(client), bytes: 0 };
    part.answer.parts.add(part);
    return {
      get bytes() {
        return part.bytes;
      },
      resize: (bytes) => this.#resize(part, bytes),
      tryResize: (bytes) => this.#tryResize(part, bytes),
      grow: (bytes, signal) => this.#grow(part, bytes, signal),
      release: () => this.#release(part),
    };
  }

  #answerOf(client: AnswerClient | undefined): Answer {
    const known = client === undefined ? undefined : this.#byClient.get(client);
    if (known !== undefined) return known;
    const answer: Answer = { number: this.#count++, client, parts: new Set(), bytes: 0 };
    if (client !== undefined) {
      this.#byClient.set(client, answer);
      this.#ticking ??= setInterval(() => this.#tick(), tickMs);
    }
    return answer;
  }

  #fits({ answer, bytes: before }: Part, bytes: number): boolean {
    const { bytesMax } = this.#options;
    const growth = bytes - before;
    if (this.#bytes + growth <= bytesMax || this.#bytes === answer.bytes) return true;
    if (!this.#isSmall(answer.bytes + growth)) return this.#largeBytes === this.#largeIn(answer);
    return this.#bytes - this.#largeBytes + growth <= bytesMax;
  }

  #isSmall(bytes: number): boolean {
    return bytes <= this.#options.smallBytes;
  }

  #largeIn({ bytes }: Answer): number {
    return this.#isSmall(bytes) ? 0 : bytes;
  }

  /** Whether it may grow so far as to others that wait. */
  #hasTurn({ answer, bytes: before }: Part, bytes: number): boolean {
    const first = this.#waiters[0];
    return first === undefined || answer.number <= first.part.answer.number ||
      this.#isSmall(answer.bytes + bytes - before);
  }

  #resize(part: Part, bytes: number): void {
    const { answer } = part;
    const growth = bytes - part.bytes;
    if (growth === 0 || !answer.parts.has(part)) return;
    part.bytes = bytes;
    this.#largeBytes -= this.#largeIn(answer);
    answer.bytes += growth;
    this.#largeBytes += this.#largeIn(answer);
    this.#bytes += growth;
    heldAnswerBytes.updateUnsafe(this.#bytes, Context.empty());
    if (growth < 0) this.#letIn();
  }

  #tryResize(part: Part, bytes: number): boolean {
    if (bytes > part.bytes && !this.#hasTurn(part, bytes)) return false;
    if (bytes > part.bytes && !this.#fits(part, bytes)) {
      this.#endStalled(this.#options.stalledMsYielding, () => this.#fits(part, bytes));
      if (!this.#fits(part, bytes)) return false;
    }
    // Its client may have been ended, just now or before.
    if (!part.answer.parts.has(part)) return false;
    this.#resize(part, bytes);
    return true;
  }

  #grow(part: Part, bytes: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (!part.answer.parts.has(part)) return Promise.reject(this.#busy());
    if (this.#hasTurn(part, bytes) && this.#fits(part, bytes)) {
      return Promise.resolve(this.#resize(part, bytes));
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => waiter.settle(signal?.reason);
      const waiter: Waiter = {
        part,
        bytes,
        sinceMs: performance.now(),
        settle: (error) => {
          const at = this.#waiters.indexOf(waiter);
          if (at >= 0) this.#waiters.splice(at, 1);
          signal?.removeEventListener("abort", onAbort);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      const later = this.#waiters.findIndex((each) => each.part.answer.number > part.answer.number);
      this.#waiters.splice(later < 0 ? this.#waiters.length : later, 0, waiter);
      this.#ticking ??= setInterval(() => this.#tick(), tickMs);
      this.#letIn();
    });
  }

  /** Lets those grow for whom there is room, and whose turn it is. If all that is held is of those that wait, the last of them
   *  must give up, so that the others go on. */
  #letIn(): void {
    const next = this.#waiters.find(({ part, bytes }) =>
      this.#fits(part, bytes) && this.#hasTurn(part, bytes)
    );
    if (next !== undefined) {
      next.settle();
      this.#resize(next.part, next.bytes);
      return this.#letIn();
    }
    const waiting = new Set(this.#waiters.map(({ part }) => part.answer));
    const held = [...waiting].reduce((sum, { bytes }) => sum + bytes, 0);
    if (waiting.size < 2 || held < this.#bytes) return;
    this.#waiters.findLast(({ part }) => part.answer.bytes > 0)?.settle(this.#busy("GaveWay"));
  }

  #tick(): void {
    this.#endStalled(this.#options.stalledMs, () => false);
    if (this.#waiters.length > 0) {
      this.#endStalled(this.#options.stalledMsYielding, () => this.#waiters.length === 0);
    }
    const now = performance.now();
    for (const { sinceMs, settle } of [...this.#waiters]) {
      if (now - sinceMs >= this.#options.waitMs) settle(this.#busy());
    }
    this.#letIn();
    if (this.#waiters.length > 0 || this.#byClient.size > 0) return;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }

  /** Ends clients that have taken nothing for so long, those first that have for longest, until that is enough. */
  #endStalled(stalledMs: number, isEnough: () => boolean): void {
    const stalled = [...this.#byClient]
      .map(([client, answer]) => ({ answer, client, ms: client.stalledMs() }))
      .filter(({ ms }) => ms >= stalledMs)
      .sort((a, b) => b.ms - a.ms);
    for (const { answer, client, ms } of stalled) {
      if (isEnough()) return;
      const seconds = Math.round(ms / 1000);
      const reason = `the connection ended: nothing was read of what was sent for ${seconds} s`;
      client.end(reason);
      slowClientsEnded.updateUnsafe(1, Context.empty());
      this.#options.onEnd(reason);
      for (const part of [...answer.parts]) this.#release(part);
    }
  }

  #release(part: Part): void {
    const { answer } = part;
    this.#resize(part, 0);
    answer.parts.delete(part);
    const { client } = answer;
    const isOver = answer.parts.size === 0 && client !== undefined;
    if (isOver && this.#byClient.get(client) === answer) this.#byClient.delete(client);
    const gone = this.#waiters.filter((waiter) => waiter.part === part);
    for (const { settle } of gone) settle(this.#busy());
  }

  #busy(reason: "Busy" | "GaveWay" = "Busy"): QueryFailed {
    return new QueryFailed({
      reason,
      message:
        `too many outstanding requests: answers and what they are made of hold ${this.#bytes} bytes, the limit is ` +
        `${this.#options.bytesMax}, which is querier.max_held_response_bytes; try again later, or ask for less`,
    });
  }
}

/** The account of this process. */
export const Answers = Context.Reference<HeldAnswers>("tailrace/actors/Answers", {
  defaultValue: () => new HeldAnswers({ bytesMax: 256 * 1024 * 1024 }),
});

/** An answer that is held until the scope closes. */
export const holdInScope = (
  client?: AnswerClient,
): Effect.Effect<HeldAnswer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const answers = yield* Answers;
    return yield* Effect.acquireRelease(
      Effect.sync(() => answers.open(client)),
      (held) => Effect.sync(held.release),
    );
  });

/** Counts what there is already until the scope closes, and waits until there is room for it. Fails with QueryFailed, Busy. */
export const holdBytes = (bytes: number, client?: AnswerClient) =>
  Effect.flatMap(holdInScope(client), (held) => {
    held.resize(bytes);
    return growing(held, bytes);
  });

/** `held.grow` as an Effect, ended with the fiber. */
export const growing = (held: HeldAnswer, bytes: number): Effect.Effect<void, QueryFailed> =>
  Effect.tryPromise({
    try: (signal) => held.grow(bytes, signal),
    catch: (error) => error as QueryFailed,
  });
