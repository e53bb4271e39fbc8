/** Where a stream ends now, for those who must not miss what was acknowledged before they asked. */
import type { StreamInfo, StreamState } from "@nats-io/jetstream";
import { errors } from "@nats-io/transport-node";
import type { NatsLink } from "./Nats.ts";
import { retrying } from "./natsErrors.ts";

/** A follower that answered its leader within this time has not elected another: that takes 4 seconds of silence. */
const contactNs = 2.5e9;

/** The state of a stream as a leader knows it that most of its replicas follow. Rejects after `limitMs`. */
export async function leaderState(
  link: NatsLink,
  stream: string,
  limitMs: number,
): Promise<StreamState> {
  return await retrying(limitMs, async () => {
    await link.health.steady(limitMs);
    const info = await link.manager.streams.info(stream);
    if (isFollowed(info)) return info.state;
    throw new errors.NoRespondersError(`${stream} has no leader that most replicas follow`);
  });
}

function isFollowed({ cluster, config }: StreamInfo): boolean {
  if (config.num_replicas === 1) return true;
  const inContact = (cluster?.replicas ?? []).filter(({ active, current, offline }) =>
    offline !== true && (active > 0 ? active < contactNs : current)
  );
  return 1 + inContact.length > config.num_replicas / 2;
}
