/** Which rule groups are this process's to evaluate. Alone it is all of them. In a cluster groups fall into shards, which rulers
 *  share out by leases. That two think they hold one for a moment is possible: then only one can write the groups' states
 *  (Ruler.ts). */
import { Context, Effect, Layer } from "effect";
import { systemName } from "../../platform/system.ts";
import { leasedShares } from "../leasedShares.ts";

export class RuleShards extends Context.Service<RuleShards, {
  /** What tells this evaluator from all others, earlier ones of this machine included. */
  readonly evaluator: string;
  readonly owns: (groupKey: string) => boolean;
}>()("tailrace/actors/RuleShards") {
  static readonly alone = Layer.sync(
    RuleShards,
    () => ({ evaluator: newName(), owns: () => true }),
  );
  static readonly leased = Layer.effect(RuleShards, Effect.suspend(() => makeLeased()));
}

/** Never to be changed: rulers of two versions would take the same groups for different ones. */
const shardCount = 16;

/** The shard of a group. */
export function shardOf(groupKey: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < groupKey.length; at++) {
    hash = Math.imul(hash ^ groupKey.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0) % shardCount;
}

function newName(): string {
  return `${systemName()}-${crypto.randomUUID().slice(0, 8)}`.replace(/[^A-Za-z0-9_-]/g, "_");
}

const makeLeased = Effect.fnUntraced(function* () {
  const evaluator = newName();
  const has = yield* leasedShares({
    me: evaluator,
    memberKind: "ruler",
    shareKind: "rules",
    countOf: () => shardCount,
  });
  return RuleShards.of({ evaluator, owns: (groupKey) => has(shardOf(groupKey)) });
});
