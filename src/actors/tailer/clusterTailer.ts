/** Live tails across a cluster: JetStream tells of every batch of a tenant once it is stored,
 *  whichever process took it, and the batches are handed to this process's tails. A tenant without
 *  a tail costs nothing. Tailer.ts owns the tails, TailFeed.ts that nothing is missing. */
import type { Subscription } from "@nats-io/transport-node";
import { Effect, Layer, Option } from "effect";
import { directGet } from "../../cluster/directGet.ts";
import { recordOf } from "../../cluster/logRecords.ts";
import { Nats, type NatsLink } from "../../cluster/Nats.ts";
import { logStreamName, logSubject, tailSubject, tenantToken } from "../../cluster/streams.ts";
import { WriteLog } from "../../storage/WriteLog.ts";
import { decodeBatch } from "../../streams/batch.ts";
import { FormatError } from "../../streams/formatError.ts";
import { TailFeed } from "./TailFeed.ts";
import { Tailer } from "./Tailer.ts";

/** How long a tail waits to know where the log ends; what it does not know then, it takes from the first batch. */
const beginMs = 2000;
const pollMs = 2000;
const readBytes = 4 * 1024 * 1024;
const readRecords = 200;

interface OpenFeed {
  readonly feed: TailFeed;
  readonly subscription: Subscription;
  readonly timer: ReturnType<typeof setInterval>;
  readonly ready: Promise<void>;
  tails: number;
}

/** Tailer for a process of a cluster. */
export const clusterTailerLayer = Layer.effect(
  Tailer,
  Effect.gen(function* () {
    const link = yield* Nats;
    const writeLog = yield* WriteLog;
    const local = yield* Tailer;
    const context = yield* Effect.context<never>();
    const feeds = new Map<string, OpenFeed>();
    const publish = (tenant: string, partition: number, offset: number, bytes: Uint8Array) => {
      try {
        local.publish(partition, offset, decodeBatch(bytes));
      } catch (failure) {
        if (!(failure instanceof FormatError)) throw failure;
        local.lose(tenant);
        // The partition's owner says so too, and does not go on; a tail can.
        const text = `a tail cannot read partition ${partition} at ${offset}: ${failure.message}`;
        Effect.runForkWith(context)(Effect.logError(text));
      }
    };
    const begin = Effect.fnUntraced(function* (feed: TailFeed) {
      const partitions = yield* writeLog.partitions.pipe(Effect.timeoutOption(beginMs));
      if (Option.isNone(partitions)) return;
      feed.found(partitions.value);
      yield* Effect.forEach(partitions.value, (partition) =>
        writeLog.bounds(partition).pipe(
          Effect.map(({ next }) => feed.begin(partition, next)),
          Effect.timeout(beginMs),
          Effect.ignore,
        ), { concurrency: "unbounded", discard: true });
    }, (beginning) => Effect.ignore(beginning));
    let learning: Promise<void> | undefined;
    /** Tells all feeds which partitions there are by now. */
    const learn = () => {
      const asking = [...feeds.values()];
      const told = Effect.map(writeLog.partitions, (partitions) => {
        for (const { feed } of asking) feed.found(partitions);
      });
      learning ??= Effect.runPromiseWith(context)(Effect.ignore(told)).finally(() => {
        learning = undefined;
      });
    };
    const open = (tenant: string): OpenFeed => {
      const known = feeds.get(tenant);
      if (known !== undefined) {
        known.tails++;
        return known;
      }
      const feed = new TailFeed({
        read: (partition, offset) => readRecordsOf(link, tenant, partition, offset),
        publish: (partition, { offset, bytes }) => publish(tenant, partition, offset, bytes),
        lost: () => local.lose(tenant),
      });
      const subscription = subscribe(link, tenant, feed);
      const timer = setInterval(() => {
        learn();
        void feed.poll();
      }, pollMs);
      const ready = Effect.runPromiseWith(context)(begin(feed));
      const opened = { feed, subscription, timer, ready, tails: 1 };
      feeds.set(tenant, opened);
      return opened;
    };
    const close = (tenant: string, { feed, subscription, timer }: OpenFeed) => {
      subscription.unsubscribe();
      clearInterval(timer);
      feed.close();
      feeds.delete(tenant);
    };
    return Tailer.of({
      ...local,
      subscribe: (request) => {
        const opened = open(request.tenant);
        const tail = local.subscribe(request);
        let isOpen = true;
        return {
          ready: Effect.promise(() => opened.ready),
          startAt: tail.startAt,
          take: tail.take,
          close: () => {
            tail.close();
            if (isOpen && --opened.tails === 0) close(request.tenant, opened);
            isOpen = false;
          },
        };
      },
    });
  }),
).pipe(Layer.provide(Tailer.layer));

function subscribe({ connection }: NatsLink, tenant: string, feed: TailFeed): Subscription {
  return connection.subscribe(tailSubject(tenantToken(tenant), "*"), {
    callback: (error, { subject, headers, data }) => {
      if (error !== null) return;
      const partition = Number(subject.slice(subject.lastIndexOf(".") + 1));
      const offset = Number(headers?.get("Nats-Sequence"));
      const previous = Number(headers?.get("Nats-Last-Sequence"));
      if (offset > 0) feed.take(partition, { offset, bytes: recordOf(headers, data) }, previous);
    },
  });
}

async function readRecordsOf(link: NatsLink, tenant: string, partition: number, offset: number) {
  const messages = await directGet(link, logStreamName(partition), {
    seq: offset,
    batch: readRecords,
    max_bytes: readBytes,
    next_by_subj: logSubject(tenant, partition),
  });
  return messages.map(({ sequence, headers, data }) => ({
    offset: sequence,
    bytes: recordOf(headers, data),
  }));
}
