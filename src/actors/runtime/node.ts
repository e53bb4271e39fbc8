/** What the parts of the actor tree ask of each other: a cell (one actor) or a group (keyed
 *  children) is a Member; a cell or the root is a Supervisor; the system is the Host. Interfaces
 *  and counters only, so that the parts need not import each other. */
import { type Cause, type Context, Effect } from "effect";
import type { ActorFailure, Observed } from "./Actor.ts";

/** Everything counted per kind of actor since the system began, but `live`, which is now. */
export interface KindCounters {
  readonly kind: string;
  live: number;
  started: number;
  restarts: number;
  failures: number;
  /** Messages that were accepted and will not be handled: killed, failed for good, or dropped by a
   *  restart. */
  dropped: number;
  /** Messages taken by actors that have ended; live ones count their own. */
  processedEnded: number;
}

export interface Runnable {
  /** Handles at most about `messagesMax` messages; answers how many. */
  run(messagesMax: number): number;
}

export interface Host {
  readonly context: Context.Context<never>;
  readonly drainMs: number;
  /** Clock time at which the current turn began, in milliseconds. */
  readonly turnMs: number;
  /** Runs the cell in the current or next turn. The cell makes sure it is queued once. */
  ready(cell: Runnable): void;
  /** Runs a task in the current or next turn, with no handler on the stack. */
  defer(task: () => void): void;
  counters(kind: string): KindCounters;
  report(failure: ActorFailure): void;
}

export type Failed = { readonly kind: string; readonly path: string };

export interface Supervisor {
  readonly path: string;
  memberEnded(member: Member): void;
  /** A child's supervision has given up. */
  childFailed(child: Failed, cause: Cause.Cause<unknown>): void;
}

export interface Member {
  readonly name: string;
  readonly stopOrder: number;
  requestStop(): void;
  requestKill(): void;
  isEnded(): boolean;
  /** Calls `f` once, after the end; answers how to take that back. */
  whenEnded(f: () => void): () => void;
  /** Visits every live actor at or below. */
  visit(f: (mailboxDepth: number, processed: number, counters: KindCounters) => void): void;
  snapshot(childrenMax: number): ActorSnapshot;
}

/** One node of the tree of actors, as an admin page shows it. A set of keyed children is a node of
 *  kind "children". */
export interface ActorSnapshot {
  readonly name: string;
  readonly kind: string;
  readonly state: string;
  readonly mailboxDepth: number;
  readonly sendersWaiting: number;
  readonly processed: number;
  readonly restarts: number;
  /** The last failure's message; empty if there was none. */
  readonly failure: string;
  readonly observed: Observed | undefined;
  readonly children: ReadonlyArray<ActorSnapshot>;
  readonly childrenOmitted: number;
}

/** Waits for the end of a member. */
export const awaitEnd = (member: Member): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (member.isEnded()) return resume(Effect.void);
    return Effect.sync(member.whenEnded(() => resume(Effect.void)));
  });

/** Drains members one after another (lower stopOrder first, then reverse order of start). With
 *  `drainMs`, those that are left after so many milliseconds are killed. */
export const stopInOrder = (
  members: Iterable<Member>,
  drainMs: number | undefined,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const ordered = [...members].reverse().sort((a, b) => a.stopOrder - b.stopOrder);
    if (ordered.length === 0) return Effect.void;
    const drain = Effect.forEach(ordered, (member) => {
      member.requestStop();
      return awaitEnd(member);
    }, { discard: true });
    if (drainMs === undefined) return drain;
    return Effect.timeoutOrElse(drain, { duration: drainMs, orElse: () => killAll(ordered) });
  });

/** Kills members side by side and waits for their end. */
export const killAll = (members: Iterable<Member>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const all = [...members];
    for (const member of all) member.requestKill();
    return Effect.forEach(all, awaitEnd, { discard: true });
  });
