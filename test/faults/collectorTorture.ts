/** Torture of the collector: files grow and are rotated in every way (renamed, copied and truncated, compressed,
 *  shifted, dated, deleted; also several times within seconds) while collector and server are killed at random and
 *  started again. In the end every line that was written and made durable is in the store exactly once. To be run by
 *  hand; tailing.test.ts does the same in virtual time.
 *
 *  TAILRACE_TORTURE_SECONDS (default 10), TAILRACE_TORTURE_FILES (12) and TAILRACE_TORTURE_LINES (lines a second, 4000)
 *  set the size for each runtime, TAILRACE_TORTURE_SEED repeats a run's choices. On a machine that cannot keep up,
 *  TAILRACE_TORTURE_KEPT_SECONDS (60) has to be longer. TAILRACE_TORTURE_EVIDENCE names a directory for what a failure leaves.
 *  With TAILRACE_TORTURE_FORMAT=cri lines come in two parts as a container's runtime writes them, which rotation (the
 *  kubelet's) leaves in two files, and must arrive joined.
 *
 *  What no collector could know is left out: a file that is deleted while nobody has it open and nobody has read it.
 *  Rotated files are deleted when they are older than `keptSeconds`, logs while the collector is not being killed. */
import { cpSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Test } from "tap";
import t from "tap";
import { CollectorProcess } from "../../src/testing/collectorProcess.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { type Random, randomFrom, seedFrom } from "../../src/testing/random.ts";
import {
  type Compression,
  compressions,
  finishRotation,
  methods,
  namings,
  RotatingLog,
} from "../../src/testing/rotatingLog.ts";
import { runtimes, ServerProcess, settingsWithoutLimits } from "../../src/testing/serverProcess.ts";

t.setTimeout(0);

const seconds = Number(process.env["TAILRACE_TORTURE_SECONDS"] ?? "10");
const fileCount = Number(process.env["TAILRACE_TORTURE_FILES"] ?? "12");
const linesPerSecond = Number(process.env["TAILRACE_TORTURE_LINES"] ?? "4000");
const seed = seedFrom("TAILRACE_TORTURE_SEED");
const isCri = process.env["TAILRACE_TORTURE_FORMAT"] === "cri";
const roundMs = 50;
const reportMs = 30_000;
/** How long rotated files are there at least: longer than the collector is ever behind. */
const keptSeconds = Number(process.env["TAILRACE_TORTURE_KEPT_SECONDS"] ?? "60");
/** Where the files, the programs' output and what was done to them go if lines are lost or doubled. */
const evidence = process.env["TAILRACE_TORTURE_EVIDENCE"];
const events: string[] = [];
/** About how many times each file is rotated. */
const rotationsPerFile = Math.max(3, seconds / 20);

/** Kills and deletions of logs take turns. */
class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }
}

interface Counts {
  collector: number;
  server: number;
  deletions: number;
  pruned: number;
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
    const logs = Array.from({ length: fileCount }, (_, index) =>
      new RotatingLog({
        // Rotated files of every other log match its glob, as with a careless "*".
        path: join(collector.logs, `${index}.${isCri || index % 2 === 0 ? "log" : "out"}`),
        naming: isCri ? "kubelet" : random.pick(namings),
        inParts: isCri,
      }));
    const counts: Counts = { collector: 0, server: 0, deletions: 0, pruned: 0 };
    const killing = new AbortController();
    const turns = new Turns();
    const helpers = [
      killRepeatedly(collector, random, killing.signal, turns, () => counts.collector++),
      killRepeatedly(server, random, killing.signal, new Turns(), () => counts.server++),
    ];
    const syncing = syncRepeatedly(logs, killing.signal);
    const reporting = setInterval(() => void report(t, server, logs, startNs), reportMs);
    const rate = await writeAll(logs, random, collector, turns, counts);
    killing.abort();
    await Promise.all([...helpers, syncing]);
    clearInterval(reporting);
    const written = writtenTo(logs);
    const rotations = logs.reduce((sum, log) => sum + log.rotations, 0);
    t.comment(
      `${written} lines, ${
        rate.toFixed(0)
      } a second, ${rotations} rotations, ${counts.deletions} logs and ` +
        `${counts.pruned} rotated files deleted; ${counts.collector} times the collector was killed, ` +
        `${counts.server} times the server`,
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
      pipeline_stages: isCri ? [{ cri: {} }] : [],
      static_configs: [
        { targets: ["localhost"], labels: { app: "torture", __path__: `${logs}/*.log` } },
        {
          targets: ["localhost"],
          labels: {
            app: "torture",
            __path__: `${logs}/*.out*`,
            // What the kubelet compresses into.
            __path_exclude__: `${logs}/*.tmp`,
          },
        },
      ],
    }],
  });
}

/** Writes at the wanted rate in rounds, rotating and deleting now and then. Returns the lines a second that it came to. */
async function writeAll(
  logs: ReadonlyArray<RotatingLog>,
  random: Random,
  collector: CollectorProcess,
  turns: Turns,
  counts: Counts,
): Promise<number> {
  const compressionOf = new Map<RotatingLog, Compression>(
    // What is compressed before it has been read is not joined.
    logs.map((log) => [log, isCri ? "never" : random.pick(compressions)]),
  );
  const rotating = new Map<RotatingLog, Generator<void>>();
  /** The one log that is about to be deleted is not written to meanwhile. */
  let deleting: RotatingLog | undefined;
  const isOver = new AbortController();
  const startedMs = performance.now();
  let lastMs = 0;
  for (let round = 0; performance.now() < startedMs + seconds * 1000; round++) {
    const elapsedMs = performance.now() - startedMs;
    // Rounds are late on a busy machine.
    const rotationChance = rotationsPerFile * (elapsedMs - lastMs) / (seconds * 1000);
    lastMs = elapsedMs;
    // What logs lack that could not be written to, the others get.
    const missing = elapsedMs / 1000 * linesPerSecond - writtenTo(logs);
    for (const log of logs) {
      // Between the steps of a rotation nothing is written, as its copy would lack it.
      const rotation = rotating.get(log);
      if (rotation !== undefined) {
        if (rotation.next().done === true) rotating.delete(log);
        continue;
      }
      if (log === deleting) continue;
      const count = Math.round(missing / logs.length * (0.5 + random.below(100) / 100));
      if (count > 0) log.write(count, random, 200, random.oneIn(4));
      if (random.fraction() < rotationChance) {
        // Which of several files was written first within a few ms cannot be told.
        const burst = !isCri && random.oneIn(4) ? 3 : 1;
        for (let index = 0; index < burst; index++) {
          const method = isCri ? "rename" : random.pick(methods);
          const compression = compressionOf.get(log)!;
          note(`${log.name} ${log.written} ${method} ${log.naming} ${compression}`);
          const next = log.rotate(method, compression);
          if (index < burst - 1) {
            finishRotation(next);
            log.write(5, random, 100);
          } else rotating.set(log, next);
        }
      }
    }
    if (round % 100 === 99) counts.pruned += prune(logs, rotating);
    if (deleting === undefined && random.oneIn(60)) {
      const log = random.pick(logs);
      if (!rotating.has(log) && log.bytes > 0) {
        deleting = log;
        log.complete();
        void deleteWhenRead(log, collector, turns, isOver.signal).then((isDeleted) => {
          if (isDeleted) counts.deletions++;
          deleting = undefined;
        });
      }
    }
    await sleep(Math.max(0, startedMs + elapsedMs + roundMs - performance.now()));
  }
  for (const log of logs) {
    const rotation = rotating.get(log);
    if (rotation !== undefined) finishRotation(rotation);
    log.complete();
  }
  const rate = writtenTo(logs) / (performance.now() - startedMs) * 1000;
  isOver.abort();
  await turns.take(async () => {});
  return rate;
}

/** Makes the logs durable one after the other, and all of them in the end. Killing processes takes nothing from the
 *  page cache: not waiting for the disk at each write makes the test no easier and lets it write faster. */
async function syncRepeatedly(
  logs: ReadonlyArray<RotatingLog>,
  signal: AbortSignal,
): Promise<void> {
  for (let isLast = false; !isLast;) {
    isLast = signal.aborted;
    for (const { path } of logs) {
      const file = await open(path, "r").catch(() => undefined);
      await file?.sync();
      await file?.close();
    }
    await sleep(roundMs);
  }
}

function writtenTo(logs: ReadonlyArray<RotatingLog>): number {
  return logs.reduce((sum, log) => sum + log.written, 0);
}

/** Says how far the store is behind, if the server lives. */
async function report(
  t: Test,
  server: ServerProcess,
  logs: ReadonlyArray<RotatingLog>,
  startNs: bigint,
): Promise<void> {
  const written = writtenTo(logs);
  const query = new QueryClient(server.baseUrl);
  const stored = await countAll(query, startNs).catch(() => "?");
  query.close();
  const passed = (Date.now() - Number(startNs / 1_000_000n)) / 1000;
  t.comment(`${passed.toFixed(0)} s: ${written} lines written, ${stored} stored`);
}

/** Deletes rotated files that are old. */
function prune(
  logs: ReadonlyArray<RotatingLog>,
  rotating: ReadonlyMap<RotatingLog, unknown>,
): number {
  let count = 0;
  for (const log of logs.filter((log) => !rotating.has(log))) {
    for (const path of log.rotated()) {
      if (Date.now() - statSync(path).mtimeMs < keptSeconds * 1000) continue;
      note(`${path} pruned`);
      rmSync(path);
      count++;
    }
  }
  return count;
}

/** Deletes a log that is not written to when the running collector has read all of it and made that durable. False if
 *  that did not come in time. It may be killed until then. */
async function deleteWhenRead(
  log: RotatingLog,
  collector: CollectorProcess,
  turns: Turns,
  signal: AbortSignal,
): Promise<boolean> {
  const read = new RegExp(`<li>${log.path.replaceAll(".", "\\.")}: (\\d+) bytes`);
  let isDeleted = false;
  while (!isDeleted && !signal.aborted) {
    await turns.take(async () => {
      const page = await collector.page("/targets");
      if (!(Number(read.exec(page)?.[1]) >= log.bytes)) return;
      note(`${log.name} ${log.written} deleted`);
      rmSync(log.path);
      isDeleted = true;
      // Longer than batchwait and a slow disk.
      await sleep(2000);
    });
    await sleep(200);
  }
  return isDeleted;
}

async function killRepeatedly(
  program: ServerProcess | CollectorProcess,
  random: Random,
  signal: AbortSignal,
  turns: Turns,
  onKill: () => void,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(random.between(200, Math.max(4000, seconds * 100)));
    if (signal.aborted) return;
    await turns.take(async () => {
      note(`${program.constructor.name} killed`);
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
      note(`${program.constructor.name} ready`);
    });
  }
}

/** Waits until as many lines have arrived as were written, and some time for duplicates, then compares them. */
async function checkLines(
  t: Test,
  server: ServerProcess,
  collector: CollectorProcess,
  logs: ReadonlyArray<RotatingLog>,
  startNs: bigint,
): Promise<void> {
  const query = new QueryClient(server.baseUrl);
  t.teardown(() => query.close());
  const seen = new Map(logs.map((log) => [log.name, new Uint8Array(log.written)]));
  const written = writtenTo(logs);
  let unchanged = 0;
  let before = -1;
  for (;;) {
    const found = await countAll(query, startNs);
    // Half a minute without a further line means that nothing more comes.
    unchanged = found === before ? unchanged + 1 : 0;
    before = found;
    if ((found >= written && unchanged >= 2) || unchanged > 15) break;
    await sleep(2000);
  }
  for (const log of logs) await countLines(query, log.name, seen.get(log.name)!, startNs);
  const lost: string[] = [];
  const doubled: string[] = [];
  for (const [name, counts] of seen) {
    counts.forEach((count, number) => {
      if (count === 0) lost.push(`${name} ${number}`);
      else if (count > 1) doubled.push(`${name} ${number}`);
    });
  }
  t.strictSame(lost.slice(0, 20), [], `none of ${written} lines is lost (${lost.length} are)`);
  t.strictSame(doubled.slice(0, 20), [], `none is there twice (${doubled.length} are)`);
  if (lost.length + doubled.length > 0) keepEvidence(t, server, collector, [...lost, ...doubled]);
}

function keepEvidence(
  t: Test,
  server: ServerProcess,
  collector: CollectorProcess,
  wrong: ReadonlyArray<string>,
): void {
  if (evidence === undefined) return t.comment(collector.output);
  cpSync(collector.directory, evidence, { recursive: true });
  for (
    const [name, text] of [
      ["collector.txt", collector.output],
      ["server.txt", server.output],
      ["wrong.txt", wrong.join("\n")],
      ["events.txt", events.join("\n")],
    ] as const
  ) writeFileSync(join(evidence, name), text);
}

async function countAll(query: QueryClient, startNs: bigint): Promise<number> {
  const seconds = Math.ceil((Date.now() - Number(startNs / 1_000_000n)) / 1000) + 60;
  const { body } = await query.get("/loki/api/v1/query", {
    query: `sum(count_over_time({app="torture"}[${seconds}s]))`,
  });
  const answer = JSON.parse(body) as {
    readonly data: {
      readonly result: ReadonlyArray<{ readonly value: readonly [number, string] }>;
    };
  };
  return Number(answer.data.result[0]?.value[1] ?? 0);
}

/** One log's lines, whatever rotation has called its files. */
async function countLines(
  query: QueryClient,
  name: string,
  counts: Uint8Array,
  startNs: bigint,
): Promise<void> {
  const stem = name.replace(/\..*/, "");
  const entries = await query.all({
    query: `{app="torture", filename=~".*/${stem}[.-].*"} |= "${name} "`,
    start: startNs,
    end: BigInt(Date.now() + 60_000) * 1_000_000n,
    limit: 50_000,
  });
  for (const { line } of entries) {
    const [file, number] = line.split(" ", 2);
    if (file !== name || counts[Number(number)] === undefined) {
      throw new Error(`A line nobody wrote: ${line}`);
    }
    if (counts[Number(number)]! < 255) counts[Number(number)]!++;
  }
}

function note(event: string): void {
  events.push(`${new Date().toISOString()} ${event}`);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
