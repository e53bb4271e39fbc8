/** A local copy of the index that follows the bucket by polling: watches go silent when the server that hosts them dies. The
 *  bucket is the truth; IndexCopy.ts owns where the copy is kept, JetStreamIndex.ts changes. Segments are applied in the bucket's
 *  order, each in the place of those within its offsets. A copy that is made anew meets a merged segment where it was written,
 *  long after its neighbours, so a partition can have gaps for a while.
 *  Invariant: `coveredTo` is where the first gap begins; what lies beyond it is not a whole answer. */
import { Effect } from "effect";
import { directGet, type StoredMessage } from "../../cluster/directGet.ts";
import type { NatsLink } from "../../cluster/Nats.ts";
import { retrying } from "../../cluster/natsErrors.ts";
import { indexBucket } from "../../cluster/streams.ts";
import { errorText } from "../../platform/files.ts";
import type { SegmentSummary } from "../../streams/record.ts";
import { type Index, IndexError } from "../Index.ts";
import type { IndexCopy } from "./IndexCopy.ts";
import { decodeSegment, decodeStreams, parseIndexKey } from "./indexRecords.ts";

const stream = `KV_${indexBucket}`;
const prefixLength = `$KV.${indexBucket}.`.length;
const pollMessages = 500;
const pollBytes = 8 * 1024 * 1024;
const retryMs = 15_000;

export class IndexReplica {
  readonly #link: NatsLink;
  readonly #copy: IndexCopy;
  #local: Index["Service"] | undefined;
  /** Sequence of the last message that was looked at. */
  #seen = 0;
  #savedSeen = 0;
  #parts = new Map<number, Uint8Array>();
  #polling: Promise<number> | undefined;
  /** By partition; undefined when a segment was added since. */
  #covered: ReadonlyMap<number, number> | undefined;

  constructor(link: NatsLink, copy: IndexCopy) {
    this.#link = link;
    this.#copy = copy;
  }

  /** The copy as it is now. */
  get local(): Index["Service"] {
    if (this.#local === undefined) throw damagedCopy("it is being made again");
    return this.#local;
  }

  get seen(): number {
    return this.#seen;
  }

  /** The first log offset of a partition that the copy may lack. */
  async coveredTo(partition: number): Promise<number> {
    let covered = this.#covered;
    if (covered === undefined) {
      const { seen } = this;
      covered = coveredOf(await Effect.runPromise(this.local.segments()));
      // A segment that came meanwhile may be in it or not.
      if (seen === this.#seen && this.#polling === undefined) this.#covered = covered;
    }
    return covered.get(partition) ?? 1;
  }

  /** Deletes a copy that lacks what the bucket must have; the next poll makes a new one. Rejects always. */
  async giveUp(what: string): Promise<never> {
    while (this.#polling !== undefined) await this.#polling.catch(() => {});
    // A poll meanwhile would open files that are about to be deleted.
    const forgetting = this.#forget(what).finally(() => this.#polling = undefined);
    this.#polling = forgetting;
    return await forgetting;
  }

  async #forget(what: string): Promise<never> {
    this.#local = undefined;
    this.#covered = undefined;
    this.#seen = 0;
    this.#parts.clear();
    await this.#copy.close();
    await this.#copy.remove();
    throw damagedCopy(what);
  }

  /** Opens the copy where it was left, or a new one. */
  async open(): Promise<void> {
    const { local, seen } = await this.#copy.open();
    this.#local = local;
    this.#seen = this.#savedSeen = seen;
  }

  async close(): Promise<void> {
    await this.#polling?.catch(() => {});
    if (this.#local !== undefined) await this.#savePosition();
    this.#local = undefined;
    await this.#copy.close();
  }

  /** Applies what the bucket has more. Polls that are asked for meanwhile are this one. Resolves to the number of messages. */
  poll(): Promise<number> {
    this.#polling ??= this.#pollOnce().finally(() => this.#polling = undefined);
    return this.#polling;
  }

  async #pollOnce(): Promise<number> {
    if (this.#local === undefined) await this.open();
    const messages = await retrying(retryMs, () =>
      directGet(this.#link, stream, {
        seq: this.#seen + 1,
        batch: pollMessages,
        max_bytes: pollBytes,
      }));
    try {
      for (const message of messages) await this.#apply(message);
    } catch (error) {
      if (!(error instanceof IndexError) || error.reason !== "Conflict") throw error;
      return await this.#forget(error.message);
    }
    if (this.#seen - this.#savedSeen > pollMessages * 4) await this.#savePosition();
    return messages.length;
  }

  async #apply({ subject, sequence, headers, data }: StoredMessage): Promise<void> {
    const key = parseIndexKey(subject.slice(prefixLength));
    const isRemoved = (headers.get("KV-Operation") ?? "") !== "";
    if (key?.kind === "streams" && !isRemoved) {
      if (key.part === 0) this.#parts.clear();
      this.#parts.set(key.part, data);
    } else if (key?.kind === "segment" && !isRemoved) {
      const { parts: count, streamCount, ...record } = decodeSegment(data);
      const parts = Array.from({ length: count }, (_, part) => this.#parts.get(part));
      const present = parts.filter((part) => part !== undefined);
      this.#parts.clear();
      const streams = decodeStreams(present);
      if (streams.length !== streamCount) {
        throw conflict(`segment ${key.key} has ${streams.length} of ${streamCount} streams`);
      }
      await Effect.runPromise(this.local.restore({ ...record, streams }));
      this.#covered = undefined;
    }
    this.#seen = sequence;
  }

  /** A position is that of a segment, not of parts before one. */
  async #savePosition(): Promise<void> {
    if (this.#parts.size > 0) return;
    await this.#copy.savePosition(this.#seen);
    this.#savedSeen = this.#seen;
  }
}

/** Where the segments of each partition, which are by partition and logFrom, stop to follow on one another. */
function coveredOf(segments: ReadonlyArray<SegmentSummary>): ReadonlyMap<number, number> {
  const covered = new Map<number, number>();
  for (const { partition, logFrom, logTo } of segments) {
    if (logFrom === (covered.get(partition) ?? 1)) covered.set(partition, logTo);
  }
  return covered;
}

function conflict(message: string): IndexError {
  return new IndexError({ reason: "Conflict", message });
}

function damagedCopy(what: string): IndexError {
  return new IndexError({
    reason: "Corrupt",
    message: `The local copy of the index does not agree with NATS and is made again: ${what}`,
  });
}

/** What a failure of the index is to its users. */
export function indexFailure(error: unknown): IndexError {
  if (error instanceof IndexError) return error;
  return new IndexError({ reason: "Io", message: `The index in NATS: ${errorText(error)}` });
}
