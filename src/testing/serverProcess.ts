/** Runs the real server as a child process on a free loopback port, in a directory of its own, on either runtime.
 *  Owns start, stop, kill -9, restart and measuring (CPU, peak memory); what is asked of the server is the test's
 *  business. Invariant: it signals only processes it started, and nothing it started outlives the test. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { randomFrom } from "./random.ts";
import type { TemporaryDisk } from "./temporaryDisk.ts";

export type RuntimeName = "deno" | "node";

/** The runtimes that end-to-end tests run on: both, unless TAILRACE_TEST_RUNTIMES names some. */
export const runtimes: ReadonlyArray<RuntimeName> = chosenRuntimes();

export interface ServerOptions {
  readonly runtime: RuntimeName;
  /** Configuration by YAML path, such as `"limits_config.reject_old_samples": "false"`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where the data lies; a new temporary directory, removed by remove(), when absent. */
  readonly dataDirectory?: string;
  /** A small or read-only disk to hold the data directory. */
  readonly disk?: TemporaryDisk;
  readonly port?: number;
  /** bin/tailrace.mjs of another installation. */
  readonly launcher?: string;
}

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProcessUsage {
  /** User and system time of the server and of children it has waited for, in seconds. */
  readonly cpuSeconds: number;
  /** Highest resident set so far. */
  readonly peakResidentBytes: number;
  readonly residentBytes: number;
}

/** Limits raised so far that only the work itself sets the pace: for tests and benchmarks about something else. */
export const settingsWithoutLimits: Readonly<Record<string, string>> = {
  "limits_config.reject_old_samples": "false",
  "limits_config.ingestion_rate_mb": "100000",
  "limits_config.ingestion_burst_size_mb": "100000",
  "limits_config.per_stream_rate_limit": "100GB",
  "limits_config.per_stream_rate_limit_burst": "100GB",
  "limits_config.max_entries_limit_per_query": "10000000",
  "limits_config.max_global_streams_per_user": "1000000",
};

/** A server that can be started, stopped and started again on the same port and data. */
export class ServerProcess {
  readonly runtime: RuntimeName;
  readonly port: number;
  readonly dataDirectory: string;
  readonly #options: ServerOptions;
  readonly #ownsDirectory: boolean;
  #child: ChildProcess | undefined;
  #ended: Promise<ProcessEnd> | undefined;
  #output = "";

  private constructor(options: ServerOptions, port: number) {
    this.runtime = options.runtime;
    this.port = port;
    this.#options = options;
    this.#ownsDirectory = options.dataDirectory === undefined && options.disk === undefined;
    this.dataDirectory = options.dataDirectory ?? options.disk?.directory ??
      mkdtempSync(join(tmpdir(), "tailrace-data-"));
    if (this.#ownsDirectory) ownedDirectories.add(this.dataDirectory);
  }

  /** Starts a server and waits until /ready says 200. Throws with the server's output if it exits instead. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const server = await ServerProcess.create(options);
    await server.launchAndWait();
    return server;
  }

  /** A server that has not been started. */
  static async create(options: ServerOptions): Promise<ServerProcess> {
    return new ServerProcess(options, options.port ?? await freePort());
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Standard output and standard error since the first start; the newest 1 MB of it. */
  get output(): string {
    return this.#output;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null &&
      this.#child.signalCode === null;
  }

  /** Resolves when the current process has ended. */
  get ended(): Promise<ProcessEnd> {
    return this.#ended ?? Promise.resolve({ code: null, signal: null });
  }

  /** Starts the process and returns at once. */
  launch(): void {
    if (this.isRunning) throw new Error("Cannot launch: the server is running already");
    // tap adds its hooks to the options of every Node that it sees being started: they are taken away out of its sight.
    const command = [
      "env",
      "-u",
      "NODE_OPTIONS",
      process.execPath,
      this.#options.launcher ?? launcherPath,
      "serve",
    ];
    const [program, ...parameters] = [...(this.#options.disk?.enterCommand ?? []), ...command];
    const child = spawn(program as string, parameters, {
      env: this.#environment(),
      stdio: ["ignore", "pipe", "pipe"],
      // A process group of its own, so that kill() reaches the launcher and the runtime at once.
      detached: true,
    });
    const remember = (part: Buffer) => {
      this.#output = (this.#output + part.toString()).slice(-outputCharsMax);
    };
    child.stdout?.on("data", remember);
    child.stderr?.on("data", remember);
    this.#child = child;
    const pid = child.pid;
    if (pid !== undefined) runningGroups.add(pid);
    this.#ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => {
        if (pid !== undefined) {
          signalGroup(pid, "SIGKILL");
          runningGroups.delete(pid);
        }
        resolve({ code, signal });
      });
    });
  }

  /** Starts the process and waits until it is ready. */
  async launchAndWait(): Promise<void> {
    this.launch();
    await this.ready();
  }

  /** Waits until /ready says 200. Throws with the server's output if the process ends first. */
  async ready(): Promise<void> {
    while (this.isRunning) {
      const status = await fetch(`${this.baseUrl}/ready`).then(
        async (response) => (await response.text(), response.status),
        () => 0,
      );
      if (status === 200) return;
      await sleep(20);
    }
    const { code, signal } = await this.ended;
    throw new Error(
      `Server ended (code ${code}, signal ${signal}) before it was ready:\n${this.output}`,
    );
  }

  /** Asks the process to stop (SIGTERM to the launcher alone, as a service manager would) and waits for its end. */
  async stop(): Promise<ProcessEnd> {
    if (this.isRunning) this.#child?.kill("SIGTERM");
    return await this.ended;
  }

  /** kill -9: launcher and server at the same instant. */
  async kill(): Promise<void> {
    const pid = this.#child?.pid;
    if (pid !== undefined && this.isRunning) signalGroup(pid, "SIGKILL");
    await this.ended;
  }

  /** SIGSTOP to launcher and server: it holds its connections and does nothing. */
  freeze(): void {
    const pid = this.#child?.pid;
    if (pid !== undefined && this.isRunning) signalGroup(pid, "SIGSTOP");
  }

  /** SIGCONT. */
  thaw(): void {
    const pid = this.#child?.pid;
    if (pid !== undefined && this.isRunning) signalGroup(pid, "SIGCONT");
  }

  /** Kills what runs and deletes the data. */
  async remove(): Promise<void> {
    await this.kill();
    if (!this.#ownsDirectory) return;
    rmSync(this.dataDirectory, { recursive: true, force: true });
    ownedDirectories.delete(this.dataDirectory);
  }

  /** What the server process itself (not its launcher) has used since it started. */
  usage(): ProcessUsage {
    return usageOf(this.serverPid());
  }

  /** The process id of the runtime that serves: the launcher's child, or the launcher if it has none. */
  serverPid(): number {
    const launcher = this.#child?.pid;
    if (launcher === undefined || !this.isRunning) throw new Error("The server is not running");
    return runtimePid(launcher);
  }

  #environment(): NodeJS.ProcessEnv {
    const environment: NodeJS.ProcessEnv = {
      ...process.env,
      TAILRACE_RUNTIME: this.runtime,
      TAILRACE_SERVER_HTTP_LISTEN_PORT: String(this.port),
      TAILRACE_SERVER_HTTP_LISTEN_ADDRESS: "127.0.0.1",
      TAILRACE_COMMON_PATH_PREFIX: this.dataDirectory,
    };
    // tap preloads its own hooks into child processes, which are not the server's.
    for (const [path, value] of Object.entries(this.#options.settings ?? {})) {
      environment[`TAILRACE_${path.replaceAll(".", "_").toUpperCase()}`] = value;
    }
    return environment;
  }
}

/** The process id of the runtime that a launcher started: its child, or itself if it has none. */
export function runtimePid(launcher: number): number {
  return childrenOf(launcher)[0] ?? launcher;
}

/** What a process has used so far. */
export function usageOf(pid: number): ProcessUsage {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return {
    cpuSeconds: cpuSecondsOf(pid),
    peakResidentBytes: kilobytesIn(status, "VmHWM") * 1024,
    residentBytes: kilobytesIn(status, "VmRSS") * 1024,
  };
}

/** A loopback port that nothing listens on, below the range that outgoing connections take theirs from, so that a
 *  server can be restarted on it. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = ports.between(12_000, 32_000);
    if (await canListen(port)) return port;
  }
}

/** TAILRACE_TEST_LAUNCHER tests another installation than the one these tests belong to. */
const launcherPath = process.env["TAILRACE_TEST_LAUNCHER"] ||
  fileURLToPath(new URL("../../bin/tailrace.mjs", import.meta.url));
const outputCharsMax = 1_000_000;
const clockTicksPerSecond = 100;
const ports = randomFrom(`${process.pid}-${Date.now()}`);
const runningGroups = new Set<number>();
const ownedDirectories = new Set<string>();

process.once("exit", cleanUp);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    cleanUp();
    // Once every other listener is gone: while there is one, the signal ends nothing.
    setImmediate(() => process.kill(process.pid, signal));
  });
}

function cleanUp(): void {
  for (const pid of runningGroups) signalGroup(pid, "SIGKILL");
  for (const directory of ownedDirectories) rmSync(directory, { recursive: true, force: true });
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The whole group has ended already.
  }
}

function chosenRuntimes(): ReadonlyArray<RuntimeName> {
  const chosen = process.env["TAILRACE_TEST_RUNTIMES"];
  if (chosen === undefined || chosen === "") return ["deno", "node"];
  return chosen.split(",").map((name) => {
    if (name !== "deno" && name !== "node") {
      throw new Error(`TAILRACE_TEST_RUNTIMES has "${name}": must be deno or node`);
    }
    return name;
  });
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

function childrenOf(parent: number): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number)
    .filter((pid) => statFields(pid)?.[1] === String(parent)).sort((a, b) => a - b);
}

/** Fields of /proc/<pid>/stat from the third (state) on: the second is a name that may hold spaces. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** User and system time of a process and of children it has waited for, in seconds. */
export function cpuSecondsOf(pid: number): number {
  const fields = statFields(pid);
  if (fields === undefined) throw new Error(`Process ${pid} has ended`);
  // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), which counts from 1.
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / clockTicksPerSecond;
}

function kilobytesIn(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? Number.NaN);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
