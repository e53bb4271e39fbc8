/** What becomes of a batch once the write log has it, as a service: on one machine the partition's
 *  actor and the tails get it handed over; in a cluster they hear of it from the log itself. Owns
 *  nothing but the choice. */
import { Context, Effect, Layer } from "effect";
import type { Batch } from "../../streams/batch.ts";
import { Ingester } from "../ingester/Ingester.ts";
import type { ActorStopped } from "../runtime/Actor.ts";
import { Tailer } from "../tailer/Tailer.ts";

export class Handover extends Context.Service<Handover, {
  /** Success means that a query which starts now sees the batch. Batches of a partition come in log order. */
  readonly deliver: (
    partition: number,
    offset: number,
    batch: Batch,
  ) => Effect.Effect<void, ActorStopped>;
  /** Bytes in this process's memory that no segment has yet. */
  readonly unflushedBytes: (partition: number) => number;
}>()("tailrace/actors/Handover") {
  static readonly local: Layer.Layer<Handover, never, Ingester | Tailer> = Layer.effect(
    Handover,
    Effect.gen(function* () {
      const { owned } = yield* Ingester;
      const tailer = yield* Tailer;
      return {
        deliver: (partition, offset, batch) =>
          owned().get(partition)!.tell({ type: "Append", offset, batch }).pipe(
            Effect.tap(() => Effect.sync(() => tailer.publish(partition, offset, batch))),
          ),
        unflushedBytes: (partition) =>
          Number(owned().get(partition)?.observe()?.["unflushedBytes"] ?? 0),
      };
    }),
  );

  /** Whoever owns the partition reads the log, and queries ask it to be up to date. A log that
   *  grows too long refuses. */
  static readonly byLog: Layer.Layer<Handover> = Layer.succeed(Handover, {
    deliver: () => Effect.void,
    unflushedBytes: () => 0,
  });
}
