/** Jobs on cached segments, with threads that read a file or say that there is none. */
import { Effect, Layer } from "effect";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import type { JobOptions, WorkerPool } from "../platform/workerPool.ts";
import { ObjectStore } from "../storage/ObjectStore.ts";
import { memoryObjectStore } from "../testing/memoryStorage.ts";
import { Scanners, type UnitsJob } from "./Scanners.ts";
import { Workers } from "./Workers.ts";

const jobOn = (key: string): UnitsJob => ({
  units: [{ labels: "{}", sources: [{ chunk: { key, offset: 0, length: 5 } }] }],
});

/** A job's result is what its file holds. */
function readingPool(directory: string, seen: (AbortSignal | undefined)[]): WorkerPool {
  const run = (_kind: string, job: UnitsJob, { signal }: JobOptions) => {
    seen.push(signal);
    const source = job.units[0]!.sources[0]!;
    const file = join(directory, "chunk" in source ? source.chunk.key : "");
    if (fs.existsSync(file)) return Promise.resolve(fs.readFileSync(file, "utf8"));
    return Promise.reject(Object.assign(new Error("no file"), { name: "ObjectMissing" }));
  };
  return { threadCount: 1, run } as unknown as WorkerPool;
}

t.test("a cached file that somebody removed is fetched again, and the job does not fail", async (t) => {
  const directory = fs.mkdtempSync(join(tmpdir(), "tailrace-scanners-"));
  t.teardown(() => fs.rmSync(directory, { recursive: true }));
  const runs: (AbortSignal | undefined)[] = [];
  const body = Effect.gen(function* () {
    const store = yield* ObjectStore;
    yield* store.put("s", [new TextEncoder().encode("lines")]);
    const scanners = yield* Scanners;
    const run = Effect.promise(() => scanners.run<string>("scan", jobOn("s"), {}));
    t.equal(yield* run, "lines");
    for (const name of fs.readdirSync(directory)) fs.unlinkSync(join(directory, name));
    t.equal(yield* run, "lines");
    t.equal(runs.length, 3);
    t.equal(yield* run, "lines");
    t.equal(runs.length, 4, "from the new file");
    const stopped = AbortSignal.abort(new Error("given up"));
    const late = Effect.promise(() =>
      t.rejects(scanners.run("scan", jobOn("s"), { signal: stopped }), { message: "given up" })
    );
    yield* late;
    t.equal(runs.length, 4, "nothing is done for a job that is given up");
  });
  const layer = Scanners.cached({ directory, bytesMax: 1e9 }).pipe(
    Layer.provide(Layer.succeed(Workers, readingPool(directory, runs))),
    Layer.provideMerge(memoryObjectStore()),
  );
  await Effect.runPromise(Effect.provide(body, layer));
});

t.test("a job whose file is missing though nobody removed it fails", async (t) => {
  const directory = fs.mkdtempSync(join(tmpdir(), "tailrace-scanners-"));
  t.teardown(() => fs.rmSync(directory, { recursive: true }));
  const body = Effect.gen(function* () {
    const store = yield* ObjectStore;
    yield* store.put("s", [new TextEncoder().encode("lines")]);
    const scanners = yield* Scanners;
    yield* Effect.promise(() =>
      t.rejects(scanners.run("scan", jobOn("s"), {}), { name: "ObjectMissing" })
    );
  });
  const elsewhere = readingPool(join(directory, "elsewhere"), []);
  const layer = Scanners.cached({ directory, bytesMax: 1e9 }).pipe(
    Layer.provide(Layer.succeed(Workers, elsewhere)),
    Layer.provideMerge(memoryObjectStore()),
  );
  await Effect.runPromise(Effect.provide(body, layer));
});
