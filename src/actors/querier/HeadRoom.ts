/** Where the unflushed rows are counted that other processes tell a query of. Owns that what a failed attempt held is let go of.
 *  Invariant: nothing of it is counted once it was released. */
import { Effect } from "effect";
import { releaseShared } from "../../platform/externalMemory.ts";
import type { HeldAnswer } from "../HeldAnswers.ts";

export class HeadRoom {
  readonly #open: () => HeldAnswer;
  /** Holds nothing; as long as there is a part, the query keeps its place among those that wait. */
  readonly #place: HeldAnswer;
  readonly #parts: HeldAnswer[] = [];

  /** `open` begins a part of the query's answer. */
  constructor(open: () => HeldAnswer) {
    this.#open = open;
    this.#place = open();
  }

  /** What counts the rows of one tenant. */
  open(): HeldAnswer {
    const part = this.#open();
    this.#parts.push(part);
    return part;
  }

  /** The same; if it fails, what it held is released. One attempt at a time, or one within another. */
  attempt<A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const before = this.#parts.length;
      return work.pipe(Effect.onError(() => Effect.sync(() => this.#releaseFrom(before))));
    });
  }

  /** The rows are not held any more. */
  clear(): void {
    this.#releaseFrom(0);
  }

  /** The query is over. */
  release(): void {
    this.clear();
    this.#place.release();
  }

  #releaseFrom(first: number): void {
    for (const part of this.#parts.splice(first)) {
      releaseShared(part.bytes);
      part.release();
    }
  }
}
