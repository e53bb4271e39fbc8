/** The unflushed rows of one partition of a cluster: asked of its owner and, when that does not answer in time, read from the
 *  write log, so that recent lines can be queried whoever dies. Owns which of the two is believed: neither's failure is the
 *  other's, and what is too much for the log to be read may be little for the owner, who knows which rows match. */
import { Effect, Latch } from "effect";
import { requestFrames } from "../../cluster/frames.ts";
import type { NatsLink } from "../../cluster/Nats.ts";
import { headSubject } from "../../cluster/subjects.ts";
import { errorText } from "../../platform/files.ts";
import type { Index } from "../../storage/Index.ts";
import type { WriteLog } from "../../storage/WriteLog.ts";
import { type HeadSnapshot, HeadTooLarge } from "../protocol/head.ts";
import type { HeadQuery } from "../protocol/ingester.ts";
import { QueryFailed } from "../querier/queryFailed.ts";
import { encodeHeadQuestion, HeadDecoder, tooLargeIn } from "./headMessages.ts";
import { headOfLog } from "./headOfLog.ts";
import { IngesterUnavailable } from "./Ingester.ts";

/** An owner that has not begun to answer by then may be frozen: the log is read at the same time. */
const hedgeMs = 1000;
const idleMs = 5000;

/** Whom it asks. */
export interface HeadSources {
  readonly link: NatsLink;
  readonly writeLog: WriteLog["Service"];
  readonly index: Index["Service"];
  /** Of rows, more than which no question asks for. */
  readonly bytesMax: number;
}

/** How a partition is asked. */
export interface AskedHead {
  /** Of rows; that there are more is an answer. */
  readonly bytes: number;
  /** Whether the owner is not waited for. */
  readonly preferLog: boolean;
}

export interface HeadAnswer {
  readonly partition: number;
  readonly head: HeadSnapshot | HeadTooLarge;
  /** Whether the log has answered in place of the owner. */
  readonly fromLog: boolean;
}

/** Asks a partition. Fails with IngesterUnavailable if neither answers, and with QueryFailed, TooLarge, if the owner says that
 *  there are more than `bytesMax` of rows. */
export const partitionHead = Effect.fnUntraced(function* (
  { link, writeLog, index, bytesMax }: HeadSources,
  partition: number,
  query: HeadQuery,
  { bytes, preferLog }: AskedHead,
) {
  const most = Math.min(bytes, bytesMax);
  const isAll = most === bytesMax;
  const ownerFailed = Latch.makeUnsafe(false);
  let [ownersProblem, logsProblem, ownerBegan] = ["it does not answer", "", false];

  const fromOwner = Effect.tryPromise({
    try: async (signal) => {
      const decoder = new HeadDecoder();
      await requestFrames(link, {
        subject: headSubject(partition),
        payload: encodeHeadQuestion({ query, bytesMax: most }),
        idleMs,
        bytesMax,
        signal,
        take: decoder.take,
        onBegin: () => ownerBegan = true,
      });
      return decoder.end();
    },
    catch: (error) => tooLargeIn(error) ?? error,
  }).pipe(
    Effect.map((head): Settled => ({ partition, head, fromLog: false })),
    Effect.catchIf(isTooLarge, (head) =>
      Effect.succeed<Settled>(
        isAll ? tooMuch(partition, bytesMax) : { partition, head, fromLog: false },
      )),
    Effect.tapError((error) =>
      Effect.sync(() => {
        ownersProblem = errorText(error);
        ownerFailed.openUnsafe();
      })
    ),
  );

  const ownerIsSlow = Effect.sleep(hedgeMs).pipe(
    Effect.andThen(Effect.suspend(() => ownerBegan ? Effect.never : Effect.void)),
  );
  const fromLog = (preferLog ? Effect.void : Effect.race(ownerFailed.await, ownerIsSlow)).pipe(
    Effect.andThen(headOfLog(writeLog, index, partition, query, most)),
    Effect.map((head): Settled => ({ partition, head, fromLog: true })),
    Effect.catchIf(
      isTooLarge,
      (head) =>
        isAll
          ? Effect.fail(tooMuch(partition, bytesMax))
          : Effect.as(preferLog ? Effect.void : ownerFailed.await, {
            partition,
            head,
            fromLog: true,
          }),
    ),
    Effect.tapError((error) => Effect.sync(() => logsProblem = errorText(error))),
  );

  const settled = yield* Effect.race(fromOwner, fromLog).pipe(
    Effect.mapError(() =>
      new IngesterUnavailable({ message: `${logsProblem} (its owner: ${ownersProblem})` })
    ),
  );
  return settled instanceof QueryFailed ? yield* settled : settled;
});

/** Of an owner that says there is too much, nobody else is asked. */
type Settled = HeadAnswer | QueryFailed;

const isTooLarge = (error: unknown): error is HeadTooLarge => error instanceof HeadTooLarge;

function tooMuch(partition: number, bytesMax: number): QueryFailed {
  return new QueryFailed({
    reason: "TooLarge",
    message:
      `what the query needs of the unflushed lines of partition ${partition} exceeds ${bytesMax} bytes: try again in a moment, or ` +
      "with more label matchers or a shorter time range",
  });
}
