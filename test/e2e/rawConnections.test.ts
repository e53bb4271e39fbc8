/** Clients that do not keep to HTTP's manners: bodies that trickle or never come, lengths that lie, connections
 *  that break. Each is cut off in time, and others are served meanwhile. */
import { connect, type Socket } from "node:net";
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";
import { protobufBody } from "../../src/testing/pushClient.ts";

onServer({ "server.http_server_read_timeout": "2s" }, {
  "a body that trickles is cut off": slowBody,
  "headers that trickle are cut off": slowHeaders,
  "a huge Content-Length is refused without waiting for the body": hugeLength,
  "a body shorter than promised stores nothing": brokenBody,
  "requests that are not HTTP are answered 400 or closed": notHttp,
  "an endless chunked body is cut off": endlessChunks,
  "bodies that do not say how long they are count as far as they came": manyChunked,
  "500 idle connections do not keep others out": idleConnections,
});

const pushHead =
  "POST /loki/api/v1/push HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n";

async function slowBody(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const socket = await open(scenario);
  socket.write(`${pushHead}Content-Length: 1000\r\n\r\n`);
  const trickle = setInterval(() => socket.write("x"), 100);
  const answer = await answerOf(socket);
  clearInterval(trickle);
  t.match(answer, /^(HTTP\/1\.1 4\d\d |$)/, "closed, with a 4xx or without a word");
  await othersAreServed(t, scenario);
}

async function slowHeaders(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const socket = await open(scenario);
  socket.write("POST /loki/api/v1/push HTTP/1.1\r\nHost: x\r\n");
  const trickle = setInterval(() => socket.write("X-A: b\r\n"), 100);
  const answer = await answerOf(socket);
  clearInterval(trickle);
  t.match(answer, /^(HTTP\/1\.1 4\d\d |$)/);
  await othersAreServed(t, scenario);
}

async function hugeLength(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  for (const length of ["10000000000", "99999999999999999999", "-1", "1e9", "10, 20"]) {
    const socket = await open(scenario);
    socket.write(`${pushHead}Content-Length: ${length}\r\n\r\nxxxx`);
    t.match(await answerOf(socket), /^HTTP\/1\.1 (400|413) /, `Content-Length: ${length}`);
  }
  await othersAreServed(t, scenario);
}

async function brokenBody(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { app, now, query } = scenario;
  const { bytes } = protobufBody([{
    labels: `{app="${app}"}`,
    entries: [{ timestamp: now, line: "whole" }],
  }]);
  for (const kept of [0, 1, bytes.byteLength - 1]) {
    const socket = await open(scenario);
    socket.write(`${pushHead}Content-Length: ${bytes.byteLength}\r\n\r\n`);
    socket.write(bytes.subarray(0, kept));
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
  }
  await othersAreServed(t, scenario);
  t.same(await query.range({ query: `{app="${app}"}`, start: now, end: now + 1n }), []);
}

async function notHttp(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const requests = [
    "hello\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "GET /ready HTTP/1.1\r\n\r\n",
    `GET /${"x".repeat(200_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    `GET /ready HTTP/1.1\r\nHost: x\r\nX-Long: ${"x".repeat(200_000)}\r\n\r\n`,
    "GET /loki/api/v1/query_range?query=%ff%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "GET /loki/api/v1/label/%zz/values HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "GET /loki/api/v1/tail?query=x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
  ];
  for (const request of requests) {
    const socket = await open(scenario);
    socket.write(request, "latin1");
    const answer = await answerOf(socket);
    t.match(answer, /^(HTTP\/1\.1 (4\d\d|5\d\d) |$)/, JSON.stringify(request.slice(0, 60)));
    t.notMatch(answer, /root:/, "no file of the machine");
  }
  await othersAreServed(t, scenario);
}

async function endlessChunks(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const socket = await open(scenario);
  const before = scenario.server.usage().peakResidentBytes;
  socket.write(`${pushHead}Transfer-Encoding: chunked\r\n\r\n`);
  const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
  const feed = () => {
    while (!socket.destroyed && socket.writable && socket.write(chunk));
  };
  socket.on("drain", feed);
  feed();
  t.match(await answerOf(socket), /^(HTTP\/1\.1 4\d\d |$)/);
  const grownBytes = scenario.server.usage().peakResidentBytes - before;
  t.ok(grownBytes < 500e6, `memory grew by ${(grownBytes / 1e6).toFixed(0)} MB`);
  await othersAreServed(t, scenario);
}

async function manyChunked(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { app, now, query } = scenario;
  // Each could become as large as a push may be, and a few of those are all that may be received at once.
  const waiting = await Promise.all(Array.from({ length: 8 }, () => open(scenario)));
  for (const socket of waiting) {
    socket.write(`${pushHead}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n`);
  }
  const labels = `{app="${app}", pod="chunked"}`;
  const { bytes } = protobufBody([{
    labels,
    entries: [{ timestamp: now + 9n, line: "in pieces" }],
  }]);
  const socket = await open(scenario);
  socket.write(`${pushHead}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n`);
  for (const byte of bytes) {
    socket.write("1\r\n");
    socket.write(Uint8Array.of(byte));
    socket.write("\r\n");
  }
  socket.write("0\r\n\r\n");
  t.match(await answerOf(socket), /^HTTP\/1\.1 204 /);
  for (const socket of waiting) socket.destroy();
  const found = await query.range({ query: labels, start: now + 9n, end: now + 10n });
  t.same(found.map(({ line }) => line), ["in pieces"]);
}

async function idleConnections(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: 500 }, () => open(scenario)));
  for (const socket of sockets) socket.write("POST /loki/api/v1/push HTTP/1.1\r\nHost: x\r\n");
  await othersAreServed(t, scenario);
  for (const socket of sockets) socket.destroy();
}

async function othersAreServed(
  t: Parameters<ScenarioBody>[0],
  { push, query, app, now }: Parameters<ScenarioBody>[1],
): Promise<void> {
  const labels = `{app="${app}", pod="other"}`;
  await push.push([{ labels, entries: [{ timestamp: now + 5n, line: "served" }] }]);
  const found = await query.range({ query: labels, start: now + 5n, end: now + 6n });
  t.same(found.map(({ line }) => line), ["served"], "others are served");
}

function open({ server }: Parameters<ScenarioBody>[1]): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, "127.0.0.1", () => resolve(socket));
    socket.once("error", reject);
  });
}

/** What the server says until it closes the connection; a reset counts as closing. */
function answerOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    socket.on("data", (part) => answer += part.toString("latin1"));
    socket.on("error", () => {});
    socket.on("close", () => resolve(answer));
  });
}
