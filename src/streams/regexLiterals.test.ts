/** Literals of regexes: tables, and soundness against what re2js matches. */
import fc from "fast-check";
import { RE2JS } from "re2js";
import t from "tap";
import { goString, line, pattern } from "../testing/regexes.ts";
import { exactStrings, literalPlan, type Needle } from "./regexLiterals.ts";

/** Needles as text: fold in /…/, else plain. */
const show = (needles: ReadonlyArray<Needle>) =>
  needles.map(({ text, fold }) => fold ? `/${text}/` : text).join(" ");

t.test("literalPlan finds what a match must contain", (t) => {
  const f = (regex: string, expected: string) => {
    const plan = literalPlan(regex);
    const found = plan.kind === "everything"
      ? "everything"
      : plan.kind === "contains"
      ? `contains ${show(plan.needles)}`
      : `required ${plan.clauses.map(show).join(" & ")}`;
    t.equal(found.trimEnd(), expected, regex);
  };
  f("error", "contains error");
  f("error|warn", "contains warn error");
  f("(error|warn)", "contains warn error");
  f("(?:error|(?P<x>warn)|info)", "contains warn info error");
  f(".*error.*", "contains error");
  f("x*error", "contains error");
  f("(error)+", "contains error");
  f("err(or)?", "contains err");
  f("foo|foobar", "contains foo");
  f("a\\.b\\\\c", "contains a.b\\c");
  f("\\Qa.b\\E", "contains a.b");
  f("[Ee]rror", "contains Error error");
  f("(GET|POST) /", "contains GET / POST /");
  f("", "everything");
  f(".*", "everything");
  f("a*", "everything");
  f("a|", "everything");
  f("foo.*bar", "required foo & bar");
  f("foo.*barbaz", "required barbaz & foo");
  f("^error", "required error");
  f("error$", "required error");
  f("\\berror\\b", "required error");
  f("(GET|POST) /api/v\\d+", "required GET /api/v POST /api/v");
  f("status=5\\d\\d", "required status=5");
  f("(one|two|three|four|five) x", "contains one x two x four x five x three x");
  f("[a-c]x[a-c]y", "required ax bx cx & ay by cy");
  f("a.*b|c.*de", "required a de");
  f("(foo.*){2,}", "required foo");
  f("(ab){3}", "contains ababab");
  f("(ab){3,}x", "required ababab");
  f("(?i)timeout", "contains /timeout/");
  f("(?i)status", "contains /status/");
  f("(?i)task", "contains /task/");
  f("(?i)a5", "contains /a5/");
  f("(?i)5", "contains 5");
  f("(?i)foo.*bar", "required /foo/ & /bar/");
  f("(?i)task.*", "contains /task/");
  f("(?i)task.+x", "required /task/");
  f("(?i:foo)|bar", "contains /foo/ bar");
  f("foo(?i:bar)", "required foo & /bar/");
  f("5(?i:bar)", "contains /5bar/");
  f("\u017f(?i:bar)", "required /bar/");
  f("(?i)é", "required");
  f("\\x{fffd}", "required");
  f("[^a]", "required");
  f("\\w+", "required");
  f("\\pL", "required");
  f(".", "required");
  f("^", "required");
  f("a{0}b", "contains b");
  t.end();
});

t.test("exactStrings lists what an anchored pattern matches", (t) => {
  const f = (regex: string, expected: ReadonlyArray<string> | null) =>
    t.same(exactStrings(regex), expected, regex);
  f("a|b", ["a", "b"]);
  f("(a|b)(c|d)", ["ac", "ad", "bc", "bd"]);
  f("a?", ["", "a"]);
  f("[a-c]", ["a", "b", "c"]);
  f("a*", null);
  f("(?i)a", null);
  f("^a", null);
  f("a.*", null);
  f("(", null);
  t.end();
});

t.test("what a regex matches contains its literals", (t) => {
  const utf8 = new TextEncoder();
  const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);
  const fold = (text: string) =>
    text.replace(/[A-Z]/g, (c) => c.toLowerCase()).replaceAll("\xc5\xbf", "s")
      .replaceAll("\xe2\x84\xaa", "k");
  const contains = (bytes: Uint8Array, needle: Needle) => {
    const wanted = text(utf8.encode(needle.text));
    return needle.fold ? fold(text(bytes)).includes(wanted) : text(bytes).includes(wanted);
  };
  fc.assert(
    fc.property(pattern, fc.array(line, { minLength: 4, maxLength: 8 }), (regex, lines) => {
      const compiled = RE2JS.compile(regex);
      const plan = literalPlan(regex);
      for (const bytes of lines) {
        const matches = compiled.matcher(goString(bytes)).find();
        const has = (needles: ReadonlyArray<Needle>) =>
          needles.some((needle) => contains(bytes, needle));
        const sound = plan.kind === "everything"
          ? matches
          : plan.kind === "required"
          ? !matches || plan.clauses.every(has)
          : has(plan.needles) === matches;
        if (!sound) throw new Error(`${regex} on ${JSON.stringify(goString(bytes))}`);
      }
    }),
    { numRuns: 1500 },
  );
  t.end();
});
