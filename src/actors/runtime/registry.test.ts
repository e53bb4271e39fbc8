/** The registry: names, the tree that an admin page shows, numbers by kind, and that nothing is
 *  left behind. */
import { Deferred, Effect, Exit } from "effect";
import t from "tap";
import { actorTest, settle } from "../../testing/actors.ts";
import { ActorStopped, ActorSystem, type Behaviour, type Handler, metricsText } from "./mod.ts";

/** An actor that calls `receive` for each message. */
const each = <M>(receive: (message: M) => void, capacity = 1024): Behaviour<M> => ({
  kind: "test",
  mailbox: { capacity },
  start: (): Handler<M> => ({ receive }),
});

actorTest(
  t,
  "names are unique among siblings while they live",
  ({ t, system }) =>
    Effect.gen(function* () {
      const nothing = each<number>(() => {});
      const actor = yield* system.spawn(nothing, { name: "a" });
      t.ok(Exit.hasDies(yield* Effect.exit(system.spawn(nothing, { name: "a" }))));
      yield* actor.stop();
      const next = yield* system.spawn(nothing, { name: "a" });
      t.ok(next.tryTell(1));
    }),
);

actorTest(
  t,
  "snapshot shows the tree, metrics count by kind only",
  ({ t, system }) =>
    Effect.gen(function* () {
      const gate = Deferred.makeUnsafe<void>();
      const child: Behaviour<number> = {
        kind: "child",
        mailbox: { capacity: 9 },
        start: () => ({ receive: () => Deferred.await(gate), observe: () => ({ rows: 7 }) }),
      };
      const parent = yield* system.spawn<string>({
        kind: "parent",
        mailbox: { capacity: 9 },
        start: (self) => {
          const group = self.children<string, number>({ name: "streams", countMax: 9 });
          return {
            receive: (key) => {
              const ref = group.getOrStart(key, () => child)!;
              for (const n of [1, 2, 3]) ref.tryTell(n);
            },
          };
        },
      }, { name: "p" });
      for (const key of ["a", "b", "a"]) parent.tryTell(key);
      yield* settle;
      const [node] = system.snapshot();
      t.match(node, { name: "p", kind: "parent", processed: 3, mailboxDepth: 0, restarts: 0 });
      const group = node!.children[0]!;
      t.match(group, { name: "streams", observed: { count: 2 }, childrenOmitted: 0 });
      t.match(group.children, [
        {
          name: "a",
          kind: "child",
          state: "Running",
          mailboxDepth: 5,
          processed: 1,
          observed: { rows: 7 },
        },
        { name: "b", mailboxDepth: 2, processed: 1 },
      ]);
      t.equal(system.snapshot(1)[0]!.children[0]!.childrenOmitted, 1);
      const metrics = system.metrics();
      t.match(metrics, [
        { kind: "parent", actors: 1, processed: 3, mailboxDepth: 0 },
        { kind: "child", actors: 2, started: 2, processed: 2, mailboxDepth: 7, mailboxDepthMax: 5 },
      ]);
      const text = metricsText(metrics);
      t.match(text, '\ntailrace_actors{kind="child"} 2\n');
      t.match(text, "# TYPE tailrace_actor_messages_total counter\n");
      t.notMatch(text, /streams|"a"/, "no names");
      yield* Deferred.succeed(gate, undefined);
      yield* parent.stop();
      t.match(system.metrics()[1], { actors: 0, processed: 9, mailboxDepth: 0 });
    }),
);

actorTest(
  t,
  "100,000 actors start and stop and leave nothing behind",
  ({ t, system }) =>
    Effect.gen(function* () {
      let handled = 0;
      const behaviour = each<number>((n) => void (handled += n), 1);
      const count = 100_000;
      const parent = yield* system.spawn<number>({
        kind: "parent",
        mailbox: { capacity: 1 },
        start: (self) => {
          const group = self.children<number, number>({ name: "all", countMax: count });
          return {
            receive: (n) => {
              for (let key = 0; key < count; key++) {
                group.getOrStart(key, () => behaviour)!.tryTell(n);
              }
            },
          };
        },
      }, { name: "p" });
      parent.tryTell(1);
      t.equal(yield* parent.stop(), "Stopped");
      t.equal(handled, count);
      t.same(system.snapshot(), []);
      t.match(system.metrics(), [{ kind: "parent", actors: 0 }, {
        actors: 0,
        started: count,
        dropped: 0,
      }]);
    }),
);

t.test("closing the system ends every actor and answers ActorStopped from then on", async (t) => {
  const seen: Array<number> = [];
  const [actor, late] = await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const system = yield* ActorSystem.make();
    const actor = yield* system.spawn(each<number>((n) => void seen.push(n)), { name: "a" });
    for (const n of [1, 2, 3]) actor.tryTell(n);
    return [actor, system] as const;
  })));
  t.same(seen, [1, 2, 3]);
  t.notOk(actor.tryTell(4));
  const after = await Effect.runPromise(late.spawn(each<number>(() => {}), { name: "b" }));
  const error = await Effect.runPromise(Effect.flip(after.tell(1)));
  t.ok(error instanceof ActorStopped);
  t.equal(await Effect.runPromise(after.ended), "Stopped");
});
