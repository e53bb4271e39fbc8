/** The root of all actors of a process and the turns they run in. Owns the ready queue, the
 *  counters by kind, reports and shutdown; cell.ts owns what one actor does in its turn.
 *  Invariants: an actor is in the ready queue at most once; a turn gives the event loop back after
 *  `turnMessagesMax` messages or `turnMs`; closing the scope ends every actor. */
import {
  Cause,
  Clock,
  Context,
  Deferred,
  Effect,
  Layer,
  Scheduler,
  type Scope,
  Tracer,
} from "effect";
import { ActorSystemFailed } from "./Actor.ts";
import type { ActorFailure, ActorRef, Behaviour, SpawnOptions } from "./Actor.ts";
import { Cell } from "./cell.ts";
import { Ring } from "./mailbox.ts";
import { stopInOrder } from "./node.ts";
import type {
  ActorSnapshot,
  Failed,
  Host,
  KindCounters,
  Member,
  Runnable,
  Supervisor,
} from "./node.ts";
import { type KindMetrics, kindMetrics } from "./metrics.ts";

export interface ActorSystemOptions {
  /** How long stopping may take before what is left is killed, in milliseconds. Default 30,000. */
  readonly drainMs?: number;
  /** Hears every failure, before it is acted upon; must not throw. Default: logs it. */
  readonly report?: (failure: ActorFailure) => void;
  /** Messages of one actor before others have their turn. Default 256. */
  readonly sliceMessagesMax?: number;
  /** Messages before the event loop has its turn. Default 2048. */
  readonly turnMessagesMax?: number;
  /** Milliseconds before the event loop has its turn. Default 8. */
  readonly turnMsMax?: number;
  /** Different kinds of actors: bounds what metrics cost. Default 64. */
  readonly kindsMax?: number;
}

export class ActorSystem extends Context.Service<ActorSystem, {
  /** Starts an actor below the root; it lives until it is stopped or the system's scope closes.
   *  Does not wait for its start (see `ready`). Its handlers run with the services of the caller.
   *  Dies on a name that is taken. After the system has closed the answer is an actor that has
   *  ended. */
  readonly spawn: <M, R = never>(
    behaviour: Behaviour<M, R>,
    options: SpawnOptions,
  ) => Effect.Effect<ActorRef<M>, never, R>;
  /** Like `spawn`; closing the caller's scope stops the actor, drained within `drainMs`, then
   *  killed. */
  readonly spawnScoped: <M, R = never>(
    behaviour: Behaviour<M, R>,
    options: SpawnOptions,
  ) => Effect.Effect<ActorRef<M>, never, R | Scope.Scope>;
  /** Fails once a failure has been escalated beyond the root; otherwise never ends. */
  readonly failure: Effect.Effect<never, ActorSystemFailed>;
  /** The tree of live actors, at most `childrenMax` (default 100) below each. */
  readonly snapshot: (childrenMax?: number) => ReadonlyArray<ActorSnapshot>;
  /** Numbers by kind of actor, sampled now: O(actors). */
  readonly metrics: () => ReadonlyArray<KindMetrics>;
}>()("tailrace/actors/ActorSystem") {
  static readonly make = (
    options: ActorSystemOptions = {},
  ): Effect.Effect<ActorSystem["Service"], never, Scope.Scope> =>
    Effect.gen(function* () {
      const context = Context.omit(Tracer.ParentSpan)(yield* Effect.context<never>());
      const root = new Root(context, options);
      yield* Effect.addFinalizer(() => root.shutdown);
      const spawn = <M, R>(behaviour: Behaviour<M, R>, spawnOptions: SpawnOptions) =>
        Effect.contextWith((services: Context.Context<R>) =>
          Effect.sync(() => root.spawn(behaviour, spawnOptions, withoutSpan(services)))
        );
      return ActorSystem.of({
        spawn,
        spawnScoped: (behaviour, spawnOptions) =>
          Effect.acquireRelease(spawn(behaviour, spawnOptions), (actor) => actor.stop()),
        failure: Deferred.await(root.failed),
        snapshot: (childrenMax = 100) => root.snapshot(childrenMax),
        metrics: () => kindMetrics(root.kinds.values(), root.members.values()),
      });
    });

  static readonly layer = (options?: ActorSystemOptions): Layer.Layer<ActorSystem> =>
    Layer.effect(ActorSystem, ActorSystem.make(options));
}

/** Actors outlive the request that spawned them: its span must not be their parent. */
const withoutSpan = <R>(context: Context.Context<R>): Context.Context<R> =>
  Context.omit(Tracer.ParentSpan)(context) as Context.Context<R>;

class Root implements Host, Supervisor {
  readonly path = "";
  readonly context: Context.Context<never>;
  readonly drainMs: number;
  readonly failed = Deferred.makeUnsafe<never, ActorSystemFailed>();
  readonly kinds = new Map<string, KindCounters>();
  readonly members = new Map<string, Member>();
  turnMs: number;
  private readonly options: ActorSystemOptions;
  private readonly clock: Clock.Clock;
  private readonly dispatcher: Scheduler.SchedulerDispatcher;
  private readonly cells = new Ring<Runnable>();
  private readonly tasks = new Ring<() => void>();
  private scheduled = false;
  private closed = false;

  constructor(context: Context.Context<never>, options: ActorSystemOptions) {
    this.context = context;
    this.options = options;
    this.drainMs = options.drainMs ?? 30_000;
    this.clock = Context.get(context, Clock.Clock);
    this.dispatcher = Context.get(context, Scheduler.Scheduler).makeDispatcher();
    this.turnMs = this.clock.currentTimeMillisUnsafe();
  }

  spawn<M, R>(
    behaviour: Behaviour<M, R>,
    options: SpawnOptions,
    context: Context.Context<R>,
  ): ActorRef<M> {
    if (this.members.has(options.name)) {
      throw new Error(
        `Cannot spawn "${options.name}" below the root: an actor of this name is alive`,
      );
    }
    const cell = new Cell(this, this, behaviour, context, { ...options, key: options.name });
    this.members.set(options.name, cell);
    if (this.closed) cell.requestStop();
    return cell;
  }

  get shutdown(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.closed = true;
      return stopInOrder(this.members.values(), this.drainMs);
    });
  }

  snapshot(childrenMax: number): ReadonlyArray<ActorSnapshot> {
    return [...this.members.values()].slice(0, childrenMax)
      .map((member) => member.snapshot(childrenMax));
  }

  memberEnded(member: Member): void {
    this.members.delete(member.name);
  }

  childFailed({ kind, path }: Failed, cause: Cause.Cause<unknown>): void {
    const error = Cause.squash(cause);
    Deferred.doneUnsafe(
      this.failed,
      Effect.fail(
        new ActorSystemFailed({
          kind,
          path,
          message: `Actor ${path} (${kind}) failed for good: ${error}`,
          cause: error,
        }),
      ),
    );
  }

  report(failure: ActorFailure): void {
    try {
      if (this.options.report !== undefined) return this.options.report(failure);
    } catch {
      // A broken reporter must not stop the recovery it reports: log instead.
    }
    Effect.runForkWith(this.context)(
      Effect.logError(
        `Actor ${failure.path} (${failure.kind}) failed during ${failure.during}; ` +
          `decision: ${failure.decision}`,
        failure.cause,
      ),
    );
  }

  counters(kind: string): KindCounters {
    const known = this.kinds.get(kind);
    if (known !== undefined) return known;
    const kindsMax = this.options.kindsMax ?? 64;
    if (this.kinds.size >= kindsMax) {
      throw new Error(
        `Cannot count actors of kind "${kind}": there are ${kindsMax} kinds already; ` +
          `a kind is a word from a small vocabulary, not a key`,
      );
    }
    const counters: KindCounters = {
      kind,
      live: 0,
      started: 0,
      restarts: 0,
      failures: 0,
      dropped: 0,
      processedEnded: 0,
    };
    this.kinds.set(kind, counters);
    return counters;
  }

  ready(cell: Runnable): void {
    this.cells.push(cell);
    this.schedule();
  }

  defer(task: () => void): void {
    this.tasks.push(task);
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.dispatcher.scheduleTask(this.turn, 0);
  }

  private readonly turn = (): void => {
    const { sliceMessagesMax = 256, turnMessagesMax = 2048, turnMsMax = 8 } = this.options;
    this.turnMs = this.clock.currentTimeMillisUnsafe();
    let nowMs = this.turnMs;
    let messages = 0;
    try {
      while (
        this.cells.length + this.tasks.length > 0 && messages < turnMessagesMax &&
        nowMs - this.turnMs < turnMsMax
      ) {
        if (this.tasks.length > 0) {
          this.tasks.shift()();
          messages++;
        } else {
          // A visit without a message costs too.
          messages += Math.max(1, this.cells.shift().run(sliceMessagesMax));
          nowMs = this.clock.currentTimeMillisUnsafe();
        }
      }
    } finally {
      this.scheduled = false;
      if (this.cells.length + this.tasks.length > 0) this.schedule();
    }
  };
}
