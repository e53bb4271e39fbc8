/** What every WriteLog must do, as tests over a way to open one. Implementations' own tests (FileWriteLog.test.ts) cover
 *  what is theirs: file formats, crashes, full disks. */
import { Effect, type Layer } from "effect";
import t, { type Test } from "tap";
import { WriteLog, type WriteLogError } from "./WriteLog.ts";

/** A log that can be opened several times, one after the other, over the same stored records. */
export interface WriteLogFixture {
  readonly open: () => Layer.Layer<WriteLog, unknown>;
  /** The record size that must still be accepted; one byte more must be refused. */
  readonly recordBytesMax: number;
  readonly cleanUp: () => Promise<void>;
}

/** Runs the suite; each test gets a fixture of its own. */
export function writeLogContract(name: string, makeFixture: () => Promise<WriteLogFixture>): void {
  const test = (title: string, body: (t: Test, fixture: WriteLogFixture) => Promise<void>) =>
    t.test(`${name}: ${title}`, async (t) => {
      const fixture = await makeFixture();
      try {
        await body(t, fixture);
      } finally {
        await fixture.cleanUp();
      }
    });

  test("offsets count from 1 and records come back in order", async (t, fixture) => {
    await within(fixture, function* (log) {
      t.same(yield* log.bounds(0), { first: 1, next: 1 });
      t.same(yield* log.read(0, 1, 1000), []);
      for (let index = 1; index <= 5; index++) t.equal(yield* log.append(0, row(index)), index);
      t.same(yield* log.bounds(0), { first: 1, next: 6 });
      t.same(plain(yield* log.read(0, 1, 1_000_000)), [1, 2, 3, 4, 5].map(plainRow));
      t.same(plain(yield* log.read(0, 4, 1_000_000)), [4, 5].map(plainRow));
      t.same(yield* log.read(0, 6, 1000), [], "caught up");
    });
  });

  test("concurrent appends get contiguous offsets in call order", async (t, fixture) => {
    await within(fixture, function* (log) {
      const indexes = Array.from({ length: 200 }, (_, index) => index + 1);
      const appends = indexes.map((index) => log.append(3, row(index)));
      t.same(yield* Effect.all(appends, { concurrency: "unbounded" }), indexes);
      t.same(plain(yield* log.read(3, 1, Infinity)), indexes.map(plainRow));
    });
  });

  test("partitions are independent", async (t, fixture) => {
    await within(fixture, function* (log) {
      t.equal(yield* log.append(1, row(10)), 1);
      t.ok((yield* log.partitions).includes(1), "the partition is known");
      t.equal(yield* log.append(2, row(20)), 1);
      t.equal(yield* log.append(1, row(11)), 2);
      t.same(texts(yield* log.read(1, 1, 1000)), ["row 10", "row 11"]);
      t.same(texts(yield* log.read(2, 1, 1000)), ["row 20"]);
    });
  });

  test("read stops after about bytesMax, but gives one record", async (t, fixture) => {
    await within(fixture, function* (log) {
      for (let index = 0; index < 20; index++) {
        yield* log.append(0, new Uint8Array(1000).fill(index));
      }
      t.equal((yield* log.read(0, 3, 1)).length, 1);
      t.equal((yield* log.read(0, 3, 0)).length, 1);
      const some = yield* log.read(0, 3, 5000);
      t.ok(some.length >= 4 && some.length <= 6, `${some.length} records for 5000 bytes`);
      t.equal(some[0]?.offset, 3);
    });
  });

  test("records of every size, none included, survive an opening", async (t, fixture) => {
    const sizes = [0, 1, 19, 20, 21, 4095, 4096, 65_536, 200_000, fixture.recordBytesMax];
    const payload = (size: number) => Uint8Array.from({ length: size }, (_, at) => at * 31 + size);
    await within(fixture, function* (log) {
      for (const size of sizes) yield* log.append(0, payload(size));
    });
    await within(fixture, function* (log) {
      t.same(yield* log.bounds(0), { first: 1, next: sizes.length + 1 });
      for (let index = 0; index < sizes.length; index++) {
        const [record] = yield* log.read(0, index + 1, 1);
        t.equal(record?.offset, index + 1);
        t.ok(sameBytes(record?.bytes, payload(sizes[index] as number)), `${sizes[index]} bytes`);
      }
      t.equal(yield* log.append(0, row(1)), sizes.length + 1);
    });
  });

  test("a record over the limit is refused and takes no offset", async (t, fixture) => {
    await within(fixture, function* (log) {
      const error: WriteLogError = yield* log.append(0, new Uint8Array(fixture.recordBytesMax + 1))
        .pipe(Effect.flip);
      t.equal(error.reason, "TooLarge");
      t.equal(yield* log.append(0, row(1)), 1);
    });
  });

  test("bytes in shared memory are stored", async (t, fixture) => {
    await within(fixture, function* (log) {
      const shared = new Uint8Array(new SharedArrayBuffer(5));
      shared.set(row(7));
      yield* log.append(0, shared);
      t.same(texts(yield* log.read(0, 1, 1000)), ["row 7"]);
    });
  });

  test("a record in parts, shared memory or not, is one record", async (t, fixture) => {
    await within(fixture, function* (log) {
      const shared = new Uint8Array(new SharedArrayBuffer(3000)).fill(2);
      const parts = [new Uint8Array(67).fill(1), shared.subarray(5), new Uint8Array(0), row(3)];
      t.equal(yield* log.append(0, ...parts), 1);
      t.equal(yield* log.append(0), 2, "no part at all is an empty record");
      const half = new Uint8Array(Math.ceil((fixture.recordBytesMax + 1) / 2));
      const error: WriteLogError = yield* log.append(0, half, half).pipe(Effect.flip);
      t.equal(error.reason, "TooLarge", "all parts count");
      const records = yield* log.read(0, 1, 10_000);
      t.same(records.map(({ bytes }) => bytes.byteLength), [67 + 2995 + row(3).byteLength, 0]);
      t.ok(sameBytes(records[0]?.bytes, Buffer.concat(parts)));
    });
  });

  test("release gives up records below an offset, never above", async (t, fixture) => {
    await within(fixture, function* (log) {
      for (let index = 1; index <= 10; index++) yield* log.append(0, row(index));
      yield* log.release(0, 6);
      yield* log.release(0, 3);
      const { first, next } = yield* log.bounds(0);
      t.ok(first <= 6, `first is ${first}`);
      t.equal(next, 11);
      t.same(texts(yield* log.read(0, 6, 1000)), [6, 7, 8, 9, 10].map((index) => `row ${index}`));
      yield* log.release(0, 11);
      t.same(yield* log.read(0, 11, 1000), []);
      t.equal(yield* log.append(0, row(11)), 11, "offsets go on");
    });
    await within(fixture, function* (log) {
      t.equal((yield* log.bounds(0)).next, 12);
      t.same(texts(yield* log.read(0, 11, 1000)), ["row 11"]);
    });
  });

  test("release beyond the end makes the log continue there", async (t, fixture) => {
    await within(fixture, function* (log) {
      yield* log.append(0, row(1));
      yield* log.release(0, 500);
      yield* log.release(7, 20);
      t.same(yield* log.bounds(0), { first: 500, next: 500 });
      t.equal(yield* log.append(0, row(500)), 500);
    });
    await within(fixture, function* (log) {
      t.same(yield* log.bounds(0), { first: 500, next: 501 });
      t.same(texts(yield* log.read(0, 1, 1000)), ["row 500"]);
      t.same(yield* log.bounds(7), { first: 20, next: 20 });
    });
  });
}

type Log = (typeof WriteLog)["Service"];

/** Opens the log, runs `body` with it, closes it. */
function within(
  fixture: WriteLogFixture,
  body: (log: Log) => Generator<Effect.Effect<unknown, unknown>, void, never>,
): Promise<void> {
  const program = Effect.flatMap(WriteLog, (log) => Effect.gen(() => body(log)));
  return Effect.runPromise(program.pipe(Effect.provide(fixture.open()), Effect.scoped));
}

function row(index: number): Uint8Array {
  return new TextEncoder().encode(`row ${index}`);
}

function plainRow(index: number): { readonly offset: number; readonly text: string } {
  return { offset: index, text: `row ${index}` };
}

function plain(records: ReadonlyArray<{ readonly offset: number; readonly bytes: Uint8Array }>) {
  return records.map(({ offset, bytes }) => ({ offset, text: new TextDecoder().decode(bytes) }));
}

function texts(records: ReadonlyArray<{ readonly offset: number; readonly bytes: Uint8Array }>) {
  return plain(records).map(({ text }) => text);
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a?.byteLength === b.byteLength && a.every((byte, at) => byte === b[at]);
}
