/** The stage labels. After Promtail's documentation. */
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
