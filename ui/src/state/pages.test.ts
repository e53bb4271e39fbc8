// Paging against a store whose whole content is known: every entry once, in order, however many share a nanosecond, in
// however many pieces a page comes.
import fc from "fast-check";
import t from "tap";
import type { Entry, Row } from "../model/row.ts";
import type { ResolvedRange } from "../model/timeRange.ts";
import { type FetchPage, Pages } from "./pages.ts";

type Order = "newest" | "oldest";

/** A store's answer: by time, then newest first the later stored, oldest first the earlier stored. */
function answer(
  stored: readonly Entry[],
  order: Order,
  range: ResolvedRange,
  limit: number,
): Entry[] {
  const sign = order === "newest" ? -1 : 1;
  return stored.map((entry, index) => ({ entry, index }))
    .filter(({ entry }) => {
      const time = BigInt(entry.nanoseconds);
      return time >= range.start && time < range.end;
    })
    .sort((a, b) =>
      sign * (Number(BigInt(a.entry.nanoseconds) - BigInt(b.entry.nanoseconds)) ||
        a.index - b.index)
    )
    .slice(0, limit).map(({ entry }) => ({ ...entry }));
}

/** Answers in pieces of `pieceRows`. */
function inPieces(stored: readonly Entry[], order: Order, pieceRows: number): FetchPage {
  return async (range, limit, onEntries) => {
    const entries = answer(stored, order, range, limit);
    for (let i = 0; i < entries.length; i += pieceRows) onEntries(entries.slice(i, i + pieceRows));
  };
}

async function readAll(pages: Pages): Promise<Row[]> {
  const rows: Row[] = [];
  while (!await pages.next((more) => rows.push(...more))) { /* the next page */ }
  return rows;
}

const entryAt = (time: number, index: number): Entry => ({
  kind: "entry",
  nanoseconds: String(time),
  line: `line ${index % 7}`,
  stream: { app: "a" },
  metadata: { index: String(index) },
});

const orders = fc.constantFrom<Order>("newest", "oldest");
const times = fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 60 });
const few = fc.integer({ min: 1, max: 9 });

t.test("every entry of the range is given once, in order", async (t) => {
  await fc.assert(
    fc.asyncProperty(times, orders, few, few, async (at, order, limit, pieceRows) => {
      const stored = at.map(entryAt);
      const range = { start: 2n, end: 11n };
      const pages = new Pages(range, order, inPieces(stored, order, pieceRows), limit, 100);
      t.strictSame(await readAll(pages), answer(stored, order, range, Infinity));
    }),
    { numRuns: 300 },
  );
});

t.test("entries that a query made equal are each given, wherever pages and pieces end", async (t) => {
  await fc.assert(
    fc.asyncProperty(times, orders, few, few, async (at, order, limit, pieceRows) => {
      const stored = at.map((time) => ({ ...entryAt(time, 0), metadata: {} }));
      const range = { start: 2n, end: 11n };
      const pages = new Pages(range, order, inPieces(stored, order, pieceRows), limit, 100);
      t.strictSame(await readAll(pages), answer(stored, order, range, Infinity));
    }),
    { numRuns: 100 },
  );
});

t.test("more entries in one nanosecond than an answer holds are announced, the rest is found", async (t) => {
  const stored = [5, 6, 6, 6, 6, 6, 6, 7].map(entryAt);
  const range = { start: 0n, end: 10n };
  const read = async (order: Order) => {
    const rows = await readAll(new Pages(range, order, inPieces(stored, order, 9), 2, 4));
    return rows.map((row) => row.kind === "entry" ? row.nanoseconds : row.missing);
  };
  const gap = { start: 6n, end: 7n };
  t.strictSame(await read("newest"), ["7", "6", "6", "6", "6", gap, "5"]);
  t.strictSame(await read("oldest"), ["5", "6", "6", "6", "6", gap, "7"]);
});

t.test("a page that fails, also half way, goes on where it stopped", async (t) => {
  await fc.assert(
    fc.asyncProperty(times, orders, few, few, async (at, order, limit, failAfter) => {
      const stored = at.map(entryAt);
      const range = { start: 0n, end: 13n };
      let isDown = true;
      const fetch: FetchPage = async (part, count, onEntries) => {
        const entries = answer(stored, order, part, count);
        onEntries(isDown ? entries.slice(0, failAfter) : entries);
        if (isDown) throw new Error("down");
      };
      const pages = new Pages(range, order, fetch, limit, 100);
      const rows: Row[] = [];
      await t.rejects(pages.next((more) => rows.push(...more)), /down/);
      isDown = false;
      t.strictSame([...rows, ...await readAll(pages)], answer(stored, order, range, Infinity));
    }),
    { numRuns: 100 },
  );
});
