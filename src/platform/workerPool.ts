/** Worker threads that run one job each at a time. Owns the threads, the two bounded queues (urgent before normal), cancelling
 *  and the replacement of a thread that died. What a job does is the business of the worker's own file (workerHost.ts).
 *  Invariant: every accepted job settles exactly once: with its result, its error, or an abort. */
import { Worker } from "node:worker_threads";
import type { JobErrorMessage, JobMessage, ReplyMessage } from "./workerHost.ts";

export interface WorkerPoolOptions {
  /** Module that calls serveJobs. */
  readonly module: URL;
  readonly threadCount: number;
  /** Jobs that may wait, both queues together; one more is refused with WorkerPoolBusy. */
  readonly queueMax: number;
  /** Structured-clonable, given to every thread at its start. */
  readonly workerData: unknown;
  /** Told of a thread that died; the pool has replaced it. */
  readonly onThreadDeath: (error: Error) => void;
  /** Told when a thread begins a job of a kind, and when it is done with it, however that ended. */
  readonly onJob?: (kind: string, event: JobEvent) => void;
}

/** Cancelled: the thread has stopped with a job that nobody waited for. */
export type JobEvent = "begins" | "succeeded" | "failed" | "cancelled";

export interface JobOptions {
  /** Urgent jobs run before all normal ones: the write path is urgent, queries are normal. */
  readonly urgent?: boolean;
  readonly transfer?: ReadonlyArray<ArrayBuffer>;
  /** Aborting rejects the job with the signal's reason at once; a running job sees it at its next cancelled() check. */
  readonly signal?: AbortSignal;
}

export class WorkerPoolBusy extends Error {
  override readonly name = "WorkerPoolBusy";
}

const respawnMsMin = 100;
const respawnMsMax = 30_000;

interface Job {
  readonly id: number;
  readonly kind: string;
  readonly payload: unknown;
  readonly options: JobOptions;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly onAbort: () => void;
  settled: boolean;
}

interface Thread {
  worker: Worker;
  /** False between a thread's death and its replacement. */
  alive: boolean;
  /** Wait before the next replacement; grows while threads die without having done a job. */
  respawnMs: number;
  job: Job | undefined;
  /** Element 0 holds the id of the job that must stop. */
  readonly cancel: Int32Array<SharedArrayBuffer>;
}

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #threads: Thread[] = [];
  readonly #urgent: Job[] = [];
  readonly #normal: Job[] = [];
  #nextId = 1;
  #closed = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    for (let index = 0; index < options.threadCount; index++) this.#threads.push(this.#spawn());
  }

  get threadCount(): number {
    return this.#threads.length;
  }

  get waitingCount(): number {
    return this.#urgent.length + this.#normal.length;
  }

  get runningCount(): number {
    return this.#threads.reduce((count, thread) => count + (thread.job === undefined ? 0 : 1), 0);
  }

  /** Runs the job named `kind` and resolves with what its handler returned. */
  run<Result>(kind: string, payload: unknown, options: JobOptions = {}): Promise<Result> {
    if (this.#closed) return Promise.reject(new WorkerPoolBusy("the worker pool is closed"));
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    if (options.urgent !== true && this.waitingCount >= this.#options.queueMax) {
      return Promise.reject(
        new WorkerPoolBusy(
          `${this.waitingCount} jobs are waiting, the limit is ${this.#options.queueMax}`,
        ),
      );
    }
    return new Promise<Result>((resolve, reject) => {
      const job: Job = {
        id: this.#nextId = this.#nextId % 0x7fffffff + 1,
        kind,
        payload,
        options,
        resolve: resolve as (value: unknown) => void,
        reject,
        onAbort: () => this.#abort(job),
        settled: false,
      };
      options.signal?.addEventListener("abort", job.onAbort, { once: true });
      (options.urgent === true ? this.#urgent : this.#normal).push(job);
      this.#dispatch();
    });
  }

  /** Ends all threads; jobs that have not finished are rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    const error = new WorkerPoolBusy("the worker pool was closed");
    for (const job of [...this.#urgent.splice(0), ...this.#normal.splice(0)]) {
      settle(job, () => job.reject(error));
    }
    await Promise.all(this.#threads.map(async (thread) => {
      const job = thread.job;
      if (job !== undefined) settle(job, () => job.reject(error));
      await thread.worker.terminate();
    }));
  }

  #spawn(): Thread {
    const cancel = new Int32Array(new SharedArrayBuffer(4));
    const thread: Thread = {
      worker: this.#startWorker(cancel),
      alive: true,
      respawnMs: respawnMsMin,
      job: undefined,
      cancel,
    };
    this.#listen(thread);
    return thread;
  }

  #startWorker(cancel: Int32Array<SharedArrayBuffer>): Worker {
    return new Worker(this.#options.module, {
      workerData: { cancel: cancel.buffer, data: this.#options.workerData },
    });
  }

  #listen(thread: Thread): void {
    const worker = thread.worker;
    let dead = false;
    const onDeath = (error: Error) => {
      if (dead || this.#closed) return;
      dead = true;
      thread.alive = false;
      const job = thread.job;
      thread.job = undefined;
      if (job !== undefined) {
        this.#note(job, "failed");
        settle(job, () => job.reject(error));
      }
      this.#options.onThreadDeath(error);
      const respawnMs = thread.respawnMs;
      thread.respawnMs = Math.min(respawnMs * 2, respawnMsMax);
      setTimeout(() => {
        if (this.#closed) return;
        thread.worker = this.#startWorker(thread.cancel);
        thread.alive = true;
        this.#listen(thread);
        this.#dispatch();
      }, respawnMs);
    };
    worker.on("message", (reply: ReplyMessage) => {
      const job = thread.job;
      if (job === undefined || job.id !== reply.id) return;
      thread.job = undefined;
      thread.respawnMs = respawnMsMin;
      this.#note(job, "error" in reply ? "failed" : "succeeded");
      if ("error" in reply) settle(job, () => job.reject(jobError(reply.error)));
      else settle(job, () => job.resolve(reply.result));
      this.#dispatch();
    });
    worker.on(
      "error",
      (error) => onDeath(error instanceof Error ? error : new Error(String(error))),
    );
    worker.on("exit", (code) => onDeath(new Error(`a worker thread ended with code ${code}`)));
  }

  #dispatch(): void {
    for (const thread of this.#threads) {
      if (!thread.alive || thread.job !== undefined) continue;
      const job = this.#urgent.shift() ?? this.#normal.shift();
      if (job === undefined) return;
      thread.job = job;
      const message: JobMessage = { id: job.id, kind: job.kind, payload: job.payload };
      try {
        thread.worker.postMessage(message, [...job.options.transfer ?? []]);
        this.#options.onJob?.(job.kind, "begins");
      } catch (error) {
        thread.job = undefined;
        settle(job, () => job.reject(error));
      }
    }
  }

  /** The thread is done with the job. */
  #note(job: Job, event: "succeeded" | "failed"): void {
    this.#options.onJob?.(job.kind, job.settled ? "cancelled" : event);
  }

  #abort(job: Job): void {
    const thread = this.#threads.find((thread) => thread.job === job);
    if (thread !== undefined) Atomics.store(thread.cancel, 0, job.id);
    for (const queue of [this.#urgent, this.#normal]) {
      const at = queue.indexOf(job);
      if (at >= 0) queue.splice(at, 1);
    }
    settle(job, () => job.reject(job.options.signal?.reason));
  }
}

function jobError(plain: JobErrorMessage): Error {
  const error = new Error(plain.message);
  error.name = plain.name;
  if (plain.stack !== undefined) error.stack = plain.stack;
  return error;
}

function settle(job: Job, action: () => void): void {
  if (job.settled) return;
  job.settled = true;
  job.options.signal?.removeEventListener("abort", job.onAbort);
  action();
}
