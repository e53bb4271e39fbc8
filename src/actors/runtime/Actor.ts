/** What an actor is, for those who write and those who call one: behaviour, handler, reference,
 *  supervision, errors. Types only; cell.ts runs them, ActorSystem.ts is the front door.
 *  Invariants: an actor handles one message (or one batch) at a time, in the order its mailbox
 *  accepted them; an accepted message is handled once, or counted as dropped; no user code runs
 *  inside tell, tryTell, spawn or getOrStart, only in the actor's own turn. */
import { type Cause, type Effect, type Fiber, type Schedule, Schema, type Scope } from "effect";

/** What a handler answers: nothing (it is done), or an effect that must end before the next message
 *  is taken. */
export type Outcome<R> = void | Effect.Effect<void, unknown, R>;

/** A small, flat picture of an actor's state: for admin pages and tests. Never message contents. */
export type Observed = Readonly<Record<string, string | number | bigint | boolean>>;

/** Why an actor ended. Stopped: drained, then its stop hook ran. Killed: interrupted, its mailbox
 *  dropped. Failed: it failed and its supervisor let it end. */
export type Ending = "Stopped" | "Killed" | "Failed";

/** The actor will not handle this message: it ended, is ending (its mailbox is closed), or, for an
 *  `ask` it had already taken, it failed before it replied (reason Failed). */
export class ActorStopped extends Schema.TaggedError<ActorStopped>("tailrace/actors/ActorStopped")(
  "ActorStopped",
  {
    kind: Schema.String,
    path: Schema.String,
    reason: Schema.Literals(["Stopped", "Killed", "Failed"]),
    message: Schema.String,
  },
) {}

/** A failure that no supervisor could cure; the process should hear of it and usually ends. */
export class ActorSystemFailed
  extends Schema.TaggedError<ActorSystemFailed>("tailrace/actors/ActorSystemFailed")(
    "ActorSystemFailed",
    {
      kind: Schema.String,
      path: Schema.String,
      message: Schema.String,
      cause: Schema.Defect(),
    },
  ) {}

/** How much a mailbox holds. A message heavier than `weightMax` is accepted only into an empty
 *  mailbox, alone. */
export interface MailboxOptions<Message> {
  /** Messages. */
  readonly capacity: number;
  /** Total weight, in the unit of `weigh` (usually bytes). */
  readonly weightMax?: number;
  /** Weight of a message: pure, must not throw; asked again while a sender waits for room. */
  readonly weigh?: (message: Message) => number;
}

/** How an actor is made. One behaviour may be shared by many actors: what is one actor's own lives
 *  in its handler. */
export interface Behaviour<Message, R = never> {
  /** A word from a small fixed vocabulary ("stream", "partition"): the only label metrics get.
   *  Never a key or a name. */
  readonly kind: string;
  readonly mailbox: MailboxOptions<Message>;
  /** Builds the handler, in the actor's own turn, before the first message; runs again at each
   *  restart, which is where state is rebuilt. Resources acquired here are released when the actor
   *  restarts or ends, however it ends. */
  readonly start: (
    self: ActorContext<Message, R>,
  ) => Handler<Message, R> | Effect.Effect<Handler<Message, R>, unknown, R | Scope.Scope>;
  /** Used unless whoever spawns the actor says otherwise. */
  readonly supervision?: Supervision;
}

/** One life of an actor, from start to restart or end. A class instance or an object of closures.
 *  Exactly one of `receive` and `receiveAll` must be there. Returning nothing is the fast path: no
 *  fiber, no Effect. */
export interface Handler<Message, R = never> {
  receive?(message: Message): Outcome<R>;
  /** Takes what the mailbox holds, at most `batchMax` messages. The array is the handler's to
   *  keep. */
  receiveAll?(messages: ReadonlyArray<Message>): Outcome<R>;
  /** Default 1024. */
  readonly batchMax?: number;
  /** Runs once, after the mailbox and the children are drained; not when killed or failed. */
  stop?(): Outcome<R>;
  observe?(): Observed;
  /** Asked of keyed children that have been quiet for `idleAfterMs`; false keeps the actor. Default
   *  true. */
  idle?(): boolean;
}

/** How to reach an actor. Stays valid, and answers ActorStopped, after the actor has ended. Call
 *  its methods as methods: they are not bound, so that 100,000 of these are cheap. */
export interface ActorRef<in Message> {
  readonly kind: string;
  /** Names from the root, as in "/ingester/partition-3/{app=\"a\"}". */
  readonly path: string;
  /** Waits while the mailbox is full, first come first served. Success means accepted, not handled.
   *  Interruptible. */
  tell(message: Message): Effect.Effect<void, ActorStopped>;
  /** Accepts synchronously or answers false (full, or ended: `tell` then waits or says why).
   *  Allocates nothing. */
  tryTell(message: Message): boolean;
  /** Sends what `make` builds around the reply and waits for the answer. Fails rather than hangs if
   *  the actor ends, or fails while it holds the message. */
  ask<A, E = never>(
    make: (reply: Reply<A, E>) => Message,
  ): Effect.Effect<A, E | ActorStopped>;
  /** Closes the mailbox, handles what is in it, drains the children, runs the stop hook; an actor
   *  that has not begun to start and has no messages ends without starting. After `drainMs`
   *  milliseconds (default: the system's) kills. Answers how the actor ended. Idempotent. Does not
   *  wait when called by the actor itself. */
  stop(options?: { readonly drainMs?: number }): Effect.Effect<Ending>;
  /** Interrupts the actor and its children, drops their mailboxes, releases their scopes; waits
   *  until that is done. */
  readonly kill: Effect.Effect<void>;
  /** Waits for the end. */
  readonly ended: Effect.Effect<Ending>;
  /** Waits until the start has succeeded (for the first time, or again after a failure). */
  readonly ready: Effect.Effect<void, ActorStopped>;
  /** False as soon as the mailbox is closed. */
  isOpen(): boolean;
  mailboxDepth(): number;
  /** The handler's picture of itself; undefined when it has none or is not running. */
  observe(): Observed | undefined;
}

/** The other end of an `ask`. The first call counts, later ones are ignored; it may be called long
 *  after `receive`. */
export interface Reply<in A, in E = never> {
  readonly succeed: (value: A) => void;
  readonly fail: (error: E) => void;
}

/** What an actor knows of itself. Children get the services (R) of their parent and end with it. */
export interface ActorContext<Message, R = never> {
  readonly ref: ActorRef<Message>;
  /** Starts a child. Throws (a bug in the caller) on a name that is taken. */
  spawn<M>(behaviour: Behaviour<M, R>, options: SpawnOptions): ActorRef<M>;
  /** A bounded set of children under keys. */
  children<K extends Key, M>(options: ChildrenOptions): Children<K, M, R>;
  /** Ends the actor once its mailbox is empty; a message that is accepted before then takes the
   *  request back. */
  passivate(): void;
  /** Asks for a drained stop, without waiting. */
  stopSelf(): void;
  /** Runs an effect beside the messages. Its failure is the actor's failure; a restart or the end
   *  interrupts it. */
  fork(effect: Effect.Effect<void, unknown, R>): Fiber.Fiber<void, unknown>;
  /** Closes at restart and at the end. */
  readonly scope: Scope.Scope;
}

export interface SpawnOptions {
  /** Unique among its siblings. */
  readonly name: string;
  readonly supervision?: Supervision;
  /** Siblings with a lower number stop first; equal ones in reverse order of their start. Default
   *  0. */
  readonly stopOrder?: number;
}

export interface ChildrenOptions extends SpawnOptions {
  /** Most children at a time. */
  readonly countMax: number;
  /** Children that got no message for so long, and do not object (`Handler.idle`), are stopped.
   *  Default: never. */
  readonly idleAfterMs?: number;
}

export type Key = string | number | bigint;

/** Children under keys. All synchronous: data-plane code routes slices with it. */
export interface Children<K extends Key, M, R = never> {
  /** The live child of this key, or a new one; undefined when `countMax` is reached or the parent
   *  is ending. A child that is just stopping is succeeded by a new one, which starts after the old
   *  has ended. */
  getOrStart(key: K, make: (key: K) => Behaviour<M, R>): ActorRef<M> | undefined;
  get(key: K): ActorRef<M> | undefined;
  count(): number;
  /** Keys with a live child, in order of their start. */
  keys(): Iterable<K>;
  /** Drains and ends those of now, side by side; new ones may start. */
  readonly stopAll: Effect.Effect<void>;
}

/** What to do about a failure: run `start` again, let the actor end, or fail its parent. */
export type Decision = "restart" | "stop" | "escalate";

/** A failure as supervisors and the reporter see it. `cause` is never an interruption alone. */
export interface ActorFailure {
  readonly kind: string;
  readonly path: string;
  readonly cause: Cause.Cause<unknown>;
  /** Where it failed. Escalated: a child's failure that the child's supervision could not cure. */
  readonly during: "start" | "receive" | "fork" | "idle" | "stop" | "escalated";
  /** The messages it was handling: not handled again. Empty outside `receive`. */
  readonly messages: ReadonlyArray<unknown>;
  /** What was decided. */
  readonly decision: Decision;
}

/** How an actor's failures are treated. More than `restartsMax` restarts within `windowMs`
 *  escalate. */
export interface Supervision {
  /** Default: always restart. */
  readonly decide?: (cause: Cause.Cause<unknown>) => Decision;
  readonly restartsMax: number;
  readonly windowMs: number;
  /** The wait before each restart; starts over after a quiet window; its end escalates. Default: no
   *  wait. */
  readonly backoff?: Schedule.Schedule<unknown, Cause.Cause<unknown>>;
  /** What becomes of messages not yet taken. Default keep, in order; dropped ones are counted,
   *  their asks fail. */
  readonly mailbox?: "keep" | "drop";
}
