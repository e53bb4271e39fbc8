/** logfmt: pairs, quotes, empty values, flags, names, malformed tokens; against the reference
 *  evaluator on random text. */
import fc from "fast-check";
import t from "tap";
import { runPipeline } from "../../testing/pipelines.ts";
import { parseLogfmt } from "../../testing/reference/parsers.ts";
import { bytesOf, entryOf, parsedLabels } from "../../testing/reference/row.ts";

const parsed = (stage: string, line: string, labels = {}) =>
  runPipeline(stage, [{ line, labels }])[0]!.parsed;

t.test("logfmt makes labels of pairs", (t) => {
  const check = (line: string, wanted: Record<string, string>) =>
    t.strictSame(parsed("| logfmt", line), wanted, line);
  check("", {});
  check("a=b c=d", { a: "b", c: "d" });
  check("  a=b\tc=d\n", { a: "b", c: "d" });
  check('a="b c" d="q\\"\\n\\u00e9" e=f', { a: "b c", d: 'q"\né', e: "f" });
  check('a=b alone c= d="" e=f', { a: "b", e: "f" });
  check("a=1 a=2", { a: "1" });
  check("a= a=2", { a: "2" });
  check("a-b.c=1 1st=2 é=3", { a_b_c: "1", _1st: "2", _: "3" });
  check("url=http://x/?a took=1.5s", { took: "1.5s", url: "http://x/?a" });
  check('a="b"c=d', { a: "b", c: "d" });
  // Malformed tokens are passed over.
  check("=x a=b", { a: "b" });
  check("a==b c=d", { c: "d" });
  check('a=b"c d=e', { d: "e" });
  check('a=b c="open d=e', { a: "b" });
  check('a="\\x" c=d', { c: "d" });
  check('"quoted" a=b', { a: "b" });
  t.strictSame(parsed("| logfmt", "app=y a=b", { app: "x" }), { app_extracted: "y", a: "b" });
  t.end();
});

t.test("logfmt --strict sets an error at the first malformed token, --keep-empty keeps empty values", (t) => {
  const check = (stage: string, line: string, wanted: Record<string, string>) =>
    t.strictSame(parsed(stage, line), wanted, `${stage}  ${line}`);
  const error = { __error__: "LogfmtParserErr" };
  check("| logfmt --strict", "a=b alone c=d", { a: "b", c: "d" });
  check("| logfmt --strict", "a=b =x c=d", { a: "b", ...error });
  check("| logfmt --strict", 'a=b c="d', { a: "b", ...error });
  check("| logfmt --strict", 'a=b c="\\x" d=e', { a: "b", ...error });
  check("| logfmt --keep-empty", 'a= b c="" d=e', { a: "", b: "", c: "", d: "e" });
  check("| logfmt --strict --keep-empty", "a= ==", { a: "", ...error });
  const [row] = runPipeline("| logfmt --strict", [{ line: "a=b =x" }]);
  t.match(row!.details, /no well-formed logfmt/);
  t.end();
});

t.test("logfmt with names gives only those, empty where they are missing", (t) => {
  const check = (stage: string, line: string, wanted: Record<string, string>, labels = {}) =>
    t.strictSame(parsed(stage, line, labels), wanted, `${stage}  ${line}`);
  check('| logfmt a, x="c.d"', "a=1 b=2 c.d=3", { a: "1", x: "3" });
  check("| logfmt a, b", "a=1 a=2", { a: "1", b: "" });
  check("| logfmt app", "app=y", { app_extracted: "y" }, { app: "x" });
  check("| logfmt app", "b=y", {}, { app: "x" });
  check('| logfmt x="a", y="a"', "a=1", { x: "1", y: "1" });
  check("| logfmt --strict a, b", "a=1 == b=2", { a: "1", b: "", __error__: "LogfmtParserErr" });
  check("| logfmt a", 'a="x\\ty"', { a: "x\ty" });
  t.end();
});

t.test("logfmt agrees with the reference on any text", (t) => {
  const piece = fc.constantFrom(...'ab ="\\\t', " ", "=", "key=", '="', '" ', "\\n", "é", "x=1 ");
  const text = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(""));
  const names = fc.subarray(["a", "b", "key", "x"]);
  fc.assert(
    fc.property(text, fc.boolean(), fc.boolean(), names, (line, strict, keepEmpty, named) => {
      const span = { start: 0, end: 0 };
      const extractions = named.map((name) => ({
        kind: "Extraction" as const,
        name: `${name}_x`,
        expression: name,
        span,
      }));
      const entry = entryOf({ labels: {}, metadata: {}, timestampNs: 0n, line: bytesOf(line) });
      parseLogfmt(entry, { kind: "LogfmtParser", strict, keepEmpty, extractions, span });
      const { __error_details__: _, ...wanted } = Object.fromEntries(parsedLabels(entry));
      const flags = `${strict ? "--strict " : ""}${keepEmpty ? "--keep-empty " : ""}`;
      const list = named.map((name) => `${name}_x="${name}"`).join(", ");
      t.strictSame(parsed(`| logfmt ${flags}${list}`, line), wanted, `${flags}${list}  ${line}`);
    }),
    { numRuns: 5000 },
  );
  t.end();
});
