/** Where a stream ends now, for those who must not miss what was acknowledged before they asked. */
import type { StreamInfo, StreamState } from "@nats-io/jetstream";
import { errors } from "@nats-io/transport-node";
import type { NatsLink } from "./Nats.ts";
import { retrying } from "./natsErrors.ts";

/** A follower that answered its leader within this time has not elected another: that takes 4 seconds of silence. */
const contactNs = 2.5e9;

/** The state and the configuration of a stream as a leader knows them that most of its replicas follow. It is asked twice: a
 *  server that was frozen may find in its sockets what its followers said before they left it, and take that for news; by the
 *  second question it has heard of the other leader. With `subjects`, which may have wildcards, it names those of them that it
 *  has messages of. Rejects after `limitMs`. */
export async function leaderInfo(
  link: NatsLink,
  stream: string,
  limitMs: number,
  subjects?: string,
): Promise<StreamInfo> {
  const ask = () =>
    link.manager.streams.info(
      stream,
      subjects === undefined ? undefined : { subjects_filter: subjects },
    );
  return await retrying(limitMs, async () => {
    await link.health.steady(limitMs);
    const first = await ask();
    if (first.config.num_replicas === 1) return first;
    const second = isFollowed(first) ? await ask() : first;
    const isSame = second.cluster?.leader === first.cluster?.leader;
    if (isSame && isFollowed(second)) return second;
    throw new errors.NoRespondersError(`${stream} has no leader that most replicas follow`);
  });
}

/** Its state alone. */
export async function leaderState(
  ...question: Parameters<typeof leaderInfo>
): Promise<StreamState> {
  return (await leaderInfo(...question)).state;
}

function isFollowed({ cluster, config }: StreamInfo): boolean {
  if (config.num_replicas === 1) return true;
  const inContact = (cluster?.replicas ?? []).filter(({ active, current, offline }) =>
    offline !== true && (active > 0 ? active < contactNs : current)
  );
  return 1 + inContact.length > config.num_replicas / 2;
}
