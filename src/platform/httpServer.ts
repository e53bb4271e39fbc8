/** The HTTP server under Effect's: owns the socket-level time limits, which protect against clients that send slowly or never. */
import { NodeHttpServer } from "@effect/platform-node";
import { Duration } from "effect";
import { createServer, type Server } from "node:http";

export interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  readonly readTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
}

/** The layer that HttpRouter.serve needs. Fails with ServeError if the address cannot be listened on. */
export const httpServerLayer = (options: HttpServerOptions) =>
  NodeHttpServer.layer(() => configured(options), {
    host: options.host,
    port: options.port,
    gracefulShutdownTimeout: Duration.millis(options.shutdownTimeoutMs),
  });

function configured(options: HttpServerOptions): Server {
  const server = createServer({
    // Agents keep connections for hours; small answers should not wait for more of them.
    noDelay: true,
    keepAlive: true,
  });
  server.headersTimeout = options.readTimeoutMs;
  // The body has its own limit (readBody), which can answer; this one only cuts.
  server.requestTimeout = options.readTimeoutMs * 2;
  server.keepAliveTimeout = options.idleTimeoutMs;
  return server;
}
