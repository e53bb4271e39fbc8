// Follows a query live: connects, catches up after every (re)connect, holds lines while paused. api/tailSocket.ts owns the
// socket, explore.ts when a session lives. Invariant: every line the server sent is shown, waits for resume, or is named by
// a notice that tells where to find it; memory stays within three bounded buffers.
import { signal } from "@preact/signals-core";
import type { Dropped, openTail } from "../api/tailSocket.ts";
import { EntrySet } from "../model/entrySet.ts";
import { compareNanoseconds, nanosecondsPerSecond } from "../model/nanoseconds.ts";
import type { Entry, Notice, Row } from "../model/row.ts";
import { RowBuffer } from "../model/rowBuffer.ts";
import type { ResolvedRange } from "../model/timeRange.ts";

/** What a session needs of the world. */
export interface LivePorts {
  readonly openTail: typeof openTail;
  /** The oldest `limit` entries of a range, oldest first. */
  readonly fetchOldest: (range: ResolvedRange, limit: number) => Promise<Entry[]>;
  readonly now: () => bigint;
  /** Calls back after some milliseconds; gives what cancels it. */
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  /** Called after rows or counts changed. */
  readonly changed: () => void;
}

export type LivePhase = "connecting" | "following" | "waiting" | "refused" | "stopped";

export class LiveSession {
  readonly phase = signal<LivePhase>("connecting");
  readonly paused = signal(false);
  /** Why the last connection ended, in words; empty while all is well. */
  readonly trouble = signal("");
  readonly linesPerSecond = signal(0);
  /** The rows shown, oldest first. */
  readonly buffer: RowBuffer;
  /** Lines received since the start, lines the server left out, lines that found no room while paused. */
  received = 0;
  droppedByServer = 0;
  overflowed = 0;

  readonly #query: string;
  readonly #ports: LivePorts;
  #pending: RowBuffer;
  #pendingLost = new LostLines();
  #newest: string;
  #held: RowBuffer | undefined;
  #heldLost = new LostLines();
  #seen: EntrySet | undefined;
  #attempt = 0;
  #connection = 0;
  #close: () => void = () => {};
  #cancelTimer: () => void = () => {};
  #cancelRate: () => void = () => {};

  /** `buffer` holds what is known already; `since` (nanoseconds) is where following starts. */
  constructor(query: string, buffer: RowBuffer, since: bigint, ports: LivePorts) {
    this.#query = query;
    this.buffer = buffer;
    this.#newest = since.toString();
    this.#ports = ports;
    this.#pending = new RowBuffer(pendingBytesMax);
  }

  start(): void {
    this.#measureRate(this.received);
    this.#connect();
  }

  stop(): void {
    this.phase.value = "stopped";
    this.#connection++;
    this.#cancelTimer();
    this.#cancelRate();
    this.#close();
  }

  /** Lines that came since the pause. */
  get waiting(): number {
    return this.#pending.size + this.#pendingLost.count;
  }

  pause(): void {
    this.paused.value = true;
  }

  /** Shows what came during the pause and follows again. */
  resume(): void {
    if (!this.paused.value) return;
    this.paused.value = false;
    const lost = this.#pendingLost.notice("came while paused and found no room");
    if (lost !== undefined) this.buffer.push(lost);
    for (let row = this.#pending.shift(); row !== undefined; row = this.#pending.shift()) {
      this.buffer.push(row);
    }
    this.#pending = new RowBuffer(pendingBytesMax);
    this.#ports.changed();
  }

  #connect(): void {
    const connection = ++this.#connection;
    const now = this.#ports.now();
    const newest = BigInt(this.#newest);
    // A line stamped in the future must not hide the lines that come before that time.
    const from = (newest < now ? newest : now) - overlap;
    this.phase.value = "connecting";
    this.#seen = this.#recentRows(from);
    this.#held = new RowBuffer(heldBytesMax);
    const current = () => connection === this.#connection;
    this.#close = this.#ports.openTail(this.#query, from, catchUpLines, {
      onOpen: () => current() && void this.#catchUp(from, current),
      onEntries: (entries, dropped) => {
        if (!current()) return;
        for (const entry of entries) this.#receive(entry);
        if (dropped !== undefined) this.#noteDropped(dropped);
        this.#ports.changed();
      },
      onClose: (code, reason) => current() && this.#lost(code, reason),
    });
  }

  /** Fetches what was stored between the last line and this connection, then lets the held frames through. */
  async #catchUp(from: bigint, current: () => boolean): Promise<void> {
    let start = from;
    try {
      for (let page = 0; page < catchUpPages; page++) {
        const end = this.#ports.now() + 60n * nanosecondsPerSecond;
        const entries = await this.#ports.fetchOldest({ start, end }, catchUpLines);
        if (!current()) return;
        for (const entry of entries) this.#accept(entry);
        const last = entries.at(-1);
        if (entries.length < catchUpLines || last === undefined) break;
        const next = BigInt(last.nanoseconds);
        if (page === catchUpPages - 1 || next === start) {
          const missing = { start: next, end: this.#ports.now() };
          this.#show({ kind: "notice", text: "More lines came than could be caught up", missing });
          break;
        }
        start = next;
      }
    } catch (cause) {
      if (!current()) return;
      this.#close();
      this.#lost(1006, cause instanceof Error ? cause.message : String(cause));
      return;
    }
    this.#releaseHeld();
    this.#attempt = 0;
    this.phase.value = "following";
    this.trouble.value = "";
    // The socket may repeat what was caught up; after a while it cannot.
    this.#cancelTimer();
    this.#cancelTimer = this.#ports.after(10_000, () => this.#seen = undefined);
    this.#ports.changed();
  }

  #receive(entry: Entry): void {
    if (this.#held === undefined) this.#accept(entry);
    else this.#held.push(entry, (row) => this.#heldLost.add(row));
  }

  #releaseHeld(): void {
    const held = this.#held;
    this.#held = undefined;
    const lost = this.#heldLost.notice("came while catching up and found no room");
    if (lost !== undefined) this.#show(lost);
    for (let row = held?.shift(); row !== undefined; row = held?.shift()) {
      if (row.kind === "entry") this.#accept(row);
    }
  }

  #accept(entry: Entry): void {
    if (this.#seen !== undefined) {
      if (!this.#seen.add(entry)) return;
      if (this.#seen.size > seenMax && this.#held === undefined) this.#seen = undefined;
    }
    if (compareNanoseconds(entry.nanoseconds, this.#newest) > 0) this.#newest = entry.nanoseconds;
    this.received++;
    this.#show(entry);
  }

  #show(row: Row): void {
    if (!this.paused.value) {
      this.buffer.push(row);
      return;
    }
    this.#pending.push(row, (evicted) => {
      this.overflowed++;
      this.#pendingLost.add(evicted);
    });
  }

  #noteDropped({ count, unexamined = 0, first, last }: Dropped): void {
    this.droppedByServer += count;
    const missing = { start: BigInt(first), end: BigInt(last) + 1n };
    const text = unexamined === 0
      ? `The server left out ${lineCount(count)}, because this page read too slowly`
      : `The server left out up to ${lineCount(count)}, because the filter takes too long for them`;
    this.#show({ kind: "notice", text, missing });
  }

  #lost(code: number, reason: string): void {
    this.#close();
    this.#connection++;
    this.#releaseHeld();
    this.#cancelTimer();
    this.trouble.value = reason === "" ? `connection closed (${code})` : reason;
    this.#ports.changed();
    if (/only log selector/i.test(reason)) {
      this.phase.value = "refused";
      return;
    }
    this.phase.value = "waiting";
    const ceiling = Math.min(10_000, 500 * 2 ** this.#attempt++);
    const milliseconds = ceiling / 2 + Math.random() * ceiling / 2;
    this.#cancelTimer = this.#ports.after(milliseconds, () => this.#connect());
  }

  #recentRows(from: bigint): EntrySet {
    const seen = new EntrySet();
    const bound = from.toString();
    for (const rows of [this.#pending, this.buffer]) {
      const oldest = Math.max(rows.first, rows.end - seenMax);
      for (let sequence = rows.end - 1; sequence >= oldest; sequence--) {
        const row = rows.at(sequence);
        if (row?.kind === "entry" && compareNanoseconds(row.nanoseconds, bound) >= 0) seen.add(row);
      }
    }
    return seen;
  }

  #measureRate(before: number): void {
    this.#cancelRate = this.#ports.after(1000, () => {
      this.linesPerSecond.value = this.received - before;
      this.#measureRate(this.received);
    });
  }
}

/** How far before the last line catching up starts: lines of other streams may have come later with earlier times. */
const overlap = 2n * nanosecondsPerSecond;
const catchUpLines = 1000;
const catchUpPages = 10;
const seenMax = 20_000;
const pendingBytesMax = 32 * 1024 * 1024;
const heldBytesMax = 8 * 1024 * 1024;

/** Counts lines that were let go and the range they lie in. */
class LostLines {
  count = 0;
  #start = "";
  #end = "";

  add(row: Row): void {
    if (row.kind !== "entry") return;
    const { nanoseconds } = row;
    if (this.count === 0 || compareNanoseconds(nanoseconds, this.#start) < 0) {
      this.#start = nanoseconds;
    }
    if (this.count === 0 || compareNanoseconds(nanoseconds, this.#end) > 0) this.#end = nanoseconds;
    this.count++;
  }

  /** Says how many were lost and forgets them; undefined when none. */
  notice(how: string): Notice | undefined {
    if (this.count === 0) return undefined;
    const text = `${lineCount(this.count)} ${how}`;
    this.count = 0;
    return {
      kind: "notice",
      text,
      missing: { start: BigInt(this.#start), end: BigInt(this.#end) + 1n },
    };
  }
}

function lineCount(count: number): string {
  return count === 1 ? "1 line" : `${count.toLocaleString("en")} lines`;
}
