/** A world with one clock, in which processes take turns: production code runs in it as it is, since the timers and clocks of the
 *  runtime are this world's while a process has its turn. Owns time, turns, kill and freeze; what happens in a turn is its
 *  process's business, and processes meet only through SimulatedNetwork.ts.
 *
 *  A turn is one timer, immediate or delivery, with every microtask that follows from it. Turns are ordered by time, then by the
 *  order in which they were asked for. So a seed decides everything, as long as no process waits for something real.
 *  Invariant: the next turn begins when no microtask of the last one is left. */
import { type Random, randomFrom } from "../random.ts";

/** Something that runs in the world, such as a server program. */
export interface Process {
  readonly name: string;
  isDead: boolean;
  isFrozen: boolean;
  /** How far its wall clock is ahead of the world's, or behind. */
  readonly skewMs: number;
  /** Its turns that came while it was frozen. */
  readonly held: Array<() => void>;
}

interface Turn {
  readonly atMs: number;
  readonly order: number;
  readonly process: Process;
  readonly run: () => void;
  isCancelled: boolean;
}

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  clearImmediate: globalThis.clearImmediate,
  now: performance.now.bind(performance),
  timeOrigin: performance.timeOrigin,
  dateNow: Date.now,
  random: Math.random,
  randomUUID: crypto.randomUUID.bind(crypto),
};

/** When worlds begin, in ms since 1970. */
const epochMs = Date.UTC(2026, 0, 1);
/** Wall clocks of processes are wrong by up to this much. */
const skewMsMax = 600_000;

/** The world whose turn runs now. */
let present: SimulatedWorld | undefined;

export class SimulatedWorld {
  readonly random: Random;
  /** For what the runtime and libraries draw, which depends on what they did in worlds before. */
  readonly #otherRandom = randomFrom("other");
  readonly #turns = new TurnQueue();
  #order = 0;
  #nowMs = 0;
  #process: Process | undefined;
  /** A digest of all turns so far: equal for equal runs. */
  trace = 0x811c9dc5;
  turnCount = 0;

  constructor(random: Random) {
    this.random = random;
    install();
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  process(name: string): Process {
    const skewMs = this.random.between(-skewMsMax, skewMsMax);
    return { name, isDead: false, isFrozen: false, skewMs, held: [] };
  }

  /** Gives a process a turn in `ms`. */
  later(process: Process, ms: number, run: () => void): () => void {
    const atMs = this.#nowMs + Math.max(0, ms);
    const turn: Turn = { atMs, order: this.#order++, process, run, isCancelled: false };
    this.#turns.push(turn);
    return () => turn.isCancelled = true;
  }

  /** Whatever the process does from now on does not happen. */
  kill(process: Process): void {
    process.isDead = true;
    process.held.length = 0;
  }

  freeze(process: Process): void {
    process.isFrozen = true;
  }

  /** Goes on with what came meanwhile, in its order. */
  thaw(process: Process): void {
    process.isFrozen = false;
    for (const run of process.held.splice(0)) this.later(process, 0, run);
  }

  /** Runs turns until `isDone`, or the world's time `untilMs`, or nothing is left to do. */
  async run(untilMs: number, isDone: () => boolean = () => false): Promise<void> {
    for (let turn = this.#turns.first; turn !== undefined; turn = this.#turns.first) {
      if (turn.atMs > untilMs || isDone()) break;
      this.#turns.pop();
      if (turn.isCancelled || turn.process.isDead) continue;
      this.#nowMs = turn.atMs;
      if (turn.process.isFrozen) turn.process.held.push(turn.run);
      else await this.#take(turn);
    }
    if (this.#turns.first === undefined || this.#turns.first.atMs > untilMs) {
      this.#nowMs = Math.max(this.#nowMs, Math.min(untilMs, Number.MAX_SAFE_INTEGER));
    }
  }

  /** What the wall clock of the current process shows when its own time begins, ms since 1970. */
  get timeOrigin(): number {
    return epochMs + (this.#process?.skewMs ?? 0);
  }

  /** Has the current process do something later; for the timers of the runtime. */
  timer(ms: number, run: () => void): () => void {
    const process = this.#process;
    if (process === undefined) throw new Error("no process has a turn");
    return this.later(process, ms, run);
  }

  otherFraction(): number {
    return this.#otherRandom.fraction();
  }

  async #take({ process, run, atMs }: Turn): Promise<void> {
    this.turnCount++;
    this.note(`${process.name} ${atMs.toFixed(3)}`);
    present = this;
    this.#process = process;
    run();
    // An immediate of the real runtime comes when no microtask is left.
    await new Promise<void>((resolve) => real.setImmediate(resolve));
    this.#process = undefined;
    present = undefined;
  }

  /** Adds to the trace. */
  note(text: string): void {
    for (let at = 0; at < text.length; at++) {
      this.trace = Math.imul(this.trace ^ text.charCodeAt(at), 0x01000193);
    }
  }
}

/** A heap by time, then order. */
class TurnQueue {
  readonly #heap: Turn[] = [];

  get first(): Turn | undefined {
    return this.#heap[0];
  }

  push(turn: Turn): void {
    const heap = this.#heap;
    let at = heap.push(turn) - 1;
    for (let up = (at - 1) >> 1; at > 0 && isBefore(turn, heap[up]!); up = (at - 1) >> 1) {
      heap[at] = heap[up]!;
      heap[at = up] = turn;
    }
  }

  pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    heap[0] = last;
    for (let at = 0;;) {
      let least = 2 * at + 1;
      if (least >= heap.length) return;
      if (least + 1 < heap.length && isBefore(heap[least + 1]!, heap[least]!)) least++;
      if (!isBefore(heap[least]!, last)) return;
      heap[at] = heap[least]!;
      heap[at = least] = last;
    }
  }
}

function isBefore(a: Turn, b: Turn): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** What a timer function of a world returns: as much of the runtime's own as anybody uses. */
class WorldTimer {
  readonly cancel: () => void;

  constructor(cancel: () => void) {
    this.cancel = cancel;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }
}

let isInstalled = false;

/** Puts the world's clocks and timers where the runtime's are. Outside turns they are the runtime's own. */
function install(): void {
  if (isInstalled) return;
  isInstalled = true;
  const clear = (handle: unknown, otherwise: (handle: never) => void) => {
    if (handle instanceof WorldTimer) handle.cancel();
    else otherwise(handle as never);
  };
  const once = (otherwise: (...all: never[]) => unknown, hasDelay: boolean) =>
  (
    run: (...all: unknown[]) => void,
    ...rest: unknown[]
  ) => {
    if (present === undefined) return otherwise(...[run, ...rest] as never[]);
    const ms = hasDelay ? Number(rest[0] ?? 0) : 0;
    const parameters = hasDelay ? rest.slice(1) : rest;
    return new WorldTimer(present.timer(ms, () => run(...parameters)));
  };
  const again = (run: (...all: unknown[]) => void, ms = 0, ...rest: unknown[]) => {
    const world = present;
    if (world === undefined) return real.setInterval(run, ms, ...rest);
    let cancel = () => {};
    const next = () => {
      cancel = world.timer(ms, () => {
        next();
        run(...rest);
      });
    };
    next();
    return new WorldTimer(() => cancel());
  };
  Object.assign(globalThis, {
    setTimeout: once(real.setTimeout as never, true),
    setImmediate: once(real.setImmediate as never, false),
    setInterval: again,
    clearTimeout: (handle: unknown) => clear(handle, real.clearTimeout),
    clearInterval: (handle: unknown) => clear(handle, real.clearInterval),
    clearImmediate: (handle: unknown) => clear(handle, real.clearImmediate),
  });
  performance.now = () => present?.nowMs ?? real.now();
  Object.defineProperty(performance, "timeOrigin", {
    get: () => present?.timeOrigin ?? real.timeOrigin,
  });
  Date.now = () =>
    present === undefined ? real.dateNow() : Math.floor(present.timeOrigin + present.nowMs);
  Math.random = () => present?.otherFraction() ?? real.random();
  crypto.randomUUID = () => {
    if (present === undefined) return real.randomUUID();
    const { hex } = present.random;
    return `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`;
  };
}
