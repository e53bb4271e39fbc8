/** What tests of storage on NATS share: the connection's layer for some servers, and emptying them between tests. */
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { Nats } from "../cluster/Nats.ts";
import { settingsWith } from "../platform/config/mod.ts";
import type { NatsServers } from "./natsServer.ts";

/** A connection to these servers that keeps as many copies as there are servers. */
export function natsLayer(servers: NatsServers) {
  return Nats.layer(settingsWith({
    "nats.url": servers.urls,
    "nats.replicas": servers.nodes.length,
  }));
}

/** Deletes every stream. */
export async function removeStreams(servers: NatsServers): Promise<void> {
  const connection = await connect({ servers: servers.urls.split(",") });
  const { streams } = await jetstreamManager(connection);
  for (const name of await streams.names().next()) await streams.delete(name);
  await connection.close();
}
