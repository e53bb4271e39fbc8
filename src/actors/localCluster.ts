/** The state of an installation that is one process, in the words of a cluster's: its partitions, owned by it alone. */
import { Effect, Layer } from "effect";
import { systemName } from "../platform/system.ts";
import { ClusterOverview } from "../storage/jetstream/clusterStatus.ts";
import { Ingester } from "./ingester/Ingester.ts";

export const localOverview = Layer.effect(
  ClusterOverview,
  Effect.map(Ingester, (ingester) => ({
    read: Effect.sync(() => {
      const self = systemName();
      const partitions = [...ingester.owned()].map(([partition, actor]) => {
        const { from, next, unflushedBytes } = actor.observe() ?? {};
        return {
          partition,
          // An actor that is starting again shows nothing.
          owner: next === undefined ? "" : self,
          checkpoint: Number(from ?? 0),
          next: Number(next ?? 0),
          known: 0,
          bytes: Number(unflushedBytes ?? 0),
          bytesMax: -1,
          skipped: [],
        };
      });
      const roles = { ingesters: [self], queriers: [self], rulers: [self], compactors: [self] };
      return { partitions, ...roles, streams: [] };
    }),
  })),
);
