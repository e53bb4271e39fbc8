/** The unflushed rows of a partition read from the write log: what a querier does while the
 *  partition has no owner that answers. */
import { Effect } from "effect";
import { releaseShared } from "../../platform/externalMemory.ts";
import { parseLabels } from "../../streams/labels.ts";
import { matchAll } from "../../streams/matcher.ts";
import type { Index } from "../../storage/Index.ts";
import type { WriteLog } from "../../storage/WriteLog.ts";
import { type HeadSlice, type HeadSnapshot, HeadTooLarge } from "../protocol/head.ts";
import type { HeadQuery } from "../protocol/ingester.ts";
import { batchOf } from "./batchOf.ts";
import { addSlices, streamsOf } from "./headMessages.ts";

const readBytes = 8 * 1024 * 1024;

/** A snapshot as the partition's owner would give it. Fails with HeadTooLarge if records with more than `bytesMax` have to be
 *  held, or when the log cannot be read. */
export const headOfLog = Effect.fn("headOfLog")(function* (
  writeLog: WriteLog["Service"],
  index: Index["Service"],
  partition: number,
  query: HeadQuery,
  bytesMax: number,
) {
  // A segment may be committed and the log below it released between the two questions; then both are asked again.
  for (let attempt = 0; attempt < 5; attempt++) {
    const logFrom = yield* index.checkpoint(partition);
    const { first, next } = yield* writeLog.bounds(partition);
    if (first > logFrom) continue;
    const head = yield* readHead(writeLog, { partition, logFrom, logTo: next }, query, bytesMax);
    if (head !== undefined) return head;
  }
  return yield* Effect.fail(
    new Error(
      `partition ${partition}: its log is released faster than it can be read, or it lacks its beginning: \`tailrace cluster ` +
        `skip --partition=${partition}\` says what is lost`,
    ),
  );
});

const readHead = Effect.fnUntraced(function* (
  writeLog: WriteLog["Service"],
  range: { readonly partition: number; readonly logFrom: number; readonly logTo: number },
  { tenant, matchers, range: { start, end }, labelsOnly }: HeadQuery,
  bytesMax: number,
) {
  const { partition, logFrom, logTo } = range;
  const streams = new Map<string, HeadSlice[]>();
  const verdicts = new Map<string, boolean>();
  const isWanted = (labels: string, slice: HeadSlice) => {
    if (slice.minTime >= end || slice.maxTime < start) return false;
    let verdict = verdicts.get(labels);
    if (verdict === undefined) {
      verdict = matchAll(matchers, parseLabels(labels));
      verdicts.set(labels, verdict);
    }
    return verdict;
  };
  let bytes = 0;
  for (let next = logFrom; next < logTo;) {
    const records = yield* writeLog.read(partition, next, readBytes);
    for (const record of records) {
      if (record.offset !== next) return undefined;
      next++;
      if (record.offset >= logTo) break;
      const batch = yield* Effect.try({
        try: () => batchOf(partition, record),
        catch: (error) => error instanceof Error ? error : new Error(String(error)),
      });
      const found = labelsOnly ? new Map<string, HeadSlice[]>() : streams;
      const added = batch.tenant === tenant ? addSlices(found, batch, record.offset, isWanted) : 0;
      if (labelsOnly) { for (const labels of found.keys()) streams.set(labels, []); }
      // A slice holds on to all of its batch.
      if (labelsOnly || added === 0) releaseShared(batch.buffer.byteLength);
      else bytes += batch.buffer.byteLength;
    }
    if (records.length === 0) return undefined;
    if (bytes > bytesMax) {
      releaseShared(bytes);
      return yield* Effect.fail(new HeadTooLarge(bytes));
    }
  }
  const head: HeadSnapshot = { partition, logFrom, logTo, streams: streamsOf(streams) };
  return head;
});
