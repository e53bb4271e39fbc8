/** The cache of segment ranges over an object store in memory that counts what is asked of it. */
import { Effect } from "effect";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { memoryObjectStore } from "../testing/memoryStorage.ts";
import { ObjectStore } from "./ObjectStore.ts";
import { SegmentCache } from "./SegmentCache.ts";

const content = (seed: number) =>
  Uint8Array.from({ length: 400_000 }, (_, at) => (at * 7 + seed * 13) % 251);

const withCache = async (
  t: Test,
  bytesMax: number,
  body: (cache: SegmentCache, directory: string, asked: string[]) => Promise<void>,
) => {
  const directory = fs.mkdtempSync(join(tmpdir(), "tailrace-cache-"));
  t.teardown(() => fs.rmSync(directory, { recursive: true }));
  const store = await Effect.runPromise(Effect.provide(ObjectStore, memoryObjectStore()));
  for (let seed = 0; seed < 4; seed++) {
    await Effect.runPromise(store.put(`s${seed}`, [content(seed)]));
  }
  const asked: string[] = [];
  const counting = {
    ...store,
    getRange: (key: string, offset: number, length: number) => {
      asked.push(`${key} ${offset}+${length}`);
      // After what files do: a store is further away.
      return Effect.delay(store.getRange(key, offset, length), 5);
    },
  };
  fs.writeFileSync(join(directory, "left"), "by an earlier process");
  const cache = await SegmentCache.open(counting, directory, bytesMax);
  await body(cache, directory, asked);
  await cache.close();
};

const range = (key: string, offset: number, length: number) => ({ key, offset, length });

t.test("ranges are in the file at their offsets; near ones are fetched together, once", (t) =>
  withCache(t, 1e9, async (cache, directory, asked) => {
    t.same(fs.readdirSync(directory), []);
    const wanted = [range("s1", 300_000, 1000), range("s1", 10, 20), range("s1", 50_000, 5)];
    const [held, again] = await Promise.all([cache.hold(wanted), cache.hold(wanted)]);
    t.same(asked, ["s1 10+49995", "s1 300000+1000"]);
    t.equal(again.fileOf("s1"), held.fileOf("s1"));
    const file = fs.readFileSync(join(directory, held.fileOf("s1")));
    for (const { offset, length } of wanted) {
      const wantedBytes = content(1).subarray(offset, offset + length);
      t.equal(Buffer.compare(file.subarray(offset, offset + length), wantedBytes), 0);
    }
    held.release();
    again.release();
  }));

t.test("the least recently used go, never what is held, and never under the same name", (t) =>
  withCache(t, 2500, async (cache, directory) => {
    const first = await cache.hold([range("s0", 0, 1000)]);
    for (const key of ["s1", "s2", "s3"]) (await cache.hold([range(key, 0, 1000)])).release();
    t.equal(cache.bytes, 2000, "s0, which is held, and s3");
    t.ok(fs.existsSync(join(directory, first.fileOf("s0"))));
    const name = first.fileOf("s0");
    first.release();
    (await cache.hold([range("s1", 0, 1000)])).release();
    (await cache.hold([range("s2", 0, 1000)])).release();
    const back = await cache.hold([range("s0", 0, 1000)]);
    t.not(back.fileOf("s0"), name);
    back.release();
  }));

t.test("a failure is the caller's, and is forgotten", (t) =>
  withCache(t, 1e9, async (cache, _, asked) => {
    await t.rejects(cache.hold([range("s0", 0, 10), range("missing", 0, 10)]), /NotFound/);
    await t.rejects(cache.hold([range("missing", 0, 10)]), /NotFound/);
    t.equal(asked.filter((text) => text.startsWith("missing")).length, 2);
    t.equal(cache.bytes, 10);
  }));

t.test("a file that cannot be made is the caller's failure, and is made when it can", (t) =>
  withCache(t, 1e9, async (cache, directory) => {
    fs.rmdirSync(directory);
    await t.rejects(cache.hold([range("s0", 0, 10)]), /ENOENT/);
    t.equal(cache.bytes, 0);
    fs.mkdirSync(directory);
    const held = await cache.hold([range("s0", 0, 10)]);
    t.ok(fs.existsSync(join(directory, held.fileOf("s0"))));
    t.equal(cache.bytes, 10);
    held.release();
  }));

/** A store whose ranges come when `let go` is called, and that knows which reads were interrupted. */
function slowStore() {
  const waiting: (() => void)[] = [];
  const log: string[] = [];
  const store = {
    getRange: (key: string, offset: number, length: number) =>
      Effect.callback<Uint8Array>((resume) => {
        log.push(`${key} ${offset}+${length}`);
        waiting.push(() => resume(Effect.succeed(new Uint8Array(length))));
        return Effect.sync(() => void log.push(`${key} given up`));
      }),
  } as unknown as ObjectStore["Service"];
  return { store, log, letGo: () => waiting.splice(0).forEach((go) => go()) };
}

t.test("a scan that is given up is not fetched for, unless others wait for the same", async (t) => {
  const directory = fs.mkdtempSync(join(tmpdir(), "tailrace-cache-"));
  t.teardown(() => fs.rmSync(directory, { recursive: true }));
  const { store, log, letGo } = slowStore();
  const cache = await SegmentCache.open(store, directory, 1e9);
  const stop = new AbortController();
  const wanted = [range("s0", 0, 10), range("s1", 0, 10)];
  const givenUp = cache.hold(wanted, stop.signal);
  const other = cache.hold([range("s1", 0, 10)]);
  stop.abort(new Error("nobody waits"));
  await t.rejects(givenUp, { message: "nobody waits" });
  await t.rejects(cache.hold(wanted, stop.signal), { message: "nobody waits" });
  t.same(log, ["s0 0+10", "s1 0+10", "s0 given up"]);
  const again = cache.hold(wanted);
  t.equal(log.at(-1), "s0 0+10", "it is fetched anew, and only it");
  t.equal(log.length, 4);
  letGo();
  for (const held of [await other, await again]) held.release();
  t.equal(cache.bytes, 20);
  await cache.close();
});

t.test("a file that somebody removed is forgotten when that is seen, and fetched again", (t) =>
  withCache(t, 1e9, async (cache, directory, asked) => {
    const wanted = [range("s0", 0, 10), range("s1", 0, 10)];
    const [held, other] = [await cache.hold(wanted), await cache.hold(wanted)];
    t.equal(await held.forgetRemoved(), false);
    fs.unlinkSync(join(directory, held.fileOf("s0")));
    t.equal(await held.forgetRemoved(), true);
    t.equal(cache.bytes, 10);
    const again = await cache.hold(wanted);
    t.equal(await other.forgetRemoved(), true, "who had it before sees that, too");
    t.same(asked, ["s0 0+10", "s1 0+10", "s0 0+10"]);
    t.ok(fs.existsSync(join(directory, again.fileOf("s0"))));
    t.equal(again.fileOf("s1"), held.fileOf("s1"));
    t.equal(await again.forgetRemoved(), false);
    for (const each of [held, other, again]) each.release();
    t.equal(cache.bytes, 20);
  }));
