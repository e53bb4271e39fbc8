/** How others reach and see an actor: accepting messages, asks, waiting for its readiness and its
 *  end, its node in the registry. Owns what happens to senders; the Cell (cell.ts), its only
 *  subclass, owns turns and the life cycle. Invariants: once `closed`, no message is accepted and
 *  nobody waits for room; whoever waits is resumed in a deferred task, never inside a handler. */
import { Cause, Effect, type Fiber } from "effect";
import { ActorStopped } from "./Actor.ts";
import type { ActorRef, Ending, Key, MailboxOptions, Observed, Reply } from "./Actor.ts";
import { Ask, Asks } from "./asks.ts";
import { Mailbox, type Waiter } from "./mailbox.ts";
import { awaitEnd } from "./node.ts";
import type { ActorSnapshot, Host, KindCounters, Member, Supervisor } from "./node.ts";

/** New: start is due. Starting: its effect runs. Running: takes messages. Failed: between a failure
 *  and what follows from it. Ending: drained, now children and stop hook; or being killed. */
export type State = "New" | "Starting" | "Running" | "Failed" | "Ending" | "Ended";

export abstract class Address<M> implements ActorRef<M>, Member {
  readonly key: Key;
  readonly stopOrder: number;
  protected readonly host: Host;
  protected readonly supervisor: Supervisor;
  protected readonly mailbox: Mailbox<M>;
  protected state: State = "New";
  protected ending: Ending = "Stopped";
  protected closed = false;
  protected killed = false;
  /** User code under way, if any: at most one fiber. */
  protected fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined;
  protected asks: Asks | undefined = undefined;
  protected members: Map<string, Member> | undefined = undefined;
  protected readonly counters: KindCounters;
  protected restartCount = 0;
  protected lastFailure: Cause.Cause<unknown> | undefined = undefined;
  private readyWaiters: Array<() => void> | undefined = undefined;
  private endWaiters: Array<() => void> | undefined = undefined;

  constructor(
    host: Host,
    supervisor: Supervisor,
    what: { readonly kind: string; readonly mailbox: MailboxOptions<M> },
    key: Key,
    stopOrder: number,
  ) {
    this.host = host;
    this.supervisor = supervisor;
    this.key = key;
    this.stopOrder = stopOrder;
    this.mailbox = new Mailbox(what.mailbox);
    this.counters = host.counters(what.kind);
    this.counters.live++;
    this.counters.started++;
  }

  abstract observe(): Observed | undefined;
  abstract requestStop(): void;
  abstract requestKill(): void;
  /** Asks for a turn. */
  protected abstract wake(): void;

  get kind(): string {
    return this.counters.kind;
  }

  get name(): string {
    return String(this.key);
  }

  get path(): string {
    return `${this.supervisor.path}/${this.name}`;
  }

  tryTell(message: M): boolean {
    if (this.closed || !this.mailbox.offer(message)) return false;
    this.wake();
    return true;
  }

  tell(message: M): Effect.Effect<void, ActorStopped> {
    return Effect.suspend(() => {
      if (this.tryTell(message)) return Effect.void;
      if (this.closed) return Effect.fail(this.stoppedError());
      return Effect.callback<void, ActorStopped>((resume) => {
        const waiter: Waiter<M> = {
          message,
          accepted: () => {
            this.wake();
            this.host.defer(() => resume(Effect.void));
          },
          refused: () => this.host.defer(() => resume(Effect.fail(this.stoppedError()))),
        };
        this.mailbox.wait(waiter);
        return Effect.sync(() => this.mailbox.unwait(waiter));
      });
    });
  }

  ask<A, E = never>(make: (reply: Reply<A, E>) => M): Effect.Effect<A, E | ActorStopped> {
    return Effect.callback<A, E | ActorStopped>((resume) => {
      const asks = this.asks ??= new Asks((task) => this.host.defer(task));
      const ask = new Ask<A, E>(asks, resume);
      const message = make(ask);
      if (this.closed) return resume(Effect.fail(this.stoppedError()));
      asks.add(ask);
      if (this.tryTell(message)) {
        ask.sequence = this.mailbox.acceptedCount;
        return Effect.sync(() => asks.delete(ask));
      }
      const waiter: Waiter<M> = {
        message,
        accepted: () => {
          ask.sequence = this.mailbox.acceptedCount;
          this.wake();
        },
        refused: () => ask.answer(Effect.fail(this.stoppedError())),
      };
      this.mailbox.wait(waiter);
      return Effect.sync(() => {
        asks.delete(ask);
        this.mailbox.unwait(waiter);
      });
    });
  }

  stop(options?: { readonly drainMs?: number }): Effect.Effect<Ending> {
    return Effect.withFiber((fiber) => {
      this.requestStop();
      // Its own handler would wait for itself.
      if (fiber === this.fiber) return Effect.succeed("Stopped");
      return Effect.timeoutOrElse(this.ended, {
        duration: options?.drainMs ?? this.host.drainMs,
        orElse: () => Effect.andThen(this.kill, this.ended),
      });
    });
  }

  get kill(): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      this.requestKill();
      return fiber === this.fiber ? Effect.void : awaitEnd(this);
    });
  }

  get ended(): Effect.Effect<Ending> {
    return Effect.map(awaitEnd(this), () => this.ending);
  }

  get ready(): Effect.Effect<void, ActorStopped> {
    return Effect.callback<void, ActorStopped>((resume) => {
      const settle = () => resume(this.isEnded() ? Effect.fail(this.stoppedError()) : Effect.void);
      if (this.state === "Running" || this.isEnded()) return settle();
      return Effect.sync(addTo(this.readyWaiters ??= [], settle));
    });
  }

  isOpen(): boolean {
    return !this.closed;
  }

  mailboxDepth(): number {
    return this.mailbox.depth;
  }

  isEnded(): boolean {
    return this.state === "Ended";
  }

  whenEnded(f: () => void): () => void {
    return addTo(this.endWaiters ??= [], f);
  }

  memberEnded(member: Member): void {
    this.members?.delete(member.name);
  }

  visit(f: (mailboxDepth: number, processed: number, counters: KindCounters) => void): void {
    f(this.mailbox.depth, this.mailbox.takenCount, this.counters);
    if (this.members !== undefined) { for (const member of this.members.values()) member.visit(f); }
  }

  snapshot(childrenMax: number): ActorSnapshot {
    const members = this.members === undefined ? [] : [...this.members.values()];
    const shown = members.slice(0, childrenMax);
    return {
      name: this.name,
      kind: this.kind,
      state: this.closed && this.state === "Running" ? "Draining" : this.state,
      mailboxDepth: this.mailbox.depth,
      sendersWaiting: this.mailbox.waiting,
      processed: this.mailbox.takenCount,
      restarts: this.restartCount,
      failure: this.lastFailure === undefined ? "" : messageOf(this.lastFailure),
      observed: this.observed(),
      children: shown.map((member) => member.snapshot(childrenMax)),
      childrenOmitted: members.length - shown.length,
    };
  }

  protected settleReady(): void {
    const waiters = this.readyWaiters;
    this.readyWaiters = undefined;
    if (waiters !== undefined) { for (const waiter of waiters) this.host.defer(waiter); }
  }

  protected settleEnded(): void {
    const waiters = this.endWaiters;
    this.endWaiters = undefined;
    if (waiters !== undefined) { for (const waiter of waiters) this.host.defer(waiter); }
  }

  protected requireFree(name: string): void {
    if (this.members?.has(name)) {
      throw new Error(`Cannot spawn "${name}" below ${this.path}: an actor of this name is alive`);
    }
  }

  /** A page that lists all actors must survive one whose picture is broken. */
  private observed(): Observed | undefined {
    try {
      return this.observe();
    } catch (defect) {
      return { observeFailed: String(defect) };
    }
  }

  protected stoppedError(reason?: Ending): ActorStopped {
    const why = reason ?? (this.killed ? "Killed" : this.ending);
    return new ActorStopped({
      kind: this.kind,
      path: this.path,
      reason: why,
      message: `Actor ${this.path} (${this.kind}) takes no messages: ${explain[why]}`,
    });
  }
}

const explain: Readonly<Record<Ending, string>> = {
  Stopped: "it has stopped or is stopping; ask its owner for a live one",
  Killed: "it was killed",
  Failed: "it failed; see the reported failure",
};

const messageOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause);
  return error instanceof Error ? error.message : String(error);
};

/** Adds a waiter; answers how to take it out again. */
const addTo = (waiters: Array<() => void>, waiter: () => void): () => void => {
  waiters.push(waiter);
  return () => {
    const index = waiters.indexOf(waiter);
    if (index >= 0) waiters.splice(index, 1);
  };
};
