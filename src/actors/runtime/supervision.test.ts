/** What supervision promises: what a restart keeps, how often it happens, where a failure goes that
 *  it cannot cure. Virtual time makes backoff exact. */
import { Cause, Effect, Exit, Fiber, Schedule } from "effect";
import { TestClock } from "effect/testing";
import t from "tap";
import { actorTest, settle } from "../../testing/actors.ts";
import type { Behaviour, Supervision } from "./mod.ts";

const atOnce: Supervision = { restartsMax: 3, windowMs: 10_000 };

/** Counts its lives; fails on "fail" (typed) and "throw" (defect), else records "life:message". */
const mortal = (
  log: Array<string>,
  supervision: Supervision | undefined = atOnce,
): Behaviour<string> => {
  let life = 0;
  return {
    kind: "mortal",
    mailbox: { capacity: 100 },
    supervision,
    start: () => {
      const self = ++life;
      log.push(`start ${self}`);
      return {
        receive: (message) => {
          if (message === "throw") throw new Error("thrown");
          if (message === "fail") return Effect.fail("typed");
          if (message === "late") return Effect.delay(Effect.fail("typed, late"), "1 second");
          log.push(`${self}:${message}`);
        },
        stop: () => void log.push(`stop ${self}`),
      };
    },
  };
};

actorTest(
  t,
  "a restart builds new state and keeps the mailbox in order; the failing message is not retried",
  (
    { t, system, failures },
  ) =>
    Effect.gen(function* () {
      const log: Array<string> = [];
      const actor = yield* system.spawn(mortal(log), { name: "a" });
      for (const message of ["1", "throw", "2", "fail", "3", "late", "4"]) actor.tryTell(message);
      yield* TestClock.adjust("1 second");
      yield* actor.stop();
      t.same(log, [
        ...["start 1", "1:1", "start 2", "2:2", "start 3", "3:3", "start 4", "4:4", "stop 4"],
      ]);
      const reported = failures.map(({ path, during, messages, decision, cause }) => [
        path,
        during,
        messages,
        decision,
        String(Cause.squash(cause)),
      ]);
      t.same(reported, [
        ["/a", "receive", ["throw"], "restart", "Error: thrown"],
        ["/a", "receive", ["fail"], "restart", "typed"],
        ["/a", "receive", ["late"], "restart", "typed, late"],
      ]);
      t.match(system.metrics(), [{ restarts: 3, failures: 3, processed: 7, dropped: 0 }]);
    }),
);

actorTest(
  t,
  "mailbox: drop gives up what waits and counts it",
  ({ t, system }) =>
    Effect.gen(function* () {
      const log: Array<string> = [];
      const actor = yield* system.spawn(mortal(log), {
        name: "a",
        supervision: { ...atOnce, mailbox: "drop" },
      });
      for (const message of ["1", "fail", "2", "3"]) actor.tryTell(message);
      yield* settle;
      actor.tryTell("4");
      yield* actor.stop();
      t.same(log, ["start 1", "1:1", "start 2", "2:4", "stop 2"]);
      t.match(system.metrics(), [{ dropped: 2 }]);
    }),
);

actorTest(
  t,
  "backoff follows the schedule, starts over after a quiet window, and its end escalates",
  (
    { t, system, failures },
  ) =>
    Effect.gen(function* () {
      const log: Array<string> = [];
      const backoff = Schedule.upTo(Schedule.exponential("1 second"), { times: 2 });
      const supervision: Supervision = { restartsMax: 100, windowMs: 60_000, backoff };
      const actor = yield* system.spawn(mortal(log), { name: "a", supervision });
      const restartsAfter = (ms: number) =>
        Effect.gen(function* () {
          actor.tryTell("fail");
          yield* TestClock.adjust(ms - 1);
          const before = log.length;
          yield* TestClock.adjust(1);
          yield* settle;
          t.equal(log.length, before + 1, `starts after ${ms} ms and not before`);
        });
      yield* restartsAfter(1000);
      yield* restartsAfter(2000);
      yield* TestClock.adjust(60_000);
      yield* restartsAfter(1000);
      yield* restartsAfter(2000);
      actor.tryTell("fail");
      t.equal(yield* actor.ended, "Failed");
      t.same(failures.map(({ decision }) => decision), [
        ...["restart", "restart", "restart", "restart", "escalate"],
      ]);
    }),
);

actorTest(t, "more than restartsMax within windowMs escalate; outside of the window they do not", (
  { t, system },
) =>
  Effect.gen(function* () {
    const log: Array<string> = [];
    const supervision = { restartsMax: 2, windowMs: 1000 };
    const actor = yield* system.spawn(mortal(log), { name: "a", supervision });
    const root = yield* Effect.forkChild(Effect.flip(system.failure));
    for (let i = 0; i < 10; i++) {
      actor.tryTell("fail");
      yield* TestClock.adjust(500);
    }
    t.equal(log.length, 11, "two in any second are fine");
    t.equal(root.pollUnsafe(), undefined);
    for (let i = 0; i < 3; i++) actor.tryTell("fail");
    t.equal(yield* actor.ended, "Failed");
    t.match(yield* Fiber.join(root), { _tag: "ActorSystemFailed", path: "/a", kind: "mortal" });
    t.match(yield* Effect.flip(actor.tell("x")), { _tag: "ActorStopped", reason: "Failed" });
  }));

actorTest(
  t,
  "escalation restarts the parent: children stop first, then the chain reaches the root",
  (
    { t, system, failures },
  ) =>
    Effect.gen(function* () {
      const log: Array<string> = [];
      const escalating: Supervision = { restartsMax: 0, windowMs: 1000 };
      const node = (name: string, below: Behaviour<string> | undefined, supervision: Supervision) =>
        ({
          kind: name,
          mailbox: { capacity: 9 },
          supervision,
          start: (self) => {
            log.push(`start ${name}`);
            const child = below === undefined ? undefined : self.spawn(below, { name: below.kind });
            const sibling = below === undefined
              ? undefined
              : self.spawn(quiet(name), { name: "quiet" });
            return {
              receive: (message) => {
                if (child === undefined) throw new Error(message);
                sibling!.tryTell(message);
                child.tryTell(message);
              },
            };
          },
        }) satisfies Behaviour<string>;
      const quiet = (above: string): Behaviour<string> => ({
        kind: "quiet",
        mailbox: { capacity: 9 },
        start: () => ({
          receive: (message) => void log.push(`quiet below ${above} got ${message}`),
          stop: () => void log.push(`stop quiet below ${above}`),
        }),
      });
      const leaf = node("leaf", undefined, escalating);
      const middle = node("middle", leaf, { restartsMax: 1, windowMs: 60_000 });
      const top = yield* system.spawn(node("top", middle, escalating), { name: "top" });
      yield* settle;
      t.same(log.splice(0), ["start top", "start middle", "start leaf"]);
      top.tryTell("one");
      yield* settle;
      t.same(log.splice(0), [
        "quiet below top got one",
        "quiet below middle got one",
        "stop quiet below middle",
        "start middle",
        "start leaf",
      ]);
      top.tryTell("two");
      t.match(yield* Effect.flip(system.failure), { path: "/top", message: /two/ });
      yield* settle;
      t.same(log.splice(0), [
        "quiet below top got two",
        "quiet below middle got two",
        "stop quiet below middle",
        "stop quiet below top",
      ]);
      t.same(failures.map(({ path, during, decision }) => `${path} ${during} ${decision}`), [
        "/top/middle/leaf receive escalate",
        "/top/middle escalated restart",
        "/top/middle/leaf receive escalate",
        "/top/middle escalated escalate",
        "/top escalated escalate",
      ]);
      t.same(system.snapshot(), []);
    }),
);

actorTest(
  t,
  "decide chooses: stop ends the actor alone, its parent lives",
  ({ t, system, failures }) =>
    Effect.gen(function* () {
      const log: Array<string> = [];
      const supervision: Supervision = {
        ...atOnce,
        decide: (cause) => Cause.hasDies(cause) ? "stop" : "restart",
      };
      const parent = yield* system.spawn<string>({
        kind: "parent",
        mailbox: { capacity: 9 },
        start: (self) => {
          const child = self.spawn(mortal(log), { name: "child", supervision });
          return { receive: (message) => void child.tryTell(message) };
        },
      }, { name: "p" });
      for (const message of ["fail", "1", "throw", "2"]) parent.tryTell(message);
      yield* settle;
      t.same(log, ["start 1", "start 2", "2:1"]);
      t.same(failures.map(({ decision }) => decision), ["restart", "stop"]);
      t.match(system.snapshot(), [{ name: "p", state: "Running", children: [] }]);
      t.match(system.metrics()[1], { kind: "mortal", actors: 0, dropped: 1 });
    }),
);

actorTest(t, "a failing start is retried by the same rules, its resources are released each time", (
  { t, system, failures },
) =>
  Effect.gen(function* () {
    const log: Array<string> = [];
    let attempts = 0;
    const actor = yield* system.spawn<string>({
      kind: "flaky",
      mailbox: { capacity: 9 },
      supervision: atOnce,
      start: () =>
        Effect.gen(function* () {
          const attempt = ++attempts;
          yield* Effect.addFinalizer((exit) =>
            Effect.sync(() => void log.push(`release ${attempt} ${exit._tag}`))
          );
          if (attempt < 3) return yield* Effect.fail("not yet");
          return { receive: (message: string) => void log.push(message) };
        }),
    }, { name: "a" });
    actor.tryTell("hello");
    yield* actor.ready;
    yield* actor.stop();
    t.same(log, ["release 1 Failure", "release 2 Failure", "hello", "release 3 Success"]);
    t.same(failures.map(({ during }) => during), ["start", "start"]);
  }));

actorTest(
  t,
  "a failure while draining restarts and drains the rest",
  ({ t, system }) =>
    Effect.gen(function* () {
      const log: Array<string> = [];
      const actor = yield* system.spawn(mortal(log), { name: "a" });
      for (const message of ["1", "fail", "2", "3"]) actor.tryTell(message);
      t.equal(yield* actor.stop(), "Stopped");
      t.same(log, ["start 1", "1:1", "start 2", "2:2", "2:3", "stop 2"]);
    }),
);

actorTest(
  t,
  "a failing stop hook is reported, the actor ends as Failed",
  ({ t, system, failures }) =>
    Effect.gen(function* () {
      const actor = yield* system.spawn<string>({
        kind: "test",
        mailbox: { capacity: 9 },
        start: () => ({ receive: () => {}, stop: () => Effect.fail("disk full") }),
      }, { name: "a" });
      yield* actor.ready;
      t.equal(yield* actor.stop(), "Failed");
      t.match(failures, [{ during: "stop", decision: "stop" }]);
    }),
);

actorTest(
  t,
  "fork: its failure is the actor's; a restart interrupts it",
  ({ t, system, failures }) =>
    Effect.gen(function* () {
      const log: Array<string> = [];
      const actor = yield* system.spawn<string>({
        kind: "test",
        mailbox: { capacity: 9 },
        supervision: atOnce,
        start: (self) => {
          log.push("start");
          self.fork(
            Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("interrupted"))),
          );
          return {
            receive: (message) => {
              self.fork(
                message === "fail" ? Effect.fail(message) : Effect.sync(() => log.push(message)),
              );
            },
          };
        },
      }, { name: "a" });
      for (const message of ["1", "fail", "2"]) actor.tryTell(message);
      yield* settle;
      t.same(log.filter((line) => line.length > 1), ["start", "interrupted", "start"]);
      t.match(failures, [{ during: "fork", messages: [], decision: "restart" }]);
      yield* actor.kill;
      t.same(log.slice(-1), ["interrupted"]);
      t.same(log.filter((line) => line.length === 1), ["1", "2"]);
    }),
);

actorTest(t, "kill during backoff ends the actor at once; stop during backoff drains after it", (
  { t, system },
) =>
  Effect.gen(function* () {
    const log: Array<string> = [];
    const supervision: Supervision = { ...atOnce, backoff: Schedule.spaced("1 minute") };
    const killed = yield* system.spawn(mortal(log, supervision), { name: "killed" });
    killed.tryTell("fail");
    yield* settle;
    t.match(system.snapshot(), [{ state: "Failed", failure: "typed" }]);
    yield* killed.kill;
    const stopped = yield* system.spawn(mortal(log, supervision), { name: "stopped" });
    stopped.tryTell("fail");
    stopped.tryTell("1");
    yield* settle;
    const stopping = yield* Effect.forkChild(stopped.stop({ drainMs: 120_000 }));
    yield* TestClock.adjust("1 minute");
    t.equal(yield* Fiber.join(stopping), "Stopped");
    t.same(log, ["start 1", "start 1", "start 2", "2:1", "stop 2"]);
  }));

actorTest(
  t,
  "no unhandled failure: effects of an ended actor cannot fail it again",
  ({ t, system, failures }) =>
    Effect.gen(function* () {
      const actor = yield* system.spawn<string>({
        kind: "test",
        mailbox: { capacity: 9 },
        start: () => ({
          receive: () => Effect.onInterrupt(Effect.never, () => Effect.die("in the finalizer")),
        }),
      }, { name: "a" });
      actor.tryTell("1");
      yield* settle;
      t.ok(Exit.isSuccess(yield* Effect.exit(actor.kill)));
      t.equal(yield* actor.ended, "Killed");
      t.same(failures, []);
    }),
);

actorTest(t, "mailbox: drop lets waiting senders in", ({ t, system }) =>
  Effect.gen(function* () {
    const log: Array<string> = [];
    const actor = yield* system.spawn({ ...mortal(log), mailbox: { capacity: 1 } }, {
      name: "a",
      supervision: { ...atOnce, mailbox: "drop" },
    });
    actor.tryTell("late");
    yield* settle;
    actor.tryTell("dropped");
    const waiting = yield* Effect.forkChild(actor.tell("waited"));
    yield* settle;
    t.equal(waiting.pollUnsafe(), undefined);
    yield* TestClock.adjust("1 second");
    yield* Fiber.join(waiting);
    yield* actor.stop();
    t.same(log, ["start 1", "start 2", "2:waited", "stop 2"]);
  }));

actorTest(t, "a new life waits until the interrupted handler of the old one has let go", (
  { t, system },
) =>
  Effect.gen(function* () {
    const log: Array<string> = [];
    const actor = yield* system.spawn<string>({
      kind: "test",
      mailbox: { capacity: 9 },
      supervision: atOnce,
      start: (self) => {
        log.push("start");
        return {
          receive: () => {
            self.fork(Effect.delay(Effect.fail("beside"), "1 second"));
            const letGo = Effect.map(Effect.sleep("5 seconds"), () => void log.push("let go"));
            return Effect.onInterrupt(Effect.never, () => letGo);
          },
        };
      },
    }, { name: "a" });
    actor.tryTell("x");
    yield* settle;
    yield* TestClock.adjust("5 seconds");
    t.same(log, ["start"]);
    yield* TestClock.adjust("1 second");
    yield* settle;
    t.same(log, ["start", "let go", "start"]);
    yield* actor.kill;
  }));
