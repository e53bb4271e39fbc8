/** Measures planning: what it takes until it is known which of 200,000 stored chunks a query has to read, and for how long nobody
 *  else has a turn meanwhile. `node bench/planning.ts [--chunks=200000]`, and the same with `deno run -A`. */
import { Effect } from "effect";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { planUnits } from "../src/actors/policy/scanPlan.ts";
import { inTurns } from "../src/platform/turns.ts";
import { openSqliteIndex } from "../src/storage/embedded/SqliteIndex.ts";

const chunkCount = Number(/--chunks=(\d+)/.exec(process.argv.join(" "))?.[1] ?? 200_000);
const streamCount = 1000;
const rounds = 7;
const start = 1_700_000_000_000_000_000n;

/** Every stream has a chunk in each segment, of a minute. */
function segmentOf(number: number) {
  const from = start + BigInt(number) * 60_000_000_000n;
  return {
    key: `segments/0/${String(number).padStart(20, "0")}`,
    partition: 0,
    logFrom: 1 + number,
    logTo: 2 + number,
    bytes: 1_000_000,
    createdAt: from,
    streams: Array.from({ length: streamCount }, (_, stream) => ({
      tenant: "fake",
      labels: `{app="app-${stream % 10}", pod="pod-${stream}"}`,
      chunks: [{
        offset: stream * 1000,
        length: 1000,
        rowCount: 100,
        rawBytes: 10_000,
        minTime: from + BigInt(stream),
        maxTime: from + 59_000_000_000n,
      }],
    })),
  };
}

/** The longest time between two turns of a timer while `work` runs, and all of it; ms. */
async function timed<Result>(work: () => Promise<Result>) {
  let [last, longest] = [performance.now(), 0];
  const turn = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  let isRunning = true;
  const turns = (): void => {
    turn();
    if (isRunning) setImmediate(turns);
  };
  setImmediate(turns);
  const [startedAt, usage] = [performance.now(), process.cpuUsage()];
  const result = await work();
  turn();
  isRunning = false;
  const { user, system } = process.cpuUsage(usage);
  return { result, ms: performance.now() - startedAt, longest, cpuMs: (user + system) / 1000 };
}

const directory = mkdtempSync(join(tmpdir(), "tailrace-planning-"));
const program = Effect.gen(function* () {
  const index = yield* openSqliteIndex(join(directory, "index.sqlite"));
  for (let number = 0; number < chunkCount / streamCount; number++) {
    yield* index.commit(segmentOf(number));
  }
  const query = {
    tenant: "fake",
    matchers: [],
    range: { start: 0n, end: 2n ** 62n },
    coveredTo: new Map(),
  };
  const find = () => Effect.runPromise(index.findChunks(query));
  const plan = (chunks: Awaited<ReturnType<typeof find>>) =>
    Effect.runPromise(inTurns(() => planUnits(chunks, [], "backward"), String));
  for (let round = 0; round < rounds; round++) {
    const found = yield* Effect.promise(() => timed(find));
    const planned = yield* Effect.promise(() => timed(() => plan(found.result)));
    const text = ({ ms, cpuMs, longest }: { ms: number; cpuMs: number; longest: number }) =>
      `${ms.toFixed(0)} ms, CPU ${cpuMs.toFixed(0)} ms, longest turn ${longest.toFixed(0)} ms`;
    console.log(
      `${found.result.length} chunks found: ${text(found)}; ` +
        `${planned.result.length} units planned: ${text(planned)}`,
    );
  }
});
await Effect.runPromise(Effect.scoped(program)).finally(() =>
  rmSync(directory, { recursive: true })
);
