/** What every RuleStore must do, as tests over a way to open one. */
import { Effect, type Layer } from "effect";
import t, { type Test } from "tap";
import { keyPart, partText, RuleStore } from "./RuleStore.ts";

export interface RuleStoreFixture {
  /** Can be opened again and again over the same records. */
  readonly open: () => Layer.Layer<RuleStore, unknown>;
  readonly cleanUp: () => Promise<void>;
}

type Store = (typeof RuleStore)["Service"];

/** Runs the suite; each test gets a fixture of its own. */
export function ruleStoreContract(name: string, makeFixture: () => Promise<RuleStoreFixture>) {
  const test = (
    title: string,
    body: (t: Test, fixture: RuleStoreFixture) => Promise<void>,
  ) =>
    t.test(`${name}: ${title}`, async (t) => {
      const fixture = await makeFixture();
      try {
        await body(t, fixture);
      } finally {
        await fixture.cleanUp();
      }
    });

  test("what was put is listed by prefix and key, also by the next process", async (t, fixture) => {
    await within(fixture, function* (store) {
      for (const key of ["group.b.x", "group.a.y", "state.a", "group.a.x", "group.ab.z"]) {
        yield* store.put(key, bytes(`first ${key}`));
      }
      yield* store.put("group.a.x", bytes("second"));
    });
    await within(fixture, function* (store) {
      const found = yield* store.list("group.a.");
      t.same(found.map(({ key, value }) => [key, text(value)]), [
        ["group.a.x", "second"],
        ["group.a.y", "first group.a.y"],
      ]);
      t.equal((yield* store.list("")).length, 5);
      t.same(yield* store.list("nothing"), []);
    });
  });

  test("replace writes only over the revision it names", async (t, fixture) => {
    await within(fixture, function* (store) {
      const first = yield* store.replace("k", bytes("1"), 0);
      t.ok(first !== undefined && first > 0);
      t.equal(yield* store.replace("k", bytes("other"), 0), undefined, "there is one");
      const second = yield* store.replace("k", bytes("2"), first!);
      t.ok(second !== undefined && second !== first);
      t.equal(yield* store.replace("k", bytes("late"), first!), undefined, "an old revision");
      t.equal(text((yield* store.list("k"))[0]!.value), "2");
      t.equal((yield* store.list("k"))[0]!.revision, second);
      const put = yield* store.put("k", bytes("3"));
      t.ok(put !== second);
      t.equal(yield* store.replace("k", bytes("4"), second!), undefined, "put counts too");
    });
  });

  test("a removed record is gone, and can be written again", async (t, fixture) => {
    await within(fixture, function* (store) {
      const first = yield* store.put("k", bytes("1"));
      t.equal(yield* store.remove("k"), true);
      t.equal(yield* store.remove("k"), false);
      t.equal(yield* store.remove("never"), false);
      t.same(yield* store.list(""), []);
      t.equal(yield* store.replace("k", bytes("late"), first), undefined);
      t.same(yield* store.list(""), []);
    });
    await within(fixture, function* (store) {
      t.same(yield* store.list(""), []);
      t.ok((yield* store.replace("k", bytes("again"), 0)) !== undefined);
      t.equal(text((yield* store.list("k"))[0]!.value), "again");
    });
  });

  test("records are bytes of any kind and some size", async (t, fixture) => {
    const value = new Uint8Array(300_000).map((_, index) => index * 7);
    await within(fixture, function* (store) {
      yield* store.put("big", value);
      yield* store.put("empty", new Uint8Array(0));
      const [big, empty] = [yield* store.list("big"), yield* store.list("empty")];
      t.ok(Buffer.from(big[0]!.value).equals(value));
      t.equal(empty[0]!.value.length, 0);
    });
  });

  test("names of any kind are parts of keys", async (t, fixture) => {
    const names = ["a", "", "a.b", "a/b c", "ä€😀", "=", "=41", "_-", "*", ">", "a=b"];
    t.equal(new Set(names.map(keyPart)).size, names.length);
    await within(fixture, function* (store) {
      for (const name of names) yield* store.put(`n.${keyPart(name)}`, bytes(name));
      const found = yield* store.list("n.");
      t.same(found.map(({ key }) => partText(key.slice(2))).sort(), [...names].sort());
      for (const { key, value } of found) t.equal(partText(key.slice(2)), text(value));
    });
  });
}

function within(
  fixture: RuleStoreFixture,
  body: (store: Store) => Generator<Effect.Effect<unknown, unknown>, void, never>,
): Promise<void> {
  const program = Effect.flatMap(RuleStore, (store) => Effect.gen(() => body(store)));
  return Effect.runPromise(program.pipe(Effect.provide(fixture.open()), Effect.scoped));
}

function bytes(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function text(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}
