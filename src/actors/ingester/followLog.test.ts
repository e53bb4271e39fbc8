/** What a partition's actor is told of its log: each record once and in order, whatever is republished; and what is heard of a
 *  log that cannot be read. */
import type { Msg } from "@nats-io/transport-node";
import { Effect, Exit, Fiber } from "effect";
import t from "tap";
import type { NatsLink } from "../../cluster/Nats.ts";
import { WriteLog, WriteLogError } from "../../storage/WriteLog.ts";
import { buildBatch, encodeBatch } from "../../streams/batch.ts";
import { memoryWriteLog } from "../../testing/memoryStorage.ts";
import { columnsOf } from "../../testing/modelRows.ts";
import type { PartitionMessage } from "../protocol/ingester.ts";
import type { ActorRef } from "../runtime/Actor.ts";
import { followLog } from "./followLog.ts";

function record(number: number): Uint8Array {
  const row = { timestamp: BigInt(number), line: [65], metadata: [] };
  const slices = [{ labels: '{a="b"}', rowStart: 0, rowEnd: 1 }];
  return encodeBatch(buildBatch("t", slices, columnsOf([row])), "none");
}

/** An actor that notes the offsets it is told of, and a connection on which records can be republished. */
function actorAndLink() {
  const offsets: number[] = [];
  let isOpen = true;
  let tell: (error: null, message: Msg) => void = () => {};
  const actor = {
    ready: Effect.void,
    isOpen: () => isOpen,
    observe: () => ({ next: (offsets.at(-1) ?? 0) + 1, unflushedBytes: 0 }),
    tell: (message: PartitionMessage) =>
      Effect.sync(() => {
        if (message.type === "Append") offsets.push(message.offset);
      }),
  } as unknown as ActorRef<PartitionMessage>;
  const connection = {
    subscribe: (_subject: string, options: { readonly callback: typeof tell }) => {
      tell = options.callback;
      return { unsubscribe: () => {} };
    },
  };
  const republish = (offset: number) => {
    const headers = { get: (name: string) => name === "Nats-Sequence" ? String(offset) : "id" };
    tell(null, { headers, data: record(offset) } as unknown as Msg);
  };
  const end = () => isOpen = false;
  return { offsets, actor, link: { connection } as unknown as NatsLink, republish, end };
}

t.test("records come once and in order, however they are republished", (t) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const log = yield* WriteLog;
      const { offsets, actor, link, republish, end } = actorAndLink();
      const following = yield* Effect.forkChild(
        Effect.scoped(followLog(link, log, 0, actor, 1e9)),
      );
      yield* Effect.sleep(0);
      for (let offset = 1; offset <= 9; offset++) yield* log.append(0, record(offset));
      // Twice, in no order, with gaps, and not at all.
      for (const offset of [1, 2, 2, 1, 4, 3, 7, 6]) republish(offset);
      while (offsets.length < 9) yield* Effect.sleep(20);
      republish(3);
      yield* log.append(0, record(10));
      republish(10);
      while (offsets.length < 10) yield* Effect.sleep(20);
      end();
      yield* Fiber.join(following);
      t.same(offsets, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }).pipe(Effect.provide(memoryWriteLog())),
  ));

t.test("a log that does not answer is asked again, a damaged one is heard of", (t) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const log = yield* WriteLog;
      yield* log.append(0, record(1));
      const reasons: Array<WriteLogError["reason"]> = ["Unavailable", "Corrupt"];
      const failing = {
        ...log,
        read: (partition: number) => {
          const reason = reasons.shift()!;
          return Effect.fail(new WriteLogError({ reason, partition, message: reason }));
        },
      };
      const { actor, link } = actorAndLink();
      const exit = yield* Effect.exit(Effect.scoped(followLog(link, failing, 0, actor, 1e9)));
      t.ok(Exit.isFailure(exit));
      t.same(reasons, []);
    }).pipe(Effect.provide(memoryWriteLog())),
  ));
