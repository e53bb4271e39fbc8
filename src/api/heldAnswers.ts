/** The answers that wait for their clients to read them: how many bytes all may have, and that a client which reads
 *  nothing loses its connection. Owns that account; respond.ts has HTTP answers in it, streamRoute.ts and tailRoute.ts those
 *  over WebSocket. Invariant: more than `bytesMax` is held for one answer alone, never for two. */
import { Context, Effect, type Scope } from "effect";
import { QueryFailed } from "../actors/querier/queryFailed.ts";
import { heldAnswerBytes, slowClientsEnded } from "../platform/metrics.ts";

const stalledMsMax = 30_000;
/** One that has taken nothing for so long is ended when there is no room for another answer. */
const stalledMsYielding = 1000;

/** An answer in the account. */
export interface HeldAnswer {
  /** Its client has taken some of it. */
  readonly progressed: () => void;
  /** It is not held any more. Only the first call counts. */
  readonly release: () => void;
}

interface Entry {
  readonly bytes: number;
  readonly end: () => void;
  progressAtMs: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export class HeldAnswers {
  readonly #bytesMax: number;
  readonly #stalledMsMax: number;
  readonly #entries = new Set<Entry>();
  #bytes = 0;

  /** A client that has taken nothing for `stalledMs` is ended. */
  constructor(bytesMax: number, stalledMs = stalledMsMax) {
    this.#bytesMax = bytesMax;
    this.#stalledMsMax = stalledMs;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Sees to it that an answer of so many bytes can be held: ends clients that read nothing, those first that have for longest.
   *  Throws QueryFailed, Busy, if that is not enough. */
  makeRoom(bytes: number): void {
    if (this.#fits(bytes)) return;
    const now = performance.now();
    const stalled = [...this.#entries]
      .filter(({ progressAtMs }) => now - progressAtMs >= stalledMsYielding)
      .sort((a, b) => a.progressAtMs - b.progressAtMs);
    for (const entry of stalled) {
      this.#end(entry);
      if (this.#fits(bytes)) return;
    }
    throw new QueryFailed({
      reason: "Busy",
      message:
        `too many outstanding requests: answers of ${this.#bytes} bytes wait for clients that read slowly, the limit is ` +
        `${this.#bytesMax}, which is querier.max_held_response_bytes; try again later, or ask for less`,
    });
  }

  /** Holds an answer, for which there is room, until it is released. `end` ends its client's connection. */
  hold(bytes: number, end: () => void): HeldAnswer {
    const entry: Entry = { bytes, end, progressAtMs: performance.now(), timer: undefined };
    this.#entries.add(entry);
    this.#add(bytes);
    this.#watch(entry);
    return {
      progressed: () => {
        if (!this.#entries.has(entry)) return;
        entry.progressAtMs = performance.now();
        clearTimeout(entry.timer);
        this.#watch(entry);
      },
      release: () => this.#release(entry),
    };
  }

  #fits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#bytesMax;
  }

  #watch(entry: Entry): void {
    entry.timer = setTimeout(() => this.#end(entry), this.#stalledMsMax);
  }

  #end(entry: Entry): void {
    this.#release(entry);
    slowClientsEnded.updateUnsafe(1, Context.empty());
    entry.end();
  }

  #release(entry: Entry): void {
    clearTimeout(entry.timer);
    if (this.#entries.delete(entry)) this.#add(-entry.bytes);
  }

  #add(bytes: number): void {
    this.#bytes += bytes;
    heldAnswerBytes.updateUnsafe(this.#bytes, Context.empty());
  }
}

/** The account of this process. */
export const Answers = Context.Reference<HeldAnswers>("tailrace/api/Answers", {
  defaultValue: () => new HeldAnswers(256 * 1024 * 1024),
});

/** Holds an answer until the scope closes. Fails with QueryFailed, Busy, if there is no room. */
export const holdInScope = (
  bytes: number,
  end: () => void,
): Effect.Effect<HeldAnswer, QueryFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const answers = yield* Answers;
    return yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          answers.makeRoom(bytes);
          return answers.hold(bytes, end);
        },
        catch: (error) => error as QueryFailed,
      }),
      (held) => Effect.sync(held.release),
    );
  });

/** What rows of an answer hold, about. */
export function rowBytes(
  rows: ReadonlyArray<{
    readonly line: Uint8Array;
    readonly meta: Uint8Array;
    readonly parsed: Uint8Array;
  }>,
): number {
  const perRow = 200;
  return rows.reduce(
    (sum, { line, meta, parsed }) => sum + line.length + meta.length + parsed.length + perRow,
    0,
  );
}
