/** The ruler in virtual time, over a store in memory: when groups are evaluated, missed evaluations, failures, limits, hand-over
 *  between two rulers, and what Alertmanagers and receivers are told. */
import { Effect, Fiber, Layer, Result, type Scope } from "effect";
import { TestClock } from "effect/testing";
import t from "tap";
import { settingsWith } from "../../platform/config/mod.ts";
import { RuleStore } from "../../storage/RuleStore.ts";
import { memoryRuleStore } from "../../testing/memoryRuleStore.ts";
import { QueryFailed } from "../querier/queryFailed.ts";
import type { GroupEvaluation, SentAlert } from "./evaluateGroup.ts";
import { Notifier } from "./Notifier.ts";
import { RemoteWrite } from "./RemoteWrite.ts";
import { parseRuleGroup } from "./parseRules.ts";
import { RuleBook } from "./RuleBook.ts";
import { RuleQueries, type RuleQuery, type RuleSample } from "./RuleQueries.ts";
import { evaluateRules } from "./Ruler.ts";
import { RuleShards } from "./RuleShards.ts";

interface World {
  readonly asked: RuleQuery[];
  readonly sent: Array<SentAlert["alert"]>;
  readonly recorded: Array<GroupEvaluation["recorded"]>;
  answer: (query: RuleQuery) => Effect.Effect<ReadonlyArray<RuleSample>, QueryFailed>;
}

const shop = [{ labels: [["app", "shop"]] as const, value: 7 }];

function worldOf(): World {
  return { asked: [], sent: [], recorded: [], answer: () => Effect.succeed(shop) };
}

const settings = settingsWith({
  "ruler.resend_delay": "3m",
  "limits_config.ruler_max_rule_groups_per_tenant": "2",
});

function rulerOf(
  world: World,
  store: Layer.Layer<RuleStore>,
  evaluator: string,
  owns: () => boolean = () => true,
) {
  const services = Layer.mergeAll(
    Layer.succeed(RuleShards, { evaluator, owns }),
    Layer.succeed(RuleQueries, {
      instant: (query) => {
        world.asked.push(query);
        return world.answer(query);
      },
      lines: () => Effect.succeed([]),
    }),
    Layer.succeed(Notifier, {
      notify: (_, alerts) =>
        Effect.sync(() => void world.sent.push(...alerts.map(({ alert }) => alert))),
    }),
    Layer.succeed(RemoteWrite, {
      isConfigured: true,
      write: (_, { recorded }) => Effect.sync(() => void world.recorded.push(recorded)),
    }),
  );
  return evaluateRules(settings).pipe(
    Layer.provideMerge(RuleBook.layer(settings)),
    Layer.provide(services),
    Layer.provideMerge(store),
  );
}

const group = (text: string) => Result.getOrThrow(parseRuleGroup(text));
const errors = group(`name: g
interval: 1m
rules:
  - alert: Errors
    expr: vector(1)
    for: 2m
`);

/** Lets what is due be done: work between the steps of the clock takes several turns of the event loop. */
const settle = Effect.gen(function* () {
  for (let turn = 0; turn < 30; turn++) yield* Effect.yieldNow;
});
const pass = Effect.fnUntraced(function* (minutes: number) {
  for (let second = 0; second < minutes * 60; second += 5) {
    yield* TestClock.adjust("5 seconds");
    yield* settle;
  }
});

function inVirtualTime<E>(body: Effect.Effect<void, E, Scope.Scope>): Promise<void> {
  return Effect.runPromise(Effect.scoped(body).pipe(Effect.provide(TestClock.layer())));
}

t.test("a group is evaluated once each interval at one offset, and alerts pend, fire, end", (t) =>
  inVirtualTime(Effect.gen(function* () {
    const world = worldOf();
    const store = memoryRuleStore();
    const context = yield* Layer.build(rulerOf(world, store, "one"));
    const book = yield* Effect.provide(RuleBook, context);
    yield* book.put("fake", "ns", errors);
    yield* pass(6);
    const times = world.asked.map(({ atMs }) => atMs);
    t.ok(times.length >= 5, `${times.length} evaluations`);
    t.ok(times.every((at, index) => index === 0 || at - times[index - 1]! === 60_000));
    t.equal(world.sent.length > 0 && world.sent[0]!.state, "firing");
    t.equal(world.sent[0]!.firedAtMs! - world.sent[0]!.activeAtMs, 120_000);
    world.answer = () => Effect.succeed([]);
    const before = world.sent.length;
    yield* pass(1);
    t.match(world.sent.slice(before), [{ state: "inactive" }]);
    const [view] = yield* book.views("fake");
    t.equal(view!.record!.state.rules[0]!.alerts[0]!.state, "inactive");
  })));

t.test("a rule that fails says why and keeps its alerts, and others go on", (t) =>
  inVirtualTime(Effect.gen(function* () {
    const world = worldOf();
    const context = yield* Layer.build(rulerOf(world, memoryRuleStore(), "one"));
    const book = yield* Effect.provide(RuleBook, context);
    yield* book.put(
      "fake",
      "ns",
      group(`name: g
interval: 1m
rules:
  - { alert: A, expr: vector(1) }
  - { alert: B, expr: vector(2) }
  - { record: r, expr: vector(3), labels: { a: b } }
`),
    );
    yield* pass(2);
    world.answer = ({ expr }) =>
      expr === "vector(1)"
        ? Effect.fail(new QueryFailed({ reason: "Timeout", message: "too slow" }))
        : Effect.succeed(shop);
    yield* pass(1);
    const [view] = yield* book.views("fake");
    const [a, b, r] = view!.record!.state.rules;
    t.match(a, { health: "err", lastError: "too slow", alerts: [{ state: "firing" }] });
    t.match(b, { health: "ok", lastError: "", alerts: [{ state: "firing" }] });
    t.equal(r!.health, "ok");
    t.same(world.recorded.at(-1)![2], [{
      labels: [["__name__", "r"], ["a", "b"], ["app", "shop"]],
      value: 7,
    }]);
    t.equal(world.recorded.at(-1)![0], null, "no end of series where it is not known");
  })));

t.test("limit, results that cannot be told apart, and the tenant's limits are errors", (t) =>
  inVirtualTime(Effect.gen(function* () {
    const world = worldOf();
    world.answer = () =>
      Effect.succeed(["a", "b"].map((app) => ({ labels: [["app", app]] as const, value: 1 })));
    const context = yield* Layer.build(rulerOf(world, memoryRuleStore(), "one"));
    const book = yield* Effect.provide(RuleBook, context);
    yield* book.put(
      "fake",
      "ns",
      group(`name: g
interval: 1m
limit: 1
rules:
  - { alert: A, expr: vector(1) }
  - { alert: B, expr: vector(1), labels: { app: same } }
  - { record: r, expr: vector(1) }
`),
    );
    yield* pass(2);
    const [view] = yield* book.views("fake");
    const said = view!.record!.state.rules.map(({ lastError }) => lastError);
    t.match(said, [
      "exceeded limit of 1 with 2 alerts",
      /two results have the labels {alertname="B", app="same"}/,
      "exceeded limit of 1 with 2 series",
    ]);
    yield* book.put("fake", "ns", { ...errors, name: "second" });
    const refused = yield* Effect.flip(book.put("fake", "ns", { ...errors, name: "third" }));
    t.match(refused, {
      reason: "Limit",
      message: /per-user rule groups limit \(limit: 2 actual: 3\)/,
    });
    yield* book.put("fake", "ns", { ...errors, name: "second", limit: 3 });
  })));

t.test("an evaluation that takes long misses others, and does not pile up", (t) =>
  inVirtualTime(Effect.gen(function* () {
    const world = worldOf();
    world.answer = () => Effect.delay(Effect.succeed(shop), "150 seconds");
    const context = yield* Layer.build(rulerOf(world, memoryRuleStore(), "one"));
    const book = yield* Effect.provide(RuleBook, context);
    yield* book.put("fake", "ns", errors);
    yield* pass(10);
    const times = world.asked.map(({ atMs }) => atMs / 60_000);
    const steps = times.slice(1).map((at, index) => Math.round(at - times[index]!));
    // The first ends at 2.5, that of 2 runs from then to 5, that of 5 to 7.5.
    t.same(steps.slice(0, 3), [2, 3, 2]);
  })));

t.test("the next ruler goes on with the alerts, and one that was paused changes nothing", (t) =>
  inVirtualTime(Effect.gen(function* () {
    const store = yield* Layer.build(memoryRuleStore());
    const shared = Layer.succeedContext(store);
    const [first, second] = [worldOf(), worldOf()];
    let firstOwns = true;
    const one = yield* Effect.forkChild(
      Layer.launch(rulerOf(first, shared, "one", () => firstOwns)),
    );
    yield* settle;
    const context = yield* Layer.build(rulerOf(second, shared, "two", () => !firstOwns));
    const book = yield* Effect.provide(RuleBook, context);
    yield* book.put("fake", "ns", errors);
    yield* pass(1.5);
    t.ok(first.asked.length > 0);
    const activeAt = (yield* book.views("fake"))[0]!.record!.state.rules[0]!.alerts[0]!.activeAtMs;
    // It waits for an answer while the other takes over.
    const stuck = yield* Effect.sync(() => {
      let go = () => {};
      const gate = new Promise<void>((resolve) => go = resolve);
      first.answer = () => Effect.as(Effect.promise(() => gate), shop);
      return { go };
    });
    yield* pass(1);
    firstOwns = false;
    const sentBefore = first.sent.length;
    yield* pass(3);
    stuck.go();
    yield* settle;
    t.equal(first.sent.length, sentBefore, "the first told nothing more");
    t.ok(second.sent.length > 0, "the second did");
    t.equal(second.sent[0]!.firedAtMs! - second.sent[0]!.activeAtMs >= 120_000, true);
    t.ok(second.sent[0]!.activeAtMs - activeAt <= 120_000, "what was pending went on");
    yield* Fiber.interrupt(one);
  })));

t.test("what is removed is forgotten", (t) =>
  inVirtualTime(Effect.gen(function* () {
    const world = worldOf();
    const context = yield* Layer.build(rulerOf(world, memoryRuleStore(), "one"));
    const book = yield* Effect.provide(RuleBook, context);
    const records = yield* Effect.provide(RuleStore, context);
    yield* book.put("fake", "ns", errors);
    yield* pass(2);
    t.equal((yield* records.list("state.")).length, 1);
    yield* book.removeGroup({ tenant: "fake", namespace: "ns", name: "g" });
    yield* pass(1);
    t.same(yield* records.list(""), []);
    const asked = world.asked.length;
    yield* pass(3);
    t.equal(world.asked.length, asked);
    const gone = yield* Effect.flip(book.removeNamespace("fake", "ns"));
    t.match(gone, { reason: "NotFound" });
  })));
