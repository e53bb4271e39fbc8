/** The stage structured_metadata, which moves labels and what was extracted. After Promtail's
 *  documentation. */
import t from "tap";
import { runPipeline } from "../../testing/collectorPipelines.ts";

const line =
  '{"log":"log message\\n","stream":"stderr","traceID":"0242ac120002","n":3,"none":null,"empty":""}';
const json = "- json: {expressions: {stream: , traceID: , n: , none: , empty: }}\n";
const labels = { app: "shop", pod_uid: "b3937321" };
const run = (stages: string) => runPipeline(json + stages, [line], { labels })[0]!;

t.test("structured_metadata", (t) => {
  const f = (config: string, metadata: Record<string, string>, left: string) => {
    for (const name of ["structured_metadata", "non_indexed_labels"]) {
      const output = run(`- ${name}: ${config}`);
      t.strictSame(output.metadata, metadata, config);
      t.equal(output.labels, left, config);
    }
  };
  f("{traceID: }", { traceID: "0242ac120002" }, '{app="shop", pod_uid="b3937321"}');
  f(
    "{trace: traceID, n: , none: , empty: }",
    { trace: "0242ac120002", n: "3" },
    '{app="shop", pod_uid="b3937321"}',
  );
  f("{pod_uid: }", { pod_uid: "b3937321" }, '{app="shop"}');
  f("{uid: pod_uid}", { uid: "b3937321" }, '{app="shop"}');
  t.end();
});

t.test("entries do not share metadata", (t) => {
  const outputs = runPipeline("- json: {expressions: {a: }}\n- structured_metadata: {a: }", [
    '{"a":"1"}',
    "plain",
    '{"a":"2"}',
  ]);
  t.strictSame(outputs.map(({ metadata }) => metadata), [{ a: "1" }, {}, { a: "2" }]);
  t.end();
});
