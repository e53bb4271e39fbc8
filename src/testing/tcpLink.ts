/** One direction of a network between two processes: a TCP proxy on loopback that can go silent, or replace a word in what
 *  callers send. Owns the silence: while the link is cut nothing passes and nothing is closed, which is what a partition looks
 *  like from both ends. Needs no rights. */
import { createServer, type Server, Socket } from "node:net";
import { freePort } from "./serverProcess.ts";

/** A word and one of the same length that takes its place. */
export interface Replacement {
  readonly from: string;
  readonly to: string;
}

export class TcpLink {
  readonly port: number;
  readonly #replacement: Replacement | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(port: number, server: Server, replacement: Replacement | undefined) {
    this.port = port;
    this.#server = server;
    this.#replacement = replacement;
  }

  /** A link to a loopback port, which need not listen yet. */
  static async to(target: number, replacement?: Replacement): Promise<TcpLink> {
    const port = await freePort();
    const server = createServer();
    const link = new TcpLink(port, server, replacement);
    server.on("connection", (socket) => link.#join(socket, target));
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    server.unref();
    return link;
  }

  /** From here on nothing passes in either direction; new connections are taken and hear nothing. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** What was held back passes, in order. */
  heal(): void {
    this.#isCut = false;
    for (const socket of this.#sockets) socket.resume();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(near: Socket, target: number): void {
    const far = new Socket();
    far.connect(target, "127.0.0.1");
    const change = this.#replacement === undefined ? undefined : replacer(this.#replacement);
    for (const [from, to] of [[near, far], [far, near]] as const) {
      this.#sockets.add(from);
      if (this.#isCut) from.pause();
      from.on("data", (bytes) => {
        if (to.writableLength < heldBytesMax) {
          to.write(from === near ? change?.(bytes) ?? bytes : bytes);
        } else to.destroy();
      });
      from.on("error", () => {});
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}

/** A receiver that is further behind is cut off. */
const heldBytesMax = 64 * 1024 * 1024;

/** Replaces a word in a stream of chunks. A chunk that ends within the word keeps that much back for the next. */
function replacer({ from, to }: Replacement): (bytes: Buffer) => Buffer {
  let held = "";
  return (bytes) => {
    const text = (held + bytes.toString("latin1")).replaceAll(from, to);
    let keep = Math.min(from.length - 1, text.length);
    while (keep > 0 && !from.startsWith(text.slice(-keep))) keep--;
    held = keep === 0 ? "" : text.slice(-keep);
    return Buffer.from(keep === 0 ? text : text.slice(0, -keep), "latin1");
  };
}
