/** The index in a NATS key-value bucket. Owns claims and commits: each is conditional on the partition's checkpoint record being
 *  the one this process last saw, so of two owners one is refused. IndexReplica.ts answers questions from a local copy, which
 *  is brought up to what the question needs before it is asked. */
import { Effect, Layer, Schedule } from "effect";
import { type BatchMessage, publishAtomically } from "../../cluster/atomicBatch.ts";
import { leaderGet } from "../../cluster/directGet.ts";
import { Nats, type NatsLink } from "../../cluster/Nats.ts";
import { isConflict, isTransient, retrying } from "../../cluster/natsErrors.ts";
import { leaderState } from "../../cluster/streamState.ts";
import { bucketStream, ensureStream, indexBucket } from "../../cluster/streams.ts";
import { systemName } from "../../platform/system.ts";
import type { SegmentRecord } from "../../streams/record.ts";
import { Index, IndexError, type IndexQuery } from "../Index.ts";
import type { IndexCopy } from "./IndexCopy.ts";
import { coverProblem } from "../segmentChoice.ts";
import { indexFailure, IndexReplica } from "./IndexReplica.ts";
import {
  checkCount,
  conflict,
  markerOf,
  messagesOf,
  type ReplacedSegment,
  replacementOf,
  subjectOf,
} from "./indexMessages.ts";
import {
  checkpointKey,
  type CheckpointRecord,
  decodeSegment,
  segmentRecordKey,
} from "./indexRecords.ts";

export interface JetStreamIndexOptions {
  /** Where this process keeps its copy of a bucket that was created then. */
  readonly copyOf: (created: string) => IndexCopy;
}

/** The index of the NATS account, with a local copy that is up to date when the layer is there. */
export function jetStreamIndexLayer(
  options: JetStreamIndexOptions,
): Layer.Layer<Index, IndexError, Nats> {
  return Layer.effect(
    Index,
    Effect.gen(function* () {
      const link = yield* Nats;
      const info = yield* run(() =>
        ensureStream(link, bucketStream(indexBucket, { allow_atomic: true, allow_msg_ttl: true }))
      );
      const replica = yield* Effect.acquireRelease(
        run(async () => {
          const replica = new IndexReplica(link, options.copyOf(info.created));
          await replica.open();
          return replica;
        }),
        (replica) => Effect.promise(() => replica.close()),
      );
      const index = new BucketIndex(link, replica);
      yield* run(() => index.reach(() => replica.seen >= info.state.last_seq, Infinity));
      yield* run(() => replica.poll()).pipe(
        Effect.tapError((error) => Effect.logWarning(error.message)),
        Effect.ignore,
        Effect.repeat(Schedule.spaced(pollMs)),
        Effect.forkScoped,
      );
      return serviceOf(index, replica);
    }),
  );
}

const pollMs = 250;
const stream = `KV_${indexBucket}`;
/** How long a commit goes on while servers elect leaders, and a question waits for the local copy. */
const waitMs = 15_000;

function serviceOf(index: BucketIndex, replica: IndexReplica): Index["Service"] {
  // Which may be being made again since it was brought up to date.
  const copy = Effect.try({ try: () => replica.local, catch: indexFailure });
  const ask = <Result>(
    coveredTo: ReadonlyMap<number, number>,
    question: (local: Index["Service"]) => Effect.Effect<Result, IndexError>,
  ) => run(() => index.catchUp(coveredTo)).pipe(Effect.andThen(copy), Effect.flatMap(question));
  const asked = (query: IndexQuery) => query.coveredTo;
  return Index.of({
    claim: (partition) => run(() => index.claim(partition)),
    commit: (record) => run(() => index.commit(record)),
    replace: (keys, record) => run(() => index.replace(keys, record)),
    discard: (key) => run(() => index.discard(key)),
    restore: (record) => run(() => index.restore(record)),
    checkpoint: (partition) => run(async () => (await index.readHead(partition)).record.next),
    findChunks: (query) => ask(asked(query), (local) => local.findChunks(query)),
    findStreams: (query) => ask(asked(query), (local) => local.findStreams(query)),
    labelNames: (query) => ask(asked(query), (local) => local.labelNames(query)),
    labelValues: (query, name) => ask(asked(query), (local) => local.labelValues(query, name)),
    stats: (query) => ask(asked(query), (local) => local.stats(query)),
    // All that are committed now: who removes what is in none of them must not miss one.
    segments: () =>
      run(() => index.reachEnd()).pipe(
        Effect.andThen(copy),
        Effect.flatMap((local) => local.segments()),
      ),
  });
}

/** A partition's checkpoint record and its revision in the bucket, 0 if there is none. */
interface Head {
  readonly record: CheckpointRecord;
  readonly revision: number;
}

class BucketIndex {
  readonly #link: NatsLink;
  readonly #replica: IndexReplica;
  /** As this process last wrote them. */
  readonly #claimed = new Map<number, Head>();
  /** The last sequence that this process wrote, which its own questions must see. */
  #written = 0;

  constructor(link: NatsLink, replica: IndexReplica) {
    this.#link = link;
    this.#replica = replica;
  }

  async readHead(partition: number): Promise<Head> {
    const subject = subjectOf(checkpointKey(partition));
    const message = await retrying(
      waitMs,
      () => leaderGet(this.#link, stream, { last_by_subj: subject }),
    );
    if (message === undefined) {
      return { record: { next: 1, epoch: 0, owner: "", segment: "" }, revision: 0 };
    }
    const record = JSON.parse(new TextDecoder().decode(message.data)) as CheckpointRecord;
    return { record, revision: message.sequence };
  }

  async claim(partition: number): Promise<number> {
    this.#claimed.delete(partition);
    const owner = `${systemName()}-${crypto.randomUUID()}`;
    const head = await this.#advance(partition, async () => {
      const { record, revision } = await this.readHead(partition);
      return { revision, record: { ...record, epoch: record.epoch + 1, owner }, messages: [] };
    });
    this.#claimed.set(partition, head);
    return head.record.next;
  }

  async commit(record: SegmentRecord): Promise<void> {
    const { key, partition, logFrom, logTo } = record;
    const messages = messagesOf(record);
    checkCount(record, messages.length + 1);
    const known = this.#claimed.get(partition);
    const head = await this.#advance(partition, async () => {
      const { record: present, revision } = known ?? await this.readHead(partition);
      if (present.next !== logFrom) {
        if (await this.#isCommitted(record)) return undefined;
        throw conflict(record, `the partition's checkpoint is ${present.next}`);
      }
      if (await this.#isCommitted(record)) return undefined;
      return {
        revision,
        record: { ...present, next: logTo, segment: key },
        messages,
      };
    }, record);
    // Whoever claimed meanwhile, in this process, knows better: a commit that was given up may end later.
    if (known !== undefined && this.#claimed.get(partition) === known) {
      this.#claimed.set(partition, head);
    }
  }

  async restore(record: SegmentRecord): Promise<void> {
    const { partition, logFrom, logTo } = record;
    await this.#advance(partition, async () => {
      if (await this.#isCommitted(record)) return undefined;
      await this.reachEnd();
      const replaced: ReplacedSegment[] = [];
      for (const one of await Effect.runPromise(this.#replica.local.segments())) {
        if (one.partition !== partition || one.logTo <= logFrom || one.logFrom >= logTo) continue;
        if (one.logTo - one.logFrom > logTo - logFrom) return undefined;
        const { header, revision } = await this.#readSegment(one.key);
        if (header !== undefined) replaced.push({ header, revision });
      }
      const { record: present, revision } = await this.readHead(partition);
      const next = Math.max(present.next, logTo);
      return {
        revision,
        record: { ...present, next, segment: record.key },
        messages: replacementOf(record, replaced),
      };
    });
  }

  /** Brings the local copy up to everything that is in the bucket now. */
  async reachEnd(): Promise<void> {
    const { last_seq } = await leaderState(this.#link, stream, waitMs);
    await this.reach(() => this.#replica.seen >= last_seq, waitMs);
  }

  /** Brings the local copy up to what this process wrote, and to segments that end at or before the given offsets. */
  async catchUp(coveredTo: ReadonlyMap<number, number>): Promise<void> {
    if (this.#replica.seen < this.#written) {
      await this.reach(() => this.#replica.seen >= this.#written, waitMs);
    }
    for (const [partition, wanted] of coveredTo) {
      if (await this.#replica.coveredTo(partition) >= wanted) continue;
      await this.#replica.poll();
      if (await this.#replica.coveredTo(partition) >= wanted) continue;
      await this.reachEnd();
      // What it lacks now, nobody has committed, unless it has something behind it.
      const covered = await this.#replica.coveredTo(partition);
      const end = await Effect.runPromise(this.#replica.local.checkpoint(partition));
      if (covered >= Math.min(wanted, end)) continue;
      await this.#replica.giveUp(
        `it has no segment at offset ${covered} of partition ${partition}`,
      );
    }
  }

  /** Polls until the local copy is as far as it must be. Fails after `limitMs`: an answer without it would be short. */
  async reach(isThere: () => boolean | Promise<boolean>, limitMs: number): Promise<void> {
    const endMs = performance.now() + limitMs;
    while (!await isThere()) {
      if (performance.now() > endMs) {
        throw new IndexError({
          reason: "Io",
          message: `The local copy of the index is ${limitMs / 1000} s behind NATS; try again`,
        });
      }
      if (await this.#replica.poll() === 0) await sleep(20);
    }
  }

  /** Writes a partition's next checkpoint record, with other messages, all or nothing. `plan` says what from the present one,
   *  or undefined if there is nothing to do. */
  async #advance(
    partition: number,
    plan: () => Promise<Plan | undefined>,
    segment?: SegmentRecord,
  ): Promise<Head> {
    const endMs = performance.now() + waitMs;
    while (true) {
      const planned = await plan();
      if (planned === undefined) return await this.readHead(partition);
      const { record, revision, messages } = planned;
      const checkpoint = {
        subject: subjectOf(checkpointKey(partition)),
        data: JSON.stringify(record),
        lastSubjectSequence: revision,
      };
      try {
        const sequence = await publishAtomically(this.#link, [...messages, checkpoint]);
        this.#written = Math.max(this.#written, sequence);
        return { record, revision: sequence };
      } catch (error) {
        if (!isConflict(error) && !isTransient(error)) throw error;
        const now = await this.readHead(partition);
        // It was this process's own write, whose acknowledgement was lost.
        if (JSON.stringify(now.record) === checkpoint.data) {
          this.#written = Math.max(this.#written, now.revision);
          return now;
        }
        if (now.revision !== revision && segment !== undefined) {
          throw conflict(segment, `${now.record.owner || "somebody"} has moved its checkpoint on`);
        }
        if (performance.now() > endMs) throw error;
        // A condition also fails while the servers agree on another message, so nothing may have changed yet.
        await sleep(50);
      }
    }
  }

  async replace(keys: ReadonlyArray<string>, record: SegmentRecord): Promise<void> {
    const endMs = performance.now() + waitMs;
    while (true) {
      if (await this.#isCommitted(record)) return;
      if ((await this.#readSegment(record.key)).revision > 0) {
        throw conflict(record, "its object was given up for lost and may be gone");
      }
      const replaced: ReplacedSegment[] = [];
      for (const key of keys) {
        const { header, revision } = await this.#readSegment(key);
        if (header === undefined) throw conflict(record, `segment "${key}" is not there any more`);
        replaced.push({ header, revision });
      }
      const problem = coverProblem(replaced.map(({ header }) => header), record);
      if (problem !== undefined) throw conflict(record, problem);
      const messages = replacementOf(record, replaced);
      checkCount(record, messages.length);
      try {
        const sequence = await publishAtomically(this.#link, messages);
        this.#written = Math.max(this.#written, sequence);
        return;
      } catch (error) {
        // What is there now says whether it was done, can be tried again, or never will be.
        if (!isConflict(error) && !isTransient(error)) throw error;
        if (performance.now() > endMs) throw error;
        await sleep(50);
      }
    }
  }

  /** A marker in the place of the segment's record makes every publish that expects none there fail. */
  async discard(key: string): Promise<boolean> {
    const endMs = performance.now() + waitMs;
    while (true) {
      const { header, revision } = await this.#readSegment(key);
      if (header !== undefined) return false;
      if (revision > 0) return true;
      try {
        await publishAtomically(this.#link, [
          markerOf(subjectOf(segmentRecordKey(key)), revision),
        ]);
        return true;
      } catch (error) {
        if (!isConflict(error) && !isTransient(error)) throw error;
        if (performance.now() > endMs) throw error;
        await sleep(50);
      }
    }
  }

  /** A segment's record as the leader has it, and the sequence of what lies in its place: 0 for nothing. */
  async #readSegment(key: string) {
    const subject = subjectOf(segmentRecordKey(key));
    const message = await retrying(
      waitMs,
      () => leaderGet(this.#link, stream, { last_by_subj: subject }),
    );
    const revision = message?.sequence ?? 0;
    const isThere = message !== undefined && message.data.length > 0;
    return { revision, header: isThere ? decodeSegment(message.data) : undefined };
  }

  async #isCommitted(record: SegmentRecord): Promise<boolean> {
    const { header } = await this.#readSegment(record.key);
    if (header === undefined) return false;
    const { partition, logFrom, logTo } = header;
    if (
      partition === record.partition && logFrom === record.logFrom && logTo === record.logTo
    ) return true;
    throw conflict(record, "a segment of that key is committed with another range");
  }
}

interface Plan extends Head {
  readonly messages: ReadonlyArray<BatchMessage>;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function run<Result>(work: () => Promise<Result>): Effect.Effect<Result, IndexError> {
  return Effect.tryPromise({ try: work, catch: indexFailure });
}
