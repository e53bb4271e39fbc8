/** The stage tenant against Promtail's documentation. */
import t from "tap";
import { pipelineProblems, runPipeline } from "../../testing/collectorPipelines.ts";

t.test("tenant is chosen by source, label or value", (t) => {
  const f = (config: string, expected: string | null) => {
    const stages = `- json: {expressions: {customer_id: , empty: }}\n- tenant: ${config}`;
    const line = '{"customer_id":1,"empty":""}';
    const [output] = runPipeline(stages, [line], { labels: { namespace: "loki" } });
    t.equal(output!.tenant, expected, config);
    t.equal(output!.labels, '{namespace="loki"}', "it is no label of the stream");
  };
  f("{source: customer_id}", "1");
  f("{source: missing}", null);
  f("{source: empty}", null);
  f("{label: namespace}", "loki");
  f("{label: missing}", null);
  f("{value: team-api}", "team-api");
  t.end();
});

t.test("tenant applies where a match selects", (t) => {
  const stages = `
- json: {expressions: {app: , message: }}
- labels: {app: }
- match: {selector: '{app="api"}', stages: [{tenant: {value: team-api}}]}
- output: {source: message}`;
  const outputs = runPipeline(stages, [
    '{"app":"api","message":"a"}',
    '{"app":"web","message":"b"}',
  ]);
  t.strictSame(outputs.map(({ line, tenant }) => [line, tenant]), [["a", "team-api"], ["b", null]]);
  t.end();
});

t.test("tenant needs exactly one way", (t) => {
  const f = (config: string) =>
    t.match(
      pipelineProblems(`- tenant: ${config}`),
      /exactly one of label, source and value/,
      config,
    );
  f("{}");
  f("{source: ''}");
  f("{source: a, value: b}");
  f("{source: a, label: b}");
  t.end();
});
