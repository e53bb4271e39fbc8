/** The stage regex against Promtail's documentation. */
import t from "tap";
import { extracted, pipelineProblems, runPipeline } from "../../testing/collectorPipelines.ts";

t.test("regex extracts named groups", (t) => {
  const f = (expression: string, line: string, expected: Record<string, string>) =>
    t.strictSame(
      extracted(`- regex: {expression: '${expression}'}`, ["time", "stream", "rest", "year"], line),
      expected,
      expression,
    );
  const cri = "^(?s)(?P<time>\\S+?) (?P<stream>stdout|stderr) (?P<flags>\\S+?) (?P<rest>.*)$";
  f(cri, "2019-01-01T01:00:00.000000001Z stderr P i'm a log message!", {
    time: "2019-01-01T01:00:00.000000001Z",
    stream: "stderr",
    rest: "i'm a log message!",
  });
  f(cri, "no match", {});
  f("(?P<year>\\d+)|(?P<stream>x)", "in 2019", { year: "2019" });
  f("(?<year>[é-]+)", "aé-é😀", { year: "é-é" });
  f("(?P<rest>😀.)", "a😀bc", { rest: "😀b" });
  t.end();
});

t.test("regex reads a source", (t) => {
  const stages = "- json: {expressions: {time: }}\n" +
    `- regex: {expression: '^(?P<year>\\d+)', source: time}`;
  t.strictSame(extracted(stages, ["year"], '{"time":"2019-01-01T01:00:00.000000001Z"}'), {
    year: "2019",
  });
  t.end();
});

t.test("a group that took no part is an empty text, which hides what was extracted before", (t) => {
  const stages = "- regex: {expression: '(?P<a>x)'}\n- regex: {expression: '(?P<a>y)?z'}\n" +
    "- labels: {a: }";
  t.equal(runPipeline(stages, ["xz"])[0]!.labels, "{}");
  t.equal(runPipeline(stages, ["xyz"])[0]!.labels, '{a="y"}');
  t.end();
});

t.test("labels_from_groups makes labels of groups", (t) => {
  const stages = "- regex: {expression: '(?P<a>x)(y)', labels_from_groups: true}";
  t.equal(runPipeline(stages, ["xy"])[0]!.labels, '{a="x"}');
  t.end();
});

t.test("regex refuses what does not compile", (t) => {
  t.match(pipelineProblems("- regex: {}"), /regex.expression: is required/);
  t.match(pipelineProblems("- regex: {expression: ''}"), /must not be empty/);
  t.match(pipelineProblems("- regex: {expression: '(?!x)'}"), /RE2 has no lookaround/);
  t.match(pipelineProblems("- regex: {expression: '('}"), /missing closing \)/);
  t.end();
});
