// A live session against a server made of a list and callbacks: what was stored is what is shown, through lost connections,
// pauses and repeats.
import t from "tap";
import type { TailHandlers } from "../api/tailSocket.ts";
import type { Entry, Row } from "../model/row.ts";
import { RowBuffer } from "../model/rowBuffer.ts";
import { LiveSession } from "./liveSession.ts";

const second = 1_000_000_000n;

/** A server and a clock that move when told. */
class World {
  now = 1000n * second;
  stored: Entry[] = [];
  tail: TailHandlers | undefined;
  opened: bigint[] = [];
  timers: { at: bigint; callback: () => void }[] = [];
  failing = false;
  session: LiveSession;

  constructor() {
    this.session = new LiveSession("{}", new RowBuffer(1e9), this.now, {
      openTail: (_query, start, _limit, handlers) => {
        this.opened.push(start);
        this.tail = handlers;
        return () => this.tail = undefined;
      },
      fetchOldest: async (range, limit) => {
        if (this.failing) throw new Error("503");
        const found = this.stored.filter((entry) => {
          const time = BigInt(entry.nanoseconds);
          return time >= range.start && time < range.end;
        });
        return found.sort((a, b) => Number(BigInt(a.nanoseconds) - BigInt(b.nanoseconds))).slice(
          0,
          limit,
        );
      },
      now: () => this.now,
      after: (milliseconds, callback) => {
        const timer = { at: this.now + BigInt(Math.ceil(milliseconds)) * 1_000_000n, callback };
        this.timers.push(timer);
        return () => this.timers = this.timers.filter((each) => each !== timer);
      },
      changed: () => {},
    });
    this.session.start();
  }

  /** Stores a line; sends it when someone listens. */
  write(line: string, delayed = 0n): void {
    this.now += 1_000_000n;
    const nanoseconds = (this.now - delayed).toString();
    const entry: Entry = { kind: "entry", nanoseconds, line, stream: { app: "a" } };
    this.stored.push(entry);
    this.tail?.onEntries([{ ...entry }], undefined);
  }

  async open(): Promise<void> {
    this.tail?.onOpen();
    await settle();
  }

  async advance(seconds: bigint): Promise<void> {
    this.now += seconds * second;
    for (const timer of this.timers.filter((each) => each.at <= this.now)) {
      this.timers = this.timers.filter((each) => each !== timer);
      timer.callback();
    }
    await settle();
  }

  get lines(): string[] {
    return shown(this.session.buffer).map((row) =>
      row.kind === "entry" ? row.line : `(${row.text})`
    );
  }
}

function shown(buffer: RowBuffer): Row[] {
  const rows: Row[] = [];
  for (let sequence = buffer.first; sequence < buffer.end; sequence++) {
    const row = buffer.at(sequence);
    if (row !== undefined) rows.push(row);
  }
  return rows;
}

async function settle(): Promise<void> {
  for (let i = 0; i < 40; i++) await Promise.resolve();
}

t.test("lines before, during and after catching up are shown once", async (t) => {
  const world = new World();
  world.write("before open");
  world.tail?.onOpen();
  world.write("while catching up");
  await settle();
  world.write("after");
  t.strictSame(world.lines.sort(), ["after", "before open", "while catching up"]);
  t.equal(world.session.phase.value, "following");
  t.equal(world.session.received, 3);
});

t.test("a lost connection is opened again and what came meanwhile is fetched", async (t) => {
  const world = new World();
  await world.open();
  world.write("one");
  world.tail?.onClose(1006, "");
  t.equal(world.session.phase.value, "waiting");
  world.write("two");
  world.write("late", second);
  await world.advance(30n);
  world.write("three");
  await world.open();
  world.write("four");
  t.strictSame(world.lines, ["one", "late", "two", "three", "four"]);
  t.equal(world.session.phase.value, "following");
});

t.test("a failed catch-up is tried again, without loss and without repeats", async (t) => {
  const world = new World();
  await world.open();
  world.write("one");
  world.tail?.onClose(1011, "max duration");
  world.failing = true;
  await world.advance(30n);
  world.tail?.onOpen();
  world.write("held");
  await settle();
  t.equal(world.session.phase.value, "waiting");
  t.match(world.session.trouble.value, "503");
  world.failing = false;
  world.write("two");
  await world.advance(30n);
  await world.open();
  t.strictSame(world.lines.sort(), ["held", "one", "two"]);
});

t.test("paused lines wait, and all are shown on resume", async (t) => {
  const world = new World();
  await world.open();
  world.write("one");
  world.session.pause();
  world.write("two");
  world.tail?.onClose(1006, "");
  world.write("three");
  await world.advance(30n);
  await world.open();
  t.strictSame(world.lines, ["one"]);
  t.equal(world.session.waiting, 2);
  world.session.resume();
  t.strictSame(world.lines, ["one", "two", "three"]);
  t.equal(world.session.waiting, 0);
});

t.test("what does not fit while paused is counted, and where it lies is told", async (t) => {
  const world = new World();
  await world.open();
  world.session.pause();
  const big = "x".repeat(5_000_000);
  for (let i = 0; i < 8; i++) world.write(`${i}${big}`);
  t.equal(world.session.waiting, 8);
  t.equal(world.session.overflowed, 5);
  world.session.resume();
  const [notice, ...rest] = shown(world.session.buffer);
  t.match(notice, { kind: "notice", text: "5 lines came while paused and found no room" });
  const missing = notice?.kind === "notice" ? notice.missing : undefined;
  t.equal(missing?.start, BigInt(world.stored[0]?.nanoseconds ?? 0));
  t.equal(missing?.end, BigInt(world.stored[4]?.nanoseconds ?? 0) + 1n);
  t.strictSame(rest.map((row) => row.kind === "entry" && row.line[0]), ["5", "6", "7"]);
});

t.test("lines the server left out are counted and named by a notice", async (t) => {
  const world = new World();
  await world.open();
  world.tail?.onEntries([], { count: 2, first: "5", last: "7" });
  t.equal(world.session.droppedByServer, 2);
  t.match(shown(world.session.buffer)[0], { kind: "notice", missing: { start: 5n, end: 8n } });
});

t.test("a query of numbers is refused for good; stopping is silent", async (t) => {
  const world = new World();
  const { tail } = world;
  tail?.onClose(1011, "only log selector is supported");
  t.equal(world.session.phase.value, "refused");
  await world.advance(60n);
  t.equal(world.opened.length, 1);
  world.session.stop();
  tail?.onClose(1006, "");
  t.equal(world.session.phase.value, "stopped");
  t.strictSame(world.timers, []);
});
