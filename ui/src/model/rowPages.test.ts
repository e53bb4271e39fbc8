// A list of pages against a plain array of all rows that it was ever given: through random looks, pages let go of and
// brought back, from a store in which lines arrive late or vanish between.
import fc from "fast-check";
import t from "tap";
import { entryKey } from "./entryKey.ts";
import { type Entry, type Row, rowBytes } from "./row.ts";
import { RowPages } from "./rowPages.ts";

type Order = "newest" | "oldest";

/** Few lines and streams, so that many are equal but for one thing, and some in all. */
const entries = fc.record({
  nanoseconds: fc.integer({ min: 1, max: 40 }).map(String),
  line: fc.constantFrom("a", "b", "a long line ".repeat(20)),
  stream: fc.constantFrom({ app: "x" }, { app: "y" }, { app: "x", pod: "y" }),
  metadata: fc.constantFrom(undefined, { level: "info" }, { level: "warn" }),
}).map(({ metadata, ...rest }): Entry => ({
  kind: "entry",
  ...rest,
  ...(metadata === undefined ? {} : { metadata }),
}));

function sorted(stored: readonly Entry[], order: Order): Entry[] {
  const sign = order === "newest" ? -1 : 1;
  return stored.map((entry, i) => ({ entry, i }))
    .sort((a, b) => sign * (Number(a.entry.nanoseconds) - Number(b.entry.nanoseconds) || a.i - b.i))
    .map(({ entry }) => entry);
}

/** Brings a page back from what is stored now; the entries are others, as they would be from a server. */
function bringBack(rows: RowPages, page: number, stored: readonly Entry[], order: Order): number {
  const back = rows.returnOf(page);
  if (back === undefined) return 0;
  const { start, end } = back.range;
  const missing = back.add(
    sorted(stored, order).filter(({ nanoseconds }) =>
      BigInt(nanoseconds) >= start && BigInt(nanoseconds) < end
    ).map((entry) => structuredClone(entry)),
  );
  back.finish();
  return missing;
}

const orders = fc.constantFrom<Order>("newest", "oldest");
// Not a double: most of those lie next to nothing.
const shares = fc.nat(999_999).map((millionths) => millionths / 1e6);
const looks = fc.array(fc.tuple(shares, fc.integer({ min: 1, max: 30 })), { maxLength: 40 });

t.test("rows that come back are those that were there, whatever arrived meanwhile", (t) => {
  const cases = [fc.array(entries, { maxLength: 200 }), fc.array(entries), looks, orders] as const;
  fc.assert(
    fc.property(...cases, (first, late, script, order) => {
      const all: Row[] = sorted(first, order);
      const rows = new RowPages(9000, 7);
      for (const row of all) rows.push(row);
      const stored = [...first];
      for (const [share, height] of script) {
        const top = Math.floor(share * all.length);
        const view = Array.from({ length: height }, (_, i) => top + i);
        for (const page of rows.look(view)) {
          if (bringBack(rows, page, stored, order) !== 0) return false;
        }
        for (const sequence of view) t.strictSame(rows.at(sequence), all[sequence]);
        const arrived = late.pop();
        if (arrived !== undefined) stored.push(arrived);
      }
      rows.look([]);
      if (rows.bytes > 9000 && rows.held > 7) return false;
      return bytesHeld(rows) === rows.bytes && rows.size === all.length;
    }),
    { numRuns: 200 },
  );
  t.end();
});

function bytesHeld(rows: RowPages): number {
  let bytes = 0;
  for (let sequence = 0; sequence < rows.end; sequence++) {
    const row = rows.at(sequence);
    if (row !== undefined) bytes += rowBytes(row);
  }
  return bytes;
}

t.test("a line that is not stored any more leaves a notice, the others keep their places", (t) => {
  fc.assert(
    fc.property(fc.array(entries, { minLength: 30, maxLength: 90 }), shares, (first, share) => {
      // Of lines that are equal in all, nobody can say which one is gone.
      const different = first.map((entry, i) => ({ ...entry, line: `${entry.line} ${i}` }));
      const all = sorted(different, "newest");
      const rows = new RowPages(0, 7);
      for (const row of all) rows.push(row);
      rows.look([]);
      // The last page is held.
      const gone = Math.floor(share * (all.length - 8));
      const page = rows.pageOf(gone);
      const stored = all.filter((_, i) => i !== gone);
      t.equal(bringBack(rows, page, stored.toReversed(), "newest"), 1);
      const start = 7 * page;
      const found = Array.from({ length: 7 }, (_, i) => rows.at(start + i));
      t.equal(found.filter((row) => row?.kind === "notice").length, 1);
      for (const [i, row] of found.entries()) {
        if (row?.kind === "entry") t.strictSame(row, all[start + i]);
        else t.equal(start + i, gone);
      }
      rows.look([]);
      t.equal(rows.at(gone), undefined, "and it is let go of again");
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test("notices between rows come back with their page, without being asked for", (t) => {
  const entry = (nanoseconds: string): Entry => ({
    kind: "entry",
    nanoseconds,
    line: nanoseconds,
    stream: {},
  });
  const notice: Row = { kind: "notice", text: "more share this nanosecond" };
  const all = [entry("9"), entry("8"), notice, entry("7"), entry("6"), entry("5"), entry("4")];
  const rows = new RowPages(0, 3);
  for (const row of all) rows.push(row);
  t.strictSame(rows.look([]), []);
  t.strictSame(rows.look([2, 3, 4]), [0, 1]);
  t.match(rows.returnOf(0), { range: { start: 8n, end: 10n }, limit: 3 });
  t.equal(bringBack(rows, 0, all.filter((row) => row.kind === "entry"), "newest"), 0);
  t.strictSame([0, 1, 2, 3].map((i) => rows.at(i)), [all[0], all[1], notice, undefined]);
  t.strictSame(rows.span, ["9", "4"], "where the list begins and ends is known all the time");
  t.equal(rows.held, 4);
  t.end();
});

t.test("a page that is looked at is held, whatever it weighs, and the one not seen for longest goes", (t) => {
  const entry = (i: number): Entry => ({
    kind: "entry",
    nanoseconds: String(i),
    line: "x".repeat(1000),
    stream: {},
  });
  const rows = new RowPages(3 * 10 * rowBytes(entry(0)), 10);
  for (let i = 0; i < 100; i++) rows.push(entry(i));
  const heldPages = () =>
    Array.from({ length: 10 }, (_, page) => page).filter((page) =>
      rows.at(10 * page) !== undefined
    );
  rows.look([0, 10, 20, 30, 40]);
  t.strictSame(heldPages(), [0, 1, 2, 3, 4, 9], "the last one grows, and stays");
  rows.look([20]);
  t.strictSame(heldPages(), [2, 4, 9]);
  t.equal(rows.held, 30);
  t.end();
});

t.test("a page of equal times asks for what stands before it in its nanosecond too", (t) => {
  const rows = new RowPages(0, 10);
  for (let i = 0; i < 35; i++) {
    rows.push({ kind: "entry", nanoseconds: i < 3 ? "2" : "1", line: String(i), stream: {} });
  }
  rows.look([]);
  t.match(rows.returnOf(0), { range: { start: 1n, end: 3n }, limit: 10 });
  t.match(rows.returnOf(2), { range: { start: 1n, end: 2n }, limit: 27 });
  t.end();
});

t.test("keys tell entries apart by each part, and not by the order of labels", (t) => {
  const stream = { a: "1", b: "2" };
  const entry: Entry = { kind: "entry", nanoseconds: "1", line: "ab", stream };
  const others: Entry[] = [
    { ...entry, nanoseconds: "2" },
    { ...entry, line: "ba" },
    { ...entry, line: "a\u0000b" },
    { ...entry, stream: { a: "2", b: "1" } },
    { ...entry, stream: { a: "1" } },
    { ...entry, metadata: { c: "" } },
    { ...entry, nanoseconds: "1a", line: "b" },
  ];
  const keys = new Set([entry, ...others].map(entryKey));
  t.equal(keys.size, 1 + others.length);
  t.equal(entryKey({ ...entry, stream: { b: "2", a: "1" } }), entryKey(entry));
  t.ok([...keys].every(Number.isSafeInteger));
  const many = new Set<number>();
  for (let i = 0; i < 200_000; i++) many.add(entryKey({ ...entry, line: `line ${i}` }));
  t.equal(many.size, 200_000);
  t.end();
});
