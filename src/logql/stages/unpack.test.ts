/** unpack: what pack made is taken apart, anything else stays as it is. */
import t from "tap";
import { runPipeline } from "../../testing/pipelines.ts";

t.test("unpack makes labels of strings and the line of _entry", (t) => {
  const check = (
    line: string,
    wanted: { line?: string; parsed?: Record<string, string> },
    labels = {},
  ) => {
    const [row] = runPipeline("| unpack", [{ line, labels }]);
    t.strictSame(
      { line: row!.line, parsed: row!.parsed },
      { line: wanted.line ?? line, parsed: wanted.parsed ?? {} },
      line,
    );
  };
  check('{"pod":"p-1","_entry":"the \\"line\\"\\n"}', {
    line: 'the "line"\n',
    parsed: { pod: "p-1" },
  });
  check('{"_entry":"x","a":1,"b":{"c":"d"},"e":null,"f\\u0041-g":"\\t"}', {
    line: "x",
    parsed: { fA_g: "\t" },
  });
  check('{"_entry":"x","app":"y"}', { line: "x", parsed: { app_extracted: "y" } }, { app: "z" });
  check('{"_entry":"x","_entry":"y"}', { line: "y" });
  check('{"_entry":""}', { line: "" });
  check('{"a":"b"}', {});
  check('{"_entry":1,"a":"b"}', {});
  check("", {});
  const error = { __error__: "JSONParserErr" };
  check("text", { parsed: error });
  check('["_entry"]', { parsed: error });
  check('{"a":"b","_entry":"x"', { parsed: error });
  check('{"a":"\\x","_entry":"x"}', { parsed: error });
  t.end();
});

t.test("unpack and the stages after it", (t) => {
  const line = '{"pod":"p","_entry":"{\\"a\\":\\"b\\"}"}';
  const f = (text: string) => runPipeline(text, [{ line }])[0];
  t.strictSame(f("| unpack | json")?.parsed, { pod: "p", a: "b" });
  t.ok(f('| unpack |= "pod"') === null, "the filter sees the new line");
  t.ok(f('|= "pod" | unpack') !== null, "and in front of it the old one");
  t.end();
});
