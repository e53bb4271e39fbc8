/** Keyed children of one parent life: one live actor per key, a bound on their number, idle stop.
 *  Owns keys and successors; cell.ts owns each child. Invariants: of one key at most one actor runs
 *  at a time (a successor starts after its predecessor has ended); a message that a child accepted
 *  is handled before that child ends by itself. */
import { type Cause, Clock, Context, Effect, type Fiber } from "effect";
import type { ActorRef, Behaviour, Children, ChildrenOptions, Key } from "./Actor.ts";
import type { ActorSnapshot, Failed, Host, KindCounters, Member, Supervisor } from "./node.ts";
import { awaitEnd } from "./node.ts";

/** What a group needs of a child beyond what everyone may call. */
export interface Child<M> extends ActorRef<M>, Member {
  readonly key: Key;
  /** Clock time of its last turn with a message, in milliseconds. */
  readonly activeMs: number;
  requestPassivation(): void;
  /** True if its handler does not object to being stopped. */
  isIdle(): boolean;
}

/** Makes the cell of a child; `predecessor` must end before it starts. */
export type MakeChild<K, R> = <M>(
  supervisor: Supervisor,
  key: K,
  behaviour: Behaviour<M, R>,
  predecessor: Member | undefined,
) => Child<M>;

export class ChildGroup<K extends Key, M, R> implements Children<K, M, R>, Member, Supervisor {
  readonly name: string;
  readonly stopOrder: number;
  private readonly host: Host;
  private readonly parent: Supervisor;
  private readonly options: ChildrenOptions;
  private readonly make: MakeChild<K, R>;
  private readonly byKey = new Map<K, Child<M>>();
  /** Children that a successor has replaced under their key and that have not ended yet. */
  private readonly replaced = new Set<Child<M>>();
  private closed = false;
  private ended = false;
  private endWaiters: Array<() => void> = [];
  private sweeper: Fiber.Fiber<void> | undefined = undefined;

  constructor(host: Host, parent: Supervisor, options: ChildrenOptions, make: MakeChild<K, R>) {
    this.host = host;
    this.parent = parent;
    this.options = options;
    this.make = make;
    this.name = options.name;
    this.stopOrder = options.stopOrder ?? 0;
  }

  get path(): string {
    return `${this.parent.path}/${this.name}`;
  }

  getOrStart(key: K, make: (key: K) => Behaviour<M, R>): ActorRef<M> | undefined {
    const present = this.byKey.get(key);
    if (present !== undefined && present.isOpen()) return present;
    if (this.closed) return undefined;
    if (present === undefined) {
      if (this.byKey.size >= this.options.countMax) return undefined;
    } else {
      this.replaced.add(present);
      // Deleting first keeps keys() in order of start.
      this.byKey.delete(key);
    }
    const child = this.make(this, key, make(key), present);
    this.byKey.set(key, child);
    this.sweepWhileIdleMatters();
    return child;
  }

  get(key: K): ActorRef<M> | undefined {
    const present = this.byKey.get(key);
    return present !== undefined && present.isOpen() ? present : undefined;
  }

  count(): number {
    return this.byKey.size;
  }

  keys(): Iterable<K> {
    return this.byKey.keys();
  }

  get stopAll(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const members = this.members();
      for (const child of members) child.requestStop();
      return Effect.forEach(members, awaitEnd, { discard: true });
    });
  }

  requestStop(): void {
    this.close();
    for (const child of this.members()) child.requestStop();
    this.endIfEmpty();
  }

  requestKill(): void {
    this.close();
    for (const child of this.members()) child.requestKill();
    this.endIfEmpty();
  }

  isEnded(): boolean {
    return this.ended;
  }

  whenEnded(f: () => void): () => void {
    this.endWaiters.push(f);
    return () => {
      this.endWaiters = this.endWaiters.filter((waiter) => waiter !== f);
    };
  }

  memberEnded(member: Member): void {
    const child = member as Child<M>;
    if (!this.replaced.delete(child)) this.byKey.delete(child.key as K);
    if (this.closed) this.endIfEmpty();
  }

  childFailed(child: Failed, cause: Cause.Cause<unknown>): void {
    this.parent.childFailed(child, cause);
  }

  visit(f: (mailboxDepth: number, processed: number, counters: KindCounters) => void): void {
    for (const child of this.byKey.values()) child.visit(f);
    for (const child of this.replaced) child.visit(f);
  }

  snapshot(childrenMax: number): ActorSnapshot {
    const children: Array<ActorSnapshot> = [];
    for (const child of this.byKey.values()) {
      if (children.length >= childrenMax) break;
      children.push(child.snapshot(childrenMax));
    }
    return {
      name: this.name,
      kind: "children",
      state: this.closed ? "Ending" : "Running",
      mailboxDepth: 0,
      sendersWaiting: 0,
      processed: 0,
      restarts: 0,
      failure: "",
      observed: { count: this.byKey.size, countMax: this.options.countMax },
      children,
      childrenOmitted: this.byKey.size - children.length,
    };
  }

  private members(): Array<Child<M>> {
    return [...this.byKey.values(), ...this.replaced];
  }

  private close(): void {
    this.closed = true;
    const sweeper = this.sweeper;
    this.sweeper = undefined;
    if (sweeper !== undefined) this.host.defer(() => sweeper.interruptUnsafe());
  }

  private endIfEmpty(): void {
    if (this.ended || this.byKey.size > 0 || this.replaced.size > 0) return;
    this.ended = true;
    this.parent.memberEnded(this);
    for (const waiter of this.endWaiters.splice(0)) this.host.defer(waiter);
  }

  private sweepWhileIdleMatters(): void {
    const { idleAfterMs } = this.options;
    if (idleAfterMs === undefined || this.sweeper !== undefined) return;
    const clock = Context.get(this.host.context, Clock.Clock);
    const sweep = Effect.sync(() => {
      const before = clock.currentTimeMillisUnsafe() - idleAfterMs;
      for (const child of this.byKey.values()) {
        if (child.activeMs <= before && child.mailboxDepth() === 0 && child.isIdle()) {
          child.requestPassivation();
        }
      }
    });
    this.sweeper = Effect.runForkWith(this.host.context)(
      Effect.forever(Effect.andThen(Effect.sleep(Math.max(1, idleAfterMs / 2)), sweep)),
    );
  }
}
