/** The stage labeldrop. After Promtail's documentation. */
import t from "tap";
import { pipelineProblems, runPipeline } from "../../testing/collectorPipelines.ts";

const labels = { app: "shop", pod_uid: "b3937321" };
const run = (stages: string) => runPipeline(stages, ["a line"], { labels })[0]!;

t.test("labeldrop", (t) => {
  const f = (stages: string, expected: string) => t.equal(run(stages).labels, expected, stages);
  f("- labeldrop: [app, missing]", '{pod_uid="b3937321"}');
  f("- labeldrop: [app]\n- labels: {app: }", '{app="shop", pod_uid="b3937321"}');
  t.match(pipelineProblems("- labeldrop: []"), /needs at least one label name/);
  t.end();
});
