/** The connection of this process to NATS, and what every user of it needs to know: how many copies to keep and how large a
 *  message may be. Owns credentials, TLS and reconnecting; streams.ts owns what is created there.
 *
 *  The intervals were measured with servers killed and frozen: the client's defaults hide a frozen server for minutes, and give
 *  up reconnecting after ten attempts. A publish waits for its acknowledgement for publishTimeoutMs, no longer, because a
 *  request in flight when its server dies is never answered. */
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import {
  createInbox,
  credsAuthenticator,
  errors,
  type NatsConnection,
  nkeyAuthenticator,
  type NodeConnectionOptions,
} from "@nats-io/transport-node";
import { Context, Effect, Layer, Schedule, Schema } from "effect";
import type { Settings } from "../platform/config/mod.ts";
import { errorText, readTextFile } from "../platform/files.ts";
import { connectNats } from "../platform/natsTransport.ts";
import { systemName } from "../platform/system.ts";
import { LinkHealth } from "./LinkHealth.ts";
import { isTransient } from "./natsErrors.ts";

/** The servers refuse this client, or its settings cannot be used. */
export class NatsUnusable extends Schema.TaggedError<NatsUnusable>()("NatsUnusable", {
  message: Schema.String,
}) {}

export interface NatsLink {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly health: LinkHealth;
  /** A new subject for answers to this process. */
  readonly inbox: () => string;
  /** Copies that streams are kept in. */
  readonly replicas: number;
  /** Bytes of the largest message that the servers take, its headers included. */
  readonly messageBytesMax: number;
}

/** How long a request to a JetStream leader may take before it is tried again. */
export const requestTimeoutMs = 1500;

export class Nats extends Context.Service<Nats, NatsLink>()("tailrace/cluster/Nats") {
  /** Connects, waiting for servers that are not there yet; fails if they refuse. */
  static readonly layer = (settings: Settings): Layer.Layer<Nats, NatsUnusable> =>
    Layer.effect(
      Nats,
      Effect.gen(function* () {
        const options = yield* Effect.tryPromise({
          try: () => connectionOptions(settings),
          catch: (error) => new NatsUnusable({ message: errorText(error) }),
        });
        const attempt = Effect.tryPromise({
          try: () => connectNats(options),
          catch: (error) => error,
        });
        // Around each attempt: who waits for servers that are not there can be told to stop.
        const connection = yield* Effect.acquireRelease(
          attempt,
          (connection) => Effect.promise(() => connection.close()),
        ).pipe(
          Effect.tapError((error) =>
            Effect.logWarning(
              `cannot connect to NATS at ${settings.nats.url}: ${connectFailure(error)}`,
            )
          ),
          Effect.retry({ schedule: Schedule.spaced(2000), while: isTransient }),
          Effect.mapError((error) =>
            new NatsUnusable({
              message: `NATS at ${settings.nats.url} refuses this client: ${errorText(error)}`,
            })
          ),
        );
        const health = yield* Effect.acquireRelease(
          Effect.sync(() => new LinkHealth(connection)),
          (health) => Effect.sync(() => health.close()),
        );
        const manager = yield* Effect.promise(() =>
          jetstreamManager(connection, { checkAPI: false, timeout: requestTimeoutMs })
        );
        return {
          connection,
          manager,
          health,
          inbox: () => createInbox(settings.nats.inbox_prefix),
          replicas: Number(settings.nats.replicas),
          messageBytesMax: connection.info?.max_payload ?? 1024 * 1024,
        };
      }),
    );
}

/** Why there is no connection. A server that asks for a client's certificate says nothing at all to one without. */
function connectFailure(error: unknown): string {
  return error instanceof errors.TimeoutError
    ? "it does not answer, as servers do that ask for a client's certificate (nats.tls_cert_file) and get none"
    : errorText(error);
}

async function connectionOptions({ nats }: Settings): Promise<NodeConnectionOptions> {
  const options: NodeConnectionOptions = {
    servers: nats.url.split(",").map((server) => server.trim()),
    name: `tailrace ${systemName()}`,
    inboxPrefix: nats.inbox_prefix,
    pingInterval: 2000,
    maxPingOut: 2,
    timeout: requestTimeoutMs,
    reconnectTimeWait: 200,
    maxReconnectAttempts: -1,
    // A sandboxed process may connect to the servers of its configuration and to no others.
    ignoreClusterUpdates: true,
    // By the names that it has there, which the sandbox knows; not by the addresses that they stand for.
    resolve: false,
  };
  if (nats.user !== "") Object.assign(options, { user: nats.user, pass: nats.password });
  if (nats.creds_file !== "") {
    options.authenticator = credsAuthenticator(
      new TextEncoder().encode(await readTextFile(nats.creds_file)),
    );
  } else if (nats.nkey_file !== "") {
    const seed = (await readTextFile(nats.nkey_file)).trim();
    options.authenticator = nkeyAuthenticator(new TextEncoder().encode(seed));
  }
  const { tls_ca_file: caFile, tls_cert_file: certFile, tls_key_file: keyFile } = nats;
  if (caFile !== "" || certFile !== "") {
    options.tls = {
      ...(caFile === "" ? {} : { caFile }),
      ...(certFile === "" ? {} : { certFile, keyFile }),
    };
  }
  return options;
}
