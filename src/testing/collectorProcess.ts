/** Runs the real collector as a child process in a directory of its own, on either runtime. Owns start, stop,
 *  kill -9 and restart, and the directory with its configuration, positions and logs; what is written and
 *  expected is the test's business.
 *  Invariant: it signals only processes it started, and nothing it started outlives the test. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  freePort,
  type ProcessUsage,
  type RuntimeName,
  runtimePid,
  usageOf,
} from "./serverProcess.ts";

const launcherPath = fileURLToPath(new URL("../../bin/tailrace.mjs", import.meta.url));
const outputCharsMax = 1_000_000;

export interface CollectorOptions {
  readonly runtime: RuntimeName;
  /** The configuration but for `server` and `positions`, given the directory for logs; or the whole file as text; or none. */
  readonly config: ((logs: string) => Readonly<Record<string, unknown>> | string) | undefined;
  /** Given the directory for logs. */
  readonly flags?: ReadonlyArray<string> | ((logs: string) => ReadonlyArray<string>);
  readonly environment?: Readonly<Record<string, string>>;
  /** What it reads from standard input. */
  readonly input?: string;
}

export class CollectorProcess {
  readonly directory: string;
  /** Where the files to tail belong. */
  readonly logs: string;
  readonly port: number;
  readonly #options: CollectorOptions;
  /** Variables that the next start gets. */
  environment: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #ended: Promise<number | null> = Promise.resolve(null);
  #output = "";

  private constructor(options: CollectorOptions, port: number) {
    this.#options = options;
    this.port = port;
    this.environment = options.environment ?? {};
    this.directory = mkdtempSync(join(tmpdir(), "tailrace-collector-"));
    this.logs = join(this.directory, "logs");
    mkdirSync(this.logs);
    started.add(this);
    if (options.config !== undefined) this.configure(options.config(this.logs));
  }

  /** A collector that has not been started. */
  static async create(options: CollectorOptions): Promise<CollectorProcess> {
    return new CollectorProcess(options, await freePort());
  }

  static async start(options: CollectorOptions): Promise<CollectorProcess> {
    const collector = await CollectorProcess.create(options);
    await collector.launchAndWait();
    return collector;
  }

  /** Replaces the configuration; it counts from the next start on. */
  configure(config: Readonly<Record<string, unknown>> | string): void {
    const path = join(this.directory, "config.yaml");
    if (typeof config === "string") return writeFileSync(path, config);
    const whole = {
      server: { http_listen_address: "127.0.0.1", http_listen_port: this.port },
      positions: { filename: join(this.directory, "positions.yaml"), sync_period: "1s" },
      ...config,
    };
    // JSON is YAML.
    writeFileSync(path, JSON.stringify(whole, undefined, 2));
  }

  get output(): string {
    return this.#output;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null &&
      this.#child.signalCode === null;
  }

  /** Resolves with the exit code when the current process has ended. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }

  /** The process id of the launcher. */
  get pid(): number {
    return this.#child!.pid!;
  }

  /** CPU time and memory of the runtime that collects. */
  usage(): ProcessUsage {
    return usageOf(this.runtimePid());
  }

  /** The process id of the runtime. */
  runtimePid(): number {
    return runtimePid(this.pid);
  }

  launch(): void {
    const { config, flags = [], input } = this.#options;
    const child = spawn("env", [
      "-u",
      "NODE_OPTIONS",
      process.execPath,
      launcherPath,
      "collect",
      ...(config === undefined ? [] : [`--config.file=${join(this.directory, "config.yaml")}`]),
      `--server.http-listen-port=${this.port}`,
      `--data-dir=${join(this.directory, "positions.d")}`,
      ...(typeof flags === "function" ? flags(this.logs) : flags),
    ], {
      env: { ...process.env, ...this.environment, TAILRACE_RUNTIME: this.#options.runtime },
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    const remember = (part: Buffer) => {
      this.#output = (this.#output + part.toString()).slice(-outputCharsMax);
    };
    child.stdin.on("error", () => {});
    child.stdin.end(input ?? "");
    child.stdout.on("data", remember);
    child.stderr.on("data", remember);
    this.#child = child;
    this.#ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => {
        signalGroup(child, "SIGKILL");
        resolve(code);
      });
    });
  }

  async launchAndWait(): Promise<void> {
    this.launch();
    while (this.isRunning) {
      if ((await this.page("/ready")).startsWith("Ready")) return;
      await sleep(20);
    }
    throw new Error(`The collector ended before it was ready:\n${this.#output}`);
  }

  /** The text of one of its pages; "" if there is no answer. */
  page(path: string): Promise<string> {
    return fetch(`http://127.0.0.1:${this.port}${path}`).then((reply) => reply.text(), () => "");
  }

  /** The value of a metric, by its name and labels as /metrics shows them; NaN if it is not shown. */
  async metric(series: string): Promise<number> {
    const line = (await this.page("/metrics")).split("\n").find((line) =>
      line.startsWith(`${series} `)
    );
    return line === undefined ? Number.NaN : Number(line.slice(series.length + 1));
  }

  /** SIGTERM, and the exit code. */
  async stop(): Promise<number | null> {
    if (this.isRunning) this.#child!.kill("SIGTERM");
    return await this.#ended;
  }

  /** kill -9: launcher and collector at the same instant. */
  async kill(): Promise<void> {
    if (this.#child !== undefined && this.isRunning) signalGroup(this.#child, "SIGKILL");
    await this.#ended;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
    started.delete(this);
  }

  /** At the exit of the test's process. */
  abandon(): void {
    if (this.#child !== undefined && this.isRunning) signalGroup(this.#child, "SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const started = new Set<CollectorProcess>();
process.once("exit", () => {
  for (const collector of started) collector.abandon();
});

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal);
  } catch {
    // The whole group has ended already.
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
