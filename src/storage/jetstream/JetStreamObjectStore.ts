/** Objects in NATS object store buckets of the standard layout, so that `nats object ls|info|get` work on them. A key's bucket is
 *  chosen by its hash; chunks are published with a window, then the object's record, which makes it exist.
 *  Owns the port; objectMeta.ts owns the record. Invariant: a record names only chunks that a quorum has acknowledged, and is
 *  written on condition that no other put was first. */
import { headers as makeHeaders } from "@nats-io/transport-node";
import { Effect, Layer } from "effect";
import { directGet, leaderGet } from "../../cluster/directGet.ts";
import { Nats, type NatsLink, requestTimeoutMs } from "../../cluster/Nats.ts";
import {
  apiCode,
  insufficientResources,
  isConflict,
  retrying,
  streamFull,
} from "../../cluster/natsErrors.ts";
import { ensureStream, objectBucketName, objectStream } from "../../cluster/streams.ts";
import { sha256Base64Url } from "../../platform/digest.ts";
import { errorText } from "../../platform/files.ts";
import {
  attemptObject,
  notFound,
  type ObjectInfo,
  ObjectStore,
  ObjectStoreError,
  objectStoreOf,
} from "../ObjectStore.ts";
import { joinBytes } from "../../platform/joinBytes.ts";
import { cutParts } from "../cutParts.ts";
import {
  chunkSubject,
  decodeMeta,
  encodeSequences,
  metaSubject,
  nameOfSubject,
  type ObjectMeta,
  sequencesKey,
  sequencesOf,
} from "./objectMeta.ts";

/** The object store of the NATS account, in `shards` buckets. */
export function jetStreamObjectStoreLayer(
  options: { readonly shards: number },
): Layer.Layer<ObjectStore, ObjectStoreError, Nats> {
  return Layer.effect(
    ObjectStore,
    Effect.gen(function* () {
      const link = yield* Nats;
      const buckets = Array.from(
        { length: options.shards },
        (_, shard) => new ObjectBucket(link, shard),
      );
      const bucketOf = (key: string) => buckets[shardOf(key, buckets.length)]!;
      const ensure = async () => {
        for (const bucket of buckets) await bucket.ensure();
      };
      yield* attemptObject("", ensure, failureOf);
      return objectStoreOf({
        put: (key, parts) => bucketOf(key).put(key, parts),
        get: (key) => bucketOf(key).get(key),
        getRange: (key, offset, length, signal) =>
          bucketOf(key).getRange(key, offset, length, signal),
        list: async (prefix) => {
          const found = await Promise.all(buckets.map((bucket) => bucket.list(prefix)));
          return found.flat().sort((a, b) => a.key < b.key ? -1 : 1);
        },
        remove: (key) => bucketOf(key).remove(key),
      }, failureOf);
    }),
  );
}

/** The least that is read of an object. Larger chunks are written faster, by a fourth at 1 MB. */
const chunkBytes = 256 * 1024;
/** Chunks on their way at once. */
const window = 8;
const retryMs = 15_000;
/** Records kept at hand; they never change while the object exists. */
const metasMax = 10_000;
/** A direct get's answer must fit the server's max_pending of 64 MB by far. */
const chunksOfGet = 32;

class ObjectBucket {
  readonly #link: NatsLink;
  readonly #shard: number;
  readonly #bucket: string;
  readonly #stream: string;
  readonly #metas = new Map<string, ObjectMeta>();

  constructor(link: NatsLink, shard: number) {
    this.#link = link;
    this.#shard = shard;
    this.#bucket = objectBucketName(shard);
    this.#stream = `OBJ_${this.#bucket}`;
  }

  async ensure(): Promise<void> {
    await ensureStream(this.#link, objectStream(this.#shard));
  }

  async put(key: string, parts: ReadonlyArray<Uint8Array>): Promise<void> {
    const digest = `SHA-256=${padded(sha256Base64Url(parts))}`;
    const size = parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const existing = await this.#find(key);
    if (existing !== undefined && !existing.meta.deleted) {
      return sameContent(key, existing.meta, size, digest);
    }
    const nuid = crypto.randomUUID().replaceAll("-", "");
    const sequences = await this.#publishChunks(nuid, cutParts(parts, chunkBytes));
    const meta: ObjectMeta = {
      name: key,
      bucket: this.#bucket,
      nuid,
      size,
      chunks: sequences.length,
      digest,
      mtime: new Date().toISOString(),
      options: { max_chunk_size: chunkBytes },
      metadata: { [sequencesKey]: encodeSequences(sequences) },
    };
    try {
      await this.#publishMeta(meta, existing?.sequence ?? 0);
    } catch (error) {
      if (!isConflict(error)) throw error;
      // Another put was first, or this one's first attempt was and its acknowledgement was lost.
      const first = await this.#findOther(key, existing?.sequence ?? 0);
      if (first?.nuid === nuid) return;
      await this.#purge(chunkSubject(this.#bucket, nuid));
      if (first === undefined) throw error;
      sameContent(key, first, size, digest);
    }
  }

  async get(key: string): Promise<Uint8Array> {
    const meta = await this.#meta(key);
    const bytes = await this.#read(key, meta, 0, meta.size);
    const digest = `SHA-256=${padded(sha256Base64Url([bytes]))}`;
    if (digest === meta.digest) return bytes;
    throw failure("Io", key, `its bytes have digest ${digest}, its record says ${meta.digest}`);
  }

  async getRange(
    key: string,
    offset: number,
    length: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const meta = await this.#meta(key);
    if (!(offset >= 0 && length >= 0 && offset + length <= meta.size)) {
      throw failure("BadRange", key, `it has no ${length} bytes at ${offset}, but ${meta.size}`);
    }
    return await this.#read(key, meta, offset, length, signal);
  }

  /** Names from the leader, which knows all; sizes from the records. */
  async list(prefix: string): Promise<ReadonlyArray<ObjectInfo>> {
    const { streams } = this.#link.manager;
    const filter = `$O.${this.#bucket}.M.>`;
    const info = await retrying(
      retryMs,
      () => streams.info(this.#stream, { subjects_filter: filter }),
    );
    const keys = Object.keys(info.state.subjects ?? {}).map(nameOfSubject)
      .filter((key) => key.startsWith(prefix));
    const found: ObjectInfo[] = [];
    for (let at = 0; at < keys.length; at += window) {
      const metas = await Promise.all(
        keys.slice(at, at + window).map(async (key) =>
          this.#metas.get(key) ?? (await this.#find(key))?.meta
        ),
      );
      for (const meta of metas) {
        if (meta !== undefined && !meta.deleted) found.push({ key: meta.name, bytes: meta.size });
      }
    }
    return found;
  }

  /** The record goes first: then there is no object, whatever happens to its chunks. */
  async remove(key: string): Promise<void> {
    const existing = await this.#find(key);
    this.#metas.delete(key);
    if (existing === undefined) return;
    await this.#purge(metaSubject(this.#bucket, key));
    await this.#purge(chunkSubject(this.#bucket, existing.meta.nuid));
  }

  async #publishChunks(
    nuid: string,
    chunks: ReadonlyArray<Uint8Array>,
  ): Promise<ReadonlyArray<number>> {
    const js = this.#link.manager.jetstream();
    const subject = chunkSubject(this.#bucket, nuid);
    const sequences = new Array<number>(chunks.length);
    let next = 0;
    const publish = async () => {
      while (next < chunks.length) {
        const index = next++;
        const options = { msgID: `${nuid}.${index}`, timeout: requestTimeoutMs };
        const ack = await retrying(retryMs, () => js.publish(subject, chunks[index]!, options));
        sequences[index] = ack.seq;
      }
    };
    await Promise.all(Array.from({ length: window }, publish));
    // Clients of the standard layout read an object's chunks in the order of the stream.
    if (sequences.every((sequence, at) => at === 0 || sequence > sequences[at - 1]!)) {
      return sequences;
    }
    await this.#purge(subject);
    return await this.#publishInOrder(nuid, chunks);
  }

  /** After a retry put chunks out of order. */
  async #publishInOrder(
    nuid: string,
    chunks: ReadonlyArray<Uint8Array>,
  ): Promise<ReadonlyArray<number>> {
    const js = this.#link.manager.jetstream();
    const sequences: number[] = [];
    for (const [index, chunk] of chunks.entries()) {
      const options = { msgID: `${nuid}.${index}.again`, timeout: requestTimeoutMs };
      const ack = await retrying(
        retryMs,
        () => js.publish(chunkSubject(this.#bucket, nuid), chunk, options),
      );
      sequences.push(ack.seq);
    }
    return sequences;
  }

  async #publishMeta(meta: ObjectMeta, lastSubjectSequence: number): Promise<void> {
    const js = this.#link.manager.jetstream();
    await retrying(retryMs, () => {
      const headers = makeHeaders();
      headers.set("Nats-Rollup", "sub");
      return js.publish(metaSubject(this.#bucket, meta.name), JSON.stringify(meta), {
        headers,
        msgID: `${meta.nuid}.meta`,
        expect: { lastSubjectSequence },
        timeout: requestTimeoutMs,
      });
    });
  }

  async #find(key: string): Promise<{ meta: ObjectMeta; sequence: number } | undefined> {
    const message = await retrying(
      retryMs,
      () => leaderGet(this.#link, this.#stream, { last_by_subj: metaSubject(this.#bucket, key) }),
    );
    return message === undefined
      ? undefined
      : { meta: decodeMeta(message.data), sequence: message.sequence };
  }

  /** The record that was written after `sequence`. A condition fails as soon as another record is on its way, so it may take a
   *  moment until it is there. */
  async #findOther(key: string, sequence: number): Promise<ObjectMeta | undefined> {
    for (let attempt = 0; attempt < 100; attempt++) {
      const found = await this.#find(key);
      if (found !== undefined && found.sequence > sequence) return found.meta;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return undefined;
  }

  async #meta(key: string): Promise<ObjectMeta> {
    const known = this.#metas.get(key);
    if (known !== undefined) return known;
    const found = await this.#find(key);
    if (found === undefined || found.meta.deleted) throw notFound(key);
    if (this.#metas.size >= metasMax) this.#metas.clear();
    this.#metas.set(key, found.meta);
    return found.meta;
  }

  async #read(
    key: string,
    meta: ObjectMeta,
    offset: number,
    length: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    if (length === 0) return new Uint8Array(0);
    const sequences = sequencesOf(meta);
    if (sequences === undefined) {
      throw failure("Io", key, "another program than Tailrace stored it");
    }
    const size = meta.options.max_chunk_size;
    const [first, last] = [Math.floor(offset / size), Math.floor((offset + length - 1) / size)];
    const chunks: Uint8Array[] = [];
    for (let from = first; from <= last; from += chunksOfGet) {
      signal?.throwIfAborted();
      const wanted = sequences.slice(from, Math.min(from + chunksOfGet, last + 1));
      chunks.push(...await this.#chunks(key, meta.nuid, wanted));
    }
    const start = offset - first * size;
    return joinBytes(chunks).subarray(start, start + length);
  }

  /** The chunks with these sequences. What a lagging replica does not have comes from the leader. */
  async #chunks(
    key: string,
    nuid: string,
    sequences: ReadonlyArray<number>,
  ): Promise<ReadonlyArray<Uint8Array>> {
    const request = {
      seq: sequences[0]!,
      next_by_subj: chunkSubject(this.#bucket, nuid),
      batch: sequences.length,
    };
    const found = await retrying(retryMs, () => directGet(this.#link, this.#stream, request));
    const bySequence = new Map(found.map(({ sequence, data }) => [sequence, data]));
    return await Promise.all(sequences.map(async (seq) => {
      const data = bySequence.get(seq) ??
        (await retrying(retryMs, () => leaderGet(this.#link, this.#stream, { seq })))?.data;
      if (data !== undefined) return data;
      this.#metas.delete(key);
      throw notFound(key);
    }));
  }

  async #purge(filter: string): Promise<void> {
    const { streams } = this.#link.manager;
    await retrying(retryMs, () => streams.purge(this.#stream, { filter }));
  }
}

/** FNV-1a over the key, so that every process finds the same bucket. */
function shardOf(key: string, count: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % count;
}

/** The clients write base64url with padding: a SHA-256 needs one "=". */
function padded(digest: string): string {
  return `${digest}=`;
}

function sameContent(key: string, meta: ObjectMeta, size: number, digest: string): void {
  if (meta.size === size && meta.digest === digest) return;
  throw failure("Exists", key, "it exists with another content");
}

function failure(reason: ObjectStoreError["reason"], key: string, what: string): ObjectStoreError {
  return new ObjectStoreError({ reason, key, message: `Object "${key}": ${what}` });
}

function failureOf(key: string, error: unknown): ObjectStoreError {
  const code = apiCode(error);
  const isFull = code === streamFull || code === insufficientResources;
  return failure(isFull ? "Full" : "Io", key, `NATS: ${errorText(error)}`);
}
