/** What `tailrace cluster skip` does: finds the first offsets of a partition's log that nobody can read any more, and has the
 *  partition go on without them. Owns what counts as lost; src/cluster/skipMarks.ts owns the note by which readers know of it.
 *
 *  Lost is an offset from the checkpoint on that is missing or damaged on every replica. Direct gets are answered by a replica
 *  that chance picks, whichever server is asked, and do not say by which: so many are made that none is left out. If one has the
 *  record, it should lead, and nothing is skipped; nor while one is away or behind, as it may have it.
 *  An owner that read the record before it was lost still has its rows: it is asked to write them into a segment first. */
import { Effect } from "effect";
import { directGet, leaderGet, type StoredMessage } from "../../cluster/directGet.ts";
import { requestFrames } from "../../cluster/frames.ts";
import { Leases } from "../../cluster/Leases.ts";
import { recordOf } from "../../cluster/logRecords.ts";
import { Nats, type NatsLink } from "../../cluster/Nats.ts";
import { retrying } from "../../cluster/natsErrors.ts";
import { withSkipped } from "../../cluster/skipMarks.ts";
import { leaderInfo } from "../../cluster/streamState.ts";
import { logStreamName } from "../../cluster/streams.ts";
import { flushSubject } from "../../cluster/subjects.ts";
import { errorText } from "../../platform/files.ts";
import { decodeBatch } from "../../streams/batch.ts";
import { FormatError } from "../../streams/formatError.ts";
import { WriteLog } from "../WriteLog.ts";
import { readCheckpoint } from "./clusterStatus.ts";

/** How a partition's log can be read from its checkpoint on. */
export type LogFinding =
  | { readonly kind: "whole"; readonly checkpoint: number; readonly next: number }
  /** The leader has the record, or one of the others has, and some have not. */
  | {
    readonly kind: "elsewhere";
    readonly offset: number;
    readonly hasLeader: boolean;
    readonly leader: string;
    readonly others: ReadonlyArray<string>;
  }
  /** These servers may have it: they are away, or behind their leader. */
  | { readonly kind: "away"; readonly offset: number; readonly servers: ReadonlyArray<string> }
  | LostOffsets;

export interface LostOffsets {
  readonly kind: "lost";
  readonly from: number;
  /** Not included: the first that can be read, or the end of the log. */
  readonly to: number;
  readonly servers: ReadonlyArray<string>;
  /** When the records around were stored, if they are there. */
  readonly after: Date | undefined;
  readonly before: Date | undefined;
  /** Whether the log begins behind the index's checkpoint. */
  readonly isBeginning: boolean;
  /** Who owns the partition, "" for nobody. */
  readonly owner: string;
}

const readBytes = 4 * 1024 * 1024;
/** Elections take 4 to 9 seconds. */
const answerMs = 15_000;
/** What an owner that is stuck does not do in that time it does when it goes on. */
const flushMs = 5000;
/** Replicas answer their leader once a second. */
const heardMs = 2500;
/** Direct gets for each replica: that one of three answers none of 60 happens once in 4e10 times, one of five once in 5e9. */
const asksPerReplica = 20;

/** Finds the first offset from the checkpoint on that cannot be read, and who has it. Changes nothing. Fails if NATS does not
 *  answer. */
export const findLost = Effect.fn("findLost")(function* (partition: number) {
  const link = yield* Nats;
  const name = logStreamName(partition);
  const checkpointNow = ask(() => retrying(answerMs, () => readCheckpoint(link, partition))).pipe(
    Effect.map((record) => record?.next ?? 1),
  );
  while (true) {
    const checkpoint = yield* checkpointNow;
    const { offset, first, next } = yield* firstUnreadable(partition, checkpoint);
    if (offset === undefined) return whole(checkpoint, next);
    // Its owner may have released it a moment ago.
    if ((yield* checkpointNow) > offset) continue;
    const found = yield* ask(() => searchReplicas(link, { partition, offset, next }));
    if (found.kind !== "lost") return found;
    const leases = yield* ask(() =>
      retrying(answerMs, async () => (await Leases.open(link)).list())
    );
    const lost: LostOffsets = {
      ...found,
      after: yield* ask(() => storedAt(link, name, found.from - 1)),
      before: yield* ask(() => storedAt(link, name, found.to)),
      isBeginning: first > found.from,
      owner: leases.find(({ key }) => key === `partition.${partition}`)?.value ?? "",
    };
    return lost;
  }
});

function whole(checkpoint: number, next: number): LogFinding {
  return { kind: "whole", checkpoint, next };
}

/** Asks the partition's owner to write what it has read into a segment. What comes of it, the next findLost says. */
export const flushOwner = Effect.fn("flushOwner")(function* (partition: number) {
  const link = yield* Nats;
  const request = { subject: flushSubject(partition), payload: "", idleMs: flushMs, bytesMax: 0 };
  yield* Effect.ignore(ask(() => requestFrames(link, request)));
});

/** Has everybody read these offsets as records without lines. Fails if this user may not change the log's stream. */
export const skipLost = Effect.fn("skipLost")(function* (
  partition: number,
  { from, to }: LostOffsets,
) {
  const link = yield* Nats;
  const name = logStreamName(partition);
  const at = new Date().toISOString();
  yield* ask(() =>
    retrying(answerMs, async () => {
      const { config } = await leaderInfo(link, name, answerMs);
      await link.manager.streams.update(name, { metadata: withSkipped(config, { from, to, at }) });
    })
  ).pipe(Effect.mapError((error) =>
    new Error(
      `Nothing was skipped: cannot change the metadata of stream ${name}, which an ingester's user in NATS may and a querier's ` +
        `may not: ${errorText(error)}`,
    )
  ));
});

/** The first offset that the log as everybody reads it does not give, undefined if it gives all; and its bounds. */
const firstUnreadable = Effect.fnUntraced(function* (partition: number, from: number) {
  const log = yield* WriteLog;
  for (let offset = from;;) {
    const bounds = yield* log.bounds(partition);
    if (offset >= bounds.next) return { offset: undefined, ...bounds };
    if (bounds.first > offset) return { offset, ...bounds };
    const records = yield* log.read(partition, offset, readBytes).pipe(
      Effect.catchIf((error) => error.reason === "Corrupt", () => Effect.succeed([])),
    );
    if (records.length === 0) return { offset, ...bounds };
    for (const record of records) {
      if (record.offset !== offset || !isReadable(record.bytes)) return { offset, ...bounds };
      offset++;
    }
  }
});

interface Place {
  readonly partition: number;
  readonly offset: number;
  /** The end of the log. */
  readonly next: number;
}

/** Which replicas have the record at an offset; if none has, where the first is that one has. */
async function searchReplicas(link: NatsLink, { partition, offset, next }: Place) {
  const name = logStreamName(partition);
  const { cluster, config } = await leaderInfo(link, name, answerMs);
  const leader = cluster?.leader ?? link.connection.info?.server_name ?? "";
  const others = (cluster?.replicas ?? []).map((replica) => replica.name);
  const asks = config.num_replicas === 1 ? 1 : asksPerReplica * config.num_replicas;
  const before = await silentReplicas(link, name);
  let to = next;
  for (let at = offset; at < to;) {
    const { leads, all } = await nextMessages(link, partition, at, asks);
    const readable = all.filter(({ headers, data }) => isReadable(recordOf(headers, data)));
    const best = Math.min(next, ...readable.map(({ sequence }) => sequence));
    if (best === offset) {
      const hasLeader = readable.some((message) => message === leads && leads.sequence === offset);
      return { kind: "elsewhere", offset, hasLeader, leader, others } as const;
    }
    const nearest = Math.min(next, ...all.map(({ sequence }) => sequence));
    if (best <= nearest) to = best;
    at = nearest + 1;
  }
  const servers = before.length > 0 ? before : await silentReplicas(link, name);
  if (servers.length > 0) return { kind: "away", offset, servers } as const;
  return { kind: "lost", from: offset, to, servers: [leader, ...others] } as const;
}

/** The replicas that are behind their leader, or that it does not hear from within some seconds from now on. Before and after
 *  many direct gets it says whose answers may not be among them: one that died a moment ago still counts as there. */
async function silentReplicas(link: NatsLink, name: string): Promise<ReadonlyArray<string>> {
  const startMs = performance.now();
  while (true) {
    const elapsedMs = performance.now() - startMs;
    const { cluster } = await leaderInfo(link, name, answerMs);
    const silent = (cluster?.replicas ?? []).filter(({ offline, current, active }) =>
      // A leader that has not heard from it yet says 0.
      offline === true || !current || !(active > 0) || active / 1e6 > elapsedMs
    );
    if (silent.length === 0 || elapsedMs > heardMs) return silent.map((replica) => replica.name);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The first message from `seq` on, as the leader has it and as many replicas as answer have it. */
async function nextMessages(link: NatsLink, partition: number, seq: number, asks: number) {
  const name = logStreamName(partition);
  const query = { seq, next_by_subj: `logs.*.${partition}` };
  const leads = await retrying(answerMs, () => leaderGet(link, name, query));
  const all: StoredMessage[] = leads === undefined ? [] : [leads];
  // One after the other: a message may be large.
  for (let asked = 0; asked < asks; asked++) {
    all.push(...await retrying(answerMs, () => directGet(link, name, { seq, batch: 1 })));
  }
  return { leads, all };
}

function isReadable(bytes: Uint8Array): boolean {
  try {
    decodeBatch(bytes);
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

async function storedAt(link: NatsLink, name: string, seq: number): Promise<Date | undefined> {
  if (seq < 1) return undefined;
  const message = await retrying(answerMs, () => link.manager.streams.getMessage(name, { seq }));
  return message?.time;
}

function ask<Result>(work: () => Promise<Result>): Effect.Effect<Result, unknown> {
  return Effect.tryPromise({ try: work, catch: (error) => error });
}
