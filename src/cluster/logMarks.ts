/** Which partitions there are, and how far the log of each is known to reach: an entry log.<partition> without expiry in the
 *  key-value bucket tailrace_leases, which is another stream than the logs.
 *
 *  A server that has lost the end of a log says that it ends earlier, and nothing in the log contradicts it; so the owner notes
 *  its end here.
 *
 *  **No answer lacks a partition that it was not told of.** Processes need not agree on ingester.partitions: pods roll one after
 *  the other. So a reader asks here, for every question anew, which partitions there are (announcedLogs), and the invariant is:
 *  an acknowledged batch is in a partition whose entry was written before. Whoever creates a log's stream creates it closed,
 *  writes the entry, waits until it is acknowledged, and opens the stream (ensureStream in streams.ts); a stream that is closed
 *  has no subject that anybody publishes to. In the order of time:
 *
 *      entry acknowledged  <  stream opened  <  batch acknowledged  <  question begins  <  the bucket's leader tells its entries
 *
 *  What a leader tells, which most replicas follow (leaderState), holds all that was acknowledged before, so the entry is told.
 *  It matters neither who knows which setting, nor how old that is. A process that dies in between leaves a closed stream or an
 *  entry of an empty one, and whoever needs the partition next goes on from there. Entries are never removed: with fewer
 *  partitions than before, the others are owned, flushed and asked as they were, and get nothing more. */
import { leaderGet } from "./directGet.ts";
import { type NatsLink, requestTimeoutMs } from "./Nats.ts";
import { apiCode, streamNotFound, wrongLastSequence } from "./natsErrors.ts";
import { leaderState } from "./streamState.ts";
import { ensureStream, leaseBucket, leaseStream } from "./streams.ts";

const stream = `KV_${leaseBucket}`;

/** Writes the partition's entry if there is none, and resolves when there is one. Rejects if it cannot at the moment. */
export async function announceLog(link: NatsLink, partition: number): Promise<void> {
  await ensureStream(link, leaseStream());
  const options = { timeout: requestTimeoutMs, expect: { lastSubjectSequence: 0 } };
  await link.manager.jetstream().publish(subjectOf(partition), "1", options).catch((error) => {
    // The owner's, or what another process wrote a moment ago.
    if (apiCode(error) !== wrongLastSequence) throw error;
  });
}

/** The partitions that may hold what was acknowledged before the call, in no order; `limitMs` is what elections may take. The
 *  bucket must have been there. */
export async function announcedLogs(
  link: NatsLink,
  limitMs: number,
): Promise<ReadonlyArray<number>> {
  const { subjects = {} } = await leaderState(link, stream, limitMs, subjectOf("*"));
  const prefixLength = subjectOf("").length;
  return Object.keys(subjects).map((subject) => Number(subject.slice(prefixLength)));
}

/** How many partitions processes share out among them, of `configured` ones, if the bucket's entries have these keys. */
export function partitionCount(configured: number, keys: Iterable<string>): number {
  let count = configured;
  for (const key of keys) {
    const partition = /^log\.(\d+)$/.exec(key)?.[1];
    if (partition !== undefined) count = Math.max(count, Number(partition) + 1);
  }
  return count;
}

/** Notes that offsets below `next` were stored. For the partition's owner alone. */
export async function writeLogMark(link: NatsLink, partition: number, next: number): Promise<void> {
  const js = link.manager.jetstream();
  await js.publish(subjectOf(partition), String(next), { timeout: requestTimeoutMs });
}

/** The offset that the owner noted last; 1 if there is none. */
export async function readLogMark(link: NatsLink, partition: number): Promise<number> {
  const query = { last_by_subj: subjectOf(partition) };
  const message = await leaderGet(link, stream, query).catch((error) => {
    if (apiCode(error) === streamNotFound) return undefined;
    throw error;
  });
  const next = Number(new TextDecoder().decode(message?.data));
  return Number.isSafeInteger(next) && next > 0 ? next : 1;
}

/** The key, for those who remove it with the NATS CLI. */
export function logMarkKey(partition: number | string): string {
  return `log.${partition}`;
}

function subjectOf(partition: number | string): string {
  return `$KV.${leaseBucket}.${logMarkKey(partition)}`;
}
