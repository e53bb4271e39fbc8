/** Feeds a partition's actor with what is appended to its log by any process. Batches come from
 *  JetStream's republishing as soon as they are stored; whatever that does not bring (a reconnect,
 *  a full buffer) is read from the log. */
import { Effect, Latch } from "effect";
import { recordOf } from "../../cluster/logRecords.ts";
import type { NatsLink } from "../../cluster/Nats.ts";
import { tailSubject } from "../../cluster/streams.ts";
import type { LogRecord, WriteLog } from "../../storage/WriteLog.ts";
import type { PartitionMessage } from "../protocol/ingester.ts";
import type { ActorRef } from "../runtime/Actor.ts";
import { batchOf } from "./batchOf.ts";

/** Bytes of pushed records that may wait; beyond it they are left to be read. */
const bufferBytesMax = 32 * 1024 * 1024;
/** How often the log is read when nothing is pushed. */
const pollMs = 500;
const readBytes = 4 * 1024 * 1024;

/** Runs until the actor ends. Fails with what cannot pass by itself: a record that is damaged, or missing. `unflushedBytesMax`
 *  stops it while that much waits for a segment. */
export const followLog = Effect.fn("followLog")(function* (
  link: NatsLink,
  writeLog: WriteLog["Service"],
  partition: number,
  actor: ActorRef<PartitionMessage>,
  unflushedBytesMax: number,
) {
  const wake = Latch.makeUnsafe(false);
  const pushed: LogRecord[] = [];
  let pushedBytes = 0;
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      link.connection.subscribe(tailSubject("*", partition), {
        callback: (error, message) => {
          if (error !== null) return;
          const offset = Number(message.headers?.get("Nats-Sequence"));
          if (!(offset > 0) || pushedBytes > bufferBytesMax) return;
          pushed.push({ offset, bytes: recordOf(message.headers, message.data) });
          pushedBytes += pushed.at(-1)!.bytes.length;
          wake.openUnsafe();
        },
      })
    ),
    (subscription) => Effect.sync(() => subscription.unsubscribe()),
  );
  const take = (): LogRecord | undefined => {
    const first = pushed.shift();
    if (first !== undefined) pushedBytes -= first.bytes.length;
    return first;
  };
  yield* actor.ready;
  let next = Number(actor.observe()?.["next"] ?? 1);
  const deliver = (record: LogRecord) => {
    const { offset } = record;
    next = offset + 1;
    return actor.tell({ type: "Append", offset, batch: batchOf(partition, record) });
  };
  while (actor.isOpen()) {
    while (Number(actor.observe()?.["unflushedBytes"] ?? 0) > unflushedBytesMax) {
      yield* Effect.sleep(50);
    }
    while (pushed.length > 0 && pushed[0]!.offset < next) take();
    if (pushed[0]?.offset === next) {
      yield* deliver(take()!);
      continue;
    }
    if (pushed.length === 0) {
      wake.closeUnsafe();
      yield* wake.await.pipe(Effect.timeoutOption(pollMs));
      if (pushed[0]?.offset === next) continue;
    }
    const records = yield* writeLog.read(partition, next, readBytes).pipe(
      Effect.catch((error) =>
        error.reason === "Corrupt"
          ? Effect.fail(error)
          : Effect.as(Effect.logDebug(error.message), [])
      ),
    );
    for (const record of records) if (record.offset >= next) yield* deliver(record);
  }
});
