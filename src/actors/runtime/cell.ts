/** One actor: its turns and its life. Owns the run loop and the life cycle; address.ts owns
 *  senders, mailbox.ts capacity, restarts.ts the restart arithmetic, Children.ts keys,
 *  ActorSystem.ts whose turn it is. An idle cell has no fiber: a turn calls the handler directly,
 *  and only an effect it answers with gets a fiber, one at a time. Invariants: the state changes
 *  only in turns and deferred tasks, so never while a handler is on the stack; a cell ends once. */
import { Cause, Context, Effect, Exit, Fiber, Scope } from "effect";
import type {
  ActorContext,
  ActorFailure,
  ActorRef,
  Behaviour,
  Children,
  ChildrenOptions,
  Ending,
  Handler,
  Key,
  Observed,
  Outcome,
  SpawnOptions,
  Supervision,
} from "./Actor.ts";
import { Address } from "./address.ts";
import { type Child, ChildGroup } from "./Children.ts";
import { awaitEnd, killAll, stopInOrder } from "./node.ts";
import type { Failed, Host, Member, Runnable, Supervisor } from "./node.ts";
import { defaultSupervision, Restarts } from "./restarts.ts";

const batchMaxDefault = 1024;

export class Cell<M, R> extends Address<M>
  implements ActorContext<M, R>, Child<M>, Supervisor, Runnable {
  activeMs: number;
  private readonly behaviour: Behaviour<M, R>;
  private readonly context: Context.Context<R>;
  private readonly supervision: Supervision;
  private passivating = false;
  private queued = false;
  private handler: Handler<M, R> | undefined = undefined;
  private predecessor: Member | undefined;
  private departing: Fiber.Fiber<unknown, unknown> | undefined = undefined;
  private orchestration: Fiber.Fiber<void> | undefined = undefined;
  private inFlight: ReadonlyArray<M> = none;
  private restarts: Restarts | undefined = undefined;
  private lifeScope: Scope.Closeable | undefined = undefined;

  constructor(
    host: Host,
    supervisor: Supervisor,
    behaviour: Behaviour<M, R>,
    context: Context.Context<R>,
    options: Omit<SpawnOptions, "name"> & { readonly key: Key; readonly predecessor?: Member },
  ) {
    super(host, supervisor, behaviour, options.key, options.stopOrder ?? 0);
    this.behaviour = behaviour;
    this.context = context;
    this.supervision = options.supervision ?? behaviour.supervision ?? defaultSupervision;
    this.activeMs = host.turnMs;
    this.predecessor = options.predecessor;
    if (this.predecessor === undefined || this.predecessor.isEnded()) this.wake();
    else this.predecessor.whenEnded(() => this.wake());
  }

  get ref(): ActorRef<M> {
    return this;
  }

  observe(): Observed | undefined {
    return this.handler?.observe?.();
  }

  // What its behaviour may call: ActorContext.

  spawn<M2>(behaviour: Behaviour<M2, R>, options: SpawnOptions): ActorRef<M2> {
    this.requireFree(options.name);
    const child = new Cell(this.host, this, behaviour, this.context, {
      ...options,
      key: options.name,
    });
    this.adopt(child);
    return child;
  }

  children<K extends Key, M2>(options: ChildrenOptions): Children<K, M2, R> {
    this.requireFree(options.name);
    const { supervision } = options;
    const group = new ChildGroup<K, M2, R>(
      this.host,
      this,
      options,
      (supervisor, key, behaviour, predecessor) =>
        new Cell(this.host, supervisor, behaviour, this.context, {
          key,
          ...(supervision === undefined ? {} : { supervision }),
          ...(predecessor === undefined ? {} : { predecessor }),
        }),
    );
    this.adopt(group);
    return group;
  }

  passivate(): void {
    this.passivating = true;
    this.wake();
  }

  stopSelf(): void {
    this.requestStop();
  }

  fork(effect: Effect.Effect<void, unknown, R>): Fiber.Fiber<void, unknown> {
    const life = this.restartCount;
    const fiber = Effect.runForkWith(this.context)(effect);
    Fiber.runIn(fiber, this.scope);
    fiber.addObserver((exit) => {
      if (!isFailure(exit)) return;
      this.host.defer(() => {
        if (life === this.restartCount) this.failBeside(exit.cause, "fork");
      });
    });
    return fiber;
  }

  get scope(): Scope.Scope {
    const scope = this.lifeScope ??= Scope.makeUnsafe();
    if (this.state === "Ended") Scope.closeUnsafe(scope, Exit.void);
    return scope;
  }

  // What the tree asks of it: Member, Supervisor, Child.

  requestStop(): void {
    if (this.closed) return;
    this.closed = true;
    this.mailbox.refuse();
    this.wake();
  }

  requestKill(): void {
    if (this.killed || this.state === "Ended") return;
    this.killed = true;
    this.closed = true;
    this.mailbox.refuse();
    this.host.defer(() => this.killNow());
  }

  requestPassivation(): void {
    this.passivate();
  }

  isIdle(): boolean {
    if (this.state !== "Running" || this.fiber !== undefined) return false;
    try {
      return this.handler?.idle?.() ?? true;
    } catch (defect) {
      this.host.defer(() => this.failBeside(Cause.die(defect), "idle"));
      return false;
    }
  }

  childFailed(_child: Failed, cause: Cause.Cause<unknown>): void {
    this.failBeside(cause, "escalated");
  }

  // Turns.

  run(messagesMax: number): number {
    this.queued = false;
    if (this.fiber !== undefined) return 0;
    if (this.state === "New") this.begin();
    return this.state === "Running" ? this.takeMessages(messagesMax) : 0;
  }

  protected wake(): void {
    if (this.queued || this.fiber !== undefined) return;
    if (this.state !== "Running" && this.state !== "New") return;
    this.queued = true;
    this.host.ready(this);
  }

  private takeMessages(messagesMax: number): number {
    const { mailbox } = this;
    const handler = this.handler!;
    let count = 0;
    this.activeMs = mailbox.depth > 0 ? this.host.turnMs : this.activeMs;
    while (mailbox.depth > 0 && count < messagesMax && !this.killed) {
      this.passivating = false;
      let finished: boolean;
      if (handler.receive !== undefined) {
        count++;
        finished = this.handleOne(handler, mailbox.take());
      } else {
        const batch = this.takeBatch(handler.batchMax ?? batchMaxDefault);
        count += batch.length;
        finished = this.handleAll(handler, batch);
      }
      if (!finished) return count;
    }
    if (this.killed) return count;
    if (mailbox.depth > 0) this.wake();
    else if (this.closed || this.passivating) this.finish();
    return count;
  }

  private takeBatch(batchMax: number): Array<M> {
    const batch: Array<M> = [];
    while (this.mailbox.depth > 0 && batch.length < batchMax) batch.push(this.mailbox.take());
    return batch;
  }

  /** True when the next message may be taken at once. */
  private handleOne(handler: Handler<M, R>, message: M): boolean {
    let outcome: Outcome<R>;
    try {
      outcome = handler.receive!(message);
    } catch (defect) {
      this.fail(Cause.die(defect), "receive", [message]);
      return false;
    }
    return outcome === undefined || this.settle(outcome, [message]);
  }

  private handleAll(handler: Handler<M, R>, messages: ReadonlyArray<M>): boolean {
    let outcome: Outcome<R>;
    try {
      outcome = handler.receiveAll!(messages);
    } catch (defect) {
      this.fail(Cause.die(defect), "receive", messages);
      return false;
    }
    return outcome === undefined || this.settle(outcome, messages);
  }

  private settle(
    outcome: Effect.Effect<void, unknown, R>,
    messages: ReadonlyArray<M>,
  ): boolean {
    let finished = false;
    let later = false;
    this.inFlight = messages;
    this.execute(outcome, this.context, (exit) => {
      this.inFlight = none;
      if (isFailure(exit)) this.fail(exit.cause, "receive", messages);
      else if (later) this.wake();
      else finished = true;
    });
    later = true;
    return finished;
  }

  /** Runs user code in a fiber; `done` is called at its end, unless the cell has let go of the
   *  fiber by then. */
  private execute<A, S>(
    effect: Effect.Effect<A, unknown, S>,
    context: Context.Context<S>,
    done: (exit: Exit.Exit<A, unknown>) => void,
  ): void {
    if (Exit.isExit(effect)) return done(effect as Exit.Exit<A, unknown>);
    const fiber = Effect.runForkWith(context)(Effect.withFiber((self) => {
      this.fiber = self;
      return effect;
    }));
    fiber.addObserver((exit) => {
      if (this.fiber !== fiber) return;
      this.fiber = undefined;
      done(exit);
    });
  }

  // Life.

  private begin(): void {
    if (this.predecessor !== undefined) {
      if (!this.predecessor.isEnded()) return;
      this.predecessor = undefined;
    }
    // After a failure it starts even so: the new life's stop hook sees to what the old one left.
    const untouched = this.restartCount === 0 && this.mailbox.depth === 0;
    if (this.closed && untouched) return this.end("Stopped");
    this.state = "Starting";
    let handler: ReturnType<Behaviour<M, R>["start"]>;
    try {
      handler = this.behaviour.start(this);
    } catch (defect) {
      return this.fail(Cause.die(defect), "start", none);
    }
    if (!Effect.isEffect(handler)) return this.begun(handler);
    const context = Context.add(this.context, Scope.Scope, this.scope);
    this.execute(handler, context, (exit) => {
      if (Exit.isSuccess(exit)) this.begun(exit.value);
      else if (isFailure(exit)) this.fail(exit.cause, "start", none);
      else this.fail(Cause.die(new Error("start was interrupted")), "start", none);
    });
  }

  private begun(handler: Handler<M, R>): void {
    this.handler = handler;
    this.state = "Running";
    this.settleReady();
    this.wake();
  }

  /** A failure that did not come from the handler's own turn; too late if the actor is failing or
   *  ending already. */
  private failBeside(cause: Cause.Cause<unknown>, during: ActorFailure["during"]): void {
    if (this.state !== "Running" && this.state !== "Starting") return;
    this.fail(cause, during, this.inFlight);
  }

  private fail(
    cause: Cause.Cause<unknown>,
    during: ActorFailure["during"],
    messages: ReadonlyArray<M>,
  ): void {
    if (this.killed || (this.state !== "Running" && this.state !== "Starting")) return;
    this.state = "Failed";
    this.handler = undefined;
    this.inFlight = none;
    this.letGo();
    this.passivating = false;
    this.lastFailure = cause;
    this.asks?.failUpTo(this.mailbox.takenCount, this.stoppedError("Failed"));
    this.orchestrate(this.recover(cause, during, messages));
  }

  private recover(
    cause: Cause.Cause<unknown>,
    during: ActorFailure["during"],
    messages: ReadonlyArray<M>,
  ): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      yield* this.departed;
      yield* stopInOrder(this.members?.values() ?? [], this.host.drainMs);
      yield* this.closeScope(Exit.failCause(cause));
      const nowMs = yield* Effect.clockWith((clock) => clock.currentTimeMillis);
      const restarts = this.restarts ??= new Restarts(this.supervision);
      const { decision, delayMs } = yield* restarts.next(cause, nowMs);
      this.report(cause, during, messages, decision);
      if (decision === "restart") {
        yield* Effect.sleep(delayMs);
        return this.restart();
      }
      this.end("Failed");
      if (decision === "escalate") {
        this.host.defer(() => this.supervisor.childFailed(this, cause));
      }
    });
  }

  private restart(): void {
    this.counters.restarts++;
    this.restartCount++;
    this.orchestration = undefined;
    if (this.supervision.mailbox === "drop") {
      this.counters.dropped += this.mailbox.drop();
      this.asks?.failUpTo(this.mailbox.takenCount, this.stoppedError("Failed"));
      this.mailbox.admit();
    }
    this.state = "New";
    this.wake();
  }

  /** The mailbox is empty and stays so: ends at once if nothing is left to wait for. */
  private finish(): void {
    this.closed = true;
    this.state = "Ending";
    const handler = this.handler!;
    if (this.members === undefined && this.lifeScope === undefined && handler.stop === undefined) {
      return this.end("Stopped");
    }
    this.orchestrate(Effect.gen({ self: this }, function* () {
      yield* stopInOrder(this.members?.values() ?? [], undefined);
      const exit = yield* this.runStopHook(handler);
      const closed = yield* this.closeScope(exit);
      const failure = isFailure(exit) ? exit : closed;
      if (isFailure(failure)) this.report(failure.cause, "stop", none, "stop");
      this.end(isFailure(failure) ? "Failed" : "Stopped");
    }));
  }

  private runStopHook(handler: Handler<M, R>): Effect.Effect<Exit.Exit<void, unknown>> {
    return Effect.callback((resume) => {
      let outcome: Outcome<R>;
      try {
        outcome = handler.stop?.();
      } catch (defect) {
        return resume(Effect.succeed(Exit.die(defect)));
      }
      if (outcome === undefined) return resume(Effect.succeed(Exit.void));
      this.execute(outcome, this.context, (exit) => resume(Effect.succeed(exit)));
    });
  }

  private killNow(): void {
    if (this.state === "Ended") return;
    this.state = "Ending";
    this.letGo();
    const interrupted = this.orchestration;
    this.orchestrate(Effect.gen({ self: this }, function* () {
      if (interrupted !== undefined) yield* Fiber.interrupt(interrupted);
      yield* this.departed;
      yield* killAll(this.members?.values() ?? []);
      yield* this.closeScope(Exit.interrupt());
      if (this.predecessor !== undefined) yield* awaitEnd(this.predecessor);
      this.end("Killed");
    }));
  }

  /** Runs a part of the life cycle outside of any handler. */
  private orchestrate(program: Effect.Effect<void>): void {
    const begin = () => {
      this.orchestration = Effect.runForkWith(this.host.context)(program);
    };
    if (this.killed) begin();
    else {
      this.host.defer(() => {
        if (!this.killed) begin();
      });
    }
  }

  /** Interrupts the user code under way, if any, and no longer listens to it. */
  private letGo(): void {
    if (this.fiber === undefined) return;
    this.departing = this.fiber;
    this.fiber = undefined;
    this.departing.interruptUnsafe();
  }

  /** Waits until user code that was let go has ended: it may be releasing resources. */
  private get departed(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.departing === undefined ? Effect.void : Effect.asVoid(Fiber.await(this.departing))
    );
  }

  private closeScope(exit: Exit.Exit<unknown, unknown>): Effect.Effect<Exit.Exit<void>> {
    const scope = this.lifeScope;
    this.lifeScope = undefined;
    return scope === undefined ? Effect.succeed(Exit.void) : Effect.exit(Scope.close(scope, exit));
  }

  private end(ending: Ending): void {
    if (this.state === "Ended") return;
    this.state = "Ended";
    this.ending = ending;
    this.closed = true;
    this.handler = undefined;
    this.orchestration = undefined;
    this.counters.live--;
    this.counters.dropped += this.mailbox.drop();
    this.counters.processedEnded += this.mailbox.takenCount;
    this.mailbox.refuse();
    this.asks?.failUpTo(Infinity, this.stoppedError());
    this.supervisor.memberEnded(this);
    this.settleReady();
    this.settleEnded();
  }

  // Helpers.

  private adopt(member: Member): void {
    (this.members ??= new Map()).set(member.name, member);
    const live = this.state === "Starting" || this.state === "Running";
    if (!live) member.requestStop();
  }

  private report(
    cause: Cause.Cause<unknown>,
    during: ActorFailure["during"],
    messages: ReadonlyArray<M>,
    decision: ActorFailure["decision"],
  ): void {
    this.counters.failures++;
    this.host.report({ kind: this.kind, path: this.path, cause, during, messages, decision });
  }
}

const none: ReadonlyArray<never> = [];

/** Interruption is not failure. */
const isFailure = (
  exit: Exit.Exit<unknown, unknown>,
): exit is Exit.Failure<never, unknown> =>
  Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause);
