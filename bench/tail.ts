/** Measures the live tail: 10,000 lines a second pushed in small batches, and how long each takes from the push to
 *  a client. `node bench/tail.ts [--seconds=20] [--rate=10000] [--runtimes=deno,node]` prints a Markdown table. */
import { PushClient } from "../src/testing/pushClient.ts";
import { type RuntimeName, runtimes, ServerProcess } from "../src/testing/serverProcess.ts";
import { settingsWithoutLimits } from "../src/testing/serverProcess.ts";
import { TailClient } from "../src/testing/tailClient.ts";
import { quantile } from "./ingest.ts";

export interface TailFigures {
  readonly runtime: RuntimeName;
  readonly sent: number;
  readonly received: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** From when a push was due to its 204, which waits for its turn on 16 connections. */
  readonly pushP99Ms: number;
  /** Named in dropped_entries. */
  readonly dropped: number;
  readonly cpuSecondsPerSecond: number;
}

/** Pushes `linesPerSecond` for `seconds` in 100 pushes a second over 10 streams while one client tails them all, from `tailed` if
 *  that is another server. */
export async function measureTail(
  server: ServerProcess,
  linesPerSecond: number,
  seconds: number,
  tailed: ServerProcess = server,
): Promise<TailFigures> {
  const sentAtMs: number[] = [];
  const latenciesMs: number[] = [];
  const seen = new Set<number>();
  const tail = await TailClient.open(tailed.baseUrl, {
    query: `{app="tail-bench"} |= "line"`,
    limit: 1,
    onEntry: ({ line }, receivedAtMs) => {
      const number = Number(/^line (\d+)/.exec(line)?.[1]);
      if (seen.has(number)) return;
      seen.add(number);
      latenciesMs.push(receivedAtMs - (sentAtMs[number] as number));
    },
  });
  // The lines from before it are one: it must have begun.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const client = new PushClient(server.baseUrl, { connectionsMax: 16 });
  const linesPerPush = Math.round(linesPerSecond / pushesPerSecond);
  const cpuSecondsNow = () =>
    [...new Set([server, tailed])].reduce((sum, each) => sum + each.usage().cpuSeconds, 0);
  const before = cpuSecondsNow();
  const startedAt = performance.now();
  const pending: Promise<void>[] = [];
  const pushMs: number[] = [];
  for (let push = 0; push < pushesPerSecond * seconds; push++) {
    const dueInMs = startedAt + push * 1000 / pushesPerSecond - performance.now();
    if (dueInMs > 0) await new Promise((resolve) => setTimeout(resolve, dueInMs));
    const entries = Array.from({ length: linesPerPush }, (_, row) => {
      sentAtMs.push(performance.now());
      return {
        timestamp: BigInt(Date.now()) * 1_000_000n + BigInt(row),
        line: `line ${push * linesPerPush + row} level=info msg="request completed" status=200`,
      };
    });
    const pushedAt = performance.now();
    const pushed = client.push([{
      labels: `{app="tail-bench", stream="${push % streamCount}"}`,
      entries,
    }]);
    pending.push(pushed.then(() => void pushMs.push(performance.now() - pushedAt)));
  }
  await Promise.all(pending);
  // Two quiet seconds after the last arrival: nothing more will come.
  for (let last = -1; last !== seen.size && seen.size < sentAtMs.length;) {
    last = seen.size;
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
  const cpuSeconds = cpuSecondsNow() - before;
  await tail.close();
  client.close();
  latenciesMs.sort((a, b) => a - b);
  pushMs.sort((a, b) => a - b);
  return {
    runtime: server.runtime,
    sent: sentAtMs.length,
    received: seen.size,
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    maxMs: latenciesMs.at(-1) ?? Number.NaN,
    pushP99Ms: quantile(pushMs, 0.99),
    dropped: tail.dropped.length,
    cpuSecondsPerSecond: cpuSeconds / seconds,
  };
}

/** One line of the Markdown table per runtime. */
export function tailTable(figures: ReadonlyArray<TailFigures>): string {
  const rows = figures.map((row) =>
    `| ${row.runtime} | ${row.sent} | ${
      (100 * row.received / row.sent).toFixed(2)
    } % | ${row.dropped} | ${row.p50Ms.toFixed(1)} | ${row.p99Ms.toFixed(1)} | ${
      row.maxMs.toFixed(1)
    } | ${row.pushP99Ms.toFixed(1)} | ${row.cpuSecondsPerSecond.toFixed(2)} |`
  );
  return [
    "| runtime | lines sent | received | dropped | p50 ms | p99 ms | max ms | p99 ms to the 204 | CPU seconds per second |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

const pushesPerSecond = 100;
const streamCount = 10;

if (import.meta.main) {
  const numberOf = (name: string, byDefault: number) => {
    const given = process.argv.find((parameter) => parameter.startsWith(`--${name}=`));
    return given === undefined ? byDefault : Number(given.slice(name.length + 3));
  };
  const figures: TailFigures[] = [];
  for (const runtime of runtimes) {
    const server = await ServerProcess.start({ runtime, settings: settingsWithoutLimits });
    figures.push(await measureTail(server, numberOf("rate", 10_000), numberOf("seconds", 20)));
    await server.remove();
  }
  console.log(tailTable(figures));
}
