// The rows of a result that is read from one end on, in pages of which those that were not looked at for longest are let go
// of; state/pageReturns.ts has them asked for again. Rows are named by a sequence number that never changes. Of a page
// that was let go of remain its bounds and 8 bytes a row: by them it gets exactly the rows it had, in the same places,
// whatever was stored between them since. Invariant: after `look`, `bytes` <= `bytesMax` unless what is looked at is more.
import { entryKey } from "./entryKey.ts";
import { type Notice, type Row, rowBytes } from "./row.ts";
import type { ResolvedRange } from "./timeRange.ts";

/** The most rows of a list: what remains of each is 8 bytes, 12 where rows wrap. */
export const listedRowsMax = 5_000_000;
/** A page ends with the row that reaches this, or the number of rows. */
const pageBytesMax = 1024 * 1024;

interface Page {
  readonly start: number;
  /** Nanoseconds of the first entry and of the last. */
  readonly from: string;
  to: string;
  /** Entries of the pages before that share the first one's nanosecond. */
  readonly before: number;
  size: number;
  bytes: number;
  /** Undefined while the page is let go of. */
  rows: (Row | undefined)[] | undefined;
  /** What remains of it: an entry's key in each place, and the notices. */
  keys?: Float64Array;
  notices?: Map<number, Notice>;
}

/** Rows of a page that come back. */
export interface PageReturn {
  readonly page: number;
  /** Where the page's rows are, and how many there were up to its last one. */
  readonly range: ResolvedRange;
  readonly limit: number;
  /** Takes what is found in that range, in order; gives how many rows are still missing. */
  readonly add: (found: readonly Row[]) => number;
  /** Makes the page one that is held. */
  readonly finish: () => void;
}

export class RowPages {
  readonly bytesMax: number;
  readonly pageRows: number;
  readonly first = 0;
  /** Sequence number that the next row will get. */
  end = 0;
  /** Memory of the rows held, and how many they are. */
  bytes = 0;
  held = 0;
  readonly #pages: Page[] = [];
  /** The pages held, the one looked at last at the end. */
  readonly #held = new Set<Page>();
  #looked = new Set<Page>();
  #near = 0;
  #edge = "";
  #equals = 0;

  constructor(bytesMax: number, pageRows = 1000) {
    this.bytesMax = bytesMax;
    this.pageRows = pageRows;
  }

  get size(): number {
    return this.end;
  }

  /** True when no more rows should be pushed. */
  get full(): boolean {
    return this.end >= listedRowsMax;
  }

  /** The row of a sequence number, or undefined when it was let go of or has not come. */
  at(sequence: number): Row | undefined {
    const page = this.#pages[this.pageOf(sequence)];
    return page?.rows?.[sequence - page.start];
  }

  /** Nanoseconds of the first entry and of the last, also when they are not held. */
  get span(): readonly [first: string, last: string] | undefined {
    const [first] = this.#pages;
    const last = this.#pages.at(-1);
    return first === undefined || last === undefined ? undefined : [first.from, last.to];
  }

  /** Nanoseconds of the first entry of a row's page: about where the row is, also when it is not held. */
  timeNear(sequence: number): string | undefined {
    return this.#pages[this.pageOf(sequence)]?.from;
  }

  /** The number of the page that has a row; -1 when none has. */
  pageOf(sequence: number): number {
    if (sequence < 0 || sequence >= this.end) return -1;
    const holds = (page: Page | undefined) =>
      page !== undefined && sequence >= page.start && sequence < page.start + page.size;
    if (holds(this.#pages[this.#near])) return this.#near;
    if (holds(this.#pages[this.#near + 1])) return ++this.#near;
    let low = 0;
    let high = this.#pages.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#pages[middle]?.start ?? 0) <= sequence) low = middle;
      else high = middle - 1;
    }
    return this.#near = low;
  }

  /** Appends a row. */
  push(row: Row): void {
    const time = row.kind === "entry" ? row.nanoseconds : this.#edge;
    if (time !== this.#edge) this.#equals = 0;
    this.#edge = time;
    const page = this.#openPage(time);
    const bytes = rowBytes(row);
    page.rows?.push(row);
    page.to = time;
    page.size++;
    page.bytes += bytes;
    this.end++;
    this.bytes += bytes;
    this.held++;
    if (row.kind === "entry") this.#equals++;
  }

  /** Notes which rows are looked at, the most wanted first, and lets go of others when there are too many bytes. Gives the
   *  pages of those that are not held, in that order. */
  look(sequences: Iterable<number>): readonly number[] {
    this.#looked = new Set();
    const missing = new Set<number>();
    for (const sequence of sequences) {
      const number = this.pageOf(sequence);
      const page = this.#pages[number];
      if (page === undefined || this.#looked.has(page)) continue;
      this.#looked.add(page);
      if (page.rows === undefined) missing.add(number);
      else if (this.#held.delete(page)) this.#held.add(page);
    }
    this.#fit();
    return [...missing];
  }

  /** What is to be asked for a page that was let go of; undefined when it is held. */
  returnOf(number: number): PageReturn | undefined {
    const page = this.#pages[number];
    const { keys, notices } = page ?? {};
    if (page === undefined || keys === undefined || page.rows !== undefined) return undefined;
    const rows: (Row | undefined)[] = new Array(page.size).fill(undefined);
    for (const [place, notice] of notices ?? []) rows[place] = notice;
    const places = new Map<number, number[]>();
    // From the end, so that the first of equal entries is the first to be taken.
    for (let place = page.size - 1; place >= 0; place--) {
      if (rows[place] !== undefined) continue;
      const key = keys[place] ?? 0;
      const known = places.get(key);
      if (known === undefined) places.set(key, [place]);
      else known.push(place);
    }
    let missing = page.size - (notices?.size ?? 0);
    const times = [BigInt(page.from), BigInt(page.to)].sort((a, b) => (a < b ? -1 : 1));
    const [start = 0n, last = 0n] = times;
    return {
      page: number,
      range: { start, end: last + 1n },
      limit: page.before + page.size,
      add: (found) => {
        for (const row of found) {
          const place = row.kind === "entry" ? places.get(entryKey(row))?.pop() : undefined;
          if (place === undefined) continue;
          rows[place] = row;
          missing--;
        }
        return missing;
      },
      finish: () => this.#hold(page, rows.map((row) => row ?? gone)),
    };
  }

  #openPage(time: string): Page {
    const last = this.#pages.at(-1);
    if (last !== undefined && last.size < this.pageRows && last.bytes < pageBytesMax) return last;
    const page: Page = {
      start: this.end,
      from: time,
      to: time,
      before: this.#equals,
      size: 0,
      bytes: 0,
      rows: [],
    };
    this.#pages.push(page);
    this.#held.add(page);
    return page;
  }

  /** Lets go of pages, the one not looked at for longest first. The last one still grows, and stays. */
  #fit(): void {
    const last = this.#pages.at(-1);
    for (const page of this.#held) {
      if (this.bytes <= this.bytesMax) return;
      if (page === last || this.#looked.has(page)) continue;
      this.#letGo(page);
    }
  }

  #letGo(page: Page): void {
    page.keys ??= keysOf(page);
    this.#held.delete(page);
    this.bytes -= page.bytes;
    this.held -= page.size;
    page.rows = undefined;
  }

  #hold(page: Page, rows: Row[]): void {
    page.rows = rows;
    page.bytes = rows.reduce((sum, row) => sum + rowBytes(row), 0);
    this.bytes += page.bytes;
    this.held += page.size;
    this.#held.add(page);
  }
}

/** Stands in the place of an entry that the server gave once and gives no more. */
const gone: Notice = {
  kind: "notice",
  text: "A line stood here that the server no longer gives: it is not stored any more.",
};

function keysOf(page: Page): Float64Array {
  const keys = new Float64Array(page.size);
  page.rows?.forEach((row, place) => {
    if (row?.kind === "entry") keys[place] = entryKey(row);
    else if (row !== undefined) (page.notices ??= new Map()).set(place, row);
  });
  return keys;
}
