/** The stage labelallow. After Promtail's documentation. */
import t from "tap";
import { pipelineProblems, runPipeline } from "../../testing/collectorPipelines.ts";

const labels = { app: "shop", pod_uid: "b3937321" };
const run = (stages: string) => runPipeline(stages, ["a line"], { labels })[0]!;

t.test("labelallow", (t) => {
  const f = (stages: string, expected: string) => t.equal(run(stages).labels, expected, stages);
  f("- labelallow: [app, missing]", '{app="shop"}');
  f("- labelallow: [missing]", "{}");
  t.match(pipelineProblems("- labelallow: {}"), /must be a list/);
  t.end();
});
