/** Objects of replaced segments: when they go, what keeps them, and what a restart leaves to the sweep. */
import { Effect, Layer } from "effect";
import t from "tap";
import { Index } from "../../storage/Index.ts";
import { ObjectStore, ObjectStoreError } from "../../storage/ObjectStore.ts";
import { sweepOrphans } from "../../storage/sweepOrphans.ts";
import { segmentKey } from "../../streams/segment.ts";
import { memoryIndex, memoryObjectStore } from "../../testing/memoryStorage.ts";
import { RemovedObjects } from "./RemovedObjects.ts";

t.setTimeout(0);

type Store = ObjectStore["Service"];

/** Two segments that were replaced by one. */
const replaced = Effect.gen(function* () {
  const [objectStore, index] = [yield* ObjectStore, yield* Index];
  const record = (logFrom: number, logTo: number) => ({
    key: keyOf(logFrom, logTo),
    partition: 0,
    logFrom,
    logTo,
    bytes: 1,
    createdAt: 1n,
    streams: [],
  });
  const old = [record(1, 5), record(5, 9)];
  const whole = record(1, 9);
  for (const { key } of [...old, whole]) yield* objectStore.put(key, [Buffer.from("x")]);
  for (const one of old) yield* index.commit(one);
  yield* index.replace(old.map(({ key }) => key), whole);
  const keys = Effect.map(objectStore.list(""), (all) => all.map(({ key }) => key));
  return { objectStore, index, old, whole, keys };
});

function keyOf(logFrom: number, logTo: number): string {
  return segmentKey({ partition: 0, logFrom, logTo, createdAt: 1n }, 7);
}

const run = <Result>(body: Effect.Effect<Result, unknown, Index | ObjectStore>): Promise<Result> =>
  Effect.runPromise(
    body.pipe(Effect.provide(Layer.mergeAll(memoryIndex(), memoryObjectStore()))),
  );

t.test("they stay for the delay, then go", (t) =>
  run(Effect.gen(function* () {
    const { objectStore, index, old, whole, keys } = yield* replaced;
    const patient = new RemovedObjects(objectStore, index, 600_000);
    patient.add(old);
    yield* patient.removeDue();
    t.equal((yield* keys).length, 3);
    t.equal(patient.bytes, 2);
    const removed = new RemovedObjects(objectStore, index, 50);
    removed.add(old);
    yield* Effect.sleep(60);
    yield* removed.removeDue();
    t.same(yield* keys, [whole.key]);
    t.equal(removed.bytes, 0);
  })));

t.test("one that is committed again by then stays", (t) =>
  run(Effect.gen(function* () {
    const { objectStore, index, whole, keys } = yield* replaced;
    const removed = new RemovedObjects(objectStore, index, 0);
    removed.add([whole]);
    yield* removed.removeDue();
    t.ok((yield* keys).includes(whole.key));
  })));

t.test("one that cannot be removed keeps no other, and is tried again", (t) =>
  run(Effect.gen(function* () {
    const { objectStore, index, old, whole, keys } = yield* replaced;
    let isBroken = true;
    const remove: Store["remove"] = (key) =>
      isBroken && key === old[0]!.key
        ? Effect.fail(new ObjectStoreError({ reason: "Io", key, message: "no permission" }))
        : objectStore.remove(key);
    const removed = new RemovedObjects({ ...objectStore, remove }, index, 0);
    removed.add(old);
    const error = yield* Effect.flip(removed.removeDue());
    t.match(error.message, /1 replaced objects cannot be removed: no permission/);
    t.same(yield* keys, [old[0]!.key, whole.key].sort());
    isBroken = false;
    yield* removed.removeDue();
    t.same(yield* keys, [whole.key]);
  })));

t.test("what a process leaves when it ends is swept, after a wait that begins when it is seen", (t) =>
  run(Effect.gen(function* () {
    const { objectStore, index, old, whole, keys } = yield* replaced;
    const wait = { seen: new Map<string, number>(), delayMs: 600_000 };
    t.same(yield* sweepOrphans(objectStore, index, wait), []);
    t.equal(wait.seen.size, 2);
    t.same(yield* sweepOrphans(objectStore, index, wait), []);
    t.equal((yield* keys).length, 3);
    // Ten minutes later.
    for (const [key, sinceMs] of wait.seen) wait.seen.set(key, sinceMs - 600_000);
    t.same(
      [...yield* sweepOrphans(objectStore, index, wait)].sort(),
      old.map(({ key }) => key).sort(),
    );
    t.same(yield* keys, [whole.key]);
    t.same(yield* sweepOrphans(objectStore, index, wait), []);
    t.equal(wait.seen.size, 0, "nothing is remembered of what is gone");
    // Of a sweeper that starts again the wait begins anew.
    yield* objectStore.put(old[0]!.key, [Buffer.from("x")]);
    const anew = { ...wait, seen: new Map<string, number>() };
    t.same(yield* sweepOrphans(objectStore, index, anew), []);
    t.equal((yield* keys).length, 2);
  })));
