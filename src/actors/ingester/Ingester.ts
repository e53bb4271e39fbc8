/** The partitions as one service: what queries, flushes and shutdown need of them. Spawns the partition actors
 *  and, when its scope closes, flushes them before they stop, so that the next start has nothing to replay. */
import { Context, Effect, Layer, Schema } from "effect";
import type { Settings } from "../../platform/config/mod.ts";
import { WriteLog } from "../../storage/WriteLog.ts";
import type { HeldAnswer } from "../HeldAnswers.ts";
import type { HeadSnapshot } from "../protocol/head.ts";
import type { HeadQuery, PartitionMessage } from "../protocol/ingester.ts";
import type { QueryFailed } from "../querier/queryFailed.ts";
import { type ActorRef, ActorSystem } from "../runtime/mod.ts";
import { partitionBehaviour } from "./partition.ts";
import { partitionOptions } from "./partitionOptions.ts";

/** A partition did not answer (it is restarting or stopping), or its flush failed. */
export class IngesterUnavailable
  extends Schema.TaggedError<IngesterUnavailable>()("IngesterUnavailable", {
    message: Schema.String,
  }) {}

/** What a query gives along for partitions of other processes. */
export interface HeadAsker {
  /** A partition that does not answer is told to it, and not in the answer; without it the question fails. "new" are those that
   *  this process does not know of, when nobody says whether there are any. */
  readonly leaveOut?: (partition: number | "new", reason: string) => void;
  /** Counts the rows that come here, and stay until the query ends. */
  readonly held?: HeldAnswer;
}

export class Ingester extends Context.Service<Ingester, {
  /** The partitions that this process owns, by number. On one machine more than
   *  ingester.partitions when the write log holds records of further ones, from before it was
   *  lowered: those are only flushed. */
  readonly owned: () => ReadonlyMap<number, ActorRef<PartitionMessage>>;
  /** Waits until every partition of this process has replayed its log. */
  readonly ready: Effect.Effect<void, IngesterUnavailable>;
  /** The unflushed rows of every partition that a query may need. Every batch that was handed over before is in it. */
  readonly describe: (
    query: HeadQuery,
    asker?: HeadAsker,
  ) => Effect.Effect<ReadonlyArray<HeadSnapshot>, IngesterUnavailable | QueryFailed>;
  /** Cuts a segment of everything handed over so far, and waits until it is committed. */
  readonly flush: Effect.Effect<void, IngesterUnavailable>;
}>()("tailrace/actors/Ingester") {
  /** Of a process that has nothing to do with partitions. */
  static readonly none = Layer.sync(Ingester, () => {
    const unavailable = new IngesterUnavailable({
      message: "this process has no partitions: ask an ingester or a querier",
    });
    return {
      owned: () => new Map(),
      ready: Effect.void,
      describe: () => Effect.fail(unavailable),
      flush: Effect.fail(unavailable),
    };
  });

  static readonly layer = (settings: Settings) =>
    Layer.effect(
      Ingester,
      Effect.gen(function* () {
        const system = yield* ActorSystem;
        const behaviours = yield* behavioursOf(settings);
        const partitions = yield* Effect.forEach(
          behaviours,
          (behaviour, index) => system.spawnScoped(behaviour, { name: `partition-${index}` }),
        );
        const ingester = ingesterOf(partitions);
        yield* Effect.addFinalizer(() =>
          ingester.flush.pipe(Effect.catch((error) =>
            Effect.logWarning(
              `not everything was flushed, the next start replays it: ${error.message}`,
            )
          ))
        );
        return ingester;
      }),
    );
}

const behavioursOf = Effect.fnUntraced(function* (settings: Settings) {
  const optionsOf = yield* partitionOptions(settings);
  const logged = yield* (yield* WriteLog).partitions;
  const count = Math.max(settings.ingester.partitions, ...logged.map((partition) => partition + 1));
  return Array.from({ length: count }, (_, partition) => partitionBehaviour(optionsOf(partition)));
});

function ingesterOf(partitions: ReadonlyArray<ActorRef<PartitionMessage>>): Ingester["Service"] {
  const unavailable = (error: Error) => new IngesterUnavailable({ message: error.message });
  const owned = new Map(partitions.entries());
  return Ingester.of({
    owned: () => owned,
    ready: Effect.forEach(partitions, (partition) => partition.ready, { discard: true }).pipe(
      Effect.mapError(unavailable),
    ),
    describe: (query) =>
      Effect.forEach(
        partitions,
        (partition) => partition.ask<HeadSnapshot>((reply) => ({ type: "Describe", query, reply })),
        { concurrency: "unbounded" },
      ).pipe(Effect.mapError(unavailable)),
    flush: Effect.forEach(
      partitions,
      (partition) => partition.ask<void, Error>((reply) => ({ type: "Flush", reply })),
      { concurrency: "unbounded", discard: true },
    ).pipe(Effect.mapError(unavailable)),
  });
}
