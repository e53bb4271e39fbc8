/** Runs a test body inside an actor system on virtual time. Owns the set-up only; what is true of
 *  actors is asserted by the tests in src/actors/runtime. */
import { Effect, Layer, type Scope } from "effect";
import { TestClock } from "effect/testing";
import type { Test } from "tap";
import { type ActorFailure, ActorSystem, type ActorSystemOptions } from "../actors/runtime/mod.ts";

export interface ActorTest {
  readonly t: Test;
  readonly system: ActorSystem["Service"];
  /** Every failure reported so far. */
  readonly failures: Array<ActorFailure>;
}

/** A tap test whose body is an Effect; failures are collected instead of logged. */
export const actorTest = (
  t: Test,
  name: string,
  body: (test: ActorTest) => Effect.Effect<void, unknown, Scope.Scope>,
  options: ActorSystemOptions = {},
): void => {
  t.test(name, (t: Test) => {
    const failures: Array<ActorFailure> = [];
    const report = (failure: ActorFailure) => void failures.push(failure);
    const layer = ActorSystem.layer({ report, ...options });
    return Effect.runPromise(
      Effect.scoped(Effect.flatMap(ActorSystem, (system) => body({ t, system, failures }))).pipe(
        Effect.provide(Layer.provideMerge(layer, TestClock.layer())),
      ),
    );
  });
};

/** Lets everything that is ready run, without moving the clock. */
export const settle: Effect.Effect<void> = Effect.repeat(Effect.yieldNow, { times: 50 });
