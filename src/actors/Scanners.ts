/** Who scans for queries, as a service: the threads of this process, over files of its own or over segments that are fetched
 *  first. What a job does is its kind's business; a job names the stored chunks it reads in its units. */
import { Context, Effect, Layer } from "effect";
import type { JobOptions } from "../platform/workerPool.ts";
import { ObjectStore } from "../storage/ObjectStore.ts";
import { SegmentCache, type SegmentRange } from "../storage/SegmentCache.ts";
import type { ScanUnit } from "./protocol/scan.ts";
import { Workers } from "./Workers.ts";

export interface UnitsJob {
  readonly units: ReadonlyArray<ScanUnit>;
}

export class Scanners extends Context.Service<Scanners, {
  /** Jobs that can run at once. */
  readonly threadCount: number;
  /** Runs the job named `kind` and resolves with what its handler in src/actors/worker returned. */
  readonly run: <Result>(kind: string, job: UnitsJob, options: JobOptions) => Promise<Result>;
  /** The same for a job that reads nothing stored; always by this process. */
  readonly compute: <Result>(kind: string, job: object, options: JobOptions) => Promise<Result>;
}>()("tailrace/actors/Scanners") {
  /** Segments are files that the threads read in place. */
  static readonly local = Layer.effect(
    Scanners,
    Effect.map(Workers, (workers) => ({
      threadCount: workers.threadCount,
      run: (kind, job, options) => workers.run(kind, job, options),
      compute: (kind, job, options) => workers.run(kind, job, options),
    })),
  );

  /** Segments are somewhere else: what a job reads is fetched into `directory`, where the threads look for it. */
  static readonly cached = (options: { readonly directory: string; readonly bytesMax: number }) =>
    Layer.effect(
      Scanners,
      Effect.gen(function* () {
        const workers = yield* Workers;
        const objectStore = yield* ObjectStore;
        const cache = yield* Effect.acquireRelease(
          Effect.promise(() => SegmentCache.open(objectStore, options.directory, options.bytesMax)),
          (cache) => Effect.promise(() => cache.close()),
        );
        return {
          // One more job than threads, so that fetching and scanning go on at the same time.
          threadCount: workers.threadCount + 1,
          run: async <Result>(kind: string, job: UnitsJob, jobOptions: JobOptions) => {
            const ranges = rangesOf(job);
            for (let attempt = 1;; attempt++) {
              const held = await cache.hold(ranges, jobOptions.signal);
              try {
                const onFiles = { ...job, units: unitsOn(job.units, held.fileOf) };
                return await workers.run<Result>(kind, onFiles, jobOptions);
              } catch (error) {
                // No file where the cache has made one: somebody has tidied up.
                const isMissing = error instanceof Error && error.name === "ObjectMissing";
                if (!isMissing || attempt > 1 || !await held.forgetRemoved()) throw error;
              } finally {
                held.release();
              }
            }
          },
          compute: (kind, job, options) => workers.run(kind, job, options),
        };
      }),
    );
}

function rangesOf({ units }: UnitsJob): ReadonlyArray<SegmentRange> {
  return units.flatMap(({ sources }) =>
    sources.flatMap((source) => "chunk" in source ? [source.chunk] : [])
  );
}

/** The units with files in the place of the segments. */
function unitsOn(
  units: ReadonlyArray<ScanUnit>,
  fileOf: (key: string) => string,
): ReadonlyArray<ScanUnit> {
  return units.map((unit) => ({
    ...unit,
    sources: unit.sources.map((source) =>
      "chunk" in source
        ? { ...source, chunk: { ...source.chunk, key: fileOf(source.chunk.key) } }
        : source
    ),
  }));
}
