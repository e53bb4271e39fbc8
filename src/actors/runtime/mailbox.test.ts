/** Ring and Mailbox against arrays: the same operations on a plain array must give the same
 *  answers. */
import fc from "fast-check";
import t from "tap";
import { Mailbox, Ring } from "./mailbox.ts";

t.test("Ring behaves like an array under push, shift and remove", (t) => {
  const operation = fc.oneof(
    { weight: 5, arbitrary: fc.record({ op: fc.constant("push" as const), value: fc.nat(9) }) },
    { weight: 4, arbitrary: fc.record({ op: fc.constant("shift" as const) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("remove" as const), value: fc.nat(9) }) },
    {
      weight: 1,
      arbitrary: fc.record({ op: fc.constant("pushMany" as const), count: fc.nat(200) }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("shiftAll" as const) }) },
  );
  fc.assert(fc.property(fc.array(operation, { maxLength: 100 }), (operations) => {
    const ring = new Ring<number>();
    const model: Array<number> = [];
    for (const step of operations) {
      if (step.op === "push") ring.push(step.value), model.push(step.value);
      else if (step.op === "pushMany") {
        for (let i = 0; i < step.count; i++) ring.push(i), model.push(i);
      } else if (step.op === "shift") {
        if (model.length > 0 && ring.shift() !== model.shift()) return false;
      } else if (step.op === "shiftAll") {
        while (model.length > 0) if (ring.shift() !== model.shift()) return false;
      } else {
        const index = model.indexOf(step.value);
        if (index >= 0) model.splice(index, 1);
        if (ring.remove(step.value) !== index >= 0) return false;
      }
      if (ring.length !== model.length || ring.peek() !== model[0]) return false;
    }
    return true;
  }));
  t.end();
});

/** The specification of a mailbox, written the slow and obvious way. */
class Model {
  readonly queue: Array<number> = [];
  waiting: Array<number> = [];
  readonly events: Array<string> = [];
  readonly capacity: number;
  readonly weightMax: number;

  constructor(capacity: number, weightMax: number) {
    this.capacity = capacity;
    this.weightMax = weightMax;
  }

  fits(weight: number): boolean {
    const sum = this.queue.reduce((a, b) => a + b, weight);
    return this.queue.length === 0 || (this.queue.length < this.capacity && sum <= this.weightMax);
  }

  admit(): void {
    while (this.waiting.length > 0 && this.fits(this.waiting[0]!)) {
      this.events.push(`accepted ${this.waiting[0]}`);
      this.queue.push(this.waiting.shift()!);
    }
  }
}

t.test("Mailbox admits by count and weight in order, like its model", (t) => {
  const operation = fc.tuple(
    fc.constantFrom("offer", "offer", "wait", "take", "take", "unwait", "drop"),
    fc.nat(12),
  );
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 80 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 20 }),
      (operations, capacity, weightMax) => {
        const mailbox = new Mailbox<number>({ capacity, weightMax, weigh: (n) => n });
        const model = new Model(capacity, weightMax);
        const events: Array<string> = [];
        const waiters: Array<Parameters<typeof mailbox.wait>[0]> = [];
        for (const [op, n] of operations) {
          if (op === "offer") {
            const want = model.waiting.length === 0 && model.fits(n);
            if (want) model.queue.push(n);
            if (mailbox.offer(n) !== want) return false;
          } else if (op === "wait" && !mailbox.offer(n)) {
            // As cell senders do: wait only after an offer was refused.
            model.waiting.push(n);
            const waiter = {
              message: n,
              accepted: () => {
                events.push(`accepted ${n}`);
                waiters.splice(waiters.indexOf(waiter), 1);
              },
              refused: () => events.push("refused"),
            };
            waiters.push(waiter);
            mailbox.wait(waiter);
          } else if (op === "wait") model.queue.push(n);
          else if (op === "take" && model.queue.length > 0) {
            if (mailbox.take() !== model.queue.shift()) return false;
            model.admit();
          } else if (op === "unwait" && waiters.length > 0) {
            const index = n % waiters.length;
            const [waiter] = waiters.splice(index, 1);
            model.waiting.splice(index, 1);
            mailbox.unwait(waiter!);
            model.admit();
          } else if (op === "drop") {
            if (mailbox.drop() !== model.queue.splice(0).length) return false;
            mailbox.admit();
            model.admit();
          }
          if (mailbox.depth !== model.queue.length || mailbox.waiting !== model.waiting.length) {
            return false;
          }
          if (events.join() !== model.events.join()) return false;
        }
        const refusals = model.waiting.length;
        mailbox.refuse();
        return events.filter((event) => event === "refused").length === refusals;
      },
    ),
    { numRuns: 500 },
  );
  t.end();
});

t.test("when a heavy sender gives up, lighter ones behind it get in", (t) => {
  const mailbox = new Mailbox<number>({ capacity: 9, weightMax: 10, weigh: (n) => n });
  const accepted: Array<number> = [];
  const waiter = (message: number) => ({
    message,
    accepted: () => void accepted.push(message),
    refused: () => t.fail("refused"),
  });
  mailbox.offer(5);
  const heavy = waiter(6);
  mailbox.wait(heavy);
  mailbox.wait(waiter(2));
  mailbox.wait(waiter(3));
  mailbox.wait(waiter(1));
  mailbox.unwait(heavy);
  t.same([accepted, mailbox.depth, mailbox.waiting], [[2, 3], 3, 1]);
  t.end();
});
