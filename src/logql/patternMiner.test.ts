/** Patterns of lines whose forms are known, and that every line matches one of them in `|>`. */
import fc from "fast-check";
import t from "tap";
import { planPattern } from "./rowTest.ts";
import { PatternMiner } from "./patternMiner.ts";

function mine(lines: ReadonlyArray<string>): string[] {
  const miner = new PatternMiner(10);
  for (const line of lines) miner.add(line, 0, "info");
  return miner.patterns().map(({ pattern, total }) => `${total} ${pattern}`);
}

t.test("what varies becomes <_>", (t) => {
  const names = ["ada", "grace", "edsger", "barbara"];
  t.same(mine(names.map((name, index) => `user ${name} logged in from 10.0.0.${index}`)), [
    "4 user <_> logged in from <_>",
  ]);
  t.same(mine(["GET /a 200 in 5ms", "GET /b 404 in 17ms", "connection reset by peer"]), [
    "2 GET <_> <_> in <_>",
    "1 connection reset by peer",
  ]);
  t.same(mine(['{"level":"info","n":1}', '{"level":"info","n":2}']), [
    '2 {"level":"info","n":<_>}',
  ]);
  t.same(mine(["at 2024-01-02T10:11:12.5Z done", "at 2024-01-02T10:11:13.5Z done"]), [
    "2 at <_>:<_>:<_> done",
  ]);
  t.same(mine(["open <file> now", "open <file> now"]), ["2 open <_> now"]);
  t.same(mine(["", ""]), ["2 "]);
  t.end();
});

t.test("lines are counted by level and interval", (t) => {
  const miner = new PatternMiner(10);
  for (const second of [100, 101, 109, 110, 125]) miner.add(`took ${second} ms`, second, "info");
  miner.add("took 3 ms", 119, "error");
  t.same(miner.patterns(), [
    { pattern: "took <_> ms", level: "info", total: 5, samples: [[100, 3], [110, 1], [120, 1]] },
    { pattern: "took <_> ms", level: "error", total: 1, samples: [[110, 1]] },
  ]);
  t.end();
});

t.test("every counted line matches a pattern, and counts add up", (t) => {
  const word = fc.constantFrom(
    "a",
    "b",
    "err",
    "x1",
    "42",
    "<",
    ">",
    "<_>",
    "<b>",
    "=",
    "ü",
    "  ",
    '"',
  );
  const line = fc.array(word, { minLength: 1, maxLength: 12 }).map((words) => words.join(""));
  fc.assert(fc.property(fc.array(line, { maxLength: 60 }), (lines) => {
    const miner = new PatternMiner(10);
    for (const text of lines) miner.add(text, 0, "");
    const patterns = miner.patterns();
    const total = patterns.reduce((sum, pattern) => sum + pattern.total, 0);
    if (total + miner.uncounted !== lines.length) return false;
    const tests = patterns.map(({ pattern }) => planPattern(pattern).test);
    return lines.every((text) => {
      const bytes = new TextEncoder().encode(text);
      return tests.some((test) => test(bytes, 0, bytes.length));
    });
  }));
  t.end();
});

t.test("very many forms and very long lines stay within bounds", (t) => {
  const miner = new PatternMiner(10);
  const letters = (number: number) =>
    String(number).replace(/\d/g, (digit) => "abcdefghij"[+digit]!);
  for (let index = 0; index < 5000; index++) {
    miner.add(`${letters(index)} ${letters(index * 7)} ${letters(index * 13)}`, 0, "");
  }
  t.ok(miner.patterns().length <= 2000);
  t.equal(miner.patterns().reduce((sum, { total }) => sum + total, 0) + miner.uncounted, 5000);
  t.same(mine(["x ".repeat(100_000)])[0]!.endsWith("<_>"), true);
  t.end();
});
