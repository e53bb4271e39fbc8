/** Torture of the collector: files grow and are rotated in every way (renamed, copied and truncated, compressed, the oldest
 *  deleted) while collector and server are killed at random and started again. In the end every line that was
 *  written is in the store exactly once. To be run by hand: rotations within seconds of a kill can still fail it.
 *  TAILRACE_TORTURE_SECONDS (default 10), TAILRACE_TORTURE_FILES (12) and TAILRACE_TORTURE_LINES (lines a second, 4000)
 *  set the size for each runtime, TAILRACE_TORTURE_SEED repeats a run's choices. */
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Test } from "tap";
import t from "tap";
import { CollectorProcess } from "../../src/testing/collectorProcess.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { type Random, randomFrom, seedFrom } from "../../src/testing/random.ts";
import { runtimes, ServerProcess, settingsWithoutLimits } from "../../src/testing/serverProcess.ts";

const seconds = Number(process.env["TAILRACE_TORTURE_SECONDS"] ?? "10");
const fileCount = Number(process.env["TAILRACE_TORTURE_FILES"] ?? "12");
const linesPerSecond = Number(process.env["TAILRACE_TORTURE_LINES"] ?? "4000");
const seed = seedFrom("TAILRACE_TORTURE_SEED");
/** Rotated files that are kept of each log; a line in an older one may be gone before a collector that was
 *  down comes back. */
const keptMax = 12;
const roundMs = 50;

/** One log: its lines carry its index and a number that counts up. */
interface Log {
  readonly index: number;
  readonly path: string;
  written: number;
  rotations: number;
}

t.comment(`seed ${seed}: TAILRACE_TORTURE_SEED=${seed} repeats these choices`);

for (const runtime of runtimes) {
  t.test(`${runtime}: ${fileCount} files, ${linesPerSecond} lines/s, ${seconds} s`, async (t) => {
    const random = randomFrom(`${seed}-${runtime}`);
    const startNs = BigInt(Date.now() - 1000) * 1_000_000n;
    const server = await ServerProcess.start({ runtime, settings: settingsWithoutLimits });
    t.teardown(() => server.remove());
    const collector = await CollectorProcess.start({ runtime, config: configFor(server) });
    t.teardown(() => collector.remove());
    const logs = Array.from({ length: fileCount }, (_, index): Log => ({
      index,
      // Rotated files of every other log match its glob, as with a careless "*".
      path: join(collector.logs, `${index}.${index % 2 === 0 ? "log" : "out"}`),
      written: 0,
      rotations: 0,
    }));
    const kills = { collector: 0, server: 0 };
    const killing = new AbortController();
    const killers = [
      killRepeatedly(collector, random, killing.signal, () => kills.collector++),
      killRepeatedly(server, random, killing.signal, () => kills.server++),
    ];
    await writeAll(logs, random);
    killing.abort();
    await Promise.all(killers);
    const written = logs.reduce((sum, log) => sum + log.written, 0);
    const rotations = logs.reduce((sum, log) => sum + log.rotations, 0);
    t.comment(
      `${written} lines, ${rotations} rotations; ${kills.collector} times the collector was ` +
        `killed, ${kills.server} times the server`,
    );
    await checkLines(t, server, collector, logs, startNs);
  });
}

function configFor(server: ServerProcess) {
  return (logs: string) => ({
    clients: [{
      url: `${server.baseUrl}/loki/api/v1/push`,
      batchwait: "200ms",
      backoff_config: { min_period: "100ms", max_period: "1s" },
    }],
    target_config: { sync_period: "1s" },
    scrape_configs: [{
      job_name: "torture",
      static_configs: [
        { targets: ["localhost"], labels: { app: "torture", __path__: `${logs}/*.log` } },
        { targets: ["localhost"], labels: { app: "torture", __path__: `${logs}/*.out*` } },
      ],
    }],
  });
}

/** Writes at the wanted rate in rounds, rotating now and then. */
async function writeAll(logs: ReadonlyArray<Log>, random: Random): Promise<void> {
  const endMs = performance.now() + seconds * 1000;
  const perRound = linesPerSecond * roundMs / 1000;
  // About three rotations of each file, however long the run.
  const rotationChance = Math.max(200, Math.floor(seconds * 1000 / roundMs / 4));
  while (performance.now() < endMs) {
    const beganMs = performance.now();
    for (const log of logs) {
      const count = Math.round(perRound / logs.length * (0.5 + random.below(100) / 100));
      writeLines(log, count, random);
      if (random.oneIn(rotationChance / 3)) rotate(log, random);
    }
    await sleep(Math.max(0, roundMs - (performance.now() - beganMs)));
  }
}

function writeLines(log: Log, count: number, random: Random): void {
  let text = "";
  for (let index = 0; index < count; index++) {
    text += `${log.index} ${log.written++} ${"x".repeat(random.below(200))}\n`;
  }
  // Written in two pieces, so that a reader sees lines without an end.
  const cut = random.below(text.length + 1);
  appendFileSync(log.path, text.slice(0, cut));
  appendFileSync(log.path, text.slice(cut));
}

function rotate(log: Log, random: Random): void {
  if (!existsSync(log.path) || statSync(log.path).size === 0) return;
  const name = (number: number) => `${log.path}.${number}`;
  const rotated = name(log.rotations++);
  switch (random.below(3)) {
    case 0:
      renameSync(log.path, rotated);
      break;
    case 1:
      copyFileSync(log.path, rotated);
      truncateSync(log.path);
      break;
    case 2:
      // logrotate compresses under a name of its own, then takes the plain file away.
      renameSync(log.path, rotated);
      writeFileSync(`${rotated}.gz`, gzipSync(readFileSync(rotated)));
      rmSync(rotated);
  }
  for (const old of [name(log.rotations - keptMax), `${name(log.rotations - keptMax)}.gz`]) {
    rmSync(old, { force: true });
  }
}

async function killRepeatedly(
  program: ServerProcess | CollectorProcess,
  random: Random,
  signal: AbortSignal,
  onKill: () => void,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(random.between(200, 4000));
    if (signal.aborted) return;
    await program.kill();
    onKill();
    // Sometimes again while it starts.
    if (random.oneIn(4)) {
      program.launch();
      await sleep(random.between(5, 800));
      await program.kill();
    }
    await sleep(random.below(1000));
    await program.launchAndWait();
  }
}

/** Waits until as many lines have arrived as were written, and some time for duplicates, then compares them. */
async function checkLines(
  t: Test,
  server: ServerProcess,
  collector: CollectorProcess,
  logs: ReadonlyArray<Log>,
  startNs: bigint,
): Promise<void> {
  const query = new QueryClient(server.baseUrl);
  t.teardown(() => query.close());
  const seen = logs.map((log) => new Uint8Array(log.written));
  const written = logs.reduce((sum, log) => sum + log.written, 0);
  let unchanged = 0;
  let before = -1;
  for (;;) {
    const found = await countLines(query, seen, startNs);
    const missing = written - found;
    // Ten seconds without a further line mean that nothing more comes.
    unchanged = found === before ? unchanged + 1 : 0;
    before = found;
    if ((missing <= 0 && unchanged >= 1) || unchanged > 10) break;
    await sleep(1000);
  }
  const lost: string[] = [];
  const doubled: string[] = [];
  for (const log of logs) {
    seen[log.index]!.forEach((count, number) => {
      if (count === 0) lost.push(`${log.index} ${number}`);
      else if (count > 1) doubled.push(`${log.index} ${number}`);
    });
  }
  t.strictSame(lost.slice(0, 20), [], `none of ${written} lines is lost (${lost.length} are)`);
  t.strictSame(doubled.slice(0, 20), [], `none is there twice (${doubled.length} are)`);
  if (lost.length + doubled.length > 0) t.comment(collector.output);
}

async function countLines(
  query: QueryClient,
  seen: ReadonlyArray<Uint8Array>,
  startNs: bigint,
): Promise<number> {
  for (const counts of seen) counts.fill(0);
  const entries = await query.all({
    query: '{app="torture"}',
    start: startNs,
    end: BigInt(Date.now() + 60_000) * 1_000_000n,
    limit: 50_000,
  });
  for (const { line } of entries) {
    const [file, number] = line.split(" ", 2);
    const counts = seen[Number(file)];
    if (counts?.[Number(number)] === undefined) throw new Error(`A line nobody wrote: ${line}`);
    if (counts[Number(number)]! < 255) counts[Number(number)]!++;
  }
  return entries.length;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
