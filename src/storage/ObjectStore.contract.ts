/** What every ObjectStore must do, as tests over a way to open one. */
import { Effect, type Layer } from "effect";
import t, { type Test } from "tap";
import { ObjectStore, type ObjectStoreError } from "./ObjectStore.ts";

/** A store that can be opened several times, one after the other, over the same objects. */
export interface ObjectStoreFixture {
  readonly open: () => Layer.Layer<ObjectStore, unknown>;
  readonly cleanUp: () => Promise<void>;
}

/** Runs the suite; each test gets a fixture of its own. */
export function objectStoreContract(
  name: string,
  makeFixture: () => Promise<ObjectStoreFixture>,
): void {
  const test = (title: string, body: (t: Test, fixture: ObjectStoreFixture) => Promise<void>) =>
    t.test(`${name}: ${title}`, async (t) => {
      const fixture = await makeFixture();
      try {
        await body(t, fixture);
      } finally {
        await fixture.cleanUp();
      }
    });

  test("an object is the concatenation of its parts, whole or in ranges", async (t, fixture) => {
    await within(fixture, function* (store) {
      yield* store.put("a/b.seg", [bytes("hello "), bytes(""), bytes("wor"), bytes("ld")]);
      yield* store.put("empty", []);
    });
    await within(fixture, function* (store) {
      t.equal(text(yield* store.get("a/b.seg")), "hello world");
      t.equal(text(yield* store.getRange("a/b.seg", 6, 5)), "world");
      t.equal(text(yield* store.getRange("a/b.seg", 0, 0)), "");
      t.equal(text(yield* store.getRange("a/b.seg", 11, 0)), "");
      t.equal((yield* store.get("empty")).byteLength, 0);
    });
  });

  test("more parts than one system call takes are stored in order", async (t, fixture) => {
    await within(fixture, function* (store) {
      const parts = Array.from({ length: 2500 }, (_, index) => bytes(`${index},`));
      yield* store.put("many", parts);
      t.equal(text(yield* store.get("many")), parts.map(text).join(""));
    });
  });

  test("a range beyond the end is refused", async (t, fixture) => {
    await within(fixture, function* (store) {
      yield* store.put("x", [bytes("12345")]);
      for (const [offset, length] of [[0, 6], [5, 1], [-1, 2], [0, -1], [9, 9]] as const) {
        const error: ObjectStoreError = yield* Effect.flip(store.getRange("x", offset, length));
        t.equal(error.reason, "BadRange", `${offset}, ${length}`);
      }
    });
  });

  test("a key is written once", async (t, fixture) => {
    await within(fixture, function* (store) {
      yield* store.put("k", [bytes("one")]);
      yield* store.put("k", [bytes("o"), bytes("ne")]);
      for (const other of ["two", "on", "once", ""]) {
        const error: ObjectStoreError = yield* Effect.flip(store.put("k", [bytes(other)]));
        t.equal(error.reason, "Exists", other);
      }
      t.equal(text(yield* store.get("k")), "one");
      const contents = ["a", "b", "a", "c"];
      const results = yield* Effect.all(
        contents.map((content) => Effect.exit(store.put("race", [bytes(content)]))),
        { concurrency: "unbounded" },
      );
      // Any of them may be first: those that put the same succeed, the others fail.
      const winner = text(yield* store.get("race"));
      t.ok(contents.includes(winner), winner);
      t.same(
        results.map((exit) => exit._tag),
        contents.map((content) => content === winner ? "Success" : "Failure"),
      );
    });
  });

  test("list gives the keys with a prefix, in order, with sizes", async (t, fixture) => {
    await within(fixture, function* (store) {
      t.same(yield* store.list(""), []);
      const keys = ["segments/00002/a", "segments/00001/b", "segments/00001/a", "seg", "t/x"];
      for (const key of keys) yield* store.put(key, [bytes(key)]);
      const listed = function* (prefix: string) {
        return (yield* store.list(prefix)).map(({ key }) => key);
      };
      t.same(yield* listed(""), [...keys].sort());
      t.same(yield* listed("seg"), keys.filter((key) => key.startsWith("seg")).sort());
      t.same(yield* listed("segments/00001/"), ["segments/00001/a", "segments/00001/b"]);
      t.same(yield* listed("segments/0000"), [...keys].sort().slice(1, 4));
      t.same(yield* listed("nothing/here"), []);
      t.same((yield* store.list("t/"))[0], { key: "t/x", bytes: 3 });
    });
  });

  test("a removed object is gone, and removing nothing succeeds", async (t, fixture) => {
    await within(fixture, function* (store) {
      yield* store.put("d/e", [bytes("x")]);
      yield* store.remove("d/e");
      yield* store.remove("d/e");
      yield* store.remove("never/was");
      for (const read of [store.get("d/e"), store.getRange("d/e", 0, 1), store.get("d")]) {
        t.equal(((yield* Effect.flip(read)) as ObjectStoreError).reason, "NotFound");
      }
      t.same(yield* store.list(""), []);
      yield* store.put("d/e", [bytes("new content")]);
      t.equal(text(yield* store.get("d/e")), "new content");
    });
  });

  test("bad keys are refused by every operation", async (t, fixture) => {
    const bad = [
      "",
      "/",
      "a/",
      "/a",
      "a//b",
      ".",
      "..",
      "a/../b",
      "a/./b",
      "a b",
      "ä",
      "a\\b",
      "a\0",
      "~",
    ];
    await within(fixture, function* (store) {
      for (const key of [...bad, "x".repeat(201), `${"x/".repeat(600)}x`]) {
        const errors = [
          yield* Effect.flip(store.put(key, [bytes("x")])),
          yield* Effect.flip(store.get(key)),
          yield* Effect.flip(store.getRange(key, 0, 0)),
          yield* Effect.flip(store.remove(key)),
        ] as ObjectStoreError[];
        t.same(errors.map(({ reason }) => reason), Array(4).fill("BadKey"), JSON.stringify(key));
      }
      for (const key of ["a=b/c_d/e-f.g", "...", "x".repeat(200)]) {
        yield* store.put(key, [bytes(key)]);
        t.equal(text(yield* store.get(key)), key);
      }
    });
  });
}

type Store = (typeof ObjectStore)["Service"];

function within(
  fixture: ObjectStoreFixture,
  body: (store: Store) => Generator<Effect.Effect<unknown, unknown>, void, never>,
): Promise<void> {
  const program = Effect.flatMap(ObjectStore, (store) => Effect.gen(() => body(store)));
  return Effect.runPromise(program.pipe(Effect.provide(fixture.open()), Effect.scoped));
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
