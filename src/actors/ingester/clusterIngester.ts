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
import { growing } from "../HeldAnswers.ts";
import { type HeadSnapshot, HeadTooLarge, heldBytes } from "../protocol/head.ts";
import type { HeadQuery } from "../protocol/ingester.ts";
import { decodeHead, encodeHeadQuestion, type HeadQuestion, tooLargeIn } from "./headMessages.ts";
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
      const each = <Result, Failure>(
        ask: (partition: number) => Effect.Effect<Result, Failure>,
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

      const ownersHead = (partition: number, question: HeadQuestion) =>
        Effect.tryPromise({
          try: async (signal) =>
            decodeHead(
              await requestFrames(link, {
                subject: headSubject(partition),
                payload: encodeHeadQuestion(question),
                idleMs,
                bytesMax,
                signal,
              }),
            ),
          catch: (error) => tooLargeIn(error) ?? error,
        });

      const headOf = (partition: number, query: HeadQuery, wanted: Wanted) => {
        const most = Math.min(wanted.bytes, bytesMax);
        const orWanted = (
          ask: Effect.Effect<HeadSnapshot, unknown>,
          spare: number,
          fromLog: boolean,
        ) =>
          ask.pipe(Effect.catchIf(
            (error) => error instanceof HeadTooLarge,
            ({ bytes }): Effect.Effect<Wanted, Error> =>
              most < bytesMax
                ? Effect.succeed({ bytes: Math.min(bytesMax, Math.ceil(bytes * spare)), fromLog })
                : Effect.fail(tooMuch(bytesMax)),
          ));
        const fromOwner = orWanted(ownersHead(partition, { query, bytesMax: most }), 1.25, false);
        // Nobody knows how many there are before all are read, and each time they are read again.
        const fromLog = orWanted(headOfLog(writeLog, index, partition, query, most), 4, true);
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
              Effect.timeoutOption(wanted.fromLog ? 0 : hedgeMs),
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
        describe: Effect.fnUntraced(function* (query, { leaveOut, held } = {}) {
          const wanted = new Map<number, Wanted>();
          const found = (partition: number) =>
            headOf(partition, query, wanted.get(partition) ?? askedFirst).pipe(
              Effect.map((head) => [{ partition, head }]),
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
          while (true) {
            const heads: HeadSnapshot[] = [];
            let isWhole = true;
            for (const { partition, head } of (yield* each(found, partitions)).flat()) {
              if ("streams" in head) heads.push(head);
              else {
                isWhole = false;
                wanted.set(partition, head);
              }
            }
            if (isWhole) {
              held?.resize(sum(heads.map(heldBytes)));
              return heads;
            }
            if (held === undefined) continue;
            // Room for all of them at once: one that waits with some of them would keep others waiting.
            held.resize(0);
            yield* growing(held, sum([...wanted.values()].map(({ bytes }) => bytes)));
          }
        }),
        flush: each(flush).pipe(Effect.asVoid),
      });
    }),
  );

/** How much is asked of a partition. */
interface Wanted {
  /** Of rows. */
  readonly bytes: number;
  /** Whether the log has answered in place of the owner before. */
  readonly fromLog: boolean;
}

/** What comes without having been counted before. */
const askedFirst: Wanted = { bytes: 1024 * 1024, fromLog: false };

const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((total, each) => total + each, 0);

function tooMuch(bytesMax: number): Error {
  return new Error(
    `the unflushed rows that the query needs exceed ${bytesMax} bytes: try again in a moment, or with more label matchers ` +
      "or a shorter time range",
  );
}
