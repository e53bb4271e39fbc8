/** Takes the rows that streams want to have as chunks to the worker threads. Streams submit one by one; what is submitted in one
 *  turn of the event loop is packed into jobs of about jobBytes, so that ten thousand small streams are not ten thousand
 *  messages to a thread. */
import type { WorkerPool } from "../../platform/workerPool.ts";
import { type Batch, batchMessage } from "../../streams/batch.ts";
import type { ChunkOptions } from "../../streams/chunkWriter.ts";
import type { BuildJob, BuildResult, BuildStream } from "../protocol/build.ts";
import type { HeadSlice } from "../protocol/head.ts";
import type { SealDone } from "../protocol/ingester.ts";

interface Request {
  readonly slices: ReadonlyArray<HeadSlice>;
  readonly done: SealDone;
}

/** Line bytes of a job: large enough to be worth a message, small enough to keep all threads busy. */
const jobBytes = 8 * 1024 * 1024;

export class ChunkBuilder {
  readonly #pool: WorkerPool;
  readonly #options: ChunkOptions;
  #waiting: Request[] = [];
  #waitingBytes = 0;
  #scheduled = false;

  constructor(pool: WorkerPool, options: ChunkOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  /** Builds chunks of rows of one stream, in arrival order; calls `done` once, later. */
  submit(slices: ReadonlyArray<HeadSlice>, done: SealDone): void {
    this.#waiting.push({ slices, done });
    for (const slice of slices) this.#waitingBytes += slice.lineBytes;
    if (this.#waitingBytes >= jobBytes) this.#send();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      setTimeout(() => {
        this.#scheduled = false;
        this.#send();
      }, 0);
    }
  }

  #send(): void {
    const requests = this.#waiting;
    if (requests.length === 0) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#pool.run<BuildResult>("build", jobOf(requests, this.#options), { urgent: true }).then(
      (chunks) => requests.forEach((request, index) => request.done(chunks[index]!)),
      (error) => requests.forEach((request) => request.done(error)),
    );
  }
}

function jobOf(requests: ReadonlyArray<Request>, options: ChunkOptions): BuildJob {
  const batches = new Map<Batch, number>();
  const streams: BuildStream[] = requests.map((request) => {
    const slices = new Uint32Array(request.slices.length * 3);
    request.slices.forEach((slice, index) => {
      let at = batches.get(slice.batch);
      if (at === undefined) batches.set(slice.batch, at = batches.size);
      slices.set([at, slice.rowStart, slice.rowEnd], index * 3);
    });
    return { slices };
  });
  return { options, streams, batches: [...batches.keys()].map(batchMessage) };
}
