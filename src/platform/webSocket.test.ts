/** Messages of any length arrive whole, written out in parts that are told one by one. */
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
    server.end();
    client.terminate();
    http.close();
  });
  return { server, client };
}

const mebibyte = 1024 * 1024;
const messages = ["", "short", "ä".repeat(mebibyte), "x".repeat(mebibyte / 4)];

t.test("a text or its UTF-8 arrives as one text, a quarter of a mebibyte at a time", async (t) => {
  const { server, client } = await connected(t);
  const received: string[] = [];
  const all = new Promise<void>((resolve) =>
    client.on("message", (data: Buffer, isBinary) => {
      received.push(isBinary ? "binary" : data.toString());
      if (received.length === 2 * messages.length) resolve();
    })
  );
  for (const message of messages) {
    for (const form of [message, new TextEncoder().encode(message)]) {
      let parts = 0;
      await server.send(form, () => parts++);
      const bytes = Buffer.byteLength(message);
      t.equal(parts, Math.max(1, Math.ceil(bytes / (mebibyte / 4))), `parts of ${bytes} bytes`);
    }
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
  await server.send("x".repeat(2 * mebibyte));
  server.close(1000, "");
  await new Promise((resolve) => setTimeout(resolve, 2500));
  // A server that has closed its socket answers this by taking back what was not read.
  client.ping();
  await new Promise((resolve) => setTimeout(resolve, 100));
  client.resume();
  t.equal(await closed, 1000);
  t.same(received, [2 * mebibyte]);
});
