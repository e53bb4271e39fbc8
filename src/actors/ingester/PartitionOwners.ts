/** The partitions that this process owns in a cluster. Once a second it renews its leases, sees
 *  who else is there, takes partitions that are proposed to it and free, and gives up, after a
 *  flush, those that are proposed to another.
 *  Owns the life of partition actors; Leases.ts owns the leases, policy/ownership.ts the proposal.
 *  Invariant: a partition is given up when its lease could not be renewed for as long as it lasts.
 *  That two processes think they own one for a moment is possible and harmless: only the one that
 *  claimed last can commit. */
import {
  Cause,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Schedule,
  Scope,
  Semaphore,
} from "effect";
import type { Msg } from "@nats-io/transport-node";
import { answerInFrames, AnswerRefused } from "../../cluster/frames.ts";
import { leaseMs, Leases, membersOf, renewEveryMs } from "../../cluster/Leases.ts";
import { LogMark, logMarkKey, partitionCount } from "../../cluster/logMarks.ts";
import type { MicroService } from "../../cluster/microService.ts";
import { Nats } from "../../cluster/Nats.ts";
import { flushSubject, headSubject } from "../../cluster/subjects.ts";
import type { Settings } from "../../platform/config/mod.ts";
import { errorText } from "../../platform/files.ts";
import { WriteLog } from "../../storage/WriteLog.ts";
import { proposeOwners } from "../policy/ownership.ts";
import type { HeadSnapshot } from "../protocol/head.ts";
import type { PartitionMessage } from "../protocol/ingester.ts";
import { type ActorRef, ActorSystem } from "../runtime/mod.ts";
import { followLog } from "./followLog.ts";
import { decodeHeadQuestion, encodeHead } from "./headMessages.ts";
import { clusterSupervision, partitionBehaviour } from "./partition.ts";
import { partitionOptions } from "./partitionOptions.ts";

interface OwnedPartition {
  readonly actor: ActorRef<PartitionMessage>;
  readonly scope: Scope.Closeable;
  revision: number;
  readonly mark: LogMark;
  /** When the lease ends if it is not renewed, by this process's clock. */
  endsMs: number;
  /** Done when it was handed over; undefined while it is to stay. */
  leaving: Deferred.Deferred<void> | undefined;
}

export class PartitionOwners extends Context.Service<PartitionOwners, {
  readonly owned: () => ReadonlyMap<number, ActorRef<PartitionMessage>>;
}>()("tailrace/actors/PartitionOwners") {
  /** Owns partitions until its scope closes; then flushes and gives them up. */
  static readonly layer = (settings: Settings, service: MicroService) =>
    Layer.effect(PartitionOwners, makeOwners(settings, service));
}

/** Time that a flush may take when a partition is given up. */
const drainMs = 30_000;
/** An owner that is behind the log by then refuses, and the querier reads the log itself. */
const catchUpMs = 2000;

const makeOwners = Effect.fnUntraced(function* (settings: Settings, service: MicroService) {
  const link = yield* Nats;
  const writeLog = yield* WriteLog;
  const system = yield* ActorSystem;
  const optionsOf = yield* partitionOptions(settings);
  const leases = yield* Effect.tryPromise(() => Leases.open(link));
  /** Partitions whose log this process could open, or is about to. */
  const opened = new Map<number, "opening" | "open">();
  const owned = new Map<number, OwnedPartition>();
  const me = service.id;
  let isDraining = false;

  const start = Effect.fnUntraced(function* (partition: number, revision: number, endsMs: number) {
    const mark = yield* Effect.tryPromise(() => LogMark.open(link, partition));
    const scope = yield* Scope.make();
    const actor = yield* system.spawn(partitionBehaviour(optionsOf(partition)), {
      name: `partition-${partition}`,
      supervision: clusterSupervision,
    });
    owned.set(partition, { actor, scope, revision, mark, endsMs, leaving: undefined });
    const follow = followLog(
      link,
      writeLog,
      partition,
      actor,
      settings.ingester.max_unflushed_bytes,
    );
    // A record that cannot be read must be heard of, again and again, until somebody looks at it.
    const following = Effect.scoped(follow).pipe(
      Effect.catchCause((cause) =>
        actor.isOpen()
          ? Effect.logError(
            `partition ${partition} is not followed: ${errorText(Cause.squash(cause))}`,
          )
          : Effect.void
      ),
      Effect.repeat(Schedule.spaced(1000)),
    );
    yield* Effect.forkIn(following, scope);
    const stopServing = [
      service.serve(
        { name: `head-${partition}`, subject: headSubject(partition) },
        (message) => answerHead(partition, actor, message),
      ),
      service.serve(
        { name: `flush-${partition}`, subject: flushSubject(partition) },
        (message) => answerFlush(actor, message),
      ),
    ];
    yield* Scope.addFinalizer(scope, Effect.sync(() => stopServing.forEach((stop) => stop())));
    yield* Effect.logInfo(`owns partition ${partition}`);
  });

  const context = yield* Effect.context<never>();
  const run = Effect.runPromiseWith(context);

  const answerHead = (
    partition: number,
    actor: ActorRef<PartitionMessage>,
    message: Msg,
  ) =>
    answerInFrames(link, message, async () => {
      const question = decodeHeadQuestion(message.data);
      const { next } = await run(writeLog.bounds(partition));
      const endMs = performance.now() + catchUpMs;
      while (!(Number(actor.observe()?.["next"]) >= next)) {
        if (performance.now() > endMs || !actor.isOpen()) {
          throw new AnswerRefused("Behind", `partition ${partition} is not at offset ${next} yet`);
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const head = await run(
        actor.ask<HeadSnapshot>((reply) => ({ type: "Describe", query: question.query, reply })),
      );
      return encodeHead(head, question);
    });

  const answerFlush = (actor: ActorRef<PartitionMessage>, message: Msg) =>
    answerInFrames(link, message, async () => {
      await run(actor.ask<void, Error>((reply) => ({ type: "Flush", reply })));
      return [];
    });

  /** Ends this process's part in a partition at once; what it holds in memory is in the log. */
  const drop = Effect.fnUntraced(function* (partition: number, entry: OwnedPartition, why: string) {
    if (owned.get(partition) !== entry) return;
    yield* Scope.close(entry.scope, Exit.void);
    yield* entry.actor.kill;
    // Two may be at it: the second must not forget who owns the partition by then.
    if (owned.get(partition) !== entry) return;
    owned.delete(partition);
    yield* Effect.logInfo(`gave up partition ${partition}: ${why}`);
  });

  const release = (partition: number, entry: OwnedPartition) =>
    Effect.tryPromise(() => leases.release(`partition.${partition}`, entry.revision)).pipe(
      Effect.ignore,
    );

  /** Flushes, so that the next owner has little to read, then gives the lease back. Who asks for it again waits for it. */
  const handOver = Effect.fnUntraced(function* (
    partition: number,
    entry: OwnedPartition,
    why: string,
  ) {
    if (entry.leaving !== undefined) return yield* Deferred.await(entry.leaving);
    const left = entry.leaving = Deferred.makeUnsafe<void>();
    yield* entry.actor.ask<void, Error>((reply) => ({ type: "Flush", reply })).pipe(
      Effect.timeoutOption(drainMs),
      Effect.catch((error) => Effect.logWarning(`partition ${partition}: ${error.message}`)),
      Effect.andThen(drop(partition, entry, why)),
      Effect.andThen(release(partition, entry)),
      Effect.ensuring(Deferred.succeed(left, undefined)),
    );
  });

  const renew = Effect.fnUntraced(function* (partition: number, entry: OwnedPartition) {
    const startedMs = performance.now();
    const revision = yield* Effect.tryPromise(() =>
      leases.take(`partition.${partition}`, me, entry.revision)
    ).pipe(Effect.orElseSucceed(() => "unknown" as const));
    if (typeof revision === "number") {
      entry.revision = revision;
      entry.endsMs = startedMs + leaseMs;
      const next = Number(entry.actor.observe()?.["next"] ?? 1);
      yield* Effect.tryPromise(() => entry.mark.note(next)).pipe(Effect.ignore);
    } else if (performance.now() > entry.endsMs) {
      yield* drop(partition, entry, "its lease could not be renewed");
    }
  });

  const open = (partition: number) => {
    opened.set(partition, "opening");
    return writeLog.bounds(partition).pipe(
      Effect.tap(() => Effect.sync(() => opened.set(partition, "open"))),
      Effect.catch((error) =>
        Effect.logWarning(`cannot open partition ${partition}: ${error.message}`).pipe(
          Effect.tap(() => Effect.sync(() => opened.delete(partition))),
        )
      ),
    );
  };

  /** Creates the logs of partitions, also of those that others are to own: these may not have been told of them. A log that this
   *  process cannot open it does not take. Waits for them, but not so long that leases expire. */
  const openThose = Effect.fnUntraced(function* (count: number) {
    const missing = Array.from({ length: count }, (_, partition) => partition)
      .filter((partition) => !opened.has(partition));
    if (missing.length === 0) return;
    const opening = yield* Effect.forkScoped(
      Effect.forEach(missing, open, { concurrency: "unbounded", discard: true }),
    );
    yield* Fiber.await(opening).pipe(Effect.timeoutOption(renewEveryMs));
  });

  const keep = Effect.fnUntraced(function* (partition: number, entry: OwnedPartition) {
    if (entry.actor.isOpen()) return yield* renew(partition, entry);
    yield* drop(partition, entry, "its actor ended");
    yield* release(partition, entry);
  });

  const turn = Effect.gen(function* () {
    // At once: a lease is too short for one answer after another when NATS is slow.
    yield* Effect.forEach([...owned], ([partition, entry]) => keep(partition, entry), {
      concurrency: "unbounded",
      discard: true,
    });
    if (isDraining) return;
    yield* Effect.tryPromise(() => leases.put(`ingester.${me}`, "ready"));
    const entries = yield* Effect.tryPromise(() => leases.list());
    const byKey = new Map(entries.map((entry) => [entry.key, entry]));
    for (const [partition, entry] of owned) {
      if (!byKey.has(logMarkKey(partition))) entry.mark.missing();
      const lease = byKey.get(`partition.${partition}`);
      // What a replica tells that lags behind is older than what is known.
      if (lease === undefined || lease.revision <= entry.revision) continue;
      // After a renewal whose acknowledgement was lost the revision is another, but the lease still is this process's.
      if (lease.value === me) entry.revision = lease.revision;
      else yield* drop(partition, entry, `${lease.value || "nobody"} has its lease`);
    }
    const count = partitionCount(settings.ingester.partitions, byKey.keys());
    yield* openThose(count);
    for (const [partition, owner] of proposeOwners(count, membersOf(entries, "ingester"))) {
      const mine = owned.get(partition);
      const lease = byKey.get(`partition.${partition}`);
      const isFree = lease === undefined || lease.value === "" || lease.value === me;
      if (owner === me && mine === undefined && isFree && opened.get(partition) === "open") {
        const startedMs = performance.now();
        const revision = yield* Effect.tryPromise(() =>
          leases.take(`partition.${partition}`, me, lease?.revision ?? 0)
        );
        if (revision !== undefined) yield* start(partition, revision, startedMs + leaseMs);
      } else if (owner !== me && mine !== undefined) {
        yield* Effect.forkScoped(handOver(partition, mine, `it is ${owner}'s`));
      }
    }
  });

  const oneTurn = Semaphore.makeUnsafe(1);
  const loop = yield* oneTurn.withPermits(1)(turn).pipe(
    Effect.catchCause((cause) =>
      Effect.logWarning(`partitions are not managed: ${errorText(Cause.squash(cause))}`)
    ),
    Effect.repeat(Schedule.spaced(renewEveryMs)),
    Effect.forkScoped,
  );
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      isDraining = true;
      // A turn that is under way may still take some.
      yield* oneTurn.withPermits(1)(Effect.void);
      yield* Effect.tryPromise(() => leases.release(`ingester.${me}`)).pipe(Effect.ignore);
      yield* Effect.forEach(
        [...owned],
        ([partition, entry]) => handOver(partition, entry, "stopping"),
        { concurrency: "unbounded", discard: true },
      );
      yield* Fiber.interrupt(loop);
    })
  );
  return PartitionOwners.of({
    owned: () => new Map([...owned].map(([partition, { actor }]) => [partition, actor])),
  });
});
