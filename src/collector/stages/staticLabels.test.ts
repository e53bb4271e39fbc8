/** The stage static_labels. After Promtail's documentation. */
import t from "tap";
import { pipelineProblems, runPipeline } from "../../testing/collectorPipelines.ts";

const labels = { app: "shop", pod_uid: "b3937321" };
const run = (stages: string) => runPipeline(stages, ["a line"], { labels })[0]!;

t.test("static_labels", (t) => {
  const f = (config: string, expected: string) =>
    t.equal(run(`- static_labels: ${config}`).labels, expected, config);
  f("{env: prod, app: other}", '{app="other", env="prod", pod_uid="b3937321"}');
  f("{app: , x: ''}", '{app="shop", pod_uid="b3937321"}');
  f("{version: 1.20, on: yes}", '{app="shop", on="yes", pod_uid="b3937321", version="1.20"}');
  t.match(pipelineProblems("- static_labels: {}"), /needs at least one label/);
  t.end();
});
