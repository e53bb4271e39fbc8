/** The worker pool on real threads: every job settles once, aborting frees its thread, a dead thread is replaced. */
import t, { type Test } from "tap";
import type { SpinJob } from "../testing/poolWorker.ts";
import { WorkerPool } from "./workerPool.ts";

function poolOf(t: Test, threadCount: number, queueMax = 100) {
  const deaths: Error[] = [];
  const events: string[] = [];
  const pool = new WorkerPool({
    module: new URL("../testing/poolWorker.ts", import.meta.url),
    threadCount,
    queueMax,
    workerData: { greeting: "hello" },
    onThreadDeath: (error) => deaths.push(error),
    onJob: (kind, event) => events.push(`${kind} ${event}`),
  });
  t.teardown(() => pool.close());
  return { pool, deaths, events };
}

/** A job that runs until it is aborted; `running` waits until it does. */
function startSpin(pool: WorkerPool) {
  const flags = new Int32Array(new SharedArrayBuffer(8));
  const stop = new AbortController();
  const payload: SpinJob = { flags };
  const outcome = settled(pool.run("spin", payload, { signal: stop.signal }));
  const running = () => until(() => Atomics.load(flags, 0) === 1);
  return { flags, stop, outcome, running };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** The result, or the error's name and message. */
function settled(job: Promise<unknown>): Promise<unknown> {
  return job.catch((error: unknown) =>
    error instanceof Error ? `${error.name}: ${error.message}` : error
  );
}

t.test("run gives results to those who asked, more jobs than threads", async (t) => {
  const { pool } = poolOf(t, 2);
  t.equal(pool.threadCount, 2);
  const numbers = Array.from({ length: 50 }, (_, index) => index);
  const results = await Promise.all(numbers.map((number) => pool.run<number>("double", number)));
  t.same(results, numbers.map((number) => number * 2));
  t.same(await pool.run("data", null), { greeting: "hello" });
  t.same([...await pool.run<Uint8Array>("transfer", 3)], [7, 7, 7]);
  t.equal(pool.runningCount, 0);
  t.equal(pool.waitingCount, 0);
});

t.test("run rejects with the handler's error by name and message, and the thread goes on", async (t) => {
  const { pool, deaths } = poolOf(t, 1);
  t.equal(await settled(pool.run("fail", null)), "DiskOnFire: the disk is on fire");
  t.equal(await settled(pool.run("failWithText", null)), "Error: only text");
  t.match(await settled(pool.run("unheard of", null)), /no handler for jobs of kind "unheard of"/);
  t.match(await settled(pool.run("double", () => {})), /DataCloneError/);
  t.equal(await pool.run("double", 4), 8);
  t.same(deaths, []);
});

t.test("aborting a running job rejects at once and frees the thread at its next check", async (t) => {
  const { pool, deaths } = poolOf(t, 1);
  const spin = startSpin(pool);
  await spin.running();
  const next = pool.run("double", 1);
  spin.stop.abort("enough");
  t.equal(await spin.outcome, "enough");
  t.equal(await next, 2, "the only thread takes the next job");
  const checks = Atomics.load(spin.flags, 1);
  t.equal(await pool.run("double", 2), 4);
  t.equal(Atomics.load(spin.flags, 1), checks, "the job has ended");
  t.same(deaths, []);
});

t.test("aborting a waiting job takes it out of the queue, and never runs it", async (t) => {
  const { pool } = poolOf(t, 1, 1);
  const spin = startSpin(pool);
  await spin.running();
  const waiting = startSpin(pool);
  t.equal(pool.waitingCount, 1);
  waiting.stop.abort("not wanted");
  t.equal(await waiting.outcome, "not wanted");
  t.equal(pool.waitingCount, 0);
  spin.stop.abort();
  await spin.outcome;
  t.equal(await pool.run("double", 1), 2);
  t.equal(Atomics.load(waiting.flags, 0), 0);
  const { signal } = waiting.stop;
  t.equal(await settled(pool.run("double", 1, { signal })), "not wanted", "aborted before");
});

t.test("each job that a thread runs begins and ends once, in the eyes of a watcher", async (t) => {
  const { pool, events } = poolOf(t, 1);
  const spin = startSpin(pool);
  await spin.running();
  const waiting = startSpin(pool);
  waiting.stop.abort("not wanted");
  spin.stop.abort("enough");
  t.equal(await spin.outcome, "enough");
  await pool.run("double", 1);
  await settled(pool.run("fail", null));
  await settled(pool.run("die", null));
  t.same(events, [
    "spin begins",
    "spin cancelled",
    "double begins",
    "double succeeded",
    "fail begins",
    "fail failed",
    "die begins",
    "die failed",
  ]);
});

t.test("a full queue refuses normal jobs and takes urgent ones, which run first", async (t) => {
  const { pool } = poolOf(t, 1, 2);
  const spin = startSpin(pool);
  await spin.running();
  const flags = new Int32Array(new SharedArrayBuffer(64));
  const note = (name: number, urgent: boolean) => pool.run("note", { flags, name }, { urgent });
  const jobs = [note(1, false), note(2, false)];
  t.match(await settled(note(3, false)), /WorkerPoolBusy: 2 jobs are waiting, the limit is 2/);
  jobs.push(note(4, true), note(5, true));
  t.equal(pool.waitingCount, 4);
  spin.stop.abort();
  t.same(await Promise.all(jobs), [1, 2, 4, 5]);
  t.same([...flags.slice(2, 6)], [4, 5, 1, 2]);
});

t.test("a thread that dies rejects its job and is replaced", async (t) => {
  const { pool, deaths } = poolOf(t, 1);
  const [dying, after] = [settled(pool.run("die", null)), pool.run("double", 21)];
  t.equal(await dying, "Error: a worker thread ended with code 3");
  t.equal(await after, 42);
  t.equal(deaths.length, 1);
});

t.test("close rejects what runs and waits, and refuses what comes", async (t) => {
  const { pool, deaths } = poolOf(t, 1);
  const spin = startSpin(pool);
  await spin.running();
  const waiting = settled(pool.run("double", 1));
  await pool.close();
  t.equal(await spin.outcome, "WorkerPoolBusy: the worker pool was closed");
  t.equal(await waiting, "WorkerPoolBusy: the worker pool was closed");
  t.equal(await settled(pool.run("double", 1)), "WorkerPoolBusy: the worker pool is closed");
  t.same(deaths, [], "ending threads on purpose is no death");
});
