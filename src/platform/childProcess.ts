/** A program that runs as long as its output is wanted. Owns starting and stopping it; what it prints is the caller's. It is not
 *  read from while the caller has not taken the last part, which makes it wait. */
import { spawn } from "node:child_process";

export interface RunningProgram {
  readonly output: AsyncIterable<Uint8Array>;
  /** Resolves once it has ended, with its exit code (null if a signal ended it) and the end of what it printed as errors. */
  readonly ended: Promise<{ readonly code: number | null; readonly errors: string }>;
  readonly stop: () => void;
}

/** What is kept of its errors. */
const errorCharsMax = 4_000;

/** Starts a program that is found by PATH. `ended` rejects if it cannot be started. */
export function runProgram(name: string, parameters: ReadonlyArray<string>): RunningProgram {
  const child = spawn(name, parameters, { stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  child.stderr.setEncoding("utf8");
  child.stderr.on("data", (text: string) => errors = (errors + text).slice(-errorCharsMax));
  const ended = new Promise<{ code: number | null; errors: string }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, errors: errors.trim() }));
  });
  // Whoever reads the output first hears of a failure there.
  ended.catch(() => {});
  return { output: child.stdout, ended, stop: () => void child.kill("SIGTERM") };
}
