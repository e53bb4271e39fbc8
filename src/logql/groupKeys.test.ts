/** Numbers of groups against label sets as objects; and a table of names that overflows. */
import fc from "fast-check";
import t from "tap";
import { pipelineOf } from "../testing/pipelines.ts";
import { encodeMetadata } from "../streams/metadata.ts";
import { labelsFromObject } from "../streams/labels.ts";
import { type GroupChoice, GroupKeys, groupLabels } from "./groupKeys.ts";
import { compilePipeline } from "./pipeline.ts";

const name = fc.constantFrom("a", "b", "ab", "a_b", "c");
const value = fc.constantFrom("", "x", "y", "xy", "é");
const labels = fc.dictionary(name, value, { maxKeys: 4, noNullPrototype: true });
const choice: fc.Arbitrary<GroupChoice> = fc.oneof(
  fc.record({
    mode: fc.constantFrom("by" as const, "without" as const),
    labels: fc.subarray(["a", "b", "ab", "c", "d"]),
  }, { noNullPrototype: true }),
  fc.constant("all" as const),
);

t.test("rows have one number exactly if the chosen labels are equal", (t) => {
  fc.assert(
    fc.property(choice, fc.array(fc.tuple(labels, labels), { maxLength: 12 }), (by, rows) => {
      const names = by !== "all" && by.mode === "by" ? by.labels : "all" as const;
      const pipeline = compilePipeline(pipelineOf("", { labels: names, line: false }));
      const groups = new GroupKeys(pipeline.row, by, ["a_b"]);
      const none = new Uint8Array(0);
      const times = { timestamps: new BigInt64Array(1) };
      const numbers = new Map<string, number>();
      for (const [streamLabels, metadata] of rows) {
        const stream = pipeline.forStream(labelsFromObject(streamLabels));
        if (stream === "none") throw new Error("no filter");
        const meta = encodeMetadata(Object.entries(metadata));
        stream.reload();
        stream.runAt(none, 0, 0, meta, 0, meta.length, times, 0);
        const seen = new Map(labelsFromObject(streamLabels));
        const hidden = Object.entries(metadata).filter(([name]) => seen.has(name));
        for (const [name, value] of Object.entries(metadata)) {
          if (!seen.has(name)) seen.set(name, value);
        }
        for (const [name, value] of hidden) seen.set(`${name}_extracted`, value);
        const wanted = [...seen].filter(([name, value]) =>
          value !== "" && (by === "all" || by.labels.includes(name) === (by.mode === "by")) &&
          (name !== "a_b" || (by !== "all" && by.mode === "by"))
        ).sort(([a], [b]) => a < b ? -1 : 1);
        const key = JSON.stringify(wanted);
        const number = groups.idOf();
        if (!numbers.has(key)) numbers.set(key, numbers.size);
        t.equal(number, numbers.get(key));
        t.strictSame(groupLabels(groups.bytesOf(number)), wanted);
      }
      t.equal(groups.count, numbers.size);
    }),
  );
  t.end();
});

t.test("many groups, and more names than a table keeps", (t) => {
  const pipeline = compilePipeline(pipelineOf("| json | drop dropped"));
  const groups = new GroupKeys(pipeline.row, { mode: "without", labels: ["app"] });
  const stream = pipeline.forStream([["app", "x"]]);
  if (stream === "none") throw new Error("no filter");
  const encoder = new TextEncoder();
  const none = new Uint8Array(0);
  const times = { timestamps: new BigInt64Array(1) };
  for (let index = 0; index < 40_000; index++) {
    const line = encoder.encode(`{"k${index}":"${index}","app":"y","dropped":"z"}`);
    stream.runAt(line, 0, line.length, none, 0, 0, times, 0);
    if (groups.idOf() !== index) return t.fail(`row ${index}`);
    if (index % 997 !== 0) continue;
    t.strictSame(groupLabels(groups.bytesOf(index)), [["app_extracted", "y"], [
      `k${index}`,
      `${index}`,
    ]]);
    t.equal(pipeline.row.text(pipeline.row.names.findText("app")), "x");
  }
  t.ok(pipeline.row.names.count < 20_000, "names that no query mentions are forgotten");
  t.end();
});
