/** What callers of actors rely on: order, backpressure, asks, stop, kill, scopes, the registry.
 *  Supervision and keyed children have their own tests. */
import { Deferred, Effect, Exit, Fiber, Scope } from "effect";
import { TestClock } from "effect/testing";
import t from "tap";
import { actorTest, settle } from "../../testing/actors.ts";
import type { Behaviour, Handler, Reply } from "./mod.ts";

/** An actor that calls `receive` for each message. */
const each = <M>(
  receive: Handler<M>["receive"],
  rest: Partial<Behaviour<M>> = {},
): Behaviour<M> => ({
  kind: "test",
  mailbox: { capacity: 1024 },
  start: () => ({ receive }) as Handler<M>,
  ...rest,
});

/** An actor whose handler waits for the gate before each message it records. */
const gated = <M>(
  seen: Array<M>,
  gate: Deferred.Deferred<void>,
  rest: Partial<Behaviour<M>> = {},
) => each<M>((message) => Effect.map(Deferred.await(gate), () => void seen.push(message)), rest);

actorTest(
  t,
  "messages of one sender arrive in order, sync and effectful handlers alike",
  ({ t, system }) =>
    Effect.gen(function* () {
      const seen: Array<number> = [];
      const actor = yield* system.spawn(
        each<number>((n) =>
          n % 3 === 0 ? Effect.map(Effect.yieldNow, () => void seen.push(n)) : void seen.push(n)
        ),
        { name: "a" },
      );
      for (let n = 0; n < 500; n++) t.ok(actor.tryTell(n));
      t.same(seen, [], "tryTell runs no user code");
      for (let n = 500; n < 2000; n++) yield* actor.tell(n);
      t.equal(yield* actor.stop(), "Stopped");
      t.same(seen, Array.from({ length: 2000 }, (_, n) => n));
    }),
);

actorTest(
  t,
  "receiveAll gets everything that waits, in order, at most batchMax",
  ({ t, system }) =>
    Effect.gen(function* () {
      const batches: Array<ReadonlyArray<number>> = [];
      const actor = yield* system.spawn<number>({
        kind: "test",
        mailbox: { capacity: 10 },
        start: () => ({ batchMax: 4, receiveAll: (batch) => void batches.push(batch) }),
      }, { name: "a" });
      for (let n = 0; n < 10; n++) actor.tryTell(n);
      yield* settle;
      t.same(batches, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]);
    }),
);

actorTest(
  t,
  "a full mailbox makes tryTell answer false and tell wait, first come first served",
  ({ t, system }) =>
    Effect.gen(function* () {
      const seen: Array<string> = [];
      const gate = Deferred.makeUnsafe<void>();
      const actor = yield* system.spawn(gated(seen, gate, { mailbox: { capacity: 2 } }), {
        name: "a",
      });
      t.ok(actor.tryTell("taken"));
      yield* settle;
      t.same([actor.tryTell("1"), actor.tryTell("2"), actor.tryTell("3")], [true, true, false]);
      const third = yield* Effect.forkChild(actor.tell("3"));
      const given = yield* Effect.forkChild(actor.tell("given up"));
      const fourth = yield* Effect.forkChild(actor.tell("4"));
      yield* settle;
      t.same(
        [third, fourth].map((fiber) => fiber.pollUnsafe()),
        [undefined, undefined],
        "both wait",
      );
      yield* Fiber.interrupt(given);
      yield* Deferred.succeed(gate, undefined);
      yield* Fiber.join(third);
      yield* Fiber.join(fourth);
      yield* actor.stop();
      t.same(seen, ["taken", "1", "2", "3", "4"]);
    }),
);

actorTest(
  t,
  "capacity by weight: the sum stays within weightMax, a heavier message goes alone",
  ({ t, system }) =>
    Effect.gen(function* () {
      const seen: Array<number> = [];
      const gate = Deferred.makeUnsafe<void>();
      const mailbox = { capacity: 100, weightMax: 10, weigh: (n: number) => n };
      const actor = yield* system.spawn(gated(seen, gate, { mailbox }), { name: "a" });
      t.ok(actor.tryTell(99), "too heavy, but alone");
      t.notOk(actor.tryTell(0), "nothing beside it");
      yield* settle;
      t.same([6, 4, 1, 0].map((n) => actor.tryTell(n)), [true, true, false, true]);
      yield* Deferred.succeed(gate, undefined);
      yield* actor.stop();
      t.same(seen, [99, 6, 4, 0]);
    }),
);

type Question = { readonly reply: Reply<number, string>; readonly n: number };

actorTest(
  t,
  "ask answers, fails with the typed error, and never hangs on stop, kill or failure",
  ({ t, system }) =>
    Effect.gen(function* () {
      const kept: Array<Question> = [];
      const behaviour = each<Question>((question) => {
        if (question.n === 13) throw new Error("thirteen");
        if (question.n < 0) question.reply.fail("negative");
        else if (question.n > 100) kept.push(question);
        else question.reply.succeed(question.n * 2);
      });
      const actor = yield* system.spawn(behaviour, { name: "a" });
      const ask = (n: number) => actor.ask<number, string>((reply) => ({ reply, n }));
      t.equal(yield* ask(21), 42);
      t.equal(yield* Effect.flip(ask(-1)), "negative");
      const held = yield* Effect.forkChild(Effect.flip(ask(101)));
      yield* settle;
      const failing = yield* Effect.forkChild(Effect.flip(ask(13)));
      const later = yield* Effect.forkChild(ask(1));
      yield* settle;
      for (const fiber of [held, failing]) {
        const error = yield* Fiber.join(fiber);
        t.match(error, { _tag: "ActorStopped", reason: "Failed", path: "/a", kind: "test" });
      }
      yield* TestClock.adjust("50 millis");
      t.equal(yield* Fiber.join(later), 2, "a question not yet taken survives the restart");
      const killed = yield* Effect.forkChild(Effect.flip(ask(102)));
      yield* settle;
      yield* actor.kill;
      t.match(yield* Fiber.join(killed), { reason: "Killed" });
      t.match(yield* Effect.flip(ask(1)), { reason: "Killed" });
      t.match(yield* Effect.flip(actor.tell({ n: 1, reply: kept[0]!.reply })), {
        reason: "Killed",
      });
      kept[0]!.reply.succeed(1);
    }),
);

actorTest(
  t,
  "a reply may come after receive has returned; an interrupted ask is forgotten",
  ({ t, system }) =>
    Effect.gen(function* () {
      const kept: Array<Reply<string>> = [];
      const actor = yield* system.spawn(each<Reply<string>>((reply) => void kept.push(reply)), {
        name: "a",
      });
      const first = yield* Effect.forkChild(actor.ask<string>((reply) => reply));
      const second = yield* Effect.forkChild(actor.ask<string>((reply) => reply));
      yield* settle;
      yield* Fiber.interrupt(second);
      kept[1]!.succeed("too late");
      kept[0]!.succeed("yes");
      kept[0]!.succeed("twice");
      t.equal(yield* Fiber.join(first), "yes");
    }),
);

actorTest(
  t,
  "stop handles all accepted messages once, refuses new ones, then runs the stop hook",
  ({ t, system }) =>
    Effect.gen(function* () {
      const seen: Array<number | string> = [];
      const actor = yield* system.spawn<number>({
        kind: "test",
        mailbox: { capacity: 3 },
        start: () => ({
          receive: (n) => Effect.map(Effect.sleep("1 second"), () => void seen.push(n)),
          stop: () => Effect.map(Effect.sleep("1 second"), () => void seen.push("stop")),
        }),
      }, { name: "a" });
      for (const n of [1, 2, 3]) actor.tryTell(n);
      yield* settle;
      t.ok(actor.tryTell(4));
      const waiting = yield* Effect.forkChild(Effect.flip(actor.tell(5)));
      yield* settle;
      const stopping = yield* Effect.forkChild(actor.stop());
      const again = yield* Effect.forkChild(actor.stop());
      yield* settle;
      t.equal(actor.isOpen(), false);
      t.match(yield* Fiber.join(waiting), { _tag: "ActorStopped", reason: "Stopped" });
      t.notOk(actor.tryTell(6));
      yield* TestClock.adjust("10 seconds");
      t.same(seen, [1, 2, 3, 4, "stop"]);
      t.same([yield* Fiber.join(stopping), yield* Fiber.join(again)], ["Stopped", "Stopped"]);
      t.same(system.snapshot(), []);
    }),
);

actorTest(
  t,
  "a drain that takes too long is killed after drainMs",
  ({ t, system }) =>
    Effect.gen(function* () {
      const log: Array<string> = [];
      const actor = yield* system.spawn<number>({
        kind: "test",
        mailbox: { capacity: 9 },
        start: () => ({
          receive: () =>
            Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("interrupted"))),
          stop: () => void log.push("stop"),
        }),
      }, { name: "a" });
      actor.tryTell(1);
      actor.tryTell(2);
      const stopping = yield* Effect.forkChild(actor.stop({ drainMs: 5000 }));
      yield* TestClock.adjust(4999);
      t.equal(stopping.pollUnsafe(), undefined);
      yield* TestClock.adjust(1);
      t.equal(yield* Fiber.join(stopping), "Killed");
      t.same(log, ["interrupted"]);
      t.match(system.metrics(), [{
        kind: "test",
        actors: 0,
        processed: 2,
        dropped: 1,
        failures: 0,
      }]);
    }),
);

actorTest(
  t,
  "an actor may stop itself, even by waiting for its own stop",
  ({ t, system }) =>
    Effect.gen(function* () {
      const seen: Array<number> = [];
      const actor = yield* system.spawn<number>({
        kind: "test",
        mailbox: { capacity: 9 },
        start: (self) => ({
          receive: (n) => {
            seen.push(n);
            return n === 1 ? Effect.asVoid(self.ref.stop()) : undefined;
          },
        }),
      }, { name: "a" });
      actor.tryTell(1);
      actor.tryTell(2);
      t.equal(yield* actor.ended, "Stopped");
      t.same(seen, [1, 2]);
    }),
);

actorTest(
  t,
  "interruption inside a handler is not a failure",
  ({ t, system, failures }) =>
    Effect.gen(function* () {
      const seen: Array<number> = [];
      const actor = yield* system.spawn(
        each<number>((n) => n === 1 ? Effect.interrupt : void seen.push(n)),
        { name: "a" },
      );
      actor.tryTell(1);
      actor.tryTell(2);
      yield* actor.stop();
      t.same(seen, [2]);
      t.same(failures, []);
    }),
);

actorTest(
  t,
  "children stop by stopOrder, then in reverse order of start, before their parent's hook",
  ({ t, system }) =>
    Effect.gen(function* () {
      const log: Array<string> = [];
      const leaf = (name: string): Behaviour<string> => ({
        kind: "leaf",
        mailbox: { capacity: 9 },
        start: () => ({
          receive: (message) =>
            Effect.map(Effect.yieldNow, () => void log.push(`${name} ${message}`)),
          stop: () => void log.push(`${name} stop`),
        }),
      });
      const parent = yield* system.spawn<string>({
        kind: "parent",
        mailbox: { capacity: 9 },
        start: (self) => {
          const children = [
            self.spawn(leaf("one"), { name: "one" }),
            self.spawn(leaf("two"), { name: "two" }),
            self.spawn(leaf("first"), { name: "first", stopOrder: -1 }),
          ];
          return {
            receive: (message) => children.forEach((child) => child.tryTell(message)),
            stop: () => void log.push("parent stop"),
          };
        },
      }, { name: "p" });
      parent.tryTell("x");
      t.equal(yield* parent.stop(), "Stopped");
      const stops = log.filter((line) => line.endsWith("stop"));
      t.same(stops, ["first stop", "two stop", "one stop", "parent stop"]);
      t.same(log.filter((line) => line.endsWith("x")).sort(), ["first x", "one x", "two x"]);
    }),
);

actorTest(
  t,
  "kill interrupts the handler and the children and releases resources, without stop hooks",
  ({ t, system }) =>
    Effect.gen(function* () {
      const log: Array<string> = [];
      const never = (name: string): Behaviour<number> => ({
        kind: name,
        mailbox: { capacity: 9 },
        start: (self) =>
          Effect.map(
            Effect.addFinalizer(() => Effect.sync(() => void log.push(`${name} released`))),
            () => {
              if (name === "parent") self.spawn(never("child"), { name: "child" }).tryTell(1);
              return { receive: () => Effect.never, stop: () => void log.push(`${name} stop`) };
            },
          ),
      });
      const actor = yield* system.spawn(never("parent"), { name: "p" });
      actor.tryTell(1);
      yield* settle;
      t.match(system.snapshot(), [{ name: "p", state: "Running", children: [{ name: "child" }] }]);
      yield* actor.kill;
      t.same(log, ["child released", "parent released"]);
      t.equal(yield* actor.ended, "Killed");
      t.same(system.snapshot(), []);
    }),
);

actorTest(
  t,
  "closing a scope drains its actor; a stuck one is killed in bounded time",
  ({ t, system }) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make();
      const seen: Array<number> = [];
      const quick = yield* system.spawnScoped(each<number>((n) => void seen.push(n)), {
        name: "quick",
      })
        .pipe(Scope.provide(scope));
      const stuck = yield* system.spawnScoped(each<number>(() => Effect.never), { name: "stuck" })
        .pipe(Scope.provide(scope));
      for (const n of [1, 2, 3]) quick.tryTell(n);
      stuck.tryTell(1);
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void));
      yield* TestClock.adjust("2 seconds");
      yield* Fiber.join(closing);
      t.same(seen, [1, 2, 3]);
      t.equal(yield* quick.ended, "Stopped");
      t.equal(yield* stuck.ended, "Killed");
    }),
  { drainMs: 2000 },
);

actorTest(
  t,
  "ready waits for an effectful start; messages sent before are kept for it",
  ({ t, system }) =>
    Effect.gen(function* () {
      const seen: Array<number> = [];
      const actor = yield* system.spawn<number>({
        kind: "test",
        mailbox: { capacity: 9 },
        start: () =>
          Effect.as(Effect.sleep("1 second"), { receive: (n: number) => void seen.push(n) }),
      }, { name: "a" });
      actor.tryTell(1);
      const ready = yield* Effect.forkChild(actor.ready);
      yield* settle;
      t.same([ready.pollUnsafe(), seen], [undefined, []]);
      yield* TestClock.adjust("1 second");
      yield* Fiber.join(ready);
      yield* settle;
      t.same(seen, [1]);
    }),
);

actorTest(t, "passivate ends an idle actor; a message that came in between takes it back", (
  { t, system },
) =>
  Effect.gen(function* () {
    const seen: Array<string> = [];
    const actor = yield* system.spawn<string>({
      kind: "test",
      mailbox: { capacity: 9 },
      start: (self) => ({
        receive: (message) => {
          seen.push(message);
          if (message === "rest") self.passivate();
        },
      }),
    }, { name: "a" });
    for (const message of ["rest", "but no"]) actor.tryTell(message);
    yield* settle;
    t.ok(actor.isOpen(), "still there: it had a message after it asked to rest");
    actor.tryTell("rest");
    t.equal(yield* actor.ended, "Stopped");
    t.same(seen, ["rest", "but no", "rest"]);
  }));

actorTest(t, "an actor may kill itself", ({ t, system }) =>
  Effect.gen(function* () {
    const actor = yield* system.spawn<string>({
      kind: "test",
      mailbox: { capacity: 9 },
      start: (self) => ({ receive: () => self.ref.kill, stop: () => void t.fail("no hook") }),
    }, { name: "a" });
    actor.tryTell("x");
    t.equal(yield* actor.ended, "Killed");
  }));
