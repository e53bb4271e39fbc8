/** The file write log: the port's contract on files, in memory and on a simulated disk; damage; full and failing disks; locks. */
import { Effect, Layer, Logger } from "effect";
import fc from "fast-check";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { memoryWriteLog } from "../../testing/memoryStorage.ts";
import { randomFrom } from "../../testing/random.ts";
import { SimulatedDisk } from "../../testing/simulatedDisk.ts";
import { WriteLog, type WriteLogError } from "../WriteLog.ts";
import { writeLogContract } from "../WriteLog.contract.ts";
import { DataDirectory } from "./DataDirectory.ts";
import { fileWriteLogLayer, type FileWriteLogOptions } from "./FileWriteLog.ts";
import { fileHeaderBytes, recordHeaderBytes } from "./logFile.ts";

t.setTimeout(0);

type Log = (typeof WriteLog)["Service"];

const makeDirectory = () => fs.mkdtempSync(join(tmpdir(), "tailrace-writelog-"));

const openFiles = (directory: string, options: Partial<FileWriteLogOptions> = {}) =>
  fileWriteLogLayer(options).pipe(Layer.provide(DataDirectory.layer(directory)));

const openSimulated = (disk: SimulatedDisk, options: Partial<FileWriteLogOptions> = {}) =>
  fileWriteLogLayer({ ...options, disk }).pipe(
    Layer.provide(Layer.succeed(DataDirectory, { path: "/data" })),
  );

/** Runs `body` with the log of `layer`, then closes it. Log lines are dropped, they would mix with the test's output. */
const within = <Result>(
  layer: Layer.Layer<WriteLog, unknown>,
  body: (log: Log) => Effect.Effect<Result, unknown>,
): Promise<Result> =>
  Effect.runPromise(
    Effect.flatMap(WriteLog, body).pipe(
      Effect.provide(layer),
      Effect.provide(Logger.layer([])),
      Effect.scoped,
    ),
  );

const recordBytesMax = 300_000;

writeLogContract("files", async () => {
  const directory = makeDirectory();
  return {
    open: () => openFiles(directory, { recordBytesMax }),
    recordBytesMax,
    cleanUp: async () => fs.rmSync(directory, { recursive: true }),
  };
});

writeLogContract("many small files", async () => {
  const directory = makeDirectory();
  return {
    open: () => openFiles(directory, { recordBytesMax, segmentBytesMax: 100, groupBytesMax: 50 }),
    recordBytesMax,
    cleanUp: async () => fs.rmSync(directory, { recursive: true }),
  };
});

writeLogContract("simulated disk", async () => {
  const disk = new SimulatedDisk(randomFrom(1));
  return {
    open: () => openSimulated(disk, { recordBytesMax }),
    recordBytesMax,
    cleanUp: async () => {},
  };
});

writeLogContract("memory", async () => {
  const layer = memoryWriteLog(recordBytesMax);
  return { open: () => layer, recordBytesMax, cleanUp: async () => {} };
});

/** Writes `records` one by one, so that each is a commit group, and returns the log's only file. */
async function smallLog(directory: string, records: ReadonlyArray<string>): Promise<string> {
  await within(
    openFiles(directory),
    (log) => Effect.forEach(records, (text) => log.append(0, Buffer.from(text))),
  );
  return join(directory, "wal", "0", "0000000000000001.log");
}

/** The records a log opened on `directory` returns, or its error. */
function recordsIn(directory: string): Promise<ReadonlyArray<string> | WriteLogError> {
  return within(openFiles(directory), (log) =>
    log.read(0, 1, 1_000_000).pipe(
      Effect.map((records) => records.map((record) => Buffer.from(record.bytes).toString())),
      Effect.catch((error) => Effect.succeed(error)),
    ));
}

t.test("a tail cut at any byte of the last record leaves all earlier records", async (t) => {
  const directory = makeDirectory();
  const path = await smallLog(directory, ["one", "two", "three is longer"]);
  const whole = fs.readFileSync(path);
  const lastBytes = recordHeaderBytes + "three is longer".length;
  for (let cut = 1; cut <= lastBytes; cut++) {
    fs.writeFileSync(path, whole.subarray(0, whole.byteLength - cut));
    t.same(await recordsIn(directory), ["one", "two"], `${cut} bytes cut`);
    t.equal(fs.statSync(path).size, whole.byteLength - lastBytes, "the rest of the record is gone");
    const offset = await within(openFiles(directory), (log) => log.append(0, Buffer.from("new")));
    t.equal(offset, 3);
    t.same(await recordsIn(directory), ["one", "two", "new"]);
  }
  fs.rmSync(directory, { recursive: true });
});

t.test("cutting a torn tail is logged with file and size", async (t) => {
  const directory = makeDirectory();
  const path = await smallLog(directory, ["one", "two"]);
  fs.appendFileSync(path, "rubbish");
  const lines: string[] = [];
  const logger = Logger.layer([Logger.make(({ logLevel, message }) => {
    lines.push(`${logLevel} ${message}`);
  })]);
  await within(openFiles(directory).pipe(Layer.provide(logger)), (log) => log.bounds(0));
  t.equal(lines.length, 1);
  t.match(lines[0], `Warn Cut 7 bytes off the end of "${path}"`);
  t.match(lines[0], "The log continues at offset 3");
  fs.rmSync(directory, { recursive: true });
});

t.test("any flipped bit is noticed: damage, or a torn tail if in the last record", async (t) => {
  const directory = makeDirectory();
  const texts = ["one", "two", "three"];
  const path = await smallLog(directory, texts);
  const whole = fs.readFileSync(path);
  const lastStart = whole.byteLength - recordHeaderBytes - 5;
  for (let at = 0; at < whole.byteLength; at++) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] as number) ^ (1 << (at % 8));
    fs.writeFileSync(path, damaged);
    const result = await recordsIn(directory);
    if (at >= lastStart) {
      t.same(result, ["one", "two"], `byte ${at}: cut off as a torn tail`);
      continue;
    }
    t.equal((result as WriteLogError).reason, "Corrupt", `byte ${at}`);
    const start = at < fileHeaderBytes ? 0 : at < fileHeaderBytes + 23 ? 32 : 55;
    t.match((result as WriteLogError).message, `"${path}" at byte ${start}:`);
    t.ok(damaged.equals(fs.readFileSync(path)), "nothing was changed");
  }
  fs.rmSync(directory, { recursive: true });
});

t.test("damage in a file that others follow, or a missing file, is an error of that partition alone", async (t) => {
  const directory = makeDirectory();
  const open = () => openFiles(directory, { segmentBytesMax: 60 });
  await within(
    open(),
    (log) =>
      Effect.forEach([1, 2, 3, 4, 5, 6], (index) =>
        Effect.andThen(
          log.append(0, Buffer.from(`row ${index}`)),
          log.append(1, Buffer.from("x")),
        )),
  );
  const files = fs.readdirSync(join(directory, "wal", "0"));
  t.ok(files.length > 2, files.join());
  const second = join(directory, "wal", "0", files[1] as string);
  const kept = fs.readFileSync(second);
  const reasonOf = () =>
    within(open(), (log) =>
      Effect.gen(function* () {
        const errors = [
          yield* Effect.flip(log.append(0, Buffer.from("new"))),
          yield* Effect.flip(log.read(0, 1, 1000)),
          yield* Effect.flip(log.bounds(0)),
          yield* Effect.flip(log.release(0, 4)),
        ];
        t.same(errors.map((error) => error.reason), Array(4).fill("Corrupt"));
        t.ok((yield* log.append(1, Buffer.from("x"))) > 6, "another partition goes on");
        return (errors[0] as WriteLogError).message;
      }));
  fs.writeFileSync(second, kept.subarray(0, kept.byteLength - 1));
  t.match(await reasonOf(), /later files follow.*Nothing was changed\. Restore the file/);
  fs.rmSync(second);
  t.match(await reasonOf(), /damage in .*, and later files follow/);
  fs.writeFileSync(second, kept);
  t.equal((await recordsIn(directory) as string[]).length, 6, "restored");
  fs.rmSync(directory, { recursive: true });
});

t.test("a torn commit group is cut where it tore, though later records of it are whole", async (t) => {
  const directory = makeDirectory();
  const path = await smallLog(directory, ["safe"]);
  const safeBytes = fs.statSync(path).size;
  await within(
    openFiles(directory),
    (log) =>
      Effect.all(["g0", "g1", "g2"].map((text) => log.append(0, Buffer.from(text))), {
        concurrency: "unbounded",
      }),
  );
  const whole = fs.readFileSync(path);
  for (let index = 0; index < 3; index++) {
    const damaged = Buffer.from(whole);
    damaged.fill(0, safeBytes + index * 22, safeBytes + (index + 1) * 22);
    fs.writeFileSync(path, damaged);
    t.same(await recordsIn(directory), ["safe", "g0", "g1"].slice(0, index + 1));
  }
  fs.rmSync(directory, { recursive: true });
});

t.test("release deletes files and makes room; Full says how much is used", async (t) => {
  const directory = makeDirectory();
  const options = { segmentBytesMax: 1000, logBytesMax: 5000 };
  await within(openFiles(directory, options), (log) =>
    Effect.gen(function* () {
      const files = () => fs.readdirSync(join(directory, "wal", "0")).length;
      let last = 0;
      const fill = Effect.gen(function* () {
        for (;;) last = yield* log.append(0, new Uint8Array(480));
      });
      const full: WriteLogError = yield* Effect.flip(fill);
      t.equal(full.reason, "Full");
      t.match(full.message, /\d+ of at most 5000 bytes are in use/);
      t.ok(last >= 9 && last <= 10, `${last} records`);
      t.equal(files(), 5);
      yield* log.release(0, 5);
      t.equal(files(), 3);
      t.equal((yield* log.read(0, 1, 1)).at(0)?.offset, 5);
      t.equal(yield* log.append(0, new Uint8Array(480)), last + 1);
      const before = last;
      yield* log.release(0, last + 2);
      t.equal((yield* Effect.flip(fill)).reason, "Full", "a wholly released file does not count");
      t.ok(last >= before + 9, `${last - before} more records`);
    }));
  fs.rmSync(directory, { recursive: true });
});

t.test("a failed fdatasync fails the appends and is survived with a new file", async (t) => {
  const disk = new SimulatedDisk(randomFrom(2));
  await within(openSimulated(disk), (log) =>
    Effect.gen(function* () {
      yield* log.append(0, Buffer.from("one"));
      disk.failNext("syncData");
      const error: WriteLogError = yield* Effect.flip(log.append(0, Buffer.from("lost")));
      t.equal(error.reason, "Io");
      t.equal((yield* log.bounds(0)).next, 2);
      t.equal(yield* log.append(0, Buffer.from("two")), 2);
      t.same(yield* Effect.promise(() => disk.list("/data/wal/0")), [
        "0000000000000001.log",
        "0000000000000002.log",
      ]);
    }));
  disk.crash();
  const texts = await within(openSimulated(disk), (log) => log.read(0, 1, 1000));
  t.same(texts.map((record) => Buffer.from(record.bytes).toString()), ["one", "two"]);
});

t.test("acknowledged records survive any crash and fault, once and in order", async (t) => {
  const property = fc.asyncProperty(fc.nat(), async (seed) => {
    const random = randomFrom(seed);
    const disk = new SimulatedDisk(random);
    const model: (string | undefined)[] = [];
    let count = 0;
    for (let life = 0; life < 4; life++) {
      const options = { segmentBytesMax: 400, groupBytesMax: 200 };
      await within(openSimulated(disk, options), (log) =>
        Effect.gen(function* () {
          yield* checkAgainst(t, log, model);
          for (let round = 0; round < 12; round++) {
            injectFault(disk, random);
            const texts = Array.from({ length: random.between(1, 6) }, () =>
              `${count++} ${"x".repeat(random.below(60))}`);
            const results = yield* Effect.all(
              texts.map((text) =>
                Effect.option(log.append(0, Buffer.from(text)))
              ),
              { concurrency: "unbounded" },
            );
            results.forEach((result, index) => {
              if (result._tag === "Some") model[result.value] = texts[index];
            });
            disk.capacityBytes = Infinity;
            if (random.oneIn(6)) {
              const { first, next } = yield* log.bounds(0);
              const offset = random.between(first, next) + (random.oneIn(3) ? 5 : 0);
              injectFault(disk, random);
              for (let at = 1; at < offset; at++) delete model[at];
              yield* Effect.ignore(log.release(0, offset));
            }
          }
          yield* checkAgainst(t, log, model);
          disk.crash();
        }));
    }
  });
  await fc.assert(property, { numRuns: 60 });
});

function injectFault(disk: SimulatedDisk, random: ReturnType<typeof randomFrom>): void {
  const operations = [
    "write",
    "syncData",
    "truncate",
    "create",
    "rename",
    "syncDirectory",
  ] as const;
  if (random.oneIn(3)) disk.failNext(random.pick(operations), random.pick(["EIO", "ENOSPC"]));
  if (random.oneIn(8)) disk.capacityBytes = random.below(3000);
}

/** Every acknowledged record is there at its offset; offsets have no gaps. Unacknowledged ones may follow after a crash. */
const checkAgainst = Effect.fnUntraced(function* (
  t: Test,
  log: Log,
  model: ReadonlyArray<string | undefined>,
) {
  const found = new Map<number, string>();
  const records = yield* log.read(0, 1, 1_000_000);
  records.forEach((record, index) => {
    if (record.offset !== (records[0]?.offset ?? 0) + index) t.fail("offsets have a gap");
    found.set(record.offset, Buffer.from(record.bytes).toString());
  });
  model.forEach((text, offset) => {
    if (found.get(offset) !== text) t.fail(`offset ${offset}: ${found.get(offset)}, not ${text}`);
  });
  t.pass(`${model.length} records`);
});

t.test("a full disk refuses appends with Full, and they work again when there is room", async (t) => {
  const mount = makeDirectory();
  mountTmpfs(t, mount, "size=1m");
  try {
    await within(openFiles(join(mount, "data")), (log) =>
      Effect.gen(function* () {
        const ballast = join(mount, "ballast");
        fs.writeFileSync(ballast, new Uint8Array(600_000));
        const acknowledged: number[] = [];
        const fill = Effect.gen(function* () {
          for (;;) acknowledged.push(yield* log.append(0, new Uint8Array(50_000)));
        });
        const error: WriteLogError = yield* Effect.flip(fill);
        t.equal(error.reason, "Full");
        t.match(error.message, /ENOSPC.*free some room, then appends work again/);
        t.equal((yield* log.bounds(0)).next, acknowledged.length + 1);
        t.equal(
          yield* log.append(0, new Uint8Array(10)),
          acknowledged.length + 1,
          "a small one fits",
        );
        fs.rmSync(ballast);
        t.equal(yield* log.append(0, new Uint8Array(50_000)), acknowledged.length + 2);
        t.equal((yield* log.read(0, 1, 10_000_000)).length, acknowledged.length + 2);
      }));
  } finally {
    spawnSync("umount", [mount]);
    fs.rmSync(mount, { recursive: true });
  }
});

t.test("a read-only directory is refused with a message that says what to do", async (t) => {
  const mount = makeDirectory();
  mountTmpfs(t, mount, "size=1m,ro");
  try {
    const error = await within(openFiles(mount), (log) => log.bounds(0)).catch((error) => error);
    t.equal(error._tag, "DataDirectoryError");
    t.match(error.message, `Cannot use the data directory "${mount}"`);
    t.match(error.message, "writable for this user");
  } finally {
    spawnSync("umount", [mount]);
    fs.rmSync(mount, { recursive: true });
  }
});

t.test("a directory in use is refused, naming the process", async (t) => {
  const directory = makeDirectory();
  await within(openFiles(directory), () =>
    Effect.promise(async () => {
      const error = await within(openFiles(directory), (log) => log.bounds(0)).catch((e) => e);
      t.equal(error._tag, "DataDirectoryError");
      t.match(error.message, `process ${process.pid} is using it`);
    }));
  await within(openFiles(directory), (log) => log.bounds(0));
  fs.rmSync(directory, { recursive: true });
});

function mountTmpfs(t: Test, path: string, options: string): void {
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
  if (status === 0) return;
  t.comment(
    "this test needs the right to mount a tmpfs: run it as root, or in a container with CAP_SYS_ADMIN",
  );
  throw new Error(`mount failed: ${stderr}`);
}
