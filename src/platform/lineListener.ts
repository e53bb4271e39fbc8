/** Sockets that programs send log messages to: TCP with or without TLS, UDP. Owns listening, the number of
 *  connections and idle ones; what the bytes mean is the caller's. A TCP connection is not read while the
 *  caller has not taken its last part. */
import * as dgram from "node:dgram";
import * as net from "node:net";
import * as tls from "node:tls";
import { type ClientTls, tlsOptions } from "./httpPush.ts";

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly idleMs: number;
  readonly tls?: ClientTls | undefined;
}

const connectionsMax = 10_000;

/** Listens for TCP connections until closed; `onConnection` gets each one's bytes as they come. */
export function listenTcp(
  options: ListenOptions,
  onConnection: (parts: AsyncIterable<Uint8Array>, address: string) => Promise<void>,
): Promise<{ readonly close: () => void }> {
  const sockets = new Set<net.Socket>();
  const accept = (socket: net.Socket) => {
    sockets.add(socket);
    socket.setTimeout(options.idleMs, () => socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    onConnection(socket, socket.remoteAddress ?? "").catch(() => {}).finally(() =>
      socket.destroy()
    );
  };
  const server = options.tls === undefined
    ? net.createServer(accept)
    : tls.createServer(tlsOptions(options.tls), accept);
  server.maxConnections = connectionsMax;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () =>
      resolve({
        close: () => {
          server.close();
          for (const socket of sockets) socket.destroy();
        },
      }));
  });
}

/** Receives datagrams until closed. */
export function listenUdp(
  options: ListenOptions,
  onMessage: (bytes: Uint8Array, address: string) => void,
): Promise<{ readonly close: () => void }> {
  const socket = dgram.createSocket(options.host.includes(":") ? "udp6" : "udp4");
  socket.on("message", (bytes, { address }) => onMessage(bytes, address));
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(options.port, options.host, () => resolve({ close: () => socket.close() }));
  });
}
