/** The worker threads of this process as a service: chunk building for ingesters, scanning for queriers. */
import { Context, Effect, Layer, Metric } from "effect";
import { workerJobs, workerJobsRunning } from "../platform/metrics.ts";
import { coreCount } from "../platform/system.ts";
import { WorkerPool } from "../platform/workerPool.ts";
import type { WorkerData } from "./worker/worker.ts";

export class Workers extends Context.Service<Workers, WorkerPool>()("tailrace/actors/Workers") {
  /** `threadCount` 0 means one thread for each core. */
  static readonly layer = (options: {
    readonly threadCount: number;
    readonly queueMax: number;
    readonly workerData: WorkerData;
  }) =>
    Layer.effect(
      Workers,
      Effect.gen(function* () {
        const context = yield* Effect.context<never>();
        return yield* Effect.acquireRelease(
          Effect.sync(() =>
            new WorkerPool({
              module: new URL("./worker/worker.ts", import.meta.url),
              threadCount: options.threadCount === 0 ? coreCount() : options.threadCount,
              queueMax: options.queueMax,
              workerData: options.workerData,
              onJob: (kind, event) => {
                const change = event === "begins" ? 1 : -1;
                Metric.withAttributes(workerJobsRunning, { kind }).modifyUnsafe(change, context);
                if (event === "begins") return;
                const attributes = { kind, outcome: event };
                Metric.withAttributes(workerJobs, attributes).updateUnsafe(1, context);
              },
              onThreadDeath: (error) =>
                Effect.runForkWith(context)(
                  Effect.logError(`a worker thread died and is replaced: ${error.message}`),
                ),
            })
          ),
          (pool) => Effect.promise(() => pool.close()),
        );
      }),
    );
}
