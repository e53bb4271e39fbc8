/** The write log in JetStream: a stream per partition, a message per record, its sequence the offset. Owns what an
 *  acknowledgement, a refusal and a hole mean; src/cluster/streams.ts owns the streams.
 *
 *  A record's message id is the digest of its bytes. So a publish whose outcome is unknown is simply sent again, and the same
 *  push sent again by an agent within two minutes takes no second offset.
 *  Who creates a stream announces it before it takes anything (src/cluster/logMarks.ts says why). That is an ingester's work.
 *  Invariant: offsets are the stream's sequences, which are contiguous from the first kept one; a hole is damage, and reading
 *  stops at it rather than skip acknowledged lines, unless an operator gave them up (src/cluster/skipMarks.ts). So is an end
 *  that lies before one that was known. */
import { headers as makeHeaders, type MsgHdrs } from "@nats-io/transport-node";
import { Effect, Layer } from "effect";
import { directGet, leaderGet, type StoredMessage } from "../../cluster/directGet.ts";
import { Nats, type NatsLink, requestTimeoutMs } from "../../cluster/Nats.ts";
import {
  apiCode,
  insufficientResources,
  messageTooBig,
  noPlacement,
  noRoom,
  retrying,
  streamFull,
  StreamMissing,
} from "../../cluster/natsErrors.ts";
import { recordOf, skippedRecord } from "../../cluster/logRecords.ts";
import { announcedLogs, announceLog, logMarkKey, readLogMark } from "../../cluster/logMarks.ts";
import { firstWith, type SkippedOffsets, skippedOffsets } from "../../cluster/skipMarks.ts";
import { leaderInfo } from "../../cluster/streamState.ts";
import {
  ensureStream,
  findStream,
  leaseBucket,
  leaseStream,
  logStream,
  logStreamName,
  logSubject,
} from "../../cluster/streams.ts";
import { sha256Base64Url } from "../../platform/digest.ts";
import { joinBytes } from "../../platform/joinBytes.ts";
import { errorText } from "../../platform/files.ts";
import { readBatchHeader } from "../../streams/batch.ts";
import { type LogRecord, WriteLog, WriteLogError } from "../WriteLog.ts";

export interface JetStreamWriteLogOptions {
  /** Bytes of one partition that are not released; beyond it appends fail with Full. */
  readonly partitionBytesMax: number;
  /** Whether this process creates the streams that it needs; else it waits until another has. */
  readonly createsLogs: boolean;
}

/** The write log of the NATS account. */
export function jetStreamWriteLogLayer(
  options: JetStreamWriteLogOptions,
): Layer.Layer<WriteLog, WriteLogError, Nats> {
  return Layer.effect(
    WriteLog,
    Effect.gen(function* () {
      const log = new JetStreamLog(yield* Nats, options);
      yield* run(-1, () => log.findPartitions());
      return WriteLog.of({
        recordBytesMax: log.recordBytesMax,
        append: (partition, ...parts) =>
          run(partition, () => log.append(partition, joinBytes(parts))),
        read: (partition, offset, bytesMax) =>
          run(partition, () => log.read(partition, offset, bytesMax)),
        release: (partition, offset) => run(partition, () => log.release(partition, offset)),
        bounds: (partition) =>
          run(partition, async () => {
            const { first, next } = await log.bounds(partition);
            return { first, next };
          }),
        partitions: run(-1, () => log.partitions()),
      });
    }),
  );
}

/** How long a record is sent again before the push is answered 503. The agent then sends it again itself. */
const appendMs = 1900;
/** Elections take 4 to 9 seconds, and reading can wait for them. */
const readMs = 15_000;
/** Of a message's bytes, what headers and subject may need. */
const headerBytesMax = 4096;
/** Records of one direct get. */
const batchMax = 1000;
/** A server stops sending at its max_pending, 64 MB. */
const batchBytesMax = 8 * 1024 * 1024;

class JetStreamLog {
  readonly #link: NatsLink;
  readonly #options: JetStreamWriteLogOptions;
  readonly #streams = new Map<number, Promise<unknown>>();
  /** Those that were there at the start or were announced since: what is announced stays so. */
  readonly #partitions = new Set<number>();
  #bucket: Promise<unknown> | undefined;
  /** By partition: the offset behind the last one that this process knows to be stored. */
  readonly #known = new Map<number, number>();
  readonly recordBytesMax: number;

  constructor(link: NatsLink, options: JetStreamWriteLogOptions) {
    this.#link = link;
    this.#options = options;
    this.recordBytesMax = link.messageBytesMax - headerBytesMax;
  }

  async append(partition: number, bytes: Uint8Array): Promise<number> {
    if (bytes.byteLength > this.recordBytesMax) {
      throw failure(
        "TooLarge",
        partition,
        `a record of ${bytes.byteLength} bytes exceeds the ${this.recordBytesMax} that NATS takes: send less at a time, or ` +
          "raise max_payload of the servers",
      );
    }
    await this.#stream(partition, appendMs);
    const { tenant, headers } = envelope(bytes);
    const subject = logSubject(tenant, partition);
    const js = this.#link.manager.jetstream();
    const msgID = sha256Base64Url([bytes]);
    const known = this.#known.get(partition) ?? 1;
    const ack = await retrying(appendMs, (leftMs) => {
      const timeout = Math.min(leftMs, requestTimeoutMs);
      return js.publish(subject, bytes, { msgID, headers, timeout });
    });
    // A place that was taken already: what was there is gone.
    if (!ack.duplicate && ack.seq < known) throw this.#endLost(partition, known, ack.seq);
    this.#learn(partition, ack.seq + 1);
    return ack.seq;
  }

  async read(
    partition: number,
    offset: number,
    bytesMax: number,
  ): Promise<ReadonlyArray<LogRecord>> {
    const { first, next, skipped } = await this.bounds(partition);
    const from = Math.max(offset, first);
    if (from >= next) return [];
    const given = skipped.find((range) => range.from <= from && from < range.to);
    if (given !== undefined) return skippedRecords(from, given.to);
    const stream = logStreamName(partition);
    const messages = await retrying(readMs, () =>
      directGet(this.#link, stream, {
        seq: from,
        batch: batchMax,
        max_bytes: Math.max(1, Math.min(bytesMax, batchBytesMax)),
      }));
    const end = Math.min(
      ...skipped.filter((range) => range.from > from).map((range) => range.from),
    );
    const records = contiguous(messages, from, end).map(({ sequence, headers, data }) => ({
      offset: sequence,
      bytes: recordOf(headers, data),
    }));
    this.#learn(partition, (records.at(-1)?.offset ?? 0) + 1);
    if (records.length > 0) return within(records, bytesMax);
    // The leader has what it acknowledged; the replica that answered may lag behind it, or be damaged.
    const message = await retrying(readMs, () => leaderGet(this.#link, stream, { seq: from }));
    if (message !== undefined) {
      return [{ offset: from, bytes: recordOf(message.headers, message.data) }];
    }
    // The partition's owner may have released it a moment ago.
    const { first: firstNow } = await this.bounds(partition);
    if (firstNow > from) return await this.read(partition, firstNow, bytesMax);
    throw this.#missing(partition, from);
  }

  async release(partition: number, offset: number): Promise<void> {
    if (offset <= 1) return;
    await this.#stream(partition);
    const { first } = await this.bounds(partition);
    if (offset <= first) return;
    const { streams } = this.#link.manager;
    await retrying(readMs, () => streams.purge(logStreamName(partition), { seq: offset }));
  }

  async bounds(partition: number): Promise<Bounds> {
    await this.#stream(partition);
    if (!this.#known.has(partition)) {
      this.#learn(partition, await retrying(readMs, () => readLogMark(this.#link, partition)));
    }
    const endMs = performance.now() + readMs;
    while (true) {
      const known = this.#known.get(partition) ?? 1;
      const { state, config } = await leaderInfo(this.#link, logStreamName(partition), readMs);
      const next = state.last_seq + 1;
      if (next >= known) {
        this.#learn(partition, next);
        const skipped = skippedOffsets(config);
        return { first: firstWith(skipped, Math.max(1, state.first_seq)), next, skipped };
      }
      // A new leader may need a moment to have all that was agreed on.
      if (performance.now() > endMs) throw this.#endLost(partition, known, next);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  #learn(partition: number, next: number): void {
    this.#known.set(partition, Math.max(next, this.#known.get(partition) ?? 1));
  }

  #endLost(partition: number, known: number, next: number): WriteLogError {
    const stream = logStreamName(partition);
    return failure(
      "Corrupt",
      partition,
      `stream ${stream} held offsets below ${known} and now ends before ${next}: the store of the server that leads it is damaged, ` +
        `and acknowledged lines are missing there. If another replica still has them, move the leader there (\`nats stream ` +
        `cluster step-down ${stream}\`). To go on without them: \`nats kv del ${leaseBucket} ${
          logMarkKey(partition)
        }\`, and ` +
        "start Tailrace's processes again",
    );
  }

  /** Learns of streams that nobody announced: of an earlier version, or restored without the bucket. */
  async findPartitions(): Promise<void> {
    const names = await retrying(readMs, () => this.#link.manager.streams.names("logs.>").next());
    for (const name of names) {
      const match = /^LOGS_(\d+)$/.exec(name);
      if (match === null) continue;
      await this.#stream(Number(match[1]));
      this.#partitions.add(Number(match[1]));
    }
  }

  async partitions(): Promise<ReadonlyArray<number>> {
    // Once it was there, a server that does not know of it is behind, and does not mean that there are none.
    this.#bucket ??= ensureStream(this.#link, leaseStream());
    await this.#bucket.catch((error) => {
      this.#bucket = undefined;
      throw error;
    });
    for (const partition of await announcedLogs(this.#link, readMs)) {
      this.#partitions.add(partition);
    }
    return [...this.#partitions].sort((a, b) => a - b);
  }

  #missing(partition: number, offset: number): WriteLogError {
    const stream = logStreamName(partition);
    return failure(
      "Corrupt",
      partition,
      `offset ${offset} is missing in stream ${stream}, although it holds later ones: its store is damaged. Nothing after it is ` +
        "read, so nothing is lost silently. `tailrace cluster skip --partition=" +
        `${partition}\` says whether another replica still has it, and how to go on without it if none has`,
    );
  }

  /** The partition's stream, created or checked once. */
  #stream(partition: number, limitMs = readMs): Promise<unknown> {
    let ensured = this.#streams.get(partition);
    if (ensured === undefined) {
      const wanted = logStream(partition, this.#options.partitionBytesMax);
      ensured = this.#options.createsLogs
        ? ensureStream(this.#link, wanted, () => announceLog(this.#link, partition))
        : findStream(this.#link, wanted, limitMs);
      this.#streams.set(partition, ensured);
      ensured.catch(() => this.#streams.delete(partition));
    }
    return ensured;
  }
}

interface Bounds {
  readonly first: number;
  readonly next: number;
  readonly skipped: ReadonlyArray<SkippedOffsets>;
}

/** The messages up to the first hole, or to the offset `end`. */
function contiguous(
  messages: ReadonlyArray<StoredMessage>,
  from: number,
  end: number,
): ReadonlyArray<StoredMessage> {
  const hole = messages.findIndex(({ sequence }, index) =>
    sequence !== from + index || sequence >= end
  );
  return hole < 0 ? messages : messages.slice(0, hole);
}

/** Offsets that were given up, as many of them as a direct get brings. */
function skippedRecords(from: number, to: number): ReadonlyArray<LogRecord> {
  const length = Math.min(to - from, batchMax);
  return Array.from({ length }, (_, at) => ({ offset: from + at, bytes: skippedRecord }));
}

/** The first records until about bytesMax, at least one. The server counts headers too, and gives more than asked for. */
function within(records: ReadonlyArray<LogRecord>, bytesMax: number): ReadonlyArray<LogRecord> {
  let size = 0;
  const end = records.findIndex(({ bytes }) => {
    const isFull = size >= bytesMax && size > 0;
    size += bytes.byteLength;
    return isFull;
  });
  return end < 0 ? records : records.slice(0, end);
}

/** Whose record it is, and what `nats stream view` and `nats sub` shall show of it. */
function envelope(bytes: Uint8Array): { readonly tenant: string; readonly headers: MsgHdrs } {
  const headers = makeHeaders();
  const header = readBatchHeader(bytes);
  if (header === undefined) return { tenant: "", headers };
  const { tenant, rowCount, sliceCount, lineBytes, minTime, maxTime } = header;
  headers.set("Tailrace-Streams", String(sliceCount));
  headers.set("Tailrace-Lines", String(rowCount));
  headers.set("Tailrace-Line-Bytes", String(lineBytes));
  headers.set("Tailrace-First", isoTime(minTime));
  headers.set("Tailrace-Last", isoTime(maxTime));
  return { tenant, headers };
}

function isoTime(ns: bigint): string {
  const milliseconds = Number(ns / 1_000_000n);
  return Math.abs(milliseconds) < 8.64e15 ? new Date(milliseconds).toISOString() : `${ns} ns`;
}

function run<Result>(
  partition: number,
  work: () => Promise<Result>,
): Effect.Effect<Result, WriteLogError> {
  return Effect.tryPromise({ try: work, catch: (error) => failureOf(partition, error) });
}

function failureOf(partition: number, error: unknown): WriteLogError {
  if (error instanceof WriteLogError) return error;
  if (error instanceof StreamMissing) {
    return failure(
      "Unavailable",
      partition,
      `${error.message}: an ingester creates it whose ingester.partitions is at least ${
        partition + 1
      }`,
    );
  }
  switch (apiCode(error)) {
    case streamFull:
      return failure(
        "Full",
        partition,
        `stream ${
          logStreamName(partition)
        } has reached max_bytes: segments are not written as fast as logs come`,
      );
    case insufficientResources:
      return failure("Full", partition, "the NATS servers have no room for it");
    case noPlacement:
    case noRoom:
      return failure(
        "Unavailable",
        partition,
        `${
          errorText(error)
        }: make nats.log_max_bytes smaller, or the max_file_store of the servers larger`,
      );
    case messageTooBig:
      return failure("TooLarge", partition, errorText(error));
    default:
      return failure("Unavailable", partition, `NATS does not answer: ${errorText(error)}`);
  }
}

function failure(
  reason: WriteLogError["reason"],
  partition: number,
  what: string,
): WriteLogError {
  return new WriteLogError({
    reason,
    partition,
    message: `Write log of partition ${partition}: ${what}`,
  });
}
