// When pages are asked for again: after a rest, one at a time, never twice for nothing, given up when nobody looks.
import t from "tap";
import { ApiError } from "../api/request.ts";
import type { Row } from "../model/row.ts";
import { RowPages } from "../model/rowPages.ts";
import { PageReturns } from "./pageReturns.ts";

/** A hundred pages of ten rows, of which the last alone is held, and a server that answers when the test says so. */
function scene() {
  const rows = new RowPages(0, 10);
  const all: Row[] = Array.from({ length: 1000 }, (_, i) => ({
    kind: "entry",
    nanoseconds: String(5000 - i),
    line: `line ${i}`,
    stream: {},
  }));
  for (const row of all) rows.push(row);
  rows.look([]);
  const timers = new Set<() => void>();
  const asked: { page: number; abort: AbortSignal; answer: (fail?: boolean) => Promise<void> }[] =
    [];
  const returns = new PageReturns(rows, {
    read: (range, limit, abort) => ({
      next: (onRows) =>
        new Promise((resolve, reject) => {
          const found = all.filter((row) =>
            row.kind === "entry" && BigInt(row.nanoseconds) >= range.start &&
            BigInt(row.nanoseconds) < range.end
          );
          t.equal(found.length, limit);
          const answer = async (fail = false) => {
            if (fail) reject(new Error("down"));
            else onRows(found.map((row) => ({ ...row })));
            resolve(false);
            await new Promise((done) => setImmediate(done));
          };
          asked.push({ page: rows.pageOf(all.indexOf(found[0] as Row)), abort, answer });
        }),
    }),
    after: (_, callback) => {
      timers.add(callback);
      return () => timers.delete(callback);
    },
    changed: () => {},
    asError: (cause) => new ApiError(0, (cause as Error).message),
  });
  const rest = () => {
    for (const callback of [...timers]) {
      timers.delete(callback);
      callback();
    }
  };
  return { rows, all, asked, returns, rest, timers };
}

t.test("what is in view is asked for first, then what is near, one at a time", async (t) => {
  const { rows, all, asked, returns, rest } = scene();
  returns.look("list", [55, 48, 62]);
  t.equal(asked.length, 0, "nothing before a rest");
  rest();
  t.strictSame(asked.map(({ page }) => page), [5]);
  await asked[0]?.answer();
  t.strictSame(rows.at(55), all[55]);
  rest();
  await asked[1]?.answer();
  rest();
  await asked[2]?.answer();
  rest();
  t.strictSame(asked.map(({ page }) => page), [5, 4, 6]);
  returns.look("list", [55, 48, 62]);
  rest();
  t.equal(asked.length, 3, "and nothing twice");
});

t.test("dragging over a hundred pages asks for the one where it ends", (t) => {
  const { asked, returns, rest, timers } = scene();
  for (let row = 0; row < 900; row += 10) returns.look("list", [row]);
  t.equal(timers.size, 1);
  rest();
  t.strictSame(asked.map(({ page }) => page), [89]);
  t.end();
});

t.test("scrolling within the wanted page does not put it off", (t) => {
  const { asked, returns, rest, timers } = scene();
  returns.look("list", [50, 51]);
  const [first] = timers;
  returns.look("list", [51, 52]);
  t.strictSame([...timers], [first], "the timer runs on");
  rest();
  returns.look("list", [52, 53]);
  rest();
  t.equal(asked.length, 1, "nor is it asked for once more while it is on its way");
  t.notOk(asked[0]?.abort.aborted);
  t.end();
});

t.test("a page that is scrolled away from is given up, and its late answer changes nothing", async (t) => {
  const { rows, asked, returns, rest } = scene();
  returns.look("list", [50]);
  rest();
  returns.look("list", [700]);
  t.ok(asked[0]?.abort.aborted);
  rest();
  await asked[0]?.answer();
  t.equal(rows.at(50), undefined);
  await asked[1]?.answer();
  t.ok(rows.at(700));
  returns.look("list", [300]);
  rest();
  returns.stop();
  t.ok(asked[2]?.abort.aborted);
});

t.test("a failure is said, and asked again on demand or on coming back", async (t) => {
  const { rows, asked, returns, rest } = scene();
  returns.look("list", [50]);
  rest();
  await asked[0]?.answer(true);
  t.equal(returns.trouble.value?.message, "down");
  returns.look("list", [51]);
  rest();
  t.equal(asked.length, 1, "not by itself");
  returns.retry();
  t.equal(returns.trouble.value, undefined);
  rest();
  await asked[1]?.answer(true);
  returns.look("list", [700]);
  t.equal(returns.trouble.value, undefined, "elsewhere it is no matter");
  rest();
  await asked[2]?.answer();
  returns.look("list", [50]);
  rest();
  await asked[3]?.answer();
  t.ok(rows.at(50));
});

t.test("several views are looked at together", async (t) => {
  const { rows, asked, returns, rest } = scene();
  returns.look("left", [50]);
  returns.look("right", [700]);
  rest();
  await asked[0]?.answer();
  rest();
  await asked[1]?.answer();
  t.ok(rows.at(50) && rows.at(700), "what one looks at does not push out what the other does");
  returns.look("right", undefined);
  t.ok(rows.at(50));
  t.equal(rows.at(700), undefined);
});
