/** The stage sampling, with chances that the test chooses. */
import t from "tap";
import { pipelineProblems, TestPipeline } from "../../testing/collectorPipelines.ts";

t.test("sampling keeps its share", (t) => {
  const f = (rate: number, chances: ReadonlyArray<number>, kept: number) => {
    let at = 0;
    const test = new TestPipeline(`- sampling: {rate: ${rate}}`, { random: () => chances[at++]! });
    test.feed(chances.map(String));
    t.equal(test.outputs.length, kept, `rate ${rate}`);
    const counted = 'logentry_dropped_lines_total{reason="sampling_stage"}';
    t.match(test.metrics.expose(0), `${counted} ${chances.length - kept}`);
  };
  f(0, [0, 0.5, 0.999], 0);
  f(0.1, [0.05, 0.0999, 0.1, 0.9], 2);
  f(1, [0, 0.5, 0.999], 3);
  t.match(pipelineProblems("- sampling: {rate: 1.5}"), /1.5 is not between 0 and 1/);
  t.match(pipelineProblems("- sampling: {}"), /sampling.rate: is required/);
  t.end();
});
