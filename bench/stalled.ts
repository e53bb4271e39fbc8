/** Measures what clients that read nothing cost: how much memory the server has before them and at its peak while twelve of
 *  each kind ask for 60 MB, or tail 240 MB that are pushed, and what of that it counts.
 *  `node bench/stalled.ts [--clients=12]`; TAILRACE_TEST_RUNTIMES as for report.ts. */
import { connect } from "node:net";
import { writeFileSync } from "node:fs";
import { PushClient } from "../src/testing/pushClient.ts";
import { randomFrom } from "../src/testing/random.ts";
import {
  type RuntimeName,
  runtimes,
  ServerProcess,
  settingsWithoutLimits,
} from "../src/testing/serverProcess.ts";

const lineChars = 1100;
const linesOfPush = 2000;
const pushes = 50;
const watchMs = 40_000;
const limit = 50_000;
const now = BigInt(Date.now() - 60_000) * 1_000_000n;
const app = `{app="big"}`;
const random = randomFrom("stalled clients");
const clients = Number(/--clients=(\d+)/.exec(process.argv.join(" "))?.[1] ?? 12);

const range = new URLSearchParams({
  query: app,
  limit: String(limit),
  start: String(now - 1_000_000_000n),
  end: String(now + 600_000_000_000n),
});

/** The request of each kind of client; what follows the first is sent over WebSocket. */
const kinds: Readonly<Record<string, string>> = {
  "answers over HTTP": `/loki/api/v1/query_range?${range}`,
  "answers over WebSocket": `/tailrace/api/v1/query?${range}`,
  "live tails": `/loki/api/v1/tail?${new URLSearchParams({ query: app, limit: "1" })}`,
};

function upgradeOf(path: string): string {
  return path.startsWith("/loki/api/v1/query_range")
    ? ""
    : "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
      `Sec-WebSocket-Key: ${btoa("0123456789abcdef")}\r\n`;
}

/** A client that asks and reads nothing. */
function stalled({ port }: ServerProcess, path: string) {
  const socket = connect(port, "127.0.0.1");
  socket.pause();
  socket.on("error", () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${upgradeOf(path)}\r\n`);
  return socket;
}

async function pushLines(server: ServerProcess, from: bigint, count: number): Promise<void> {
  const client = new PushClient(server.baseUrl);
  for (let push = 0; push < count; push++) {
    await client.push([{
      labels: app,
      entries: Array.from({ length: linesOfPush }, (_, index) => ({
        timestamp: from + BigInt(push * linesOfPush + index) * 1000n,
        line: `${push} ${index} ${random.hex(400)} `.padEnd(
          lineChars,
          '{"level":"info","text":"über"} ',
        ),
      })),
    }]);
  }
  client.close();
}

async function measure(runtime: RuntimeName, kind: string, path: string): Promise<void> {
  const server = await ServerProcess.start({ runtime, settings: settingsWithoutLimits });
  try {
    const isTail = kind === "live tails";
    if (!isTail) await pushLines(server, now, pushes);
    await fetch(`${server.baseUrl}/flush`, { method: "POST" });
    const before = server.usage().residentBytes;
    writeFileSync(`/proc/${server.serverPid()}/clear_refs`, "5");
    const startedAt = performance.now();
    const sockets = Array.from({ length: clients }, () => stalled(server, path));
    let isPushing = isTail;
    const pushing = isTail
      ? pushLines(server, BigInt(Date.now()) * 1_000_000n, pushes * 2).finally(() =>
        isPushing = false
      )
      : Promise.resolve();
    let [held, ended] = [0, 0];
    while (isPushing || performance.now() - startedAt < watchMs) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      const metrics = await (await fetch(`${server.baseUrl}/metrics`)).text();
      const value = (name: string) => Number(new RegExp(`^${name} (.*)$`, "m").exec(metrics)?.[1]);
      held = Math.max(held, value("tailrace_held_answer_bytes") || 0);
      ended = value("tailrace_slow_clients_ended_total") || 0;
    }
    await pushing;
    const { peakResidentBytes, residentBytes } = server.usage();
    console.log(
      `${runtime}, ${clients} ${kind}: resident ${mb(before)} before, ${
        mb(peakResidentBytes)
      } at the peak, ` +
        `${mb(residentBytes)} after ${watchMs / 1000} s; ${
          mb(held)
        } counted, ${ended} clients ended`,
    );
    for (const socket of sockets) socket.destroy();
  } finally {
    await server.remove();
  }
}

function mb(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

for (const runtime of runtimes) {
  for (const [kind, path] of Object.entries(kinds)) await measure(runtime, kind, path);
}
