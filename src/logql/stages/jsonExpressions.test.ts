/** json with expressions: paths, what lies at them, what is missing, malformed lines; against the
 *  reference evaluator on random documents. */
import fc from "fast-check";
import t from "tap";
import { runPipeline } from "../../testing/pipelines.ts";
import { parseJson } from "../../testing/reference/parsers.ts";
import { bytesOf, entryOf, parsedLabels } from "../../testing/reference/row.ts";

const parsed = (stage: string, line: string, labels = {}) =>
  runPipeline(stage, [{ line, labels }])[0]!.parsed;

t.test("json with expressions gives each name what lies at its path", (t) => {
  const check = (stage: string, line: string, wanted: Record<string, string>) =>
    t.strictSame(parsed(stage, line), wanted, `${stage}  ${line}`);
  const line =
    '{"a":{"b":[10,{"c":"d"}],"k-1":"x\\ny"},"n":1.50,"z":null,"t":true,"o":{ "p" : [] }}';
  check('| json x="a.b[0]"', line, { x: "10" });
  check('| json x="a.b[1].c", y="n"', line, { x: "d", y: "1.50" });
  check('| json x="a[\\"k-1\\"]"', line, { x: "x\ny" });
  check('| json x="[\\"a\\"].b"', line, { x: '[10,{"c":"d"}]' });
  check('| json x="o"', line, { x: '{ "p" : [] }' });
  check("| json t, z", line, { t: "true", z: "" });
  check('| json x="nope", y="a.b[7]", w="n.m", v="a[0]"', line, { x: "", y: "", w: "", v: "" });
  check('| json x="[1]"', "[1,2]", { x: "2" });
  check('| json x="a"', '"text"', { x: "" });
  check('| json x="a"', '{"a":"1","a":"2"}', { x: "1" });
  check('| json x="a"', '{"\\u0061":"1"}', { x: "1" });
  check("| json x", "", {});
  const error = { __error__: "JSONParserErr" };
  check("| json x", "text", error);
  check("| json x", ' {"x":1}', error);
  check("| json x", '{"x":1', error);
  check('| json x="x", y="x.z"', '{"x":"a","z":{b}}', { x: "a", y: "" });
  check('| json y="z.b", x="x"', '{"x":"a","z":{b}}', error);
  t.end();
});

t.test("json with expressions: collisions, and names that the row has already", (t) => {
  t.strictSame(parsed("| json app", '{"app":"y"}', { app: "x" }), { app_extracted: "y" });
  t.strictSame(parsed("| json app", '{"other":"y"}', { app: "x" }), {});
  t.strictSame(parsed('| json a | json a="b"', '{"a":"1","b":"2"}'), { a: "1" });
  t.end();
});

t.test("json with expressions agrees with the reference", (t) => {
  const key = fc.constantFrom("a", "b", "c");
  const document = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom("x", 'q"', 5, true, null, "", -0.5),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(key, tie("value"), { maxKeys: 3, noNullPrototype: true }),
    ),
  })).value;
  const path = fc.array(fc.oneof(key.map((name) => `.${name}`), fc.nat(2).map((at) => `[${at}]`)), {
    minLength: 1,
    maxLength: 3,
  }).map((steps) => steps.join("").replace(/^\./, ""));
  const cut = fc.option(fc.nat(), { nil: undefined, freq: 4 });
  fc.assert(
    fc.property(
      document,
      fc.array(path, { minLength: 1, maxLength: 3 }),
      cut,
      (value, paths, at) => {
        const text = JSON.stringify(value);
        const line = at === undefined ? text : text.slice(0, at % (text.length + 1));
        const span = { start: 0, end: 0 };
        const extractions = paths.map((expression, index) => ({
          kind: "Extraction" as const,
          name: `l${index}`,
          expression,
          span,
        }));
        const entry = entryOf({ labels: {}, metadata: {}, timestampNs: 0n, line: bytesOf(line) });
        parseJson(entry, { kind: "JsonParser", extractions, span });
        const { __error_details__: _, ...wanted } = Object.fromEntries(parsedLabels(entry));
        const stage = extractions.map(({ name, expression }) => `${name}="${expression}"`).join(
          ", ",
        );
        t.strictSame(parsed(`| json ${stage}`, line), wanted, `${stage}  ${line}`);
      },
    ),
    { numRuns: 2000 },
  );
  t.end();
});
