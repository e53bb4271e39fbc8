/** Work of many milliseconds that leaves others their turns: written as a generator, which yields wherever it may be left. */
import { Effect } from "effect";

/** What such work takes at once. */
const turnMs = 5;

/** Runs the work to its end. What it throws is the effect's failure, as `failureOf` words it. */
export const inTurns = <A, E>(
  work: () => Generator<void, A>,
  failureOf: (error: unknown) => E,
): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    const steps = work();
    for (;;) {
      const step = yield* Effect.try({ try: () => turnOf(steps), catch: failureOf });
      if (step.done === true) return step.value;
      yield* Effect.yieldNow;
    }
  });

/** The same as a promise, which rejects with what the work throws or with the signal's reason. */
export async function runInTurns<A>(work: Generator<void, A>, signal: AbortSignal): Promise<A> {
  for (;;) {
    signal.throwIfAborted();
    const step = turnOf(work);
    if (step.done === true) return step.value;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function turnOf<A>(steps: Generator<void, A>): IteratorResult<void, A> {
  const endMs = performance.now() + turnMs;
  let step = steps.next();
  while (step.done !== true && performance.now() < endMs) step = steps.next();
  return step;
}

/** Runs such work at once. */
export function atOnce<A>(work: Generator<void, A>): A {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
