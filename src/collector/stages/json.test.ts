/** The stage json against Promtail's documentation and JMESPath's. */
import t from "tap";
import { extracted, pipelineProblems, runPipeline } from "../../testing/collectorPipelines.ts";

const line =
  '{"log":"log message\\n","stream":"stderr","time":"2019-04-30T02:12:41.8443515Z","n":1.5,"big":1e21,' +
  '"yes":true,"none":null,"grpc.stream":"s","extra":"{\\"user\\":\\"marco\\"}","list":[1,{"a":"b"}],"o":{"k":[2,3]}}';

t.test("json extracts by expression", (t) => {
  const f = (expression: string, expected: string | undefined) =>
    t.equal(
      extracted(`- json: {expressions: {x: ${JSON.stringify(expression)}}}`, ["x"], line)["x"],
      expected,
      expression,
    );
  f("stream", "stderr");
  f("log", "log message\n");
  f("n", "1.5");
  f("big", "1000000000000000000000");
  f("yes", "true");
  f("none", undefined);
  f("absent", undefined);
  f('"grpc.stream"', "s");
  f("grpc.stream", undefined);
  f("o.k[1]", "3");
  f("o", '{"k":[2,3]}');
  f("list", '[1,{"a":"b"}]');
  f("list[?a].a | [0]", "b");
  f("length(list)", "2");
  f("absent || stream", "stderr");
  f("abs(stream)", undefined);
  t.end();
});

t.test("a name without expression is its own, and a source is read instead of the line", (t) => {
  t.strictSame(extracted("- json: {expressions: {stream: , n: ''}}", ["stream", "n"], line), {
    stream: "stderr",
    n: "1.5",
  });
  const two = "- json: {expressions: {extra: }}\n- json: {expressions: {user: }, source: extra}";
  t.strictSame(extracted(two, ["user"], line), { user: "marco" });
  t.strictSame(extracted("- json: {expressions: {user: }, source: nothing}", ["user"], line), {});
  t.end();
});

t.test("lines that are no object go on, or are dropped", (t) => {
  const lines = ["", "text", "{", "[1]", "3", "null", '{"a":1} x', '{"a":1}'];
  const stages = (drops: boolean) =>
    `- json: {expressions: {a: }, drop_malformed: ${drops}}\n- labels: {a: }`;
  const kept = runPipeline(stages(false), lines);
  t.strictSame(kept.map((output) => output.line), lines);
  t.strictSame(kept.map(({ labels }) => labels), [...Array(7).fill("{}"), '{a="1"}']);
  t.strictSame(runPipeline(stages(true), lines).map((output) => output.line), ['{"a":1}']);
  t.end();
});

t.test("json refuses what cannot work", (t) => {
  const f = (config: string, problem: RegExp) =>
    t.match(pipelineProblems(`- json: ${config}`), problem, config);
  f("{}", /json.expressions: is required/);
  f("{expressions: {}}", /needs one at least/);
  f("{expressions: {a: 'b['}}", /json.expressions.a: "b\[" is not a JMESPath expression/);
  f("{expressions: {a: b}, source: ''}", /json.source: must not be empty/);
  f("{expression: {a: b}}", /did you mean "expressions"/);
  t.end();
});
