/** drop and keep: names, matchers, every category, errors. */
import t from "tap";
import { runPipeline } from "../../testing/pipelines.ts";

const row = {
  line: '{"a":"1","b":"2"}',
  labels: { app: "x", host: "h" },
  metadata: { trace: "t1", pod: "p" },
};
const broken = { line: "{", labels: { app: "x" } };

const labelsOf = (text: string, from: Parameters<typeof runPipeline>[1][number]) => {
  const piped = runPipeline(text, [from])[0]!;
  return { ...piped.stream, ...piped.metadata, ...piped.parsed };
};

t.test("drop removes labels of any kind", (t) => {
  const check = (text: string, wanted: string, from = row as Parameters<typeof labelsOf>[1]) =>
    t.equal(Object.keys(labelsOf(text, from)).sort().join(" "), wanted, text);
  check("| drop app", "host pod trace");
  check("| drop app, trace, nothing", "host pod");
  check('| drop app="x", host="y"', "host pod trace");
  check('| drop app=~"x|y", trace!~"t.*", pod!="q"', "host trace");
  check("| json | drop a, host", "app b pod trace");
  check("| json", "__error__ app", broken);
  check("| json | drop __error__", "app", broken);
  check('| json | drop __error__="JSONParserErr"', "app", broken);
  check('| json | drop __error__="other"', "__error__ app", broken);
  check('| json | drop __error__, __error_details__ | app="x"', "app", broken);
  // A parser still names what collides with the stored row name_extracted.
  check("| drop app | logfmt", "app_extracted", { line: "app=y", labels: { app: "x" } });
  t.end();
});

t.test("keep removes all others, errors stay", (t) => {
  const check = (text: string, wanted: string, from = row as Parameters<typeof labelsOf>[1]) =>
    t.equal(Object.keys(labelsOf(text, from)).sort().join(" "), wanted, text);
  check("| keep app", "app");
  check("| json | keep a, trace, nothing", "a trace");
  check('| keep app="x", host="y"', "app");
  check('| json | keep a=~"1|2", b="1"', "a");
  check("| json | keep host", "__error__", broken);
  check("| keep a | json", "a b");
  t.end();
});

t.test("dropped details go alone, and the first error sticks", (t) => {
  const [kept] = runPipeline("| json | drop __error_details__", [broken]);
  t.equal(kept!.details, undefined);
  t.equal(kept!.parsed["__error__"], "JSONParserErr");
  const [first] = runPipeline("| json | logfmt --strict", [{ line: "a=b ==" }]);
  t.equal(first!.parsed["__error__"], "JSONParserErr");
  const [second] = runPipeline("| json | drop __error__ | logfmt --strict", [{ line: "a=b ==" }]);
  t.equal(second!.parsed["__error__"], "LogfmtParserErr");
  t.end();
});
