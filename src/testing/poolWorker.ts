/** Jobs that misbehave on request, for tests of the worker pool. Runs in a worker thread, without Effect as the real one. */
import process from "node:process";
import { serveJobs, threadData } from "../platform/workerHost.ts";

/** How the test and a running job tell each other where they are. */
export interface SpinJob {
  /** Element 0 becomes 1 when the job runs; element 1 counts its checks. */
  readonly flags: Int32Array<SharedArrayBuffer>;
}

serveJobs({
  double: (value: number) => value * 2,
  data: () => threadData<unknown>(),
  transfer: (length: number, context) => {
    const bytes = new Uint8Array(length).fill(7);
    context.transfer.push(bytes.buffer);
    return bytes;
  },
  fail: () => {
    const error = new Error("the disk is on fire");
    error.name = "DiskOnFire";
    throw error;
  },
  failWithText: () => {
    throw "only text";
  },
  /** Runs until it is cancelled. */
  spin: ({ flags }: SpinJob, { cancelled }) => {
    Atomics.store(flags, 0, 1);
    Atomics.notify(flags, 0);
    while (!cancelled()) Atomics.wait(flags, 1, Atomics.add(flags, 1, 1) + 1, 1);
    throw new Error("cancelled");
  },
  /** Writes its name behind those of the jobs before it; element 1 counts them. */
  note: ({ flags, name }: SpinJob & { readonly name: number }) => {
    flags[1 + Atomics.add(flags, 1, 1) + 1] = name;
    return name;
  },
  die: () => process.exit(3),
});
