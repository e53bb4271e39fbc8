/** Which partitions of a cluster this compactor works on: its share of all that are there. Two that work on one at once do no
 *  harm: the index takes one's replacement and refuses the other's. */
import { Effect, Layer } from "effect";
import { partitionCount } from "../../cluster/logMarks.ts";
import type { Settings } from "../../platform/config/mod.ts";
import { systemName } from "../../platform/system.ts";
import { leasedShares } from "../leasedShares.ts";
import { CompactorTurns } from "./Compactor.ts";

/** Takes leases until the scope closes. */
export const clusterTurns = ({ ingester }: Settings) =>
  Layer.effect(
    CompactorTurns,
    Effect.gen(function* () {
      const has = yield* leasedShares({
        me: `${systemName()}-${crypto.randomUUID().slice(0, 8)}`,
        memberKind: "compactor",
        shareKind: "compaction",
        countOf: (keys) => partitionCount(ingester.partitions, keys),
      });
      return CompactorTurns.of({ has });
    }),
  );
