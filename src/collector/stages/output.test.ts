/** The stage output. After Promtail's documentation. */
import t from "tap";
import { pipelineProblems, runPipeline } from "../../testing/collectorPipelines.ts";

t.test("output", (t) => {
  const f = (source: string, line: string, expected: string) =>
    t.equal(
      runPipeline(`- json: {expressions: {msg: , n: , none: }}\n- output: {source: ${source}}`, [
        line,
      ])[0]!.line,
      expected,
      `${source} of ${line}`,
    );
  f("msg", '{"msg":"hello 😀"}', "hello 😀");
  f("msg", '{"msg":""}', "");
  f("n", '{"n":12.50}', "12.5");
  f("none", '{"none":null}', '{"none":null}');
  f("msg", '{"n":1}', '{"n":1}');
  f("msg", "text", "text");
  t.match(pipelineProblems("- output: {}"), /output.source: is required/);
  t.match(pipelineProblems("- output: {source: ''}"), /must not be empty/);
  t.end();
});
