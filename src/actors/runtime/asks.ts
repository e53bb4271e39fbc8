/** The asks an actor still owes an answer. cell.ts says when messages are taken and when the actor
 *  fails or ends; here is who then hears of it. Invariant: every ask is resumed exactly once, or
 *  interrupted by its asker. */
import { Effect } from "effect";
import type { ActorStopped, Reply } from "./Actor.ts";

/** One ask. `sequence` numbers its message among the accepted ones; Infinity while it waits for
 *  room. */
export class Ask<A, E> implements Reply<A, E> {
  sequence = Infinity;
  private readonly owner: Asks;
  private readonly resume: (answer: Effect.Effect<A, E | ActorStopped>) => void;

  constructor(owner: Asks, resume: (answer: Effect.Effect<A, E | ActorStopped>) => void) {
    this.owner = owner;
    this.resume = resume;
  }

  succeed(value: A): void {
    this.answer(Effect.succeed(value));
  }

  fail(error: E): void {
    this.answer(Effect.fail(error));
  }

  answer(answer: Effect.Effect<A, E | ActorStopped>): void {
    if (this.owner.delete(this)) this.owner.defer(() => this.resume(answer));
  }
}

type Pending = {
  readonly sequence: number;
  answer(answer: Effect.Effect<never, ActorStopped>): void;
};

export class Asks {
  /** Resumes askers outside of the handler that replied. */
  readonly defer: (task: () => void) => void;
  private readonly pending = new Set<Pending>();

  constructor(defer: (task: () => void) => void) {
    this.defer = defer;
  }

  get size(): number {
    return this.pending.size;
  }

  add(ask: Pending): void {
    this.pending.add(ask);
  }

  /** False if it was answered, or given up, before. */
  delete(ask: Pending): boolean {
    return this.pending.delete(ask);
  }

  /** Fails the asks whose messages are numbered up to `sequenceMax`: with Infinity, all. */
  failUpTo(sequenceMax: number, error: ActorStopped): void {
    for (const ask of [...this.pending]) {
      if (ask.sequence <= sequenceMax) ask.answer(Effect.fail(error));
    }
  }
}
