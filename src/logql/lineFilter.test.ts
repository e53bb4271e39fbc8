/** Line filters against what they mean line by line: tables for each operator, and random blocks,
 *  broken UTF-8 included, against strings and re2js. */
import fc from "fast-check";
import { RE2JS } from "re2js";
import t from "tap";
import { goString, type Line, line, pattern } from "../testing/regexes.ts";
import type { LineBlock } from "../streams/lineBlock.ts";
import { gramBitmap } from "../kernels/reference/grams.ts";
import { isRuledOut } from "../streams/grams.ts";
import { compileLineFilters, type LineFilterDescription } from "./lineFilter.ts";

function blockOf(lines: ReadonlyArray<Line>, rowStart = 0, rowEnd = lines.length): LineBlock {
  const encoded = lines.map((line) =>
    typeof line === "string" ? new TextEncoder().encode(line) : line
  );
  const lineEnds = new Uint32Array(lines.length);
  let end = 0;
  encoded.forEach((line, row) => lineEnds[row] = end += line.length);
  const bytes = new Uint8Array(end);
  encoded.forEach((line, row) => bytes.set(line, lineEnds[row]! - line.length));
  return {
    lines: bytes,
    lineEnds,
    rowStart,
    rowEnd,
    timestamps: new BigInt64Array(lines.length),
    metaIds: new Uint32Array(lines.length),
    sets: { setEnds: new Uint32Array(0), meta: new Uint8Array(0) },
  };
}

function run(
  filters: ReadonlyArray<LineFilterDescription>,
  block: LineBlock,
  wanted = new Uint8Array(block.rowEnd - block.rowStart).fill(1),
): ReadonlyArray<number> {
  const mask = Uint8Array.from(wanted);
  let left = mask.reduce((sum, byte) => sum + byte, 0);
  for (const filter of compileLineFilters(filters)) left = filter.apply(block, mask);
  const kept = mask.reduce((sum, byte) => sum + byte, 0);
  if (left !== kept) throw new Error(`apply said ${left} rows are left, ${kept} are`);
  return [...mask.keys()].filter((row) => mask[row] === 1);
}

const text = (op: LineFilterDescription["op"], ...values: string[]): LineFilterDescription => ({
  op,
  operands: values.map((value) => ({ type: "text", value })),
});

t.test("compileLineFilters keeps the lines that pass", (t) => {
  const lines = ["an error", "a warning", "ERROR", "", "two\nlines error", "naïve", "a.b"];
  const f = (op: LineFilterDescription["op"], values: string | string[], expected: number[]) =>
    t.same(run([text(op, ...[values].flat())], blockOf(lines)), expected, `${op} ${values}`);
  f("|=", "error", [0, 4]);
  f("!=", "error", [1, 2, 3, 5, 6]);
  f("|=", ["error", "warning"], [0, 1, 4]);
  f("!=", ["error", "warning"], [2, 3, 5, 6]);
  f("|=", "", [0, 1, 2, 3, 4, 5, 6]);
  f("!=", "", []);
  f("|=", ["error", ""], [0, 1, 2, 3, 4, 5, 6]);
  f("|~", "", [0, 1, 2, 3, 4, 5, 6]);
  f("!~", "", []);
  f("|~", "(?i)error", [0, 2, 4]);
  f("|~", "err|warn", [0, 1, 4]);
  f("!~", "err|warn", [2, 3, 5, 6]);
  f("|~", ["err", "warn"], [0, 1, 4]);
  f("!~", ["err", "w[a]rn"], [2, 3, 5, 6]);
  f("|~", "warn|(?i:ERR)", [0, 1, 2, 4]);
  f("!~", "warn|(?i:ERR)", [3, 5, 6]);
  f("!~", "(?i:WARN)|err", [2, 3, 5, 6]);
  f("|~", "two.*error", []);
  f("|~", "(?s)two.*error", [4]);
  f("|~", "^a", [0, 1, 6]);
  f("|~", "g$", [1]);
  f("|~", "^$", [3]);
  f("|~", "na.ve", [5]);
  f("|~", "a.b", [6]);
  f("|~", "a\\.b", [6]);
  f("|=", "a.b", [6]);
  f("|~", ".*", [0, 1, 2, 3, 4, 5, 6]);
  f("|~", ".+", [0, 1, 2, 4, 5, 6]);
  f("|~", "\\bwarning\\b", [1]);
  f("|=", "errorx", []);
  f("|=", "warningERROR", []);
  t.end();
});

t.test("(?i) folds as RE2 does, beyond ASCII too", (t) => {
  const lines = ["STATUS ok", "\u017ftatus", "ta\u017fk", "\u212aey", "key", "É", "é"];
  const f = (pattern: string, expected: number[]) => {
    t.same(run([text("|~", pattern)], blockOf(lines)), expected, pattern);
    const rest = [...lines.keys()].filter((row) => !expected.includes(row));
    t.same(run([text("!~", pattern)], blockOf(lines)), rest, `not ${pattern}`);
  };
  f("(?i)status", [0, 1]);
  f("(?i)task", [2]);
  f("(?i)key", [3, 4]);
  f("(?i)é", [5, 6]);
  f("(?i)status.*ok", [0]);
  f("(?i:k)ey", [3, 4]);
  t.end();
});

t.test("pattern filters: <_> stands for one byte or more", (t) => {
  const f = (pattern: string, line: string, expected: boolean) => {
    t.equal(
      run([text("|>", pattern)], blockOf([line])).length === 1,
      expected,
      `${pattern} ~ ${line}`,
    );
    t.equal(run([text("!>", pattern)], blockOf([line])).length === 0, expected, `not ${pattern}`);
  };
  f("<_>", "", false);
  f("<_>", "x", true);
  f("", "", true);
  f("", "x", false);
  f("a", "a", true);
  f("a", "ab", false);
  f("a<_>", "a", false);
  f("a<_>", "ab", true);
  f("a<_>", "xab", false);
  f("<_>a", "ba", true);
  f("<_>a", "a", false);
  f("<_>a", "bab", false);
  f("<_> level=<_> x", "1 level=info x", true);
  f("<_> level=<_> x", "1 level= x", false);
  f("a<_>b", "axbyb", true);
  f("a<_>b", "abxb", true);
  f("a<_>b<_>c", "a1b2c", true);
  f("a<_>b<_>c", "a1bc", false);
  f("ab<_>ba", "aba", false);
  t.end();
});

t.test("ip filters find addresses in text", (t) => {
  const f = (range: string, line: string, expected: boolean) => {
    const filter = (op: "|=" | "!="): LineFilterDescription => ({
      op,
      operands: [{ type: "ip", value: range }],
    });
    t.equal(run([filter("|=")], blockOf([line])).length === 1, expected, `${range} ~ ${line}`);
    t.equal(run([filter("!=")], blockOf([line])).length === 0, expected, `not ${range} ~ ${line}`);
  };
  f("192.168.0.1", "from 192.168.0.1:80", true);
  f("192.168.0.1", "192.168.0.1", true);
  f("192.168.0.1", "192.168.0.1.", true);
  f("192.168.0.1", "192.168.0.11", false);
  f("192.168.0.1", "1192.168.0.1", false);
  f("192.168.0.0/16", "a 192.168.77.1 b", true);
  f("192.168.0.0/16", "a 192.169.77.1 b", false);
  f("10.0.0.0/9", "10.127.1.1", true);
  f("10.0.0.0/9", "10.128.1.1", false);
  f("10.0.0.5-10.0.1.4", "10.0.1.0", true);
  f("10.0.0.5-10.0.1.4", "10.0.1.5", false);
  f("0.0.0.0/0", "v 1.2.3", false);
  f("::1", "[::1]:80", true);
  f("2001:db8::/32", "x 2001:0db8:0:0:1::7 y", true);
  f("2001:db8::/32", "x 2001:db9::7 y", false);
  f("2001:db8::-2001:db8::ff", "2001:db8::1a.", true);
  t.end();
});

t.test("an or list may mix texts and addresses", (t) => {
  const lines = ["10.1.2.3", "error", "11.1.2.3"];
  const operands: LineFilterDescription["operands"] = [
    { type: "ip", value: "10.0.0.0/8" },
    { type: "text", value: "error" },
  ];
  t.same(run([{ op: "|=", operands }], blockOf(lines)), [0, 1]);
  t.same(run([{ op: "!=", operands }], blockOf(lines)), [2]);
  t.end();
});

t.test("no filter is compiled for what every line passes", (t) => {
  t.same(compileLineFilters([text("|=", ""), text("|~", ".*")]), []);
  t.end();
});

t.test("apply never wakes a row that another filter refused", (t) => {
  const block = blockOf(["a", "a", "b", "a"], 1, 4);
  const wanted = Uint8Array.of(0, 1, 1);
  t.same(run([text("|=", "a")], block, wanted), [2]);
  t.same(run([text("!=", "a")], block, wanted), [1]);
  t.same(run([text("|~", "^[ab]$")], block, wanted), [1, 2]);
  t.same(run([text("!~", "^a$")], block, wanted), [1]);
  t.end();
});

t.test("a checkpoint may end the work while a regex runs", (t) => {
  const block = blockOf(Array.from({ length: 100 }, () => "a1 ".repeat(1000)));
  const mask = () => new Uint8Array(100).fill(1);
  let calls = 0;
  const counting = compileLineFilters([text("|~", "\\d\\d")], () => calls++);
  for (const filter of counting) filter.apply(block, mask());
  t.equal(calls, 9, "300 KB in steps of 32 KiB, rows whole");
  const ending = compileLineFilters([text("|~", "\\d\\d")], () => {
    throw new Error("cancelled");
  });
  t.throws(() => ending[0]!.apply(block, mask()), { message: "cancelled" });
  t.end();
});

t.test("grams rule out a block that lacks a text that every line must have", (t) => {
  const bitmap = gramBitmap(new TextEncoder().encode("GET /cart 200 10.1.2.3"));
  const f = (...filters: LineFilterDescription[]) =>
    isRuledOut(bitmap, compileLineFilters(filters));
  t.equal(f(text("|=", "/orders")), true);
  t.equal(f(text("|=", "/cart"), text("|=", "/orders")), true);
  t.equal(f(text("|=", "/orders", "/wishlist")), true);
  t.equal(f(text("|~", "(?i)connection timed out|unreachable node")), true);
  t.equal(f(text("|~", "status=\\d+ /cart")), true);
  t.equal(f(text("|>", "<_> /orders <_>")), true);
  t.equal(f({ op: "|=", operands: [{ type: "ip", value: "192.168.77.12" }] }), true);
  t.equal(f(text("|=", "/cart")), false);
  t.equal(f(text("|~", "(?i)get /CART")), false);
  t.equal(f(text("|=", "/orders", "/cart")), false, "one of two texts is there");
  t.equal(f(text("|=", "xyz")), false, "too short to tell");
  t.equal(f(text("|=", "/orders", "x")), false, "an alternative too short to tell");
  t.equal(f(text("!=", "/orders")), false);
  t.equal(f(text("!~", "/orders")), false);
  t.equal(f({ op: "|=", operands: [{ type: "ip", value: "10.1.2.0/24" }] }), false);
  t.end();
});

// ---- against a naive reference ----

const needle = fc.array(
  fc.constantFrom("error", "warn", "a", "b", " ", "5", "é", "\n", "k", "S", "日"),
  { maxLength: 3 },
).map((parts) => parts.join(""));

const filter: fc.Arbitrary<LineFilterDescription> = fc.oneof(
  fc.tuple(
    fc.constantFrom("|=", "!=") as fc.Arbitrary<"|=" | "!=">,
    fc.array(needle, {
      minLength: 1,
      maxLength: 3,
    }),
  ).map(([op, values]) => text(op, ...values)),
  fc.tuple(
    fc.constantFrom("|~", "!~") as fc.Arbitrary<"|~" | "!~">,
    fc.array(pattern, {
      minLength: 1,
      maxLength: 2,
    }),
  ).map(([op, values]) => text(op, ...values)),
);

/** One line, one filter, strings all the way; Go decodes invalid UTF-8 as TextDecoder does not:
 *  byte by byte. */
function passes(description: LineFilterDescription, bytes: Uint8Array): boolean {
  const matched = description.operands.some(({ value }) => {
    if (description.op.endsWith("~")) {
      return RE2JS.compile(value).matcher(goString(bytes)).find();
    }
    return latin1(bytes).includes(latin1(new TextEncoder().encode(value)));
  });
  return matched !== description.op.startsWith("!");
}

const latin1 = (bytes: Uint8Array) => String.fromCharCode(...bytes);

t.test("filters agree with matching strings one by one", (t) => {
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1, maxLength: 12 }),
      fc.array(filter, { minLength: 1, maxLength: 3 }),
      (lines, filters) => {
        const expected = [...lines.keys()].filter((row) =>
          filters.every((description) => passes(description, lines[row]!))
        );
        const found = run(filters, blockOf(lines));
        if (JSON.stringify(found) !== JSON.stringify(expected)) {
          throw new Error(`expected rows ${expected}, found ${found}`);
        }
        const bitmap = gramBitmap(Uint8Array.from(lines.flatMap((line) => [...line])));
        if (expected.length > 0 && isRuledOut(bitmap, compileLineFilters(filters))) {
          throw new Error(`rows ${expected} pass, but their grams rule the block out`);
        }
      },
    ),
    { numRuns: 800 },
  );
  t.end();
});
