/** What actors cost: memory and start time of 100,000 idle ones, microseconds per message. Prints
 *  one JSON line per figure. Run: node_modules/.bin/node --expose-gc bench/actors.ts, or
 *  node_modules/.bin/deno run -A --v8-flags=--expose-gc bench/actors.ts */
import { Effect } from "effect";
import process from "node:process";
import { type ActorRef, ActorSystem, type Behaviour } from "../src/actors/runtime/mod.ts";

const runtime = "Deno" in globalThis ? "deno" : "node";
const collect = (globalThis as { gc?: () => void }).gc ?? (() => {});
const rssMB = (): number => process.memoryUsage().rss / 1e6;
/** Starts a stopwatch; the answer prints wall time and, since other programs may share the machine,
 *  CPU time (all threads), per `count`, in `unit`s of which a millisecond has `unitsPerMs`. */
const stopwatch = () => {
  const beginMs = performance.now();
  const beginCpu = process.cpuUsage();
  return (figure: string, unit: string, unitsPerMs: number, count = 1): void => {
    const wallMs = performance.now() - beginMs;
    const cpu = process.cpuUsage(beginCpu);
    print(figure, wallMs * unitsPerMs / count, unit);
    print(`${figure}, CPU`, (cpu.user + cpu.system) / 1000 * unitsPerMs / count, unit);
  };
};

const print = (figure: string, value: number, unit: string): void =>
  console.log(JSON.stringify({ runtime, figure, value: Number(value.toFixed(3)), unit }));

/** An actor with some state of its own, as a stream actor has. */
const counter = (done?: (count: number) => void): Behaviour<number> => ({
  kind: "counter",
  mailbox: { capacity: 1024, weightMax: 1 << 20, weigh: (n) => n },
  start: () => {
    let count = 0;
    return {
      receive: (n) => {
        count += n;
        done?.(count);
      },
      observe: () => ({ count }),
    };
  },
});

/** A parent that starts `count` children under text keys and keeps them. */
const family = (count: number, child: Behaviour<number>, refs: Array<ActorRef<number>>) =>
  ({
    kind: "family",
    mailbox: { capacity: 1 },
    start: (self) => {
      const group = self.children<string, number>({ name: "streams", countMax: count });
      for (let i = 0; i < count; i++) {
        refs.push(group.getOrStart(`{app="application", instance="${i}"}`, () => child)!);
      }
      return { receive: () => {} };
    },
  }) satisfies Behaviour<never>;

const eventLoopTurn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)));

const idleActors = (count: number) =>
  Effect.scoped(Effect.gen(function* () {
    collect();
    const rssBefore = rssMB();
    const system = yield* ActorSystem.make();
    const refs: Array<ActorRef<number>> = [];
    const lap = stopwatch();
    const parent = yield* system.spawn(family(count, counter(), refs), { name: "idle" });
    yield* parent.ready;
    for (const ref of refs) yield* ref.ready;
    lap(`${count} actors: start`, "s", 0.001);
    for (const ref of refs) ref.tryTell(1);
    while (refs.some((ref) => ref.mailboxDepth() > 0)) yield* eventLoopTurn;
    collect();
    print(`${count} actors, one message each: RSS of the process`, rssMB(), "MB");
    print(`${count} actors: RSS per actor`, (rssMB() - rssBefore) * 1e6 / count, "bytes");
    const sampling = stopwatch();
    system.metrics();
    sampling(`${count} actors: sampling metrics`, "ms", 1);
    const stopping = stopwatch();
    yield* parent.stop();
    stopping(`${count} actors: stop`, "s", 0.001);
  }));

/** One sender to `fanOut` receivers, in bursts that fit the mailboxes. */
const tryTell = (fanOut: number, messages: number) =>
  Effect.scoped(Effect.gen(function* () {
    const system = yield* ActorSystem.make();
    const refs: Array<ActorRef<number>> = [];
    const parent = yield* system.spawn(family(fanOut, counter(), refs), { name: "fan" });
    yield* parent.ready;
    const burst = Math.min(1000, Math.max(1, Math.floor(100_000 / fanOut)));
    const round = Effect.gen(function* () {
      for (let i = 0; i < burst; i++) for (const ref of refs) ref.tryTell(1);
      while (refs.some((ref) => ref.mailboxDepth() > 0)) yield* eventLoopTurn;
    });
    const rounds = Math.ceil(messages / (burst * fanOut));
    yield* Effect.repeat(round, { times: 2 });
    const lap = stopwatch();
    for (let i = 0; i < rounds; i++) yield* round;
    const sent = rounds * burst * fanOut;
    lap(`1 -> ${fanOut}, tryTell`, "us/message", 1000, sent);
  }));

/** A sender that uses `tell` and so feels backpressure at a mailbox of 1024. */
const tell = (messages: number) =>
  Effect.scoped(Effect.gen(function* () {
    const system = yield* ActorSystem.make();
    const actor = yield* system.spawn(counter(), { name: "a" });
    for (const count of [messages / 10, messages]) {
      const lap = stopwatch();
      for (let i = 0; i < count; i++) yield* actor.tell(1);
      if (count === messages) lap("1 -> 1, tell", "us/message", 1000, count);
    }
  }));

const ask = (asks: number) =>
  Effect.scoped(Effect.gen(function* () {
    const system = yield* ActorSystem.make();
    const actor = yield* system.spawn<{ readonly succeed: (value: number) => void }>({
      kind: "echo",
      mailbox: { capacity: 16 },
      start: () => ({ receive: (reply) => reply.succeed(1) }),
    }, { name: "a" });
    const lap = stopwatch();
    for (let i = 0; i < asks; i++) yield* actor.ask<number>((reply) => reply);
    lap("ask, one after another", "us/ask", 1000, asks);
  }));

await Effect.runPromise(idleActors(100_000));
await Effect.runPromise(tryTell(1, 1_000_000));
await Effect.runPromise(tryTell(1000, 2_000_000));
await Effect.runPromise(tell(200_000));
await Effect.runPromise(ask(20_000));
