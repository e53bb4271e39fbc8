/** The partitions of a cluster as one service: their owners are asked over NATS, or the write log (partitionHead.ts). Owns that
 *  rows come only when there is room for them. Which partitions there are is asked with each question
 *  (src/cluster/logMarks.ts says why), while those that are known already are. */
import { errors } from "@nats-io/transport-node";
import { Effect, Layer, Option, Schedule } from "effect";
import { requestFrames } from "../../cluster/frames.ts";
import { Nats } from "../../cluster/Nats.ts";
import { flushSubject } from "../../cluster/subjects.ts";
import type { Settings } from "../../platform/config/mod.ts";
import { releaseShared } from "../../platform/externalMemory.ts";
import { errorText } from "../../platform/files.ts";
import { Index } from "../../storage/Index.ts";
import { WriteLog } from "../../storage/WriteLog.ts";
import { growing } from "../HeldAnswers.ts";
import { type HeadSnapshot, HeadTooLarge, heldBytes } from "../protocol/head.ts";
import type { HeadQuery } from "../protocol/ingester.ts";
import { QueryFailed } from "../querier/queryFailed.ts";
import { type HeadAsker, Ingester, IngesterUnavailable } from "./Ingester.ts";
import { type AskedHead, type HeadSources, partitionHead } from "./partitionHead.ts";
import { PartitionOwners } from "./PartitionOwners.ts";

const flushMs = 60_000;
/** A flush waits so long for an owner: one that died has a successor within ten seconds, and so has a partition that is new. */
const ownerWaitMs = 15_000;
const ownerRetryMs = 200;
const ownerRetries = { times: ownerWaitMs / ownerRetryMs, schedule: Schedule.spaced(ownerRetryMs) };
const hasNoOwner = (error: unknown) => error instanceof errors.NoRespondersError;
/** Rows come uncompressed; an owner refuses pushes long before it has twice its limit. */
const headLimits = 2;
/** Bytes of rows that come without having been counted before, of all partitions, and of one if there are many. */
const firstBytes = 4 * 1024 * 1024;
const firstBytesMin = 64 * 1024;
/** How much more is asked for than there was. Of the log nobody knows how much there is before all of it is read. */
const [ownersSpare, logsSpare] = [1.25, 2];

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

      const sources: HeadSources = {
        link,
        writeLog,
        index,
        bytesMax: headLimits * settings.ingester.max_unflushed_bytes,
      };
      /** What comes without having been counted before. */
      const askedFirst = (): AskedHead => ({
        bytes: Math.max(firstBytesMin, Math.ceil(firstBytes / Math.max(1, known.length))),
        preferLog: false,
      });

      /** Asks each partition for as much as is noted in `asked`. The heads are whole, or undefined when that was too little for one:
       *  then it is noted how much more they are. */
      const heads = Effect.fnUntraced(function* (
        query: HeadQuery,
        asked: Map<number, AskedHead>,
        { leaveOut, held }: HeadAsker,
      ) {
        const leftOut: Array<readonly [partition: number | "new", reason: string]> = [];
        const found = (partition: number) =>
          partitionHead(sources, partition, query, asked.get(partition) ?? askedFirst()).pipe(
            Effect.map((answer) => [answer]),
            Effect.catchTag("IngesterUnavailable", (error) => {
              if (leaveOut === undefined) return Effect.fail(error);
              leftOut.push([partition, error.message]);
              return Effect.succeed([]);
            }),
          );
        const partitions = listed.pipe(
          Effect.catch((error) => {
            if (leaveOut === undefined) return Effect.fail(error);
            leftOut.push(["new", error.message]);
            return Effect.succeed(known);
          }),
        );
        const whole: HeadSnapshot[] = [];
        const answers = (yield* each(found, partitions)).flat();
        for (const { partition, head, fromLog } of answers) {
          const isWhole = !(head instanceof HeadTooLarge);
          if (isWhole) whole.push(head);
          if (isWhole && !fromLog && !asked.has(partition)) continue;
          const spare = fromLog ? logsSpare : ownersSpare;
          const bytes = Math.ceil(spare * (isWhole ? heldBytes(head) : head.bytes));
          asked.set(partition, {
            bytes: Math.min(sources.bytesMax, Math.max(askedFirst().bytes, bytes)),
            preferLog: fromLog,
          });
        }
        const bytes = sum(whole.map(heldBytes));
        if (whole.length < answers.length) {
          releaseShared(bytes);
          return undefined;
        }
        held?.resize(bytes);
        for (const [partition, reason] of leftOut) leaveOut?.(partition, reason);
        return whole;
      });

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
          catch: (error) => error,
        }).pipe(
          Effect.retry({ while: hasNoOwner, ...ownerRetries }),
          Effect.mapError((error) =>
            new IngesterUnavailable({
              message: hasNoOwner(error)
                ? `partition ${partition} has had no owner for ${ownerWaitMs / 1000} seconds`
                : `partition ${partition}: ${errorText(error)}`,
            })
          ),
        );

      return Ingester.of({
        owned,
        ready: Effect.suspend(() =>
          Effect.forEach(owned().values(), (actor) => actor.ready, { discard: true })
        ).pipe(Effect.mapError(({ message }) => new IngesterUnavailable({ message }))),
        describe: Effect.fnUntraced(function* (query, asker = {}) {
          const { held } = asker;
          const asked = new Map<number, AskedHead>();
          while (true) {
            // In a generator of its own: what one try has got is let go of before it waits for room.
            const found = yield* heads(query, asked, asker);
            if (found !== undefined) return found;
            if (held === undefined) continue;
            // Room for all of them at once: one that waits with some of them would keep others waiting.
            held.resize(0);
            const bytes = sum([...asked.values()].map(({ bytes }) => bytes));
            // Others may need it for as long as their queries take: then it begins again, within the time that it has.
            if (!held.tryResize(bytes)) {
              yield* growing(held, bytes).pipe(
                Effect.mapError(({ message }) => new QueryFailed({ reason: "GaveWay", message })),
              );
            }
          }
        }),
        flush: each(flush).pipe(Effect.asVoid),
      });
    }),
  );

const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((total, each) => total + each, 0);
