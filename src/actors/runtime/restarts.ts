/** How often an actor may restart: the intensity window and the backoff schedule of one actor. Owns
 *  the arithmetic of Supervision; cell.ts owns what a restart is. Invariant: at most restartsMax
 *  restarts lie within any windowMs. */
import { type Cause, Duration, Effect, Schedule } from "effect";
import type { Decision, Supervision } from "./Actor.ts";

/** Restarts at once, then after 50, 100, 200 ms ...; more than 5 failures in a minute go to the
 *  parent. */
export const defaultSupervision: Supervision = {
  restartsMax: 5,
  windowMs: 60_000,
  backoff: Schedule.exponential("50 millis"),
};

type Step = Effect.Success<
  ReturnType<typeof Schedule.toStep<unknown, Cause.Cause<unknown>, never, never>>
>;

/** What to do now, and how long to wait before it. */
export interface Verdict {
  readonly decision: Decision;
  readonly delayMs: number;
}

export class Restarts {
  private readonly supervision: Supervision;
  private times: Array<number> = [];
  private step: Step | undefined = undefined;

  constructor(supervision: Supervision) {
    this.supervision = supervision;
  }

  /** Decides about a failure at `nowMs` and, if it is a restart, counts it. A `decide` that throws
   *  escalates. */
  next(cause: Cause.Cause<unknown>, nowMs: number): Effect.Effect<Verdict> {
    return Effect.suspend(() => {
      const decision = this.decide(cause);
      if (decision !== "restart") return Effect.succeed({ decision, delayMs: 0 });
      const { restartsMax, windowMs, backoff } = this.supervision;
      this.times = this.times.filter((time) => nowMs - time < windowMs);
      if (this.times.length === 0) this.step = undefined;
      if (this.times.length >= restartsMax) return Effect.succeed(escalate);
      this.times.push(nowMs);
      if (backoff === undefined) return Effect.succeed({ decision, delayMs: 0 });
      return Effect.map(
        this.delay(backoff, cause, nowMs),
        (delayMs): Verdict => delayMs === undefined ? escalate : { decision, delayMs },
      );
    });
  }

  private decide(cause: Cause.Cause<unknown>): Decision {
    try {
      return this.supervision.decide?.(cause) ?? "restart";
    } catch {
      return "escalate";
    }
  }

  /** The schedule's next wait in milliseconds; undefined when it is over. */
  private delay(
    backoff: NonNullable<Supervision["backoff"]>,
    cause: Cause.Cause<unknown>,
    nowMs: number,
  ): Effect.Effect<number | undefined> {
    const step = this.step === undefined
      ? Effect.tap(Schedule.toStep(backoff), (made) =>
        Effect.sync(() => {
          this.step = made;
        }))
      : Effect.succeed(this.step);
    return step.pipe(
      Effect.flatMap((next) => next(nowMs, cause)),
      Effect.map(([, wait]): number | undefined => Duration.toMillis(wait)),
      // A schedule without errors only ever ends by being done.
      Effect.catchCause(() => Effect.succeed(undefined)),
    );
  }
}

const escalate: Verdict = { decision: "escalate", delayMs: 0 };
