/** The kernels that find fields, against the parsers that read a line at a time: whatever the
 *  lines, a pipeline gives the same with the kernels and without; and usual lines are decided, so
 *  that this says something. */
import fc from "fast-check";
import t from "tap";
import { compilePipeline } from "../logql/pipeline.ts";
import type { LineBlock } from "../streams/lineBlock.ts";
import { columnsOf } from "../testing/modelRows.ts";
import { pipelineOf } from "../testing/pipelines.ts";
import { findFields } from "./fields.ts";

const encoder = new TextEncoder();

function blockOf(lines: ReadonlyArray<string>, rowStart: number): LineBlock {
  const columns = columnsOf(
    lines.map((line) => ({ timestamp: 0n, line: [...encoder.encode(line)], metadata: [] })),
  );
  return { ...columns, sets: columns, rowStart, rowEnd: lines.length };
}

const key = fc.constantFrom(
  "a",
  "b",
  "ab",
  "a_b",
  "a.b",
  " a",
  "é",
  "",
  "1",
  "abcdefghijklmnopqrs",
);
const object = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom("x", "", "long text of more than sixteen bytes", 'q"\\', "é\n", -1.5e3, 0, 12),
    fc.constantFrom(true, false, null),
    fc.array(tie("value"), { maxLength: 2 }),
    tie("object"),
  ),
  object: fc.array(fc.tuple(key, tie("value")), { maxLength: 5 }).map((pairs) =>
    new Map(pairs as Array<[string, unknown]>)
  ),
})).object;

/** JSON of Maps, so that names of digits keep their place. */
function jsonOf(value: unknown, blank: string): string {
  if (Array.isArray(value)) return `[${value.map((one) => jsonOf(one, blank)).join(`${blank},`)}]`;
  if (!(value instanceof Map)) return JSON.stringify(value);
  const fields = [...value].map(([name, inner]) =>
    `${JSON.stringify(name)}${blank}:${blank}${jsonOf(inner, blank)}`
  );
  return `{${blank}${fields.join(`,${blank}`)}${blank}}`;
}

const jsonLine = fc.tuple(
  object,
  fc.constantFrom("", " ", "\t"),
  fc.option(fc.tuple(fc.nat(), fc.constantFrom("", '"', "{", "}", ",", "\\", "x", "]", ' "a":9,'))),
).map(([value, blank, damage]) => {
  const text = jsonOf(value, blank);
  if (damage === null) return text;
  const at = damage[0] % (text.length + 1);
  return text.slice(0, at) + damage[1] + text.slice(at + 1);
});

const pieces = [
  ...'ab ="\\\t',
  " ",
  "=",
  " a=",
  ' b="',
  '" ',
  "\\n",
  "é",
  " a_b=1 ",
  "long value of text",
];
const logfmtLine = fc.array(fc.constantFrom(...pieces), { maxLength: 16 })
  .map((parts) => parts.join(""));

const names = ["a", "b", "ab", "a_b", "a_extracted", "abcdefghijklmnopqrs", "app"];

for (const [stage, line] of [["json", jsonLine], ["logfmt", logfmtLine]] as const) {
  t.test(`${stage} gives the same with the kernel and without`, (t) => {
    const needed = fc.subarray(names, { minLength: 1 });
    const lines = fc.array(line, { minLength: 8, maxLength: 20 });
    fc.assert(
      fc.property(lines, needed, fc.boolean(), fc.nat(4), (lines, labels, collides, rowStart) => {
        const pipeline = compilePipeline(pipelineOf(`| ${stage}`, { labels, line: false }));
        const stream = pipeline.forStream(collides ? [["a", "stream"], ["app", "x"]] : []);
        if (stream === "none") throw new Error("no filter");
        const block = blockOf([...lines.slice(0, rowStart), ...lines], rowStart);
        const textOf = (name: string) => pipeline.row.text(pipeline.row.names.findText(name));
        const labelsOfRow = () => ["__error__", ...labels].map(textOf);
        stream.begin(block, new Uint8Array(lines.length).fill(1));
        const withKernel = lines.map((_, index) => {
          stream.run(rowStart + index);
          return labelsOfRow();
        });
        const without = lines.map((line) => {
          const bytes = encoder.encode(line);
          stream.runAt(bytes, 0, bytes.length, bytes, 0, 0, block, 0);
          return labelsOfRow();
        });
        t.strictSame(withKernel, without);
      }),
      { numRuns: 1500 },
    );
    t.end();
  });
}

t.test("usual lines of logfmt are decided", (t) => {
  const lines = [
    'ts=1 level=info msg="a b" url=/x?a=b took=5ms',
    'level="a\\"b" took=1',
    'msg="a\\"b" took=1 level=',
    "took took=2",
  ];
  const block = blockOf(lines, 0);
  const names = ["level", "took"].map((name) => encoder.encode(name));
  const { rows, places } = findFields("logfmt", block, Uint8Array.of(1, 1, 1, 1), names);
  t.equal(rows.join(""), "2122");
  const found = [0, 2, 3].map((row) =>
    [4 * row, 4 * row + 2].map((at) =>
      new TextDecoder().decode(block.lines.subarray(places[at]!, places[at + 1]!))
    )
  );
  t.strictSame(found, [["info", "5ms"], ["", "1"], ["", "2"]]);
  t.end();
});

t.test("usual lines of JSON are decided, masked rows alone", (t) => {
  const lines = [
    '{"level":"info","status":200,"user":{"id":1,"tags":["a","}"]},"path":"/x?a=\\"b\\"","ok":true}',
    '{ "status" : "500", "level" : null }',
    '{"http.status":1,"other":"\\u00e9","level":"warn"}',
    "{}",
    "text",
    '{"status":1,"level":"x"} trailing',
  ];
  const block = blockOf(lines, 0);
  const names = ["level", "status"].map((name) => encoder.encode(name));
  const { rows, places } = findFields("json", block, Uint8Array.of(1, 1, 1, 1, 1, 0), names);
  t.equal(rows.join(""), "222210");
  const found = (row: number) =>
    [0, 1].map((name) => {
      const [start, end] = places.subarray(4 * row + 2 * name, 4 * row + 2 * name + 2);
      return end === 0 ? null : new TextDecoder().decode(block.lines.subarray(start, end));
    });
  t.strictSame([0, 1, 2, 3].map(found), [["info", "200"], [null, "500"], ["warn", null], [
    null,
    null,
  ]]);
  t.end();
});
