/** The partitions of a cluster as one service: their owners are asked over NATS. A partition
 *  without an owner that answers in time is read from the write log, so that recent lines can be
 *  queried whoever dies. Which partitions there are is asked with each question
 *  (src/cluster/logMarks.ts says why), while those that are known already are. */
import { errors } from "@nats-io/transport-node";
import { Effect, Latch, Layer, Option } from "effect";
import { requestFrames } from "../../cluster/frames.ts";
import { Nats } from "../../cluster/Nats.ts";
import { flushSubject, headSubject } from "../../cluster/subjects.ts";
import type { Settings } from "../../platform/config/mod.ts";
import { errorText } from "../../platform/files.ts";
import { Index } from "../../storage/Index.ts";
import { WriteLog } from "../../storage/WriteLog.ts";
import type { HeadSnapshot } from "../protocol/head.ts";
import type { HeadQuery } from "../protocol/ingester.ts";
import { decodeHead, encodeHeadQuery } from "./headMessages.ts";
import { headOfLog } from "./headOfLog.ts";
import { Ingester, IngesterUnavailable } from "./Ingester.ts";
import { PartitionOwners } from "./PartitionOwners.ts";

/** An owner that has not begun to answer by then may be frozen: the log is read at the same time. */
const hedgeMs = 1000;
const idleMs = 5000;
const flushMs = 60_000;
/** Rows come uncompressed; an owner refuses pushes long before it has twice its limit. */
const headLimits = 2;

/** Ingester for a process of a cluster, whether it owns partitions or not. */
export const clusterIngesterLayer = (settings: Settings) =>
  Layer.effect(
    Ingester,
    Effect.gen(function* () {
      const link = yield* Nats;
      const writeLog = yield* WriteLog;
      const index = yield* Index;
      const owners = yield* Effect.serviceOption(PartitionOwners);
      const owned = () =>
        Option.match(owners, {
          onNone: (): ReturnType<PartitionOwners["Service"]["owned"]> => new Map(),
          onSome: (some) => some.owned(),
        });
      const bytesMax = headLimits * settings.ingester.max_unflushed_bytes;
      const listed = writeLog.partitions.pipe(
        Effect.mapError(({ message }) => new IngesterUnavailable({ message })),
      );
      /** By the last answer that came. */
      let known: ReadonlyArray<number> = [];
      /** Asks every partition that there is at this moment. */
      const each = <Result>(
        ask: (partition: number) => Effect.Effect<Result, IngesterUnavailable>,
        partitions: Effect.Effect<ReadonlyArray<number>, IngesterUnavailable> = listed,
      ) =>
        Effect.gen(function* () {
          const before = known;
          const all = (numbers: ReadonlyArray<number>) =>
            Effect.forEach(numbers, ask, { concurrency: "unbounded" });
          const [some, now] = yield* Effect.all([all(before), partitions], {
            concurrency: "unbounded",
          });
          known = now;
          return [...some, ...yield* all(now.filter((partition) => !before.includes(partition)))];
        });

      const headOf = (partition: number, query: HeadQuery) => {
        const fromOwner = Effect.tryPromise({
          try: async (signal) =>
            decodeHead(
              await requestFrames(link, {
                subject: headSubject(partition),
                payload: encodeHeadQuery(query),
                idleMs,
                bytesMax,
                signal,
              }),
            ),
          catch: (error) => error,
        });
        const fromLog = headOfLog(writeLog, index, partition, query, bytesMax);
        const ownerFailed = Latch.makeUnsafe(false);
        let [ownersProblem, logsProblem] = ["it does not answer", ""];
        // Neither's failure is the other's: an owner that is slow may answer what is too much to be read from the log.
        return fromOwner.pipe(
          Effect.tapError((error) =>
            Effect.sync(() => {
              ownersProblem = errorText(error);
              ownerFailed.openUnsafe();
            })
          ),
          Effect.race(
            ownerFailed.await.pipe(
              Effect.timeoutOption(hedgeMs),
              Effect.andThen(fromLog),
              Effect.tapError((error) => Effect.sync(() => logsProblem = errorText(error))),
            ),
          ),
          Effect.mapError(() =>
            new IngesterUnavailable({ message: `${logsProblem} (its owner: ${ownersProblem})` })
          ),
        );
      };

      const flush = (partition: number) =>
        Effect.tryPromise({
          try: (signal) =>
            requestFrames(link, {
              subject: flushSubject(partition),
              payload: "",
              idleMs: flushMs,
              bytesMax: 0,
              signal,
            }),
          catch: (error) =>
            new IngesterUnavailable({
              message: error instanceof errors.NoRespondersError
                ? `partition ${partition} has no owner at the moment`
                : `partition ${partition}: ${errorText(error)}`,
            }),
        });

      return Ingester.of({
        owned,
        ready: Effect.suspend(() =>
          Effect.forEach(owned().values(), (actor) => actor.ready, { discard: true })
        ).pipe(Effect.mapError(({ message }) => new IngesterUnavailable({ message }))),
        describe: (query, leaveOut) => {
          const found = (partition: number) =>
            headOf(partition, query).pipe(
              Effect.map((head): ReadonlyArray<HeadSnapshot> => [head]),
              Effect.catch((error) => {
                if (leaveOut === undefined) return Effect.fail(error);
                leaveOut(partition, error.message);
                return Effect.succeed([]);
              }),
            );
          const partitions = listed.pipe(
            Effect.catch((error) => {
              if (leaveOut === undefined) return Effect.fail(error);
              leaveOut("new", error.message);
              return Effect.succeed(known);
            }),
          );
          return each(found, partitions).pipe(Effect.map((heads) => heads.flat()));
        },
        flush: each(flush).pipe(Effect.asVoid),
      });
    }),
  );
