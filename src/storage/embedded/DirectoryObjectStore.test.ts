/** Objects in files: the port's contract on files and in memory; crashes; a full disk; the readers of worker threads. */
import { Effect, Layer } from "effect";
import fc from "fast-check";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { memoryObjectStore } from "../../testing/memoryStorage.ts";
import { randomFrom } from "../../testing/random.ts";
import { SimulatedDisk } from "../../testing/simulatedDisk.ts";
import { ObjectStore, type ObjectStoreError } from "../ObjectStore.ts";
import { objectStoreContract } from "../ObjectStore.contract.ts";
import { DataDirectory } from "./DataDirectory.ts";
import { directoryObjectStoreLayer } from "./DirectoryObjectStore.ts";
import { type ObjectReadFailed, openObjectReader } from "./objectReader.ts";

t.setTimeout(0);

type Store = (typeof ObjectStore)["Service"];

const makeDirectory = () => fs.mkdtempSync(join(tmpdir(), "tailrace-objects-"));

const openFiles = (directory: string) =>
  directoryObjectStoreLayer().pipe(Layer.provide(DataDirectory.layer(directory)));

const openSimulated = (disk: SimulatedDisk) =>
  directoryObjectStoreLayer({ disk }).pipe(
    Layer.provide(Layer.succeed(DataDirectory, { path: "/data" })),
  );

const within = <Result>(
  layer: Layer.Layer<ObjectStore, unknown>,
  body: (store: Store) => Effect.Effect<Result, unknown>,
): Promise<Result> =>
  Effect.runPromise(Effect.flatMap(ObjectStore, body).pipe(Effect.provide(layer), Effect.scoped));

objectStoreContract("files", async () => {
  const directory = makeDirectory();
  return {
    open: () => openFiles(directory),
    cleanUp: async () => fs.rmSync(directory, { recursive: true }),
  };
});

objectStoreContract("memory", async () => {
  const layer = memoryObjectStore();
  return { open: () => layer, cleanUp: async () => {} };
});

t.test("what an interrupted put left is swept at the start", async (t) => {
  const directory = makeDirectory();
  const unfinished = join(directory, "objects", "~unfinished");
  fs.mkdirSync(unfinished, { recursive: true });
  fs.writeFileSync(join(unfinished, "0"), "half of an object");
  await within(openFiles(directory), (store) =>
    Effect.gen(function* () {
      t.same(fs.readdirSync(unfinished), []);
      t.same(yield* store.list(""), []);
    }));
  fs.rmSync(directory, { recursive: true });
});

t.test("after any crash a stored object is whole, and any listed object too", async (t) => {
  const property = fc.asyncProperty(fc.nat(), async (seed) => {
    const random = randomFrom(seed);
    const disk = new SimulatedDisk(random);
    const stored = new Set<string>();
    const content = (key: string) => Buffer.from(`${key} `.repeat(200 + key.length));
    for (let life = 0; life < 4; life++) {
      await within(openSimulated(disk), (store) =>
        Effect.gen(function* () {
          for (const { key } of yield* store.list("")) {
            if (!content(key).equals(yield* store.get(key))) t.fail(`${key} is not whole`);
          }
          for (const key of stored) yield* store.get(key);
          for (let round = 0; round < 8; round++) {
            const operations = ["write", "syncData", "create", "rename", "syncDirectory"] as const;
            if (random.oneIn(3)) disk.failNext(random.pick(operations), "EIO");
            const key = `k/${random.below(12)}`;
            const result = yield* Effect.exit(store.put(key, [content(key)]));
            if (result._tag === "Success") stored.add(key);
          }
          disk.crash();
        }));
    }
  });
  await fc.assert(property, { numRuns: 100 });
  t.pass();
});

t.test("a full disk fails with Full, leaves nothing behind, and works again", async (t) => {
  const mount = makeDirectory();
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", mount]);
  if (mounted.status !== 0) {
    throw new Error(`this test mounts a tmpfs: run it as root. mount: ${mounted.stderr}`);
  }
  try {
    await within(openFiles(mount), (store) =>
      Effect.gen(function* () {
        yield* store.put("a", [new Uint8Array(500_000)]);
        const error: ObjectStoreError = yield* Effect.flip(
          store.put("b", [new Uint8Array(300_000), new Uint8Array(400_000)]),
        );
        t.equal(error.reason, "Full");
        t.match(error.message, /Cannot store object "b": ENOSPC/);
        t.same((yield* store.list("")).map(({ key }) => key), ["a"]);
        yield* store.put("c", [new Uint8Array(300_000)]);
        yield* store.remove("a");
        yield* store.put("b", [new Uint8Array(600_000)]);
      }));
  } finally {
    spawnSync("umount", [mount]);
    fs.rmSync(mount, { recursive: true });
  }
});

t.test("ObjectReader reads ranges with a bounded number of open files", async (t) => {
  const directory = makeDirectory();
  const reader = openObjectReader(join(directory, "objects"));
  await within(openFiles(directory), (store) =>
    Effect.gen(function* () {
      for (let index = 0; index < 150; index++) {
        yield* store.put(`s/${index}`, [Buffer.from(`object ${index}`)]);
      }
      const before = fs.readdirSync("/proc/self/fd").length;
      for (let round = 0; round < 2; round++) {
        for (let index = 0; index < 150; index++) {
          const length = String(index).length;
          t.equal(Buffer.from(reader.getRange(`s/${index}`, 7, length)).toString(), String(index));
        }
      }
      const opened = fs.readdirSync("/proc/self/fd").length - before;
      t.ok(opened > 30 && opened <= 65, `${opened} files are open`);
      reader.close();
      t.equal(fs.readdirSync("/proc/self/fd").length, before, "closed");
    }));
  const reasonOf = (key: string, offset: number, length: number) => {
    try {
      reader.getRange(key, offset, length);
      return "none";
    } catch (error) {
      return (error as ObjectReadFailed).reason;
    }
  };
  t.equal(reasonOf("s/0", 3, 6), "BadRange");
  t.equal(reasonOf("s/0", -3, 6), "BadRange");
  t.equal(reasonOf("s/nothing", 0, 1), "NotFound");
  t.equal(reasonOf("../lock.owner", 0, 1), "BadKey");
  reader.close();
  fs.rmSync(directory, { recursive: true });
});

t.test("ObjectReader closes what it does not read, so that a removed object's room is free", async (t) => {
  const directory = makeDirectory();
  const objects = join(directory, "objects");
  const reader = openObjectReader(objects, 30);
  await within(openFiles(directory), (store) =>
    Effect.gen(function* () {
      yield* store.put("s/1", [Buffer.from("object")]);
      const openCount = () =>
        fs.readdirSync("/proc/self/fd").filter((name) => {
          try {
            return fs.readlinkSync(`/proc/self/fd/${name}`).startsWith(objects);
          } catch {
            return false;
          }
        }).length;
      for (let round = 0; round < 2; round++) {
        t.equal(Buffer.from(reader.getRange("s/1", 0, 6)).toString(), "object");
        t.equal(openCount(), 1);
        for (let look = 0; look < 1000 && openCount() > 0; look++) yield* Effect.sleep(10);
        t.equal(openCount(), 0);
      }
    }));
  reader.close();
});
