/** Removes, now and then, what dead writers left in a cluster's storage: segments that are in no
 *  commit and chunks of objects that were never completed. Done by the owner of partition 0, so
 *  that it is done once; twice would do no harm. */
import { Cause, Effect, Layer, Schedule } from "effect";
import { Nats } from "../../cluster/Nats.ts";
import type { Settings } from "../../platform/config/mod.ts";
import { errorText } from "../../platform/files.ts";
import { Index } from "../../storage/Index.ts";
import { sweepChunks } from "../../storage/jetstream/sweepChunks.ts";
import { ObjectStore } from "../../storage/ObjectStore.ts";
import { sweepOrphans } from "../../storage/sweepOrphans.ts";
import { graceMs } from "../compactor/graceMs.ts";
import { PartitionOwners } from "./PartitionOwners.ts";

const everyMs = 600_000;

/** Sweeps until the scope closes. */
export const sweepLayer = (settings: Settings) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const link = yield* Nats;
      const objectStore = yield* ObjectStore;
      const index = yield* Index;
      const owners = yield* PartitionOwners;
      const wait = { seen: new Map<string, number>(), delayMs: graceMs(settings) };
      const sweep = Effect.gen(function* () {
        if (!owners.owned().has(0)) return;
        const removed = yield* sweepOrphans(objectStore, index, wait);
        let chunks = 0;
        const inNats = settings.storage.object_store === "engine";
        for (let shard = 0; inNats && shard < settings.nats.object_shards; shard++) {
          chunks += yield* Effect.tryPromise({
            try: () => sweepChunks(link, shard),
            catch: (error) => new Error(errorText(error)),
          });
        }
        if (removed.length + chunks === 0) return;
        yield* Effect.logInfo(
          `removed ${removed.length} segments that are in no commit and the chunks of ${chunks} unfinished ones`,
        );
      });
      yield* sweep.pipe(
        // Whatever it is: a sweep that ended would be missed only when the disk is full.
        Effect.catchCause((cause) =>
          Effect.logWarning(`cannot sweep: ${errorText(Cause.squash(cause))}`)
        ),
        Effect.repeat(Schedule.spaced(everyMs)),
        Effect.delay(60_000),
        Effect.forkScoped,
      );
    }),
  );
