/** Stages that need a changed line or change it: decolorize, line filters behind other stages, and
 *  that a filter says the same in front of a stage and behind one. */
import fc from "fast-check";
import t from "tap";
import { runPipeline } from "../../testing/pipelines.ts";

t.test("decolorize removes the sequences of terminals and nothing else", (t) => {
  const check = (line: string, wanted: string) =>
    t.equal(runPipeline("| decolorize", [{ line }])[0]!.line, wanted, JSON.stringify(line));
  check("plain", "plain");
  check("\x1b[31mred\x1b[0m and \x1b[1;38;5;196mmore\x1b[m", "red and more");
  check("\x1b[2J\x1b[10;20Hx", "x");
  check("\x1b]0;title\x07x\x1b]8;;http://a\x1b\\link", "xlink");
  check("\x1b[31", "\x1b[31");
  check("\x1bx", "\x1bx");
  check("é\x1b[0m\x1b", "é\x1b");
  t.end();
});

t.test("a line filter says the same behind a stage as in front of it", (t) => {
  const filter = fc.constantFrom(
    '|= "ab"',
    '!= "ab"',
    '|= ""',
    '!= ""',
    '|~ "a.*c"',
    '!~ "^b|c$"',
    '|= "x" or "ab"',
    '!= "x" or "ab"',
    '|> "<_>b<_>"',
    '!> "a<_>"',
    '|= ip("10.0.0.0/8")',
    '!= ip("10.0.0.0/8") or "ab"',
    '|~ "(?i)AB"',
  );
  const line = fc.array(fc.constantFrom("a", "b", "c", "x", " ", "10.1.2.3", "é"), { maxLength: 6 })
    .map((parts) => parts.join(""));
  fc.assert(fc.property(filter, fc.array(line, { maxLength: 4 }), (filter, lines) => {
    const rows = lines.map((line) => ({ line }));
    const behind = runPipeline(`| decolorize ${filter}`, rows).map((row) => row !== null);
    t.strictSame(behind, runPipeline(filter, rows).map((row) => row !== null), filter);
  }));
  t.end();
});
