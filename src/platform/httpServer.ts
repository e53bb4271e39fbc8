/** The HTTP server under Effect's: owns the socket-level time limits, which protect against clients that send slowly or never. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer";
import { Duration, Effect, Layer } from "effect";
import { createServer, type IncomingMessage, type Server } from "node:http";

export interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  readonly readTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** How long nothing may move on a connection while a request is answered. */
  readonly quietTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
}

/** The address cannot be listened on. */
export class CannotListen extends Error {
  override readonly name = "CannotListen";
}

/** The layer that HttpRouter.serve needs. Fails with CannotListen. */
export const httpServerLayer = (options: HttpServerOptions) => {
  const layer = NodeHttpServer.layer(() => configured(options), {
    host: options.host,
    port: options.port,
    gracefulShutdownTimeout: Duration.millis(options.shutdownTimeoutMs),
  });
  return Layer.catchTag(layer, "ServeError", (error) => {
    const refusal = Effect.fail(cannotListen(options, error.cause));
    return Layer.effectContext<Layer.Success<typeof layer>, CannotListen, never>(refusal);
  });
};

/** Ends the connection of a node:http request at once, whatever was going on. */
export function endConnection(request: object): void {
  (request as IncomingMessage).socket.destroy();
}

function cannotListen({ host, port }: HttpServerOptions, cause: unknown): CannotListen {
  const { code, message } = cause as { readonly code?: string; readonly message?: string };
  const address = `${host}:${port}`;
  switch (code) {
    case "EADDRINUSE":
      return new CannotListen(
        `cannot listen on ${address}: the port is in use by another process; stop that one, or set ` +
          "server.http_listen_port to another port",
      );
    case "EACCES":
      return new CannotListen(
        `cannot listen on ${address}: not permitted; ports below 1024 need privileges, set server.http_listen_port to a higher one`,
      );
    case "EADDRNOTAVAIL":
      return new CannotListen(
        `cannot listen on ${address}: this machine does not have that address; check server.http_listen_address`,
      );
    default:
      return new CannotListen(`cannot listen on ${address}: ${message ?? String(cause)}`);
  }
}

function configured(options: HttpServerOptions): Server {
  const server = createServer({
    // Agents keep connections for hours; small answers should not wait for more of them.
    noDelay: true,
    keepAlive: true,
    // How often the limits below are looked at; by default every 30 s.
    connectionsCheckingInterval: 1000,
  });
  server.headersTimeout = options.readTimeoutMs;
  // The body has its own limit (readBody), which can answer; this one only cuts.
  server.requestTimeout = options.readTimeoutMs * 2;
  server.keepAliveTimeout = options.idleTimeoutMs;
  // A connection on which nothing moves, also in the middle of an answer, is gone.
  server.timeout = options.quietTimeoutMs;
  endConnectionsOnClose(server);
  return server;
}

/** Once the server closes, each answer also ends its connection: clients that keep theirs busy would hold up the stop. */
function endConnectionsOnClose(server: Server): void {
  const close = server.close.bind(server);
  let isClosing = false;
  server.close = (callback) => {
    isClosing = true;
    return close(callback);
  };
  server.on("request", (_request, response) => {
    if (isClosing) response.setHeader("connection", "close");
  });
}
