/** Random command sequences against one supervised actor and a model of it: an array for the
 *  mailbox, counters for the rest. After every command the actor must have handled exactly what the
 *  model says. fast-check prints seed and path. */
import { Deferred, Effect, Exit, Fiber, Scope } from "effect";
import fc from "fast-check";
import t from "tap";
import { settle } from "../../testing/actors.ts";
import { type ActorRef, ActorSystem, type Reply } from "./mod.ts";

type Message =
  | { readonly op: "note"; readonly n: number }
  | { readonly op: "fail"; readonly n: number }
  | { readonly op: "ask"; readonly n: number; readonly reply: Reply<number> };

/** The actor under test. A closed gate holds it up inside the handler; `seen` is what its current
 *  life has noted. */
class Real {
  gate = Deferred.makeUnsafe<void>();
  seen: Array<number> = [];
  readonly scope = Effect.runSync(Scope.make());
  readonly pending = new Map<number, Fiber.Fiber<unknown, unknown>>();
  actor!: ActorRef<Message>;
  system!: ActorSystem["Service"];
  stopping: Promise<unknown> | undefined;

  async open(capacity: number, keep: boolean): Promise<void> {
    Deferred.doneUnsafe(this.gate, Effect.void);
    this.system = await Effect.runPromise(
      Scope.provide(ActorSystem.make({ report: () => {} }), this.scope),
    );
    this.actor = await Effect.runPromise(this.system.spawn<Message>({
      kind: "model",
      mailbox: { capacity },
      supervision: { restartsMax: 1e9, windowMs: 1, mailbox: keep ? "keep" : "drop" },
      start: () => {
        const seen: Array<number> = this.seen = [];
        return {
          receive: (message) => {
            if (this.gate.effect !== undefined) return this.handle(seen, message);
            return Effect.flatMap(Deferred.await(this.gate), () => {
              const outcome = this.handle(seen, message);
              return outcome ?? Effect.void;
            });
          },
        };
      },
    }, { name: "a" }));
    await this.settle();
  }

  private handle(seen: Array<number>, message: Message): void | Effect.Effect<never, string> {
    if (message.op === "fail") return Effect.fail("on request");
    seen.push(message.n);
    if (message.op === "ask") message.reply.succeed(message.n + seen.length);
  }

  settle(): Promise<unknown> {
    return Effect.runPromise(settle);
  }

  async close(): Promise<void> {
    Deferred.doneUnsafe(this.gate, Effect.void);
    await Effect.runPromise(Scope.close(this.scope, Exit.void));
  }
}

type Item = { readonly op: Message["op"]; readonly n: number; readonly sender: "try" | "wait" };

/** What the actor should do, in the plainest terms. */
class Model {
  readonly capacity: number;
  readonly keep: boolean;
  gateOpen = true;
  state: "open" | "draining" | "stopped" | "killed" = "open";
  held: Item | undefined;
  mailbox: Array<Item> = [];
  waiting: Array<Item> = [];
  seen: Array<number> = [];
  /** How each tell and ask that waits for something must end, once it does. */
  readonly results = new Map<number, string>();

  constructor(capacity: number, keep: boolean) {
    this.capacity = capacity;
    this.keep = keep;
  }

  send(item: Item): boolean {
    if (this.state !== "open") {
      if (item.sender === "wait") this.results.set(item.n, this.reason());
      return false;
    }
    if (this.mailbox.length < this.capacity && this.waiting.length === 0) this.accept(item);
    else if (item.sender === "try") return false;
    else this.waiting.push(item);
    this.run();
    return true;
  }

  run(): void {
    while (true) {
      if (this.held === undefined) {
        this.held = this.mailbox.shift();
        if (this.held === undefined) break;
        this.admit();
      }
      if (!this.gateOpen) return;
      const item = this.held;
      this.held = undefined;
      if (item.op === "fail") this.restart();
      else {
        this.seen.push(item.n);
        if (item.op === "ask") this.results.set(item.n, String(item.n + this.seen.length));
      }
    }
    if (this.state === "draining") this.state = "stopped";
  }

  stop(): void {
    if (this.state !== "open") return;
    this.state = "draining";
    for (const item of this.waiting.splice(0)) this.results.set(item.n, "Stopped");
    this.run();
  }

  kill(): void {
    if (this.state === "stopped" || this.state === "killed") return;
    this.state = "killed";
    const lost = [...(this.held === undefined ? [] : [this.held]), ...this.mailbox];
    for (const item of lost) if (item.op === "ask") this.results.set(item.n, "Killed");
    for (const item of this.waiting) this.results.set(item.n, "Killed");
    this.held = undefined;
    this.mailbox = [];
    this.waiting = [];
  }

  private accept(item: Item): void {
    this.mailbox.push(item);
    if (item.sender === "wait" && item.op !== "ask") this.results.set(item.n, "accepted");
  }

  private admit(): void {
    while (this.waiting.length > 0 && this.mailbox.length < this.capacity) {
      this.accept(this.waiting.shift()!);
    }
  }

  private restart(): void {
    this.seen = [];
    if (this.keep) return;
    for (const item of this.mailbox.splice(0)) {
      if (item.op === "ask") this.results.set(item.n, "Failed");
    }
    this.admit();
  }

  private reason(): string {
    return this.state === "killed" ? "Killed" : "Stopped";
  }
}

type Command = fc.AsyncCommand<Model, Real>;

/** Runs a command on both sides, then compares everything that can be seen. */
const command = (
  name: string,
  act: (model: Model, real: Real) => void | Promise<void>,
): Command => ({
  check: () => true,
  toString: () => name,
  run: async (model, real) => {
    await act(model, real);
    await real.settle();
    compare(name, { seen: real.seen }, { seen: model.state === "killed" ? real.seen : model.seen });
    compare(name, real.actor.mailboxDepth(), model.mailbox.length);
    compare(name, real.actor.isOpen(), model.state === "open");
    for (const [n, fiber] of real.pending) {
      const exit = fiber.pollUnsafe();
      compare(`${name}: result of ${n}`, exit && resultOf(exit), model.results.get(n));
    }
    const ended = model.state === "stopped" || model.state === "killed";
    compare(`${name}: registry`, real.system.snapshot().length, ended ? 0 : 1);
  },
});

const compare = (name: string, got: unknown, want: unknown): void => {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  if (a !== b) throw new Error(`after ${name}: got ${a}, the model says ${b}`);
};

const resultOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return exit.value === undefined ? "accepted" : String(exit.value);
  const failure = exit.cause.reasons[0]!;
  return failure._tag === "Fail" ? (failure.error as { reason: string }).reason : failure._tag;
};

let numbers = 0;
const messageOf = (op: "note" | "fail") => (n: number): Message => ({ op, n });

const commands = [
  ...(["note", "fail"] as const).flatMap((op) => [
    fc.constant(null).map(() =>
      command(`tryTell ${op}`, (model, real) => {
        const n = ++numbers;
        const accepted = real.actor.tryTell(messageOf(op)(n));
        compare(`tryTell ${op}`, accepted, model.send({ op, n, sender: "try" }));
      })
    ),
    fc.constant(null).map(() =>
      command(`tell ${op}`, (model, real) => {
        const n = ++numbers;
        real.pending.set(n, Effect.runFork(real.actor.tell(messageOf(op)(n))));
        model.send({ op, n, sender: "wait" });
      })
    ),
  ]),
  fc.constant(null).map(() =>
    command("ask", (model, real) => {
      const n = ++numbers;
      const asking = real.actor.ask<number>((reply) => ({ op: "ask", n, reply }));
      real.pending.set(n, Effect.runFork(asking));
      model.send({ op: "ask", n, sender: "wait" });
    })
  ),
  fc.constant(null).map(() =>
    command("close the gate", (model, real) => {
      if (!model.gateOpen) return;
      model.gateOpen = false;
      real.gate = Deferred.makeUnsafe();
    })
  ),
  fc.constant(null).map(() =>
    command("open the gate", (model, real) => {
      Deferred.doneUnsafe(real.gate, Effect.void);
      model.gateOpen = true;
      model.run();
    })
  ),
];

const endings = [
  command("stop", (model, real) => {
    real.stopping = Effect.runPromise(real.actor.stop());
    model.stop();
  }),
  command("kill", (model, real) => {
    real.stopping = Effect.runPromise(real.actor.kill);
    model.kill();
  }),
];

t.test("an actor does what its model says under random commands", async (t) => {
  const parameters = { numRuns: 200 };
  await fc.assert(
    fc.asyncProperty(
      fc.commands([
        ...commands,
        ...commands,
        fc.constantFrom(...endings),
      ], { maxCommands: 40 }),
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      async (sequence, capacity, keep) => {
        const real = new Real();
        await real.open(capacity, keep);
        try {
          await fc.asyncModelRun(
            () => ({ model: new Model(capacity, keep), real }),
            sequence,
          );
        } finally {
          await real.close();
        }
      },
    ),
    parameters,
  );
  t.pass(`${parameters.numRuns} sequences`);
});
