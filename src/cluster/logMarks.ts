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
 *  entry of an empty one, and whoever needs the partition next goes on from there. Entries are never removed, and what an
 *  operator removed the partition's owner writes again: with fewer partitions than before, the others are owned, flushed and
 *  asked as they were, and get nothing more. */
import { leaderGet, type StoredMessage } from "./directGet.ts";
import { type NatsLink, requestTimeoutMs } from "./Nats.ts";
import { apiCode, isConflict, streamNotFound, wrongLastSequence } from "./natsErrors.ts";
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

/** The mark as its owner keeps it. Invariant: it never says less than one that was read or written before, whoever wrote it: an
 *  owner that is new reads the log from the checkpoint, and is behind what the last one noted. */
export class LogMark {
  readonly #link: NatsLink;
  readonly #partition: number;
  #next = 0;
  /** The entry's, 0 for none. */
  #revision = 0;

  private constructor(link: NatsLink, partition: number) {
    this.#link = link;
    this.#partition = partition;
  }

  /** Rejects if the mark cannot be read at the moment. */
  static async open(link: NatsLink, partition: number): Promise<LogMark> {
    const mark = new LogMark(link, partition);
    await mark.#read();
    return mark;
  }

  /** Notes that offsets below `next` were stored, if that is news. What could not be noted is at the next call. */
  async note(next: number): Promise<void> {
    if (next <= this.#next) return;
    const js = this.#link.manager.jetstream();
    const options = { timeout: requestTimeoutMs, expect: { lastSubjectSequence: this.#revision } };
    try {
      const ack = await js.publish(subjectOf(this.#partition), String(next), options);
      [this.#next, this.#revision] = [next, ack.seq];
    } catch (error) {
      if (!isConflict(error)) throw error;
      await this.#read();
    }
  }

  /** The entry was not found: the next call of `note` writes it, should it not be there. */
  missing(): void {
    [this.#next, this.#revision] = [0, 0];
  }

  async #read(): Promise<void> {
    const entry = await entryOf(this.#link, this.#partition);
    [this.#next, this.#revision] = entry === undefined ? [0, 0] : [nextOf(entry), entry.sequence];
  }
}

/** The offset that the owner noted last; 1 if there is none. */
export async function readLogMark(link: NatsLink, partition: number): Promise<number> {
  return nextOf(await entryOf(link, partition));
}

async function entryOf(link: NatsLink, partition: number): Promise<StoredMessage | undefined> {
  return await leaderGet(link, stream, { last_by_subj: subjectOf(partition) }).catch((error) => {
    if (apiCode(error) === streamNotFound) return undefined;
    throw error;
  });
}

function nextOf(entry: StoredMessage | undefined): number {
  const next = Number(new TextDecoder().decode(entry?.data));
  return Number.isSafeInteger(next) && next > 0 ? next : 1;
}

/** The key, for those who remove it with the NATS CLI. */
export function logMarkKey(partition: number | string): string {
  return `log.${partition}`;
}

function subjectOf(partition: number | string): string {
  return `$KV.${leaseBucket}.${logMarkKey(partition)}`;
}
