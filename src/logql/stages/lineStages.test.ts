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

t.test("templates see labels, line and time; one that fails leaves the line and sets the error", (t) => {
  const row = {
    line: "old",
    labels: { app: "x" },
    metadata: { app: "m", trace: "t" },
    timestampNs: 1_700_000_000_000_000_000n,
  };
  const f = (text: string) => runPipeline(text, [row])[0]!;
  t.equal(f('| line_format "{{.app}} {{.app_extracted}} {{.trace}} {{.none}}|"').line, "x m t |");
  t.equal(f('| line_format "{{__line__}}!" | line_format "{{__line__}}?"').line, "old!?");
  t.equal(f('| line_format "{{__timestamp__ | unixEpoch}}"').line, "1700000000");
  const failed = f("| line_format `{{slice .app 5}}`");
  t.equal(failed.line, "old");
  t.equal(failed.parsed["__error__"], "TemplateFormatErr");
  t.end();
});

t.test("label_format renames and sets, templates see the labels as they were", (t) => {
  const row = { line: "l", labels: { app: "x", env: "e" }, metadata: { trace: "t" } };
  const f = (text: string) => {
    const { stream, metadata, parsed } = runPipeline(text, [row])[0]!;
    return [stream, metadata, parsed];
  };
  const { app, env } = row.labels;
  t.strictSame(f("| label_format service=app"), [{ env }, { trace: "t" }, { service: app }]);
  t.strictSame(f("| label_format id=trace"), [{ app, env }, {}, { id: "t" }]);
  t.strictSame(f("| label_format a=none"), [{ app, env }, { trace: "t" }, {}]);
  t.strictSame(f('| label_format app="{{.app}}!", b="{{.app}}"'), [{ env }, { trace: "t" }, {
    app: "x!",
    b: "x",
  }]);
  t.strictSame(f('| label_format b="{{.app}}", c=b'), [{ app, env }, { trace: "t" }, { c: "x" }]);
  t.strictSame(f("| label_format trace=app"), [{ env }, {}, { trace: app }]);
  t.end();
});
