// Paging against a store whose whole content is known: every entry once, in order, however many share a nanosecond.
import fc from "fast-check";
import t from "tap";
import type { Entry, Row } from "../model/row.ts";
import type { ResolvedRange } from "../model/timeRange.ts";
import { OlderPages } from "./olderPages.ts";

/** A store's newest-first answer: by time, then the later stored first. */
function answer(stored: readonly Entry[], range: ResolvedRange, limit: number): Entry[] {
  return stored.map((entry, index) => ({ entry, index }))
    .filter(({ entry }) => {
      const time = BigInt(entry.nanoseconds);
      return time >= range.start && time < range.end;
    })
    .sort((a, b) =>
      Number(BigInt(b.entry.nanoseconds) - BigInt(a.entry.nanoseconds)) || b.index - a.index
    )
    .slice(0, limit).map(({ entry }) => ({ ...entry }));
}

async function readAll(pages: OlderPages): Promise<Row[]> {
  const rows: Row[] = [];
  for (;;) {
    const page = await pages.next();
    rows.push(...page.rows);
    if (page.ended) return rows;
  }
}

const entryAt = (time: number, index: number): Entry => ({
  kind: "entry",
  nanoseconds: String(time),
  line: `line ${index % 7}`,
  stream: { app: "a" },
  metadata: { index: String(index) },
});

t.test("every entry of the range is given once, newest first", async (t) => {
  const times = fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(times, fc.integer({ min: 1, max: 9 }), async (at, limit) => {
      const stored = at.map(entryAt);
      const range = { start: 2n, end: 11n };
      const rows = await readAll(
        new OlderPages(range, async (r, n) => answer(stored, r, n), limit, 100),
      );
      t.strictSame(rows, answer(stored, range, Infinity));
    }),
    { numRuns: 200 },
  );
});

t.test("more entries in one nanosecond than an answer holds are announced, the rest is found", async (t) => {
  const stored = [5, 6, 6, 6, 6, 6, 6, 7].map(entryAt);
  const range = { start: 0n, end: 10n };
  const rows = await readAll(new OlderPages(range, async (r, n) => answer(stored, r, n), 2, 4));
  const times = rows.map((row) => row.kind === "entry" ? row.nanoseconds : row.missing);
  t.strictSame(times, ["7", "6", "6", "6", "6", { start: 6n, end: 7n }, "5"]);
});

t.test("after a failure the same page can be asked for again", async (t) => {
  const stored = [1, 2, 3, 4].map(entryAt);
  let failing = false;
  const pages = new OlderPages(
    { start: 0n, end: 9n },
    async (range, limit) => {
      if (failing) throw new Error("down");
      return answer(stored, range, limit);
    },
    2,
    10,
  );
  const first = await pages.next();
  failing = true;
  await t.rejects(pages.next(), /down/);
  failing = false;
  t.strictSame([...first.rows, ...await readAll(pages)], answer(stored, { start: 0n, end: 9n }, 9));
});
