/** A small disk of its own for tests of full and read-only disks: a tmpfs in a mount namespace that a sleeping
 *  child holds. Owns the namespace and its size; serverProcess.ts runs servers inside it through enterCommand.
 *  Invariant: the machine's own mounts are never touched, and no rights beyond a user namespace are needed. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A mounted tmpfs that only processes started through enterCommand see. */
export class TemporaryDisk {
  /** The mount point. */
  readonly directory: string;
  readonly #holder: ChildProcess;

  private constructor(directory: string, holder: ChildProcess) {
    this.directory = directory;
    this.#holder = holder;
  }

  /** Mounts an empty disk of `bytes`. */
  static async create(bytes: number): Promise<TemporaryDisk> {
    const directory = mkdtempSync(join(tmpdir(), "tailrace-disk-"));
    const script =
      `mount -t tmpfs -o size=${bytes} tailrace "$1" && echo mounted && exec sleep infinity`;
    const holder = spawn("unshare", [
      "--user",
      "--map-root-user",
      "--mount",
      "sh",
      "-c",
      script,
      "sh",
      directory,
    ], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    process.once("exit", () => holder.kill("SIGKILL"));
    await new Promise<void>((resolve, reject) => {
      let complaint = "";
      holder.stderr.on("data", (part: Buffer) => complaint += part.toString());
      holder.stdout.once("data", () => resolve());
      holder.once("error", reject);
      holder.once(
        "close",
        (code) => reject(new Error(`Cannot mount a temporary disk (exit ${code}): ${complaint}`)),
      );
    });
    return new TemporaryDisk(directory, holder);
  }

  /** What to put before a command line to run it where the disk is mounted. */
  get enterCommand(): ReadonlyArray<string> {
    return [
      "nsenter",
      "--target",
      String(this.#holder.pid),
      "--user",
      "--mount",
      "--preserve-credentials",
      "--",
    ];
  }

  /** Changes the size of the disk while it is in use. */
  resize(bytes: number): void {
    this.#run(["mount", "-o", `remount,size=${bytes}`, this.directory]);
  }

  /** Forbids or allows writing; forbidding fails while files are open for writing. */
  setReadOnly(readOnly: boolean): void {
    this.#run(["mount", "-o", `remount,${readOnly ? "ro" : "rw"}`, this.directory]);
  }

  /** Bytes that may still be written. */
  freeBytes(): number {
    return this.#df("avail");
  }

  sizeBytes(): number {
    return this.#df("size");
  }

  #df(column: "avail" | "size"): number {
    const output = this.#run(["df", "--block-size=1", `--output=${column}`, this.directory]);
    return Number(output.split("\n")[1]);
  }

  /** Gives the disk back; what ran in it must have ended. */
  remove(): void {
    this.#holder.kill("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  }

  #run(command: ReadonlyArray<string>): string {
    const [program, ...parameters] = [...this.enterCommand, ...command];
    return execFileSync(program as string, parameters, { encoding: "utf8" });
  }
}
