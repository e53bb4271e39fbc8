/** A query's turn, of which there is a limited number. Owns that a query which waits for memory leaves its turn to others
 *  meanwhile. Invariant: a turn that was taken is given back once, however the query ends. */
import { Effect, type Semaphore } from "effect";
import type { HeldAnswer } from "../HeldAnswers.ts";

export class QueryTurn {
  readonly #turns: Semaphore.Semaphore;
  #isHeld = false;
  #isOver = false;

  private constructor(turns: Semaphore.Semaphore) {
    this.#turns = turns;
  }

  /** Runs `query` when its turn has come. */
  static run<A, E, R>(
    turns: Semaphore.Semaphore,
    query: (turn: QueryTurn) => Effect.Effect<A, E, R>,
  ): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const turn = new QueryTurn(turns);
      return turn.#take.pipe(
        Effect.andThen(Effect.suspend(() => query(turn))),
        Effect.ensuring(turn.#end),
      );
    });
  }

  /** Takes the turn again, if it was left and not taken since: of a query that begins anew. */
  readonly again = Effect.suspend(() => this.#isHeld ? Effect.void : this.#take);

  /** The same answer; while it waits for room others have the turn. */
  leftWhileWaiting(held: HeldAnswer): HeldAnswer {
    return {
      get bytes() {
        return held.bytes;
      },
      resize: held.resize,
      tryResize: held.tryResize,
      grow: async (bytes, signal) => {
        await Effect.runPromise(this.#giveBack);
        await held.grow(bytes, signal);
        await Effect.runPromise(this.#take, signal === undefined ? undefined : { signal });
      },
      release: held.release,
    };
  }

  readonly #take = Effect.uninterruptibleMask((restore) =>
    restore(Effect.suspend(() => this.#turns.take(1))).pipe(
      Effect.andThen(Effect.suspend(() => {
        this.#isHeld = true;
        return this.#isOver ? this.#giveBack : Effect.void;
      })),
    )
  );

  readonly #giveBack = Effect.suspend(() => {
    if (!this.#isHeld) return Effect.void;
    this.#isHeld = false;
    return Effect.asVoid(this.#turns.release(1));
  });

  readonly #end = Effect.suspend(() => {
    this.#isOver = true;
    return this.#giveBack;
  });
}
