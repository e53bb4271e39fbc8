/** What the collector costs: CPU seconds for a GB of files that are read, parsed and shipped, and what 10,000
 *  files cost that hardly grow. The collector runs as its own process with its real delivery (snappy, disk
 *  buffer with fdatasync, HTTP) to a server here that takes everything; CPU time and memory come from /proc.
 *  Usage: node bench/collector.ts [--gb=0.5] [--files=10000] [read|idle]; TAILRACE_TEST_RUNTIMES limits runtimes. */
import {
  appendFileSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import process from "node:process";
import { CollectorProcess } from "../src/testing/collectorProcess.ts";
import { lineMakers } from "../src/testing/logLines.ts";
import { randomFrom } from "../src/testing/random.ts";
import { type RuntimeName, runtimes } from "../src/testing/serverProcess.ts";

const flags = new Map(
  process.argv.slice(2).map((argument) =>
    argument.replace(/^--/, "").split("=") as [string, string]
  ),
);
const corpusBytes = Number(flags.get("gb") ?? "0.5") * 1e9;
const fileCount = Number(flags.get("files") ?? "10000");
const idleSeconds = 30;
const corpusFiles = 8;

const pipelines: ReadonlyArray<readonly [string, ReadonlyArray<unknown>]> = [
  ["none", []],
  ["cri", [{ cri: {} }]],
  ["cri, json, labels", [
    { cri: {} },
    { json: { expressions: { level: "level" } } },
    { labels: { level: null } },
  ]],
];

/** Takes every push. */
class Sink {
  readonly #server: Server;
  bytes = 0;
  pushes = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      request.on("data", (part: Buffer) => this.bytes += part.byteLength);
      request.on("end", () => {
        this.pushes++;
        response.writeHead(204).end();
      });
    });
  }

  static async start(): Promise<Sink> {
    const sink = new Sink();
    await new Promise<void>((resolve) => sink.#server.listen(0, "127.0.0.1", resolve));
    return sink;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return `http://127.0.0.1:${address.port}/loki/api/v1/push`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

if (!flags.has("idle") || flags.has("read")) {
  console.log(
    "| runtime | pipeline | CPU s per GB | MB/s | peak MB | sent |\n|---|---|---|---|---|---|",
  );
  for (const runtime of runtimes) {
    for (const [name, stages] of pipelines) await measureReading(runtime, name, stages);
  }
}
if (!flags.has("read") || flags.has("idle")) {
  console.log(
    "| runtime | files | lines/s | CPU % | wake-ups/s | RSS MB | start CPU s |\n" +
      "|---|---|---|---|---|---|---|",
  );
  for (const runtime of runtimes) await measureIdle(runtime);
}

async function measureReading(
  runtime: RuntimeName,
  name: string,
  stages: ReadonlyArray<unknown>,
): Promise<void> {
  const sink = await Sink.start();
  const collector = await startCollector(runtime, sink, stages);
  try {
    await settled(collector);
    const { lines, bytes } = writeCorpus(collector.logs);
    const before = collector.usage();
    const startedMs = performance.now();
    for (const name of readdirSync(collector.logs)) {
      // Made known by one rename each, whole.
      renameSync(join(collector.logs, name), join(collector.logs, name.replace(".new", ".log")));
    }
    const host = new URL(sink.url).host;
    const sent = `promtail_sent_entries_total{host="${host}"}`;
    // Before the first push there is no such figure.
    while (!(await collector.metric(sent) >= lines)) {
      if (!collector.isRunning) throw new Error(collector.output);
      await sleep(200);
    }
    const seconds = (performance.now() - startedMs) / 1000;
    const after = collector.usage();
    const cpu = after.cpuSeconds - before.cpuSeconds;
    console.log(
      `| ${runtime} | ${name} | ${(cpu * 1e9 / bytes).toFixed(2)} | ` +
        `${(bytes / 1e6 / seconds).toFixed(0)} | ${megabytes(after.peakResidentBytes)} | ` +
        `${megabytes(sink.bytes)} MB in ${sink.pushes} |`,
    );
  } finally {
    if (process.env.HACKFLAGS) await collector.stop();
    await collector.remove();
    sink.close();
  }
}

/** Idle but for one line a second in each of a hundred files. */
async function measureIdle(runtime: RuntimeName): Promise<void> {
  const sink = await Sink.start();
  const collector = await CollectorProcess.create({ runtime, config: configFor(sink, []) });
  try {
    for (let index = 0; index < fileCount; index++) {
      appendFileSync(join(collector.logs, `${index}.log`), `${index} first line of the file\n`);
    }
    await collector.launchAndWait();
    const host = new URL(sink.url).host;
    const sent = `promtail_sent_entries_total{host="${host}"}`;
    while (!((await collector.metric(sent)) >= fileCount)) await sleep(500);
    const started = collector.usage().cpuSeconds;
    // Until all files count as idle.
    await sleep(75_000);
    const wakesBefore = wakeUps(collector.runtimePid());
    const before = collector.usage();
    const linesPerSecond = 100;
    for (let second = 0; second < idleSeconds; second++) {
      for (let index = 0; index < linesPerSecond; index++) {
        appendFileSync(join(collector.logs, `${index * 97 % fileCount}.log`), "a further line\n");
      }
      await sleep(1000);
    }
    const after = collector.usage();
    const wakes = (wakeUps(collector.runtimePid()) - wakesBefore) / idleSeconds;
    const percent = (after.cpuSeconds - before.cpuSeconds) / idleSeconds * 100;
    console.log(
      `| ${runtime} | ${fileCount} | ${linesPerSecond} | ${percent.toFixed(1)} | ` +
        `${wakes.toFixed(0)} | ${megabytes(after.residentBytes)} | ${started.toFixed(1)} |`,
    );
  } finally {
    await collector.remove();
    sink.close();
  }
}

async function startCollector(
  runtime: RuntimeName,
  sink: Sink,
  stages: ReadonlyArray<unknown>,
): Promise<CollectorProcess> {
  return await CollectorProcess.start({ runtime, config: configFor(sink, stages) });
}

function configFor(sink: Sink, stages: ReadonlyArray<unknown>) {
  return (logs: string) => ({
    clients: [{ url: sink.url }],
    scrape_configs: [{
      job_name: "bench",
      static_configs: [{ targets: ["localhost"], labels: { __path__: `${logs}/*.log` } }],
      pipeline_stages: stages,
    }],
  });
}

/** JSON lines as a container runtime frames them. */
function writeCorpus(directory: string): { readonly lines: number; readonly bytes: number } {
  const random = randomFrom(7);
  let lines = 0;
  let bytes = 0;
  let timeMs = Date.now() - 3_600_000;
  for (let index = 0; index < corpusFiles; index++) {
    const file = openSync(join(directory, `${index}.new`), "w");
    const end = corpusBytes * (index + 1) / corpusFiles;
    while (bytes < end) {
      const made: string[] = [];
      for (let count = 0; count < 2000; count++) {
        timeMs += 1;
        lineMakers.json({ random, app: "gateway", pod: "gateway-7f9-x2", timeMs }, made);
      }
      const time = new Date(timeMs).toISOString().replace("Z", "123456Z");
      const text = made.map((line) => `${time} stdout F ${line}\n`).join("");
      bytes += writeSync(file, text);
      lines += made.length;
    }
    closeSync(file);
  }
  return { lines, bytes };
}

/** Waits until starting has cost what it costs. */
async function settled(collector: CollectorProcess): Promise<void> {
  for (let before = -1;;) {
    const { cpuSeconds } = collector.usage();
    if (cpuSeconds - before < 0.05) return;
    before = cpuSeconds;
    await sleep(1000);
  }
}

/** How often threads of the process have gone on after waiting. */
function wakeUps(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    const status = readFileSync(`/proc/${pid}/task/${task}/status`, "utf8");
    return sum + Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  }, 0);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
