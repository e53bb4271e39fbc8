/** Connections to NATS that no error of a socket can end the process with.
 *
 *  Works around @nats-io/transport-node 3.4: between the steps of a connection (dialled, INFO read, TLS agreed) it takes all its
 *  listeners from the socket and adds the next ones a promise later. Deno may hand a socket two events without running
 *  promises in between, and an "error" that nobody listens to ends a process: a server that asks for a client's certificate
 *  ended one client of five that had none. Here each socket keeps a listener of its own, and a connection whose socket failed
 *  in such a gap is closed with that error instead of waiting for it. */
import {
  type NatsConnection,
  NatsConnectionImpl,
  type NodeConnectionOptions,
  setTransportFactory,
} from "@nats-io/transport-node";
import { NodeTransport } from "@nats-io/transport-node/lib/node_transport.js";
import { createConnection, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";

/** Connects to the first of `options.servers` that answers; rejects with why none does. Servers are named by their addresses
 *  or by names that the system resolves (`resolve: false`). */
export function connectNats(options: NodeConnectionOptions): Promise<NatsConnection> {
  setTransportFactory({ factory: () => new HeardTransport() });
  return NatsConnectionImpl.connect(options);
}

/** The client's transport, with sockets that are always listened to. */
export class HeardTransport extends NodeTransport {
  #failure: Error | undefined;

  override dial({ hostname, port }: { hostname: string; port: number }): Promise<Socket> {
    const socket = this.#heard(createConnection(port, hostname));
    socket.setNoDelay(true);
    return opened(socket, "connect");
  }

  override async startTLS(): Promise<TLSSocket> {
    const { ca, cert, key } = (this.options.tls && await this.loadClientCerts()) || {};
    const socket = this.#heard(connectTls({
      ca,
      cert,
      key,
      socket: this.socket,
      servername: this.tlsName,
    }));
    return opened(socket, "secureConnect");
  }

  override setupHandlers(): void {
    super.setupHandlers();
    if (this.socket.destroyed) void this.close(this.#failure);
  }

  #heard<Kind extends Socket>(socket: Kind): Kind {
    const listen = () => socket.on("error", (error) => this.#failure ??= error);
    const { removeAllListeners } = socket;
    socket.removeAllListeners = function (...events) {
      removeAllListeners.apply(this, events);
      return listen();
    };
    return listen();
  }
}

/** The socket once `event` says that it can be used; rejects with why it closed before. */
function opened<Kind extends Socket>(
  socket: Kind,
  event: "connect" | "secureConnect",
): Promise<Kind> {
  return new Promise((resolve, reject) => {
    let failure: Error | undefined;
    socket.once("error", (error) => failure = error);
    socket.once("close", () => reject(failure ?? new Error("the server closed the connection")));
    socket.once(event, () => {
      socket.removeAllListeners();
      resolve(socket);
    });
  });
}
