/** Which values and label sets matchers accept, and that their literal sets say the same. */
import fc from "fast-check";
import t from "tap";
import { parseLabels } from "./labels.ts";
import { makeMatcher, matchAll, type MatchOp } from "./matcher.ts";
import { RegexInvalid } from "./regex.ts";

t.test("makeMatcher accepts values by operator", (t) => {
  const f = (op: MatchOp, value: string, text: string, expected: boolean) =>
    t.equal(
      makeMatcher("a", op, value).matches(text),
      expected,
      `${op} ${value} ~ ${JSON.stringify(text)}`,
    );
  f("=", "b", "b", true);
  f("=", "b", "bb", false);
  f("=", "", "", true);
  f("!=", "b", "b", false);
  f("!=", "b", "", true);
  f("=~", "b", "b", true);
  f("=~", "b", "abc", false);
  f("=~", "b|c", "c", true);
  f("=~", "b|c", "bc", false);
  f("=~", "b|bc", "bc", true);
  f("=~", "a.c", "a\nc", true);
  f("=~", ".*", "a\nc", true);
  f("=~", ".+", "", false);
  f("=~", ".+", "\n", true);
  f("=~", "(?i)ab", "Ab", true);
  f("=~", "^a$", "a", true);
  f("=~", "^a$", "a\n", false);
  f("=~", "a{2}", "aa", true);
  f("=~", "\\d+", "12", true);
  f("=~", "pod-[0-9]", "pod-7", true);
  f("!~", "b|c", "c", false);
  f("!~", "b|c", "", true);
  f("!~", "b|", "", false);
  f("=~", "äö|é", "é", true);
  t.end();
});

t.test("makeMatcher knows whether a missing label passes", (t) => {
  const f = (op: MatchOp, value: string, expected: boolean) =>
    t.equal(makeMatcher("a", op, value).matchesEmpty, expected, `${op} ${value}`);
  f("=", "b", false);
  f("=", "", true);
  f("!=", "b", true);
  f("!=", "", false);
  f("=~", ".*", true);
  f("=~", ".+", false);
  f("=~", "a|", true);
  f("!~", ".+", true);
  f("!~", ".*", false);
  t.end();
});

t.test("setMatches lists the alternatives of a regex that is nothing else", (t) => {
  const f = (value: string, expected: ReadonlyArray<string> | null) =>
    t.same(makeMatcher("a", "=~", value).setMatches, expected, value);
  f("a|b|c", ["a", "b", "c"]);
  f("b|a|b", ["a", "b"]);
  f("api-(x|y)", ["api-x", "api-y"]);
  f("api-[12]", ["api-1", "api-2"]);
  f("(?:prod|dev)?", ["", "dev", "prod"]);
  f("a\\.b", ["a.b"]);
  f("\\Qa.b\\E|c", ["a.b", "c"]);
  f("a{3}", ["aaa"]);
  f("^a$", null);
  f("(?i)a", null);
  f("a.b", null);
  f("a*", null);
  f("", [""]);
  t.same(makeMatcher("a", "=", "x").setMatches, ["x"]);
  t.same(makeMatcher("a", "!=", "x").setMatches, ["x"]);
  t.end();
});

t.test("makeMatcher names the reason for a bad regex", (t) => {
  const f = (value: string, reason: RegExp) => {
    try {
      makeMatcher("a", "=~", value);
      t.fail(`${value.slice(0, 40)} was accepted`);
    } catch (error) {
      t.ok(error instanceof RegexInvalid);
      t.match((error as RegexInvalid).reason, reason, value.slice(0, 40));
    }
  };
  f("(", /missing closing \)/);
  f("a**", /invalid nested repetition/);
  f("(?=a)", /no lookaround/);
  f("[b-a]", /invalid character class range/);
  f("(?P<a>x)|(?P<a>y)", /duplicate/i);
  f("a{1001}", /invalid repeat count/);
  f("(a?){1000}".repeat(9), /limit is 4096/);
  f("(?:[a-z]x){1000}".repeat(40), /limit is 4096/);
  f(".".repeat(20_000), /limit is 16384/);
  t.end();
});

t.test("a thousand selected values need no program", (t) => {
  const values = Array.from({ length: 20_000 }, (_, i) => `pod-${i}`);
  const matcher = makeMatcher("pod", "=~", values.join("|"));
  t.ok(matcher.matches("pod-19999"));
  t.notOk(matcher.matches("pod-20000"));
  t.equal(matcher.setMatches?.length, 20_000);
  t.end();
});

t.test("matchAll reads a missing label as empty", (t) => {
  const labels = parseLabels(`{app="web", env="prod"}`);
  const f = (rows: ReadonlyArray<[string, MatchOp, string]>, expected: boolean) =>
    t.equal(
      matchAll(rows.map(([name, op, value]) => makeMatcher(name, op, value)), labels),
      expected,
      JSON.stringify(rows),
    );
  f([], true);
  f([["app", "=", "web"]], true);
  f([["app", "=", "web"], ["env", "=~", "dev|prod"]], true);
  f([["app", "=", "web"], ["env", "!=", "prod"]], false);
  f([["pod", "=", ""]], true);
  f([["pod", "!=", ""]], false);
  f([["pod", "!~", "x.*"]], true);
  t.end();
});

t.test("setMatches decides exactly what matches decides", (t) => {
  const atom = fc.constantFrom(
    "a",
    "b",
    "ab",
    "[ab]",
    "(a|b)",
    "a?",
    "\\.",
    "(?:ab|)",
    "b{2}",
    "c",
  );
  const pattern = fc.array(fc.array(atom, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 3,
  }).map((branches) => branches.map((parts) => parts.join("")).join("|"));
  fc.assert(fc.property(pattern, fc.stringMatching(/^[abc.]{0,6}$/), (value, text) => {
    const matcher = makeMatcher("a", "=~", value);
    // JavaScript agrees with RE2 on these constructs and is an independent engine.
    const expected = new RegExp(`^(?:${value})$`).test(text);
    return matcher.setMatches !== null && matcher.setMatches.includes(text) === expected &&
      matcher.matches(text) === expected;
  }));
  t.end();
});
