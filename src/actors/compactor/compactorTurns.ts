/** Which partitions of a cluster this compactor works on: those that are proposed to it among all that are there, while it holds
 *  their leases. Two that think so at once do no harm: the index takes one's replacement and refuses the other's. */
import { Cause, Effect, Layer, Schedule } from "effect";
import { leaseMs, Leases, renewEveryMs } from "../../cluster/Leases.ts";
import { partitionCount } from "../../cluster/logMarks.ts";
import { Nats } from "../../cluster/Nats.ts";
import type { Settings } from "../../platform/config/mod.ts";
import { errorText } from "../../platform/files.ts";
import { systemName } from "../../platform/system.ts";
import { proposeOwners } from "../policy/ownership.ts";
import { CompactorTurns } from "./Compactor.ts";

interface Turn {
  readonly revision: number;
  /** When the lease ends if it is not renewed, by this process's clock. */
  readonly endsMs: number;
}

/** Takes leases until the scope closes. */
export const clusterTurns = ({ ingester }: Settings) =>
  Layer.effect(
    CompactorTurns,
    Effect.gen(function* () {
      const link = yield* Nats;
      const leases = yield* Effect.tryPromise(() => Leases.open(link));
      const me = `${systemName()}-${crypto.randomUUID().slice(0, 8)}`;
      const held = new Map<number, Turn>();
      const keyOf = (partition: number) => `compaction.${partition}`;
      const renew = async () => {
        await leases.put(`compactor.${me}`, "ready");
        const entries = await leases.list();
        const members = entries.filter(({ key, value }) =>
          key.startsWith("compactor.") && value !== ""
        ).map(({ key }) => key.slice("compactor.".length));
        const byKey = new Map(entries.map((entry) => [entry.key, entry]));
        const count = partitionCount(ingester.partitions, byKey.keys());
        for (const [partition, owner] of proposeOwners(count, members)) {
          const lease = byKey.get(keyOf(partition));
          const isMine = lease?.value === me;
          if (owner !== me) {
            held.delete(partition);
            if (isMine) await leases.release(keyOf(partition), lease.revision);
            continue;
          }
          if (lease !== undefined && lease.value !== "" && !isMine) continue;
          const startedMs = performance.now();
          const expected = held.get(partition)?.revision ?? lease?.revision ?? 0;
          const revision = await leases.take(keyOf(partition), me, expected);
          if (revision === undefined) held.delete(partition);
          else held.set(partition, { revision, endsMs: startedMs + leaseMs });
        }
      };
      const attempt = Effect.tryPromise({ try: renew, catch: (error) => error });
      yield* attempt.pipe(
        Effect.catchCause((cause) =>
          Effect.logWarning(`partitions are not shared out: ${errorText(Cause.squash(cause))}`)
        ),
        Effect.repeat(Schedule.spaced(renewEveryMs)),
        Effect.forkScoped,
      );
      yield* Effect.addFinalizer(() =>
        Effect.tryPromise(async () => {
          await leases.release(`compactor.${me}`);
          for (const [partition, { revision }] of held) {
            await leases.release(keyOf(partition), revision);
          }
        }).pipe(Effect.ignore)
      );
      return CompactorTurns.of({
        has: (partition) => (held.get(partition)?.endsMs ?? 0) > performance.now(),
      });
    }),
  );
