/** How far each partition's log is known to reach. A server that has lost the end of a log says that it ends earlier, and
 *  nothing in the log contradicts it; so the owner notes its end beside the leases, which are another stream. Kept in the
 *  key-value bucket tailrace_leases under log.<partition>, without expiry. */
import { leaderGet } from "./directGet.ts";
import { type NatsLink, requestTimeoutMs } from "./Nats.ts";
import { apiCode, streamNotFound } from "./natsErrors.ts";
import { leaseBucket } from "./streams.ts";

/** Notes that offsets below `next` were stored. For the partition's owner alone. */
export async function writeLogMark(link: NatsLink, partition: number, next: number): Promise<void> {
  const js = link.manager.jetstream();
  await js.publish(subjectOf(partition), String(next), { timeout: requestTimeoutMs });
}

/** The offset that the owner noted last; 1 if there is none. */
export async function readLogMark(link: NatsLink, partition: number): Promise<number> {
  const query = { last_by_subj: subjectOf(partition) };
  const message = await leaderGet(link, `KV_${leaseBucket}`, query).catch((error) => {
    if (apiCode(error) === streamNotFound) return undefined;
    throw error;
  });
  const next = Number(new TextDecoder().decode(message?.data));
  return Number.isSafeInteger(next) && next > 0 ? next : 1;
}

/** The key, for those who remove it with the NATS CLI. */
export function logMarkKey(partition: number): string {
  return `log.${partition}`;
}

function subjectOf(partition: number): string {
  return `$KV.${leaseBucket}.${logMarkKey(partition)}`;
}
