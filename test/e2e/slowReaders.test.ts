/** Clients that ask for large answers and read nothing of them: what is held for all of them is bounded, they lose their
 *  connections to those that read, and nothing of them stays. Told by counters and answers; loopback itself takes some
 *  megabytes of each answer. */
import { connect, type Socket } from "node:net";
import type { Test } from "tap";
import WebSocket from "ws";
import { onServer, type Scenario, type ScenarioBody } from "../../src/testing/onServer.ts";

const second = 1_000_000_000n;
const lineCount = 640;
const heldMax = 60_000_000;

onServer({ "querier.max_held_response_bytes": `${heldMax}` }, {
  "HTTP clients that read nothing give way to one that reads": (t, scenario) =>
    giveWay(t, scenario, openHttp),
  "WebSocket clients that read nothing give way to one that reads": (t, scenario) =>
    giveWay(t, scenario, (scenario) => openWebSocket(scenario)),
  "live tails that read nothing give way, too": tailsGiveWay,
  "an answer in pieces is whole, over HTTP and over WebSocket": whole,
});

/** A client that reads nothing. */
interface Stuck {
  /** Resolves when the server has ended its connection. */
  readonly ended: Promise<unknown>;
  readonly leave: () => void;
}

async function giveWay(
  t: Test,
  scenario: Scenario,
  open: (scenario: Scenario) => Stuck,
): Promise<void> {
  await pushLines(scenario);
  const endedBefore = await metric(scenario, "tailrace_slow_clients_ended_total");
  const stuck: Stuck[] = [];
  // Two of them fill what may be held.
  while (await metric(scenario, "tailrace_held_answer_bytes") < 40_000_000) {
    const before = await metric(scenario, "tailrace_held_answer_bytes");
    stuck.push(open(scenario));
    await until(async () => await metric(scenario, "tailrace_held_answer_bytes") > before);
  }
  const held = await metric(scenario, "tailrace_held_answer_bytes");
  t.ok(held <= heldMax, `${held} bytes are held`);
  // Those that have only just begun not to read are given a moment.
  let reply = await askForAll(scenario);
  while (reply.status === 429) reply = await askForAll(scenario);
  t.equal(reply.status, 200);
  t.equal(linesOf(reply.body), lineCount, "who reads gets an answer");
  t.ok(await metric(scenario, "tailrace_slow_clients_ended_total") > endedBefore);
  await Promise.race(stuck.map(({ ended }) => ended));
  for (const { leave } of stuck) leave();
  await until(async () => await metric(scenario, "tailrace_held_answer_bytes") === 0);
}

/** Their lines are counted like answers: whoever asks ends tails that read nothing, and gets an answer. */
async function tailsGiveWay(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const endedBefore = await metric(scenario, "tailrace_slow_clients_ended_total");
  const query = new URLSearchParams({ query: `{app="${scenario.app}"}` });
  const stuck = Array.from(
    { length: 4 },
    () => openWebSocket(scenario, `/loki/api/v1/tail?${query}`),
  );
  await until(async () => await metric(scenario, "tailrace_tail_clients") === stuck.length);
  // Each may have 16 MB waiting, and as much that is being sent.
  while (await metric(scenario, "tailrace_held_answer_bytes") < 40_000_000) {
    await pushLines(scenario);
  }
  const held = await metric(scenario, "tailrace_held_answer_bytes");
  t.ok(held <= heldMax, `${held} bytes are held`);
  let reply = await askForAll(scenario);
  while (reply.status === 429) reply = await askForAll(scenario);
  t.equal(reply.status, 200);
  t.ok(await metric(scenario, "tailrace_slow_clients_ended_total") > endedBefore);
  await Promise.race(stuck.map(({ ended }) => ended));
  for (const { leave } of stuck) leave();
  await until(async () => await metric(scenario, "tailrace_held_answer_bytes") === 0);
}

async function whole(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  await pushLines(scenario);
  t.equal(linesOf((await askForAll(scenario)).body), lineCount);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let rows = 0;
  const socket = webSocket(scenario);
  socket.on("error", reject);
  socket.on("close", () => resolve(rows));
  socket.on("message", (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as { readonly type: string };
    if (frame.type === "rows") rows += linesOf(data.toString());
  });
  t.equal(await promise, lineCount);
  t.equal(await metric(scenario, "tailrace_held_answer_bytes"), 0);
}

/** 20 MB in lines of 32 KB. */
async function pushLines({ push, app, now }: Scenario): Promise<void> {
  for (let number = 0; number < 10; number++) {
    await push.push([{
      labels: `{app="${app}"}`,
      entries: Array.from({ length: lineCount / 10 }, (_, index) => ({
        timestamp: now + BigInt(number * 1000 + index),
        line: `${number} ${index} ${"x".repeat(32_000)}`,
      })),
    }]);
  }
}

function parametersOf({ app, now }: Scenario): URLSearchParams {
  return new URLSearchParams({
    query: `{app="${app}"}`,
    start: String(now - second),
    end: String(now + second),
    limit: "1000",
  });
}

function askForAll(scenario: Scenario) {
  const parameters = Object.fromEntries(parametersOf(scenario));
  return scenario.query.get("/loki/api/v1/query_range", parameters);
}

function linesOf(body: string): number {
  return body.split('xxx"').length - 1;
}

function openHttp(scenario: Scenario): Stuck {
  const socket: Socket = connect(Number(new URL(scenario.server.baseUrl).port), "127.0.0.1");
  socket.pause();
  socket.on("error", () => {});
  socket.write(
    `GET /loki/api/v1/query_range?${parametersOf(scenario)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  );
  const ended = new Promise((resolve) => socket.on("close", resolve));
  // Who reads nothing does not see the end either: that shows when it writes.
  const writing = setInterval(() => socket.write("\r\n"), 50);
  return {
    ended: ended.finally(() => clearInterval(writing)),
    leave: () => socket.destroy(),
  };
}

function openWebSocket(scenario: Scenario, path?: string): Stuck {
  const socket = webSocket(scenario, path);
  socket.on("open", () => socket.pause());
  socket.on("error", () => {});
  const ended = new Promise((resolve) => socket.on("close", resolve));
  const writing = setInterval(() => {
    if (socket.readyState === WebSocket.OPEN) socket.ping();
  }, 50);
  return {
    ended: ended.finally(() => clearInterval(writing)),
    leave: () => socket.terminate(),
  };
}

function webSocket(
  scenario: Scenario,
  path = `/tailrace/api/v1/query?${parametersOf(scenario)}`,
): WebSocket {
  return new WebSocket(`${scenario.server.baseUrl.replace(/^http/, "ws")}${path}`);
}

async function metric({ query }: Scenario, name: string): Promise<number> {
  const { body } = await query.get("/metrics");
  const line = body.split("\n").find((line) => line.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!await holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
