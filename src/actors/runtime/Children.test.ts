/** Keyed children: keys, bounds, idle stop, and the race between a message and a stop, under many
 *  random interleavings. */
import { Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import fc from "fast-check";
import t from "tap";
import { actorTest, settle } from "../../testing/actors.ts";
import { randomFrom } from "../../testing/random.ts";
import type { ActorContext, Behaviour, Children } from "./mod.ts";

/** Spawns a parent that does nothing but own one group, and hands the group out. */
const spawnGroup = <M>(options: { readonly countMax: number; readonly idleAfterMs?: number }) => {
  let group: Children<string, M> | undefined;
  const behaviour: Behaviour<never> = {
    kind: "parent",
    mailbox: { capacity: 1 },
    start: (self) => {
      group = self.children<string, M>({ name: "children", ...options });
      return { receive: () => {} };
    },
  };
  return { behaviour, group: () => group! };
};

const recorder = (log: Array<string>) => (key: string): Behaviour<string> => ({
  kind: "child",
  mailbox: { capacity: 100 },
  start: () => {
    log.push(`${key} start`);
    return {
      receive: (message) => void log.push(`${key} ${message}`),
      stop: () => void log.push(`${key} stop`),
    };
  },
});

actorTest(
  t,
  "one child per key, found again, bounded in number",
  ({ t, system }) =>
    Effect.gen(function* () {
      const log: Array<string> = [];
      const { behaviour, group } = spawnGroup<string>({ countMax: 2 });
      const parent = yield* system.spawn(behaviour, { name: "p" });
      yield* parent.ready;
      const children = group();
      const a = children.getOrStart("a", recorder(log))!;
      t.equal(children.getOrStart("a", recorder(log)), a);
      t.equal(children.get("b"), undefined);
      t.ok(children.getOrStart("b", recorder(log)));
      t.equal(children.getOrStart("c", recorder(log)), undefined, "no room");
      t.same([children.count(), [...children.keys()]], [2, ["a", "b"]]);
      t.equal(a.path, "/p/children/a");
      a.tryTell("1");
      yield* a.stop();
      t.same([children.count(), children.get("a")], [1, undefined]);
      t.ok(children.getOrStart("c", recorder(log)), "room again");
      yield* children.stopAll;
      t.same([children.count(), children.get("c")], [0, undefined]);
      t.ok(children.getOrStart("d", recorder(log)), "stopAll does not close the group");
      yield* parent.stop();
      t.equal(children.getOrStart("e", recorder(log)), undefined, "the parent has ended");
      t.same(log.filter((line) => line.startsWith("a")), ["a start", "a 1", "a stop"]);
    }),
);

actorTest(
  t,
  "quiet children are stopped after idleAfterMs unless they object",
  ({ t, system }) =>
    Effect.gen(function* () {
      const log: Array<string> = [];
      const { behaviour, group } = spawnGroup<string>({ countMax: 9, idleAfterMs: 10_000 });
      yield* system.spawn(behaviour, { name: "p" });
      yield* settle;
      const children = group();
      children.getOrStart("quiet", recorder(log))!.tryTell("x");
      children.getOrStart("busy", recorder(log))!.tryTell("x");
      const holding: Behaviour<string> = {
        ...recorder(log)("holding"),
        start: () => ({ receive: () => {}, idle: () => false }),
      };
      children.getOrStart("holding", () => holding)!.tryTell("x");
      for (let second = 0; second < 30; second++) {
        yield* TestClock.adjust("1 second");
        children.getOrStart("busy", recorder(log))!.tryTell("x");
        if (second === 8) t.same([...children.keys()], ["quiet", "busy", "holding"]);
      }
      yield* settle;
      t.same([...children.keys()], ["busy", "holding"]);
      t.same(log.filter((line) => line.startsWith("quiet")), [
        "quiet start",
        "quiet x",
        "quiet stop",
      ]);
      t.equal(log.filter((line) => line === "busy start").length, 1);
    }),
);

actorTest(
  t,
  "a message for a child that is stopping goes to its successor, which starts after it ended",
  (
    { t, system },
  ) =>
    Effect.gen(function* () {
      const log: Array<string> = [];
      const slow = (key: string): Behaviour<string> => ({
        ...recorder(log)(key),
        start: () => ({
          receive: (message) => void log.push(message),
          stop: () => Effect.map(Effect.sleep("1 second"), () => void log.push("stopped")),
        }),
      });
      const { behaviour, group } = spawnGroup<string>({ countMax: 1 });
      const parent = yield* system.spawn(behaviour, { name: "p" });
      yield* parent.ready;
      const children = group();
      const old = children.getOrStart("a", slow)!;
      old.tryTell("old");
      const stopping = yield* Effect.forkChild(old.stop());
      yield* settle;
      const next = children.getOrStart("a", slow)!;
      t.not(next, old);
      t.ok(next.tryTell("new"));
      yield* settle;
      t.same(log, ["old"]);
      t.equal(children.count(), 1);
      // A third generation while the first still stops must wait for it too.
      const skipped = yield* Effect.forkChild(next.kill);
      yield* settle;
      const third = children.getOrStart("a", slow)!;
      t.ok(third.tryTell("third"));
      yield* settle;
      t.same(log, ["old"]);
      yield* TestClock.adjust("1 second");
      yield* Fiber.join(stopping);
      yield* Fiber.join(skipped);
      yield* settle;
      t.same(log, ["old", "stopped", "third"]);
      const ending = yield* Effect.forkChild(parent.stop());
      yield* TestClock.adjust("1 second");
      t.equal(yield* Fiber.join(ending), "Stopped");
      t.same(system.snapshot(), []);
    }),
);

actorTest(t, "an escalating keyed child fails the parent, and the new life has new children", (
  { t, system },
) =>
  Effect.gen(function* () {
    let lives = 0;
    const counts: Array<number> = [];
    const parent = yield* system.spawn<string>({
      kind: "parent",
      mailbox: { capacity: 9 },
      supervision: { restartsMax: 1, windowMs: 1000 },
      start: (self) => {
        lives++;
        const group = self.children<string, string>({
          name: "g",
          countMax: 9,
          supervision: { restartsMax: 0, windowMs: 1000 },
        });
        const child: Behaviour<string> = {
          kind: "child",
          mailbox: { capacity: 9 },
          start: () => ({ receive: (m) => m === "bad" ? Effect.fail(m) : undefined }),
        };
        return {
          receive: (m) => {
            group.getOrStart(m, () => child)!.tryTell(m);
            counts.push(group.count());
          },
        };
      },
    }, { name: "p" });
    parent.tryTell("good");
    parent.tryTell("bad");
    yield* settle;
    parent.tryTell("after");
    yield* settle;
    t.same([lives, counts], [2, [1, 2, 1]]);
  }));

type Row = { readonly key: string; readonly n: number };

/** Passivates itself now and then; its stop hook takes a random while; counts lives that
 *  overlap. */
const restless = (
  seen: Array<Row>,
  running: Map<string, number>,
  random: () => number,
  overlaps: Array<string>,
) =>
(key: string): Behaviour<Row> => ({
  kind: "restless",
  mailbox: { capacity: 3 },
  start: (self: ActorContext<Row>) => {
    const alive = (running.get(key) ?? 0) + 1;
    running.set(key, alive);
    if (alive > 1) overlaps.push(key);
    const pause = Effect.repeat(Effect.yieldNow, { times: Math.floor(random() * 3) });
    return {
      receive: (row) => {
        if (random() < 0.5) self.passivate();
        if (random() < 0.1) self.stopSelf();
        if (random() < 0.7) return void seen.push(row);
        return Effect.map(pause, () => void seen.push(row));
      },
      stop: () =>
        Effect.map(random() < 0.5 ? Effect.void : pause, () => void running.set(key, alive - 1)),
    };
  },
});

actorTest(
  t,
  "no message is lost or doubled however stops and messages interleave",
  ({ t, system }) =>
    Effect.gen(function* () {
      const seedBase = fc.sample(fc.integer({ min: 0, max: 1 << 30 }), 1)[0]!;
      t.comment(`seeds ${seedBase} to ${seedBase + 99}`);
      for (let seed = seedBase; seed < seedBase + 100; seed++) {
        const random = randomFrom(seed).fraction;
        const seen: Array<Row> = [];
        const overlaps: Array<string> = [];
        const { behaviour, group } = spawnGroup<Row>({ countMax: 3 });
        const parent = yield* system.spawn(behaviour, { name: `p${seed}` });
        yield* parent.ready;
        const make = restless(seen, new Map(), random, overlaps);
        const sender = (key: string) =>
          Effect.gen(function* () {
            for (let n = 0; n < 30; n++) {
              const child = group().getOrStart(key, make)!;
              if (!child.tryTell({ key, n })) {
                // Refused while it waited: not accepted, so the sender tries the next life.
                const outcome = yield* Effect.result(child.tell({ key, n }));
                if (outcome._tag === "Failure") n--;
              }
              if (random() < 0.5) yield* Effect.yieldNow;
            }
          });
        yield* Effect.all(["a", "b", "c"].map(sender), { concurrency: "unbounded" });
        yield* parent.stop();
        for (const key of ["a", "b", "c"]) {
          const got = seen.filter((row) => row.key === key).map((row) => row.n);
          const want = Array.from({ length: 30 }, (_, n) => n);
          if (JSON.stringify(got) !== JSON.stringify(want)) {
            t.same(got, want, `seed ${seed}, key ${key}`);
          }
        }
        if (overlaps.length > 0) t.same(overlaps, [], `seed ${seed}: two lives at a time`);
      }
      t.same(system.snapshot(), []);
      const restless_ = system.metrics().find(({ kind }) => kind === "restless")!;
      t.match(restless_, { actors: 0, processed: 100 * 90, dropped: 0, failures: 0 });
      t.ok(
        restless_.started > 1000,
        `children really stopped and started anew: ${restless_.started}`,
      );
    }),
);
