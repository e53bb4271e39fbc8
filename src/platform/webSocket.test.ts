/** Messages of any length arrive whole, and a client that reads nothing is told from one that does, and why it is ended. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import WebSocket from "ws";
import { acceptWebSocket, type WebSocketConnection } from "./webSocket.ts";

/** Both ends of a connection. */
async function connected(
  t: Test,
): Promise<{ readonly server: WebSocketConnection; readonly client: WebSocket }> {
  const { promise, resolve } = Promise.withResolvers<WebSocketConnection>();
  const http = createServer();
  http.on("upgrade", (request: IncomingMessage) => void acceptWebSocket(request).then(resolve));
  await new Promise<void>((listening) => http.listen(0, "127.0.0.1", listening));
  const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
  const server = await promise;
  t.teardown(() => {
    server.end("the test is over");
    client.terminate();
    http.close();
  });
  return { server, client };
}

const mebibyte = 1024 * 1024;
const messages = ["", "short", "ä".repeat(mebibyte), "x".repeat(mebibyte / 4)];

t.test("a message of one piece or of several arrives as one text", async (t) => {
  const { server, client } = await connected(t);
  const received: string[] = [];
  const all = new Promise<void>((resolve) =>
    client.on("message", (data: Buffer, isBinary) => {
      received.push(isBinary ? "binary" : data.toString());
      if (received.length === 2 * messages.length) resolve();
    })
  );
  for (const message of messages) {
    const bytes = new TextEncoder().encode(message);
    await server.send([bytes]);
    await server.send([bytes.subarray(0, 1), bytes.subarray(1)]);
  }
  await all;
  t.ok(
    messages.every((message, index) =>
      received[2 * index] === message && received[2 * index + 1] === message
    ),
  );
});

t.test("what was sent before the end arrives also where it is read late", async (t) => {
  const { server, client } = await connected(t);
  const received: number[] = [];
  client.on("message", (data: Buffer) => received.push(data.length));
  const closed = new Promise<number>((resolve) => client.on("close", resolve));
  // An error is told by the code, too.
  client.on("error", () => {});
  if (client.readyState !== WebSocket.OPEN) {
    await new Promise<void>((resolve) => client.once("open", resolve));
  }
  client.pause();
  await server.send([new Uint8Array(2 * mebibyte).fill(0x20)]);
  server.close(1000, "");
  await new Promise((resolve) => setTimeout(resolve, 2500));
  // A server that has closed its socket answers this by taking back what was not read.
  client.ping();
  await new Promise((resolve) => setTimeout(resolve, 100));
  client.resume();
  t.equal(await closed, 1000);
  t.same(received, [2 * mebibyte]);
});

t.test("a client that reads nothing is seen, and told why it is ended when it reads again", async (t) => {
  const { server, client } = await connected(t);
  if (client.readyState !== WebSocket.OPEN) {
    await new Promise<void>((resolve) => client.once("open", resolve));
  }
  t.equal(server.stalledMs(), 0);
  client.pause();
  // More than the system's buffers take.
  const sending = server.send([new Uint8Array(64 * mebibyte).fill(0x20)]);
  while (server.stalledMs() < 100) await new Promise((resolve) => setTimeout(resolve, 10));
  const closed = new Promise<readonly [number, string]>((resolve) =>
    client.on("close", (code, reason: Buffer) => resolve([code, reason.toString()]))
  );
  server.end("read faster");
  await t.rejects(sending, { message: "read faster" }, "what was being sent is given up");
  t.equal(server.stalledMs(), 0);
  client.resume();
  t.same(await closed, [1008, "read faster"]);
  await server.closed;
});
