/** Live tails across a cluster: JetStream tells of every batch of a tenant once it is stored,
 *  whichever process took it, and the batches are handed to this process's tails. A tenant without
 *  a tail costs nothing. Tailer.ts owns the tails. */
import type { Subscription } from "@nats-io/transport-node";
import { Effect, Layer } from "effect";
import { Nats } from "../../cluster/Nats.ts";
import { tailSubject, tenantToken } from "../../cluster/streams.ts";
import { decodeBatch } from "../../streams/batch.ts";
import { FormatError } from "../../streams/formatError.ts";
import { Tailer } from "./Tailer.ts";

/** Tailer for a process of a cluster. */
export const clusterTailerLayer = Layer.effect(
  Tailer,
  Effect.gen(function* () {
    const { connection } = yield* Nats;
    const local = yield* Tailer;
    const context = yield* Effect.context<never>();
    const feeds = new Map<string, { readonly subscription: Subscription; tails: number }>();
    const isDamaged = (text: string) =>
      // The partition's owner says so too, and does not go on; a tail can.
      Effect.runForkWith(context)(Effect.logError(`a tail cannot read ${text}`));
    const open = (tenant: string) => {
      const known = feeds.get(tenant);
      if (known !== undefined) {
        known.tails++;
        return;
      }
      const recent = new RecentOffsets();
      const subscription = connection.subscribe(tailSubject(tenantToken(tenant), "*"), {
        callback: (error, { subject, headers, data }) => {
          if (error !== null) return;
          const partition = Number(subject.slice(subject.lastIndexOf(".") + 1));
          const offset = Number(headers?.get("Nats-Sequence"));
          if (!recent.add(partition, offset)) return;
          try {
            local.publish(partition, offset, decodeBatch(data));
          } catch (failure) {
            if (!(failure instanceof FormatError)) throw failure;
            isDamaged(`${subject} at ${offset}: ${failure.message}`);
          }
        },
      });
      feeds.set(tenant, { subscription, tails: 1 });
    };
    const close = (tenant: string) => {
      const feed = feeds.get(tenant);
      if (feed === undefined || --feed.tails > 0) return;
      feed.subscription.unsubscribe();
      feeds.delete(tenant);
    };
    return Tailer.of({
      ...local,
      subscribe: (request) => {
        open(request.tenant);
        const tail = local.subscribe(request);
        let isOpen = true;
        return {
          take: tail.take,
          close: () => {
            tail.close();
            if (isOpen) close(request.tenant);
            isOpen = false;
          },
        };
      },
    });
  }),
).pipe(Layer.provide(Tailer.layer));

/** Offsets that were seen a moment ago: a new leader tells again of what the old one told of before it died. */
export class RecentOffsets {
  readonly #partitions = new Map<number, { readonly offsets: Float64Array; next: number }>();

  /** False if the offset is among the partition's last ones. */
  add(partition: number, offset: number): boolean {
    let recent = this.#partitions.get(partition);
    if (recent === undefined) {
      recent = { offsets: new Float64Array(recentMax), next: 0 };
      this.#partitions.set(partition, recent);
    }
    if (recent.offsets.includes(offset)) return false;
    recent.offsets[recent.next] = offset;
    recent.next = (recent.next + 1) % recentMax;
    return true;
  }
}

/** More than a leader can have told of that its followers did not know to be agreed on. */
const recentMax = 256;
