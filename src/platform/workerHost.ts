/** The inside of a worker thread: takes jobs from the pool (workerPool.ts), runs the handler of their kind, replies.
 *  Handlers are synchronous; one that runs long asks `cancelled()` between blocks and throws when it says so. */
import { parentPort, workerData } from "node:worker_threads";
import { releaseShared } from "./externalMemory.ts";

export interface JobMessage {
  readonly id: number;
  readonly kind: string;
  readonly payload: unknown;
}

export type ReplyMessage =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: JobErrorMessage };

/** An error as it crosses threads: cloning an Error would lose its name. */
export interface JobErrorMessage {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
}

export interface JobContext {
  /** True when nobody waits for this job any more. */
  readonly cancelled: () => boolean;
  /** Buffers that the reply hands over instead of copying. */
  readonly transfer: ArrayBuffer[];
  /** Shared memory that the job looked at, in bytes; the job adds it up. */
  sharedBytes: number;
}

export type JobHandler = (payload: never, context: JobContext) => unknown;

/** What the pool gave every thread at its start. */
export function threadData<Data>(): Data {
  return (workerData as { data: Data }).data;
}

/** Serves jobs until the thread is ended. A handler's exception becomes the job's error, never the thread's death. */
export function serveJobs(handlers: Readonly<Record<string, JobHandler>>): void {
  const port = parentPort;
  if (port === null) throw new Error("serveJobs must be called in a worker thread");
  const cancel = new Int32Array((workerData as { cancel: SharedArrayBuffer }).cancel);
  port.on("message", (message: JobMessage) => {
    const context: JobContext = {
      cancelled: () => Atomics.load(cancel, 0) === message.id,
      transfer: [],
      sharedBytes: 0,
    };
    try {
      const handler = handlers[message.kind];
      if (handler === undefined) throw new Error(`no handler for jobs of kind "${message.kind}"`);
      const result = handler(message.payload as never, context);
      port.postMessage({ id: message.id, result }, context.transfer);
    } catch (error) {
      port.postMessage({ id: message.id, error: jobErrorMessage(error) });
    }
    releaseShared(context.sharedBytes);
  });
}

function jobErrorMessage(error: unknown): JobErrorMessage {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), stack: undefined };
  return { name: error.name, message: error.message, stack: error.stack };
}
