/** Which rule groups are this process's to evaluate. Alone it is all of them. In a cluster groups fall into shards, each with a
 *  lease that one ruler holds (rendezvous hashing proposes); when a ruler dies its leases end within seconds and others take
 *  them. That two think they hold one for a moment is possible: then only one can write the groups' states (Ruler.ts). */
import { Context, Effect, Layer, Schedule } from "effect";
import { leaseMs, Leases, renewEveryMs } from "../../cluster/Leases.ts";
import { Nats } from "../../cluster/Nats.ts";
import { errorText } from "../../platform/files.ts";
import { systemName } from "../../platform/system.ts";
import { proposeOwners } from "../policy/ownership.ts";

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

interface HeldShard {
  revision: number;
  endsMs: number;
}

function newName(): string {
  return `${systemName()}-${crypto.randomUUID().slice(0, 8)}`.replace(/[^A-Za-z0-9_-]/g, "_");
}

const makeLeased = Effect.fnUntraced(function* () {
  const link = yield* Nats;
  const leases = yield* Effect.tryPromise(() => Leases.open(link));
  const me = newName();
  const held = new Map<number, HeldShard>();

  const take = Effect.fnUntraced(function* (shard: number, revision: number) {
    const startedMs = performance.now();
    const taken = yield* Effect.tryPromise(() => leases.take(`rules.${shard}`, me, revision));
    if (taken === undefined) held.delete(shard);
    else held.set(shard, { revision: taken, endsMs: startedMs + leaseMs });
  });

  const release = (shard: number) => {
    const revision = held.get(shard)?.revision;
    held.delete(shard);
    return Effect.tryPromise(() => leases.release(`rules.${shard}`, revision)).pipe(Effect.ignore);
  };

  const turn = Effect.gen(function* () {
    yield* Effect.tryPromise(() => leases.put(`ruler.${me}`, "ready"));
    const entries = yield* Effect.tryPromise(() => leases.list());
    const byKey = new Map(entries.map((entry) => [entry.key, entry]));
    const members = entries.filter(({ key, value }) => key.startsWith("ruler.") && value !== "")
      .map(({ key }) => key.slice("ruler.".length));
    for (const [shard, owner] of proposeOwners(shardCount, members)) {
      const lease = byKey.get(`rules.${shard}`);
      const holder = lease?.value ?? "";
      if (owner !== me) {
        if (held.has(shard)) yield* release(shard);
      } else if (holder === "" || holder === me) {
        // A renewal whose acknowledgement was lost has moved the revision on.
        yield* take(shard, Math.max(lease?.revision ?? 0, held.get(shard)?.revision ?? 0));
      } else held.delete(shard);
    }
  });

  yield* turn.pipe(
    Effect.catch((error) =>
      Effect.logWarning(`shards of rules are not managed: ${errorText(error)}`)
    ),
    Effect.repeat(Schedule.spaced(renewEveryMs)),
    Effect.forkScoped,
  );
  yield* Effect.addFinalizer(() =>
    Effect.forEach([...held.keys()], release, { discard: true }).pipe(
      Effect.andThen(Effect.tryPromise(() => leases.release(`ruler.${me}`))),
      Effect.ignore,
    )
  );
  return RuleShards.of({
    evaluator: me,
    owns: (groupKey) => (held.get(shardOf(groupKey))?.endsMs ?? 0) > performance.now(),
  });
});
