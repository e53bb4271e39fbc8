/** A local SQLite copy of the index that follows the bucket by polling: watches go silent when the server that hosts them dies.
 *  Owns the copy's files and position; the bucket is the truth, so the files can be deleted at any time. JetStreamIndex.ts owns
 *  commits. Invariant: segments are applied in the bucket's order, and one that does not continue its partition is an error,
 *  never a gap. */
import { Effect, Exit, Scope } from "effect";
import { directGet, type StoredMessage } from "../../cluster/directGet.ts";
import type { NatsLink } from "../../cluster/Nats.ts";
import { retrying } from "../../cluster/natsErrors.ts";
import { indexBucket } from "../../cluster/streams.ts";
import { errorText, joinPath, nodeDisk, readTextFile } from "../../platform/files.ts";
import { openSqliteIndex } from "../embedded/SqliteIndex.ts";
import { type Index, IndexError } from "../Index.ts";
import { decodeSegment, decodeStreams, parseIndexKey } from "./indexRecords.ts";

const stream = `KV_${indexBucket}`;
const prefixLength = `$KV.${indexBucket}.`.length;
const fileName = "index-replica.sqlite";
const positionName = "index-replica.json";
const pollMessages = 500;
const pollBytes = 8 * 1024 * 1024;
const retryMs = 15_000;

export class IndexReplica {
  readonly #link: NatsLink;
  readonly #directory: string;
  readonly #created: string;
  #local: Index["Service"] | undefined;
  #scope: Scope.Closeable | undefined;
  /** Sequence of the last message that was looked at. */
  #seen = 0;
  #savedSeen = 0;
  #parts = new Map<number, Uint8Array>();
  #polling: Promise<number> | undefined;

  /** `created` tells this bucket from another one of the same name. */
  constructor(link: NatsLink, directory: string, created: string) {
    this.#link = link;
    this.#directory = directory;
    this.#created = created;
  }

  /** The copy as it is now. */
  get local(): Index["Service"] {
    if (this.#local === undefined) throw damagedCopy("it is being made again");
    return this.#local;
  }

  get seen(): number {
    return this.#seen;
  }

  /** Opens the copy where it was left, or a new one. */
  async open(): Promise<void> {
    await nodeDisk.makeDirectory(this.#directory);
    const position = await this.#readPosition();
    if (position === undefined) await this.#delete();
    this.#seen = this.#savedSeen = position ?? 0;
    const scope = Scope.makeUnsafe();
    const opened = openSqliteIndex(joinPath(this.#directory, fileName));
    this.#local = await Effect.runPromise(Effect.provideService(opened, Scope.Scope, scope));
    this.#scope = scope;
  }

  async close(): Promise<void> {
    await this.#polling?.catch(() => {});
    if (this.#local !== undefined) await this.#savePosition();
    await this.#closeFiles();
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
      await this.#closeFiles();
      await this.#delete();
      throw damagedCopy(error.message);
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
      const { parts: count, isRestored, streamCount, ...record } = decodeSegment(data);
      const parts = Array.from({ length: count }, (_, part) => this.#parts.get(part));
      const present = parts.filter((part) => part !== undefined);
      this.#parts.clear();
      const streams = decodeStreams(present);
      if (streams.length !== streamCount) {
        throw conflict(`segment ${key.key} has ${streams.length} of ${streamCount} streams`);
      }
      const add = isRestored ? this.local.restore : this.local.commit;
      await Effect.runPromise(add({ ...record, streams }));
    }
    this.#seen = sequence;
  }

  /** Undefined if there is no copy of this bucket. */
  async #readPosition(): Promise<number | undefined> {
    try {
      const text = await readTextFile(joinPath(this.#directory, positionName));
      const { created, seen } = JSON.parse(text);
      return created === this.#created && Number.isSafeInteger(seen) ? seen : undefined;
    } catch {
      return undefined;
    }
  }

  /** The copy may be ahead of the position, which costs applying some segments twice; it must never be behind. So a position is
   *  that of a segment, not of parts before one. */
  async #savePosition(): Promise<void> {
    if (this.#parts.size > 0) return;
    const text = JSON.stringify({ created: this.#created, seen: this.#seen });
    const path = joinPath(this.#directory, positionName);
    const file = await nodeDisk.create(`${path}.next`);
    try {
      await file.write([new TextEncoder().encode(text)], 0);
      await file.syncData();
    } finally {
      await file.close();
    }
    await nodeDisk.rename(`${path}.next`, path);
    this.#savedSeen = this.#seen;
  }

  async #closeFiles(): Promise<void> {
    this.#local = undefined;
    if (this.#scope !== undefined) await Effect.runPromise(Scope.close(this.#scope, Exit.void));
    this.#scope = undefined;
  }

  async #delete(): Promise<void> {
    this.#seen = 0;
    this.#parts.clear();
    await nodeDisk.remove(joinPath(this.#directory, positionName));
    for (const suffix of ["", "-wal", "-shm"]) {
      await nodeDisk.remove(joinPath(this.#directory, fileName + suffix));
    }
  }
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
