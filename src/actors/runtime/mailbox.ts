/** A growing ring (Ring) and the bounded queue built on it (Mailbox): messages, their weights, and
 *  senders that wait for room. Owns capacity and order; cell.ts decides when messages are taken.
 *  Invariants: messages leave in the order they were accepted; depth <= capacity; weight <=
 *  weightMax, but for one over-heavy message that is alone; while someone waits, nobody overtakes.
 *  An empty mailbox that never held more than a few messages owns at most a few slots. */
import type { MailboxOptions } from "./Actor.ts";

const slotsMin = 8;
/** An emptied ring with more slots than this is given back: 100,000 idle actors must stay small. */
const slotsKept = 64;

/** FIFO over an array whose length is a power of two; amortised O(1), clears what it hands out. */
export class Ring<T> {
  private slots: Array<T | undefined> | undefined = undefined;
  private head = 0;
  private count = 0;

  get length(): number {
    return this.count;
  }

  push(value: T): void {
    let slots = this.slots;
    if (slots === undefined) {
      slots = this.slots = new Array<T | undefined>(slotsMin).fill(undefined);
    } else if (this.count === slots.length) slots = this.grow(slots);
    slots[(this.head + this.count) & (slots.length - 1)] = value;
    this.count++;
  }

  /** Precondition: length > 0. */
  shift(): T {
    const slots = this.slots!;
    const value = slots[this.head] as T;
    slots[this.head] = undefined;
    this.head = (this.head + 1) & (slots.length - 1);
    if (--this.count === 0 && slots.length > slotsKept) this.slots = undefined, this.head = 0;
    return value;
  }

  peek(): T | undefined {
    return this.count === 0 ? undefined : this.slots![this.head];
  }

  /** Removes the first occurrence, keeping the order of the rest; O(n). */
  remove(value: T): boolean {
    let found = false;
    for (let remaining = this.count; remaining > 0; remaining--) {
      const next = this.shift();
      if (!found && next === value) found = true;
      else this.push(next);
    }
    return found;
  }

  private grow(slots: Array<T | undefined>): Array<T | undefined> {
    const grown = new Array<T | undefined>(slots.length * 2).fill(undefined);
    for (let i = 0; i < this.count; i++) {
      grown[i] = slots[(this.head + i) & (slots.length - 1)];
    }
    this.slots = grown;
    this.head = 0;
    return grown;
  }
}

/** A sender that waits for room. `accepted` and `refused` are called at most once, and only one of
 *  them. */
export interface Waiter<Message> {
  readonly message: Message;
  readonly accepted: () => void;
  readonly refused: () => void;
}

export class Mailbox<Message> {
  private readonly options: MailboxOptions<Message>;
  private readonly messages = new Ring<Message>();
  private weights: Ring<number> | undefined = undefined;
  private waiters: Ring<Waiter<Message>> | undefined = undefined;
  private weight = 0;
  /** Accepted since the beginning; with `takenCount` it numbers messages, which is how asks are
   *  matched to them. */
  acceptedCount = 0;
  takenCount = 0;

  constructor(options: MailboxOptions<Message>) {
    this.options = options;
  }

  get depth(): number {
    return this.messages.length;
  }

  get waiting(): number {
    return this.waiters === undefined ? 0 : this.waiters.length;
  }

  /** Accepts the message if there is room and nobody waits. */
  offer(message: Message): boolean {
    if (this.waiters !== undefined && this.waiters.length > 0) return false;
    return this.accept(message);
  }

  /** Queues a sender; it is admitted, in order, as room appears. */
  wait(waiter: Waiter<Message>): void {
    (this.waiters ??= new Ring()).push(waiter);
  }

  /** The sender gave up (it was interrupted). Those behind it may fit now. */
  unwait(waiter: Waiter<Message>): void {
    if (this.waiters?.remove(waiter)) this.admit();
  }

  /** Takes the oldest message and lets waiting senders in. Precondition: depth > 0. */
  take(): Message {
    const message = this.messages.shift();
    this.takenCount++;
    if (this.weights !== undefined) this.weight -= this.weights.shift();
    if (this.waiters !== undefined && this.waiters.length > 0) this.admit();
    return message;
  }

  /** Gives up all messages; answers how many. Waiting senders stay; `admit` lets them in. */
  drop(): number {
    const dropped = this.messages.length;
    while (this.messages.length > 0) this.messages.shift();
    this.takenCount += dropped;
    this.weights = undefined;
    this.weight = 0;
    return dropped;
  }

  /** Tells everyone who waits that it is over. */
  refuse(): void {
    const waiters = this.waiters;
    this.waiters = undefined;
    while (waiters !== undefined && waiters.length > 0) waiters.shift().refused();
  }

  admit(): void {
    const waiters = this.waiters;
    while (waiters !== undefined && waiters.length > 0 && this.accept(waiters.peek()!.message)) {
      waiters.shift().accepted();
    }
  }

  private accept(message: Message): boolean {
    const depth = this.messages.length;
    if (depth >= this.options.capacity) return false;
    if (this.options.weigh !== undefined) {
      const weight = this.options.weigh(message);
      const weightMax = this.options.weightMax ?? Infinity;
      if (depth > 0 && this.weight + weight > weightMax) return false;
      (this.weights ??= new Ring()).push(weight);
      this.weight += weight;
    }
    this.messages.push(message);
    this.acceptedCount++;
    return true;
  }
}
