/** Numbered shares of some work among the processes of one kind, each with a lease that one of them holds; rendezvous hashing
 *  proposes whose it should be. When a process dies its leases end within seconds, and others take them. That two think they
 *  hold one for a moment is possible: what must not happen twice is for whoever does the work to see to.
 *  PartitionOwners.ts has leases of its own, since a partition is handed over and not dropped. */
import { Cause, Effect, Exit, Schedule, Semaphore } from "effect";
import { type LeaseEntry, leaseMs, Leases, membersOf, renewEveryMs } from "../cluster/Leases.ts";
import { Nats } from "../cluster/Nats.ts";
import { errorText } from "../platform/files.ts";
import { proposeOwners } from "./policy/ownership.ts";

export interface Sharing {
  /** The name of this process, which no other ever has. */
  readonly me: string;
  /** What keys of processes begin with, and those of shares. */
  readonly memberKind: string;
  readonly shareKind: string;
  /** How many shares there are, if the bucket has these keys. */
  readonly countOf: (keys: Iterable<string>) => number;
}

interface HeldShare {
  readonly revision: number;
  /** When the lease ends if it is not renewed, by this process's clock. */
  readonly endsMs: number;
}

/** Takes and renews leases until the scope closes, then gives them back. The result says whether a share is this process's
 *  now. */
export const leasedShares = Effect.fnUntraced(function* (sharing: Sharing) {
  const { me, memberKind, shareKind, countOf } = sharing;
  const link = yield* Nats;
  const leases = yield* Effect.tryPromise(() => Leases.open(link));
  const held = new Map<number, HeldShare>();
  const oneTurn = Semaphore.makeUnsafe(1);
  let isStopping = false;
  const keyOf = (share: number) => `${shareKind}.${share}`;

  const take = Effect.fnUntraced(function* (share: number, revision: number) {
    const startedMs = performance.now();
    const taken = yield* Effect.tryPromise(() => leases.take(keyOf(share), me, revision));
    if (taken === undefined) held.delete(share);
    else held.set(share, { revision: taken, endsMs: startedMs + leaseMs });
  });

  const release = (share: number, revision: number) => {
    held.delete(share);
    // Who finds it changed has nothing to give back, and else it expires.
    return Effect.tryPromise(() => leases.release(keyOf(share), revision)).pipe(Effect.ignore);
  };

  const settle = (share: number, owner: string, lease: LeaseEntry | undefined) => {
    const holder = lease?.value ?? "";
    // The replica that answered may lag behind; a renewal whose acknowledgement was lost has moved the revision on.
    const revision = Math.max(lease?.revision ?? 0, held.get(share)?.revision ?? 0);
    if (owner !== me) {
      return held.has(share) || holder === me ? release(share, revision) : Effect.void;
    }
    if (holder === "" || holder === me) return take(share, revision);
    held.delete(share);
    return Effect.void;
  };

  const turn = Effect.gen(function* () {
    if (isStopping) return;
    yield* Effect.tryPromise(() => leases.put(`${memberKind}.${me}`, "ready"));
    const entries = yield* Effect.tryPromise(() => leases.list());
    const byKey = new Map(entries.map((entry) => [entry.key, entry]));
    const proposed = proposeOwners(countOf(byKey.keys()), membersOf(entries, memberKind));
    // At once: a lease is too short for one answer after another when NATS is slow. One that fails keeps no other from its turn.
    const exits = yield* Effect.forEach(
      proposed,
      ([share, owner]) => Effect.exit(settle(share, owner, byKey.get(keyOf(share)))),
      { concurrency: "unbounded" },
    );
    yield* exits.find(Exit.isFailure) ?? Effect.void;
  });

  yield* oneTurn.withPermits(1)(turn).pipe(
    Effect.catchCause((cause) =>
      Effect.logWarning(
        `${shareKind} is not shared out at the moment: ${errorText(Cause.squash(cause))}`,
      )
    ),
    Effect.repeat(Schedule.spaced(renewEveryMs)),
    Effect.forkScoped,
  );
  // A turn that is under way would take again what is given back.
  const giveBack = Effect.suspend(() => {
    isStopping = true;
    return Effect.forEach([...held], ([share, { revision }]) => release(share, revision), {
      concurrency: "unbounded",
      discard: true,
    });
  });
  yield* Effect.addFinalizer(() =>
    oneTurn.withPermits(1)(giveBack).pipe(
      Effect.andThen(Effect.tryPromise(() => leases.release(`${memberKind}.${me}`))),
      Effect.ignore,
    )
  );
  return (share: number): boolean => (held.get(share)?.endsMs ?? 0) > performance.now();
});
