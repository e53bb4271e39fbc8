/** json: names, what becomes a label, collisions, malformed lines; against JSON.parse for all that
 *  is well-formed and against the reference evaluator for all that is not; and projection, which
 *  must change nothing but what nobody asked for. */
import fc from "fast-check";
import t from "tap";
import { runPipeline } from "../../testing/pipelines.ts";
import { parseJson } from "../../testing/reference/parsers.ts";
import { bytesOf, entryOf, parsedLabels } from "../../testing/reference/row.ts";

const parsed = (line: string, labels = {}, metadata = {}) =>
  runPipeline("| json", [{ line, labels, metadata }])[0]!.parsed;

t.test("json makes labels of scalars, and joins the names of nested objects", (t) => {
  const check = (line: string, wanted: Record<string, string>) =>
    t.strictSame(parsed(line), wanted, line);
  check('{"a":"b"}', { a: "b" });
  check(' {"a" : "b" , "c":\t1 } ', { a: "b", c: "1" });
  check("{}", {});
  check('{"n":-1.50e+3,"t":true,"f":false,"z":null}', { n: "-1.50e+3", t: "true", f: "false" });
  check('{"a":{"b":{"c":"d"},"e":"f"},"g":"h"}', { a_b_c: "d", a_e: "f", g: "h" });
  check('{"a":[1,{"b":2}],"c":{"d":[3],"e":4}}', { c_e: "4" });
  check('{"a":"","b":{}}', { a: "" });
  check('{"a-b.c d":"1","1st":"2","x":{"1st":"3"}}', { a_b_c_d: "1", _1st: "2", x_1st: "3" });
  check('{"é":"1","日本":"2"," pad ":"3"}', { _: "1", __: "2", pad: "3" });
  check('{"":"1"," ":"2","":{"a":"3"}}', { a: "3" });
  check('{"a":"1","a":"2","a_b":"3","a":{"b":"4"}}', { a: "1", a_b: "3" });
  check('{"a":"q\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\ud83d\\ude00"}', {
    a: 'q"\\/\b\f\n\r\tAé\u{1F600}',
  });
  check('{"a":"\\ud800x"}', { a: "\ufffdx" });
  check('{"\\u0061\\n":"b"}', { a: "b" });
  check('{"a":"b"} trailing', { a: "b" });
  check('{"a":"b",}', { a: "b" });
  check('{"__error__":"x","a":"b"}', { a: "b" });
  t.end();
});

t.test("json names what collides with stream labels or metadata name_extracted", (t) => {
  const labels = { app: "x" };
  const metadata = { trace: "1" };
  t.strictSame(parsed('{"app":"y","trace":"2","z":"3"}', labels, metadata), {
    app_extracted: "y",
    trace_extracted: "2",
    z: "3",
  });
  t.strictSame(parsed('{"app":"y","app_extracted":"z"}', labels), { app_extracted: "y" });
  const [twice] = runPipeline("| json | logfmt", [{ line: '{"a":"1"} a=2 b=3' }]);
  t.strictSame(twice!.parsed, { a: "1", b: "3" });
  t.end();
});

t.test("json keeps what stands in front of a break, and sets the error", (t) => {
  const check = (line: string, wanted: Record<string, string>) =>
    t.strictSame(parsed(line), { ...wanted, __error__: "JSONParserErr" }, line);
  check("", {});
  check("text", {});
  check("[1]", {});
  check('"a"', {});
  check('{"a":"b"', { a: "b" });
  check('{"a":"b","c', { a: "b" });
  check('{"a":"b" "c":"d"}', { a: "b" });
  check('{"a":"b","c":tru}', { a: "b" });
  check('{"a":"b","c":01x}', { a: "b" });
  check('{"a":"b","c":"\\x"}', { a: "b" });
  check('{"a":"b",c:"d"}', { a: "b" });
  check('{"a":"b","c":}', { a: "b" });
  // Nothing of an object that nothing closes; but of one that is closed.
  check('{"a":"b","c":{"d":"e"', { a: "b" });
  check('{"a":"b","c":{"d":"e",x},"f":"g"}', { a: "b", c_d: "e" });
  check('{"a":{"b":{"c":"1","d":2}},"e":[', { a_b_c: "1", a_b_d: "2" });
  const [row] = runPipeline("| json", [{ line: '{"a":"b",' }]);
  t.match(row!.details, /no well-formed JSON object/);
  t.end();
});

/** The labels of a well-formed object, by JSON.parse. */
function flatten(value: unknown, prefix: string, labels: Map<string, string>): Map<string, string> {
  for (const [key, inner] of Object.entries(value as Record<string, unknown>)) {
    const name = prefix === "" ? key : `${prefix}_${key}`;
    if (Array.isArray(inner) || inner === null) continue;
    if (typeof inner === "object") flatten(inner, name, labels);
    else if (!labels.has(name)) labels.set(name, String(inner));
  }
  return labels;
}

const keyArbitrary = fc.constantFrom("a", "b", "a_b", "level", "x9", "_");
const objectArbitrary = fc.letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.string({ unit: "grapheme" }).map((text) => text.toWellFormed()),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("object"),
  ),
  object: fc.dictionary(keyArbitrary, tie("value"), { maxKeys: 5, noNullPrototype: true }),
})).object;

t.test("json agrees with JSON.parse on every object", (t) => {
  fc.assert(
    fc.property(objectArbitrary, fc.constantFrom(0, 2), (object, spaces) => {
      const line = JSON.stringify(object, null, spaces);
      t.strictSame(new Map(Object.entries(parsed(line))), flatten(object, "", new Map()));
    }),
    { numRuns: 2000 },
  );
  t.end();
});

t.test("json agrees with the reference on damaged objects", (t) => {
  const damaged = fc.tuple(objectArbitrary, fc.nat(), fc.constantFrom("", '"', "{", "}", ","))
    .map(([object, place, text]) => {
      const line = JSON.stringify(object);
      const at = place % (line.length + 1);
      return line.slice(0, at) + text + line.slice(at + 1);
    });
  fc.assert(
    fc.property(damaged, (line) => {
      const entry = entryOf({ labels: {}, metadata: {}, timestampNs: 0n, line: bytesOf(line) });
      parseJson(entry, { kind: "JsonParser", extractions: [], span: { start: 0, end: 0 } });
      const { __error_details__: _, ...wanted } = Object.fromEntries(parsedLabels(entry));
      t.strictSame(parsed(line), wanted);
    }),
    { numRuns: 3000 },
  );
  t.end();
});

t.test("projection gives the labels that are needed as if all were extracted", (t) => {
  const names = ["a", "b", "a_b", "a_extracted", "level", "a_level", "_9"];
  fc.assert(
    fc.property(objectArbitrary, fc.subarray(names), fc.boolean(), (object, needed, collides) => {
      const row = { line: JSON.stringify(object), labels: collides ? { a: "stream" } : {} };
      const all = runPipeline("| json", [row])[0]!;
      const some = runPipeline("| json", [row], { labels: needed, line: false })[0]!;
      const labels = { ...all.stream, ...all.parsed } as Record<string, string>;
      const found = { ...some.stream, ...some.parsed } as Record<string, string>;
      for (const name of needed) t.equal(found[name], labels[name], name);
    }),
    { numRuns: 1000 },
  );
  t.end();
});

t.test("a filter behind json sees a malformed line as json leaves it", (t) => {
  const lines = ['{"a":{"b":"1"', '{"a":{"b":"1"}', '{"a":{"b":"1"}}', '{"a_b":"1",', "{}"];
  const f = (filter: string) =>
    runPipeline(`| json | ${filter}`, lines.map((line) => ({ line })))
      .map((row) => row === null ? "0" : "1").join("");
  t.equal(f('a_b="1"'), "01110");
  t.equal(f('a_b=""'), "10001");
  t.equal(f('__error__=""'), "00101");
  t.equal(f("a_b > 0"), "01110");
  t.end();
});
