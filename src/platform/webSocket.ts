/** The server side of a WebSocket, with the backpressure that Effect's Socket does not offer: `send` resolves when the bytes have
 *  left for the network, so that a slow client can be told from a fast one. Pings keep proxies from closing a quiet connection
 *  and find clients that are gone. */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

export interface WebSocketConnection {
  /** Sends a text message, given as pieces of UTF-8; resolves when it has been written out, rejects when the connection is gone.
   *  A long one goes in several frames, so that pings come through meanwhile and it is seen whether the client reads: callers
   *  send one message at a time. */
  readonly send: (pieces: ReadonlyArray<Uint8Array>) => Promise<void>;
  /** Closes with a code of RFC 6455 and a reason of at most 123 bytes, once; later calls do nothing. The client has `waitMs` to
   *  read what was sent before. */
  readonly close: (code: number, reason: string, waitMs?: number) => void;
  /** For how long the client has taken nothing of what is being sent, ms; 0 while nothing is. */
  readonly stalledMs: () => number;
  /** Ends it soon, also if the client reads nothing: one that begins to read in time learns the reason. What is being sent is
   *  given up. */
  readonly end: (reason: string) => void;
  /** Resolves when the connection has ended, however that came. */
  readonly closed: Promise<void>;
}

const pingMs = 5000;
/** Pings without an answer after which the client counts as gone. */
const missedPingsMax = 6;
/** Megabytes can wait in the system's buffers for a slow client, and are lost with the socket when it says something meanwhile.
 *  As long as pings may stay unanswered, which wait behind them. */
const closeMs = missedPingsMax * pingMs;
/** What the socket's library holds of a client that reads nothing. */
const frameBytes = 256 * 1024;
/** What a client that read nothing has to read why it is ended. */
const endMs = 2000;
/** RFC 6455: the client does not do what this server demands of it. */
const policyViolation = 1008;
/** What clients say to us is nothing; a frame larger than this ends the connection. */
const receivedBytesMax = 64 * 1024;

const server = new WebSocketServer({
  noServer: true,
  maxPayload: receivedBytesMax,
  perMessageDeflate: false,
  clientTracking: false,
});

/** Completes the upgrade of `request`, a node:http request whose socket nobody else writes to. Rejects if the handshake is
 *  refused; the client has then got its answer. */
export function acceptWebSocket(request: object): Promise<WebSocketConnection> {
  const source = request as IncomingMessage;
  const socket = source.socket as Socket;
  return new Promise((resolve, reject) => {
    const onClose = () => reject(new Error("the connection closed during the WebSocket handshake"));
    socket.once("close", onClose);
    // No client sends frames before it has read the handshake's answer: there is no head to pass on.
    server.handleUpgrade(source, socket, Buffer.alloc(0), (webSocket) => {
      socket.off("close", onClose);
      resolve(connectionOf(webSocket));
    });
  });
}

function connectionOf(webSocket: WebSocket): WebSocketConnection {
  let missedPings = 0;
  let closing: ReturnType<typeof setTimeout> | undefined;
  const pinging = setInterval(() => {
    if (++missedPings > missedPingsMax) webSocket.terminate();
    else webSocket.ping();
  }, pingMs);
  webSocket.on("pong", () => missedPings = 0);
  // The close event follows and is what matters.
  webSocket.on("error", () => {});
  const closed = new Promise<void>((resolve) => {
    webSocket.once("close", () => {
      clearInterval(pinging);
      clearTimeout(closing);
      resolve();
    });
  });
  const close = (code: number, reason: string, waitMs: number) => {
    if (closing !== undefined || webSocket.readyState === webSocket.CLOSED) return;
    webSocket.close(code, reason);
    // A client that does not answer the close must not keep the connection.
    closing = setTimeout(() => webSocket.terminate(), waitMs);
    closing.unref?.();
  };
  let takenAtMs: number | undefined;
  let giveUp = (_error: Error) => {};
  const sendPart = (part: Uint8Array, isLast: boolean) =>
    new Promise<void>((resolve, reject) => {
      giveUp = reject;
      webSocket.send(
        part,
        { binary: false, fin: isLast },
        (error) => error == null ? resolve() : reject(error),
      );
    });
  return {
    send: async (pieces) => {
      takenAtMs = performance.now();
      try {
        for (let piece = 0; piece < pieces.length; piece++) {
          const bytes = pieces[piece]!;
          let from = 0;
          do {
            // A copy, so that what the library holds on to is no more than this.
            const part = bytes.length > frameBytes ? bytes.slice(from, from + frameBytes) : bytes;
            from += frameBytes;
            await sendPart(part, piece === pieces.length - 1 && from >= bytes.length);
            takenAtMs = performance.now();
          } while (from < bytes.length);
        }
      } finally {
        takenAtMs = undefined;
      }
    },
    stalledMs: () => takenAtMs === undefined ? 0 : performance.now() - takenAtMs,
    end: (reason) => {
      close(policyViolation, reason, endMs);
      giveUp(new Error(reason));
    },
    close: (code, reason, waitMs = closeMs) => close(code, reason, waitMs),
    closed,
  };
}
