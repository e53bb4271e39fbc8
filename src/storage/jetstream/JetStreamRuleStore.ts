/** Rules in the key-value bucket tailrace_rules. Each process keeps a copy that follows the bucket by reading what was stored
 *  after what it has seen; its own writes are in the copy at once. Removed keys leave a marker for a day, so that copies hear
 *  of them; a copy that heard nothing for longer is made anew. */
import { headers as makeHeaders } from "@nats-io/transport-node";
import { Effect, Layer } from "effect";
import { directGet } from "../../cluster/directGet.ts";
import { Nats, type NatsLink, requestTimeoutMs } from "../../cluster/Nats.ts";
import { isConflict, retrying } from "../../cluster/natsErrors.ts";
import { bucketStream, ensureStream, ruleBucket } from "../../cluster/streams.ts";
import { errorText } from "../../platform/files.ts";
import { RuleStore, RuleStoreError, type StoredRecord } from "../RuleStore.ts";

/** The rules of the NATS account. */
export const jetStreamRuleStoreLayer: Layer.Layer<RuleStore, RuleStoreError, Nats> = Layer.effect(
  RuleStore,
  Effect.gen(function* () {
    const bucket = new RuleBucket(yield* Nats);
    yield* run(() => bucket.ensure());
    return RuleStore.of({
      list: (prefix) => run(() => bucket.list(prefix)),
      put: (key, value) => run(() => bucket.write(key, value, undefined)),
      replace: (key, value, revision) => run(() => bucket.replace(key, value, revision)),
      remove: (key) => run(() => bucket.remove(key)),
    });
  }),
);

const stream = `KV_${ruleBucket}`;
const prefixOf = `$KV.${ruleBucket}.`;
const retryMs = 5000;
const pollMessages = 500;
const pollBytes = 8 * 1024 * 1024;
const markerTtl = "24h";
const copyAgeMaxMs = 12 * 3_600_000;

class RuleBucket {
  readonly #link: NatsLink;
  #records = new Map<string, StoredRecord>();
  /** Removed keys, by the sequence of the marker: an older message must not bring them back. */
  #removed = new Map<string, number>();
  #seen = 0;
  #polledMs = performance.now();
  #polling: Promise<void> | undefined;

  constructor(link: NatsLink) {
    this.#link = link;
  }

  async ensure(): Promise<void> {
    await ensureStream(this.#link, bucketStream(ruleBucket, { allow_msg_ttl: true }));
  }

  async list(prefix: string): Promise<ReadonlyArray<StoredRecord>> {
    await this.#poll();
    return [...this.#records.values()].filter(({ key }) => key.startsWith(prefix))
      .sort((a, b) => a.key < b.key ? -1 : 1);
  }

  async write(key: string, value: Uint8Array, revision: number | undefined): Promise<number> {
    const js = this.#link.manager.jetstream();
    const options = {
      // Whoever repeats it after an unknown outcome gets the first acknowledgement.
      msgID: crypto.randomUUID(),
      timeout: requestTimeoutMs,
      ...(revision === undefined ? {} : { expect: { lastSubjectSequence: revision } }),
    };
    const ack = await retrying(retryMs, () => js.publish(prefixOf + key, value, options));
    this.#set({ key, value, revision: ack.seq });
    return ack.seq;
  }

  /** A key that was removed has a marker, whose sequence is what the server expects. */
  async replace(key: string, value: Uint8Array, revision: number): Promise<number | undefined> {
    if (revision === 0 && this.#records.has(key)) return undefined;
    const expected = revision === 0 ? this.#removed.get(key) ?? 0 : revision;
    try {
      return await this.write(key, value, expected);
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
  }

  async remove(key: string): Promise<boolean> {
    await this.#poll();
    const isThere = this.#records.has(key);
    if (!isThere) return false;
    const headers = makeHeaders();
    headers.set("KV-Operation", "DEL");
    const options = { headers, ttl: markerTtl, timeout: requestTimeoutMs };
    const js = this.#link.manager.jetstream();
    const ack = await retrying(retryMs, () => js.publish(prefixOf + key, "", options));
    this.#delete(key, ack.seq);
    return true;
  }

  #poll(): Promise<void> {
    this.#polling ??= this.#pollAll().finally(() => this.#polling = undefined);
    return this.#polling;
  }

  async #pollAll(): Promise<void> {
    if (performance.now() - this.#polledMs > copyAgeMaxMs) {
      [this.#records, this.#removed, this.#seen] = [new Map(), new Map(), 0];
    }
    for (;;) {
      const request = { seq: this.#seen + 1, batch: pollMessages, max_bytes: pollBytes };
      const found = await retrying(retryMs, () => directGet(this.#link, stream, request));
      for (const { subject, sequence, headers, data } of found) {
        const key = subject.slice(prefixOf.length);
        this.#seen = sequence;
        if ((headers.get("KV-Operation") ?? "") !== "") this.#delete(key, sequence);
        else this.#set({ key, value: data, revision: sequence });
      }
      if (found.length === 0) break;
    }
    this.#polledMs = performance.now();
  }

  #set(record: StoredRecord): void {
    const known = this.#records.get(record.key)?.revision ?? this.#removed.get(record.key) ?? 0;
    if (known >= record.revision) return;
    this.#records.set(record.key, record);
    this.#removed.delete(record.key);
  }

  #delete(key: string, sequence: number): void {
    if ((this.#records.get(key)?.revision ?? 0) > sequence) return;
    this.#records.delete(key);
    this.#removed.set(key, Math.max(sequence, this.#removed.get(key) ?? 0));
  }
}

function run<Result>(work: () => Promise<Result>): Effect.Effect<Result, RuleStoreError> {
  return Effect.tryPromise({
    try: work,
    catch: (error) => new RuleStoreError({ message: `rules in NATS: ${errorText(error)}` }),
  });
}
