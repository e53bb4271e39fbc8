/** The stages that set and remove labels: labels, static_labels, labeldrop, labelallow, and
 *  structured_metadata, which moves them. After Promtail's documentation. */
import t from "tap";
import { pipelineProblems, runPipeline } from "../../testing/collectorPipelines.ts";

const line =
  '{"log":"log message\\n","stream":"stderr","traceID":"0242ac120002","n":3,"none":null,"empty":""}';
const json = "- json: {expressions: {stream: , traceID: , n: , none: , empty: }}\n";
const labels = { app: "shop", pod_uid: "b3937321" };
const run = (stages: string) => runPipeline(json + stages, [line], { labels })[0]!;

t.test("labels", (t) => {
  const f = (config: string, expected: string) =>
    t.equal(run(`- labels: ${config}`).labels, expected, config);
  f("{stream: }", '{app="shop", pod_uid="b3937321", stream="stderr"}');
  f("{s: stream, n: ''}", '{app="shop", n="3", pod_uid="b3937321", s="stderr"}');
  f("{missing: , none: }", '{app="shop", pod_uid="b3937321"}');
  f("{app: empty}", '{pod_uid="b3937321"}');
  f("{app: stream}", '{app="stderr", pod_uid="b3937321"}');
  f("{copy: app}", '{app="shop", copy="shop", pod_uid="b3937321"}');
  t.match(pipelineProblems("- labels: {a-b: }"), /"a-b" is not a label name/);
  t.match(pipelineProblems("- labels: [stream]"), /must be a map/);
  t.end();
});

t.test("static_labels", (t) => {
  const f = (config: string, expected: string) =>
    t.equal(run(`- static_labels: ${config}`).labels, expected, config);
  f("{env: prod, app: other}", '{app="other", env="prod", pod_uid="b3937321"}');
  f("{app: , x: ''}", '{app="shop", pod_uid="b3937321"}');
  f("{version: 1.20, on: yes}", '{app="shop", on="yes", pod_uid="b3937321", version="1.20"}');
  t.match(pipelineProblems("- static_labels: {}"), /needs at least one label/);
  t.end();
});

t.test("labeldrop and labelallow", (t) => {
  const f = (stages: string, expected: string) => t.equal(run(stages).labels, expected, stages);
  f("- labeldrop: [app, missing]", '{pod_uid="b3937321"}');
  f("- labelallow: [app, missing]", '{app="shop"}');
  f("- labelallow: [missing]", "{}");
  f("- labeldrop: [app]\n- labels: {app: }", '{app="shop", pod_uid="b3937321"}');
  t.match(pipelineProblems("- labeldrop: []"), /needs at least one label name/);
  t.match(pipelineProblems("- labelallow: {}"), /must be a list/);
  t.end();
});

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
