/** Names with a holder that expire unless they are renewed: who is in the cluster, and who owns a
 *  partition. For efficiency only: a lease can be thought held by two for a moment, and what must
 *  not happen twice is decided by the index's checkpoints. Kept in the key-value bucket
 *  tailrace_leases, whose entries have a time to live. */
import { headers as makeHeaders } from "@nats-io/transport-node";
import { directGet } from "./directGet.ts";
import { type NatsLink, requestTimeoutMs } from "./Nats.ts";
import { isConflict } from "./natsErrors.ts";
import { ensureStream, leaseBucket, leaseStream } from "./streams.ts";

/** Time after which an entry that was not renewed is gone. Shorter than an election of the
 *  servers, which takes 4 to 9 seconds, it would make owners change whenever a server dies;
 *  longer, a dead owner would be replaced later. */
export const leaseMs = 5000;
export const renewEveryMs = 1000;

const stream = `KV_${leaseBucket}`;
const prefix = `$KV.${leaseBucket}.`;

export interface LeaseEntry {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

/** The names of the processes of a kind that are there: each keeps an entry <kind>.<name>. */
export function membersOf(
  entries: ReadonlyArray<LeaseEntry>,
  kind: string,
): ReadonlyArray<string> {
  const prefix = `${kind}.`;
  return entries.filter(({ key, value }) => key.startsWith(prefix) && value !== "")
    .map(({ key }) => key.slice(prefix.length));
}

export class Leases {
  readonly #link: NatsLink;

  private constructor(link: NatsLink) {
    this.#link = link;
  }

  static async open(link: NatsLink): Promise<Leases> {
    await ensureStream(link, leaseStream());
    return new Leases(link);
  }

  /** Every entry that has not expired, as some replica has them. */
  async list(): Promise<ReadonlyArray<LeaseEntry>> {
    const entries: LeaseEntry[] = [];
    for (let seq = 1;;) {
      const found = await directGet(this.#link, stream, { seq, batch: 1000 });
      for (const { subject, data, headers, sequence } of found) {
        seq = sequence + 1;
        const isReleased = (headers.get("KV-Operation") ?? "") !== "";
        entries.push({
          key: subject.slice(prefix.length),
          value: isReleased ? "" : new TextDecoder().decode(data),
          revision: sequence,
        });
      }
      if (found.length < 1000) return entries;
    }
  }

  /** Writes an entry whatever is there; the result is its revision. */
  async put(key: string, value: string): Promise<number> {
    return await this.#publish(key, value);
  }

  /** Writes an entry if its revision still is `revision`, 0 for none; the result is the new one,
   *  undefined if it is not. */
  async take(key: string, value: string, revision: number): Promise<number | undefined> {
    try {
      return await this.#publish(key, value, revision);
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
  }

  /** Gives up an entry that has this revision, at once instead of by its expiry. */
  async release(key: string, revision?: number): Promise<void> {
    const headers = makeHeaders();
    headers.set("KV-Operation", "DEL");
    await this.#link.manager.jetstream().publish(prefix + key, "", {
      headers,
      ttl: "1s",
      timeout: requestTimeoutMs,
      ...(revision === undefined ? {} : { expect: { lastSubjectSequence: revision } }),
    });
  }

  async #publish(key: string, value: string, revision?: number): Promise<number> {
    const ack = await this.#link.manager.jetstream().publish(prefix + key, value, {
      ttl: `${leaseMs}ms`,
      timeout: requestTimeoutMs,
      ...(revision === undefined ? {} : { expect: { lastSubjectSequence: revision } }),
    });
    return ack.seq;
  }
}
