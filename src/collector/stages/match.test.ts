/** The stage match against Promtail's documentation, nested stages that hold entries back included. */
import t from "tap";
import { pipelineProblems, runPipeline, TestPipeline } from "../../testing/collectorPipelines.ts";

t.test("match runs stages for selected entries, or drops them", (t) => {
  const stages = `
- json: {expressions: {app: }}
- labels: {app: }
- match:
    selector: '{app="loki"}'
    stages:
    - json: {expressions: {msg: message}}
- match:
    pipeline_name: app2
    selector: '{app="pokey"}'
    action: keep
    stages:
    - json: {expressions: {msg: msg}}
- match:
    selector: '{app="promtail"} |~ ".*noisy error.*"'
    action: drop
    drop_counter_reason: promtail_noisy_error
- output: {source: msg}`;
  const test = new TestPipeline(stages).feed([
    '{ "app":"loki", "level":"WARN", "message":"app1 log line" }',
    '{ "app":"promtail", "message":"foo noisy error" }',
    '{ "app":"promtail", "message":"foo" }',
    '{ "app":"pokey", "message":"m", "msg":"pokey line" }',
  ]);
  t.strictSame(test.outputs.map(({ line, labels }) => [line, labels]), [
    ["app1 log line", '{app="loki"}'],
    ['{ "app":"promtail", "message":"foo" }', '{app="promtail"}'],
    ["pokey line", '{app="pokey"}'],
  ]);
  t.match(
    test.metrics.expose(0),
    'logentry_dropped_lines_total{reason="promtail_noisy_error"} 1',
  );
  t.end();
});

t.test("match selects by labels and line filters", (t) => {
  const f = (selector: string, line: string, isSelected: boolean) => {
    const stages = `- match: {selector: '${selector}', action: drop}`;
    const left = runPipeline(stages, [line], { labels: { app: "shop", env: "prod" } }).length;
    t.equal(left, isSelected ? 0 : 1, `${selector} on ${line}`);
  };
  f('{app="shop"}', "x", true);
  f('{app="shop", env!="prod"}', "x", false);
  f('{app=~"sh.*", missing=""}', "x", true);
  f('{app=~"sho"}', "x", false);
  f('{app="shop"} |= "err"', "an error", true);
  f('{app="shop"} |= "err"', "", false);
  f('{app="shop"} != "err"', "an error", false);
  f('{app="shop"} |= "err" |~ "[0-9]+$"', "error 42", true);
  f('{app="shop"} |= "err" |~ "[0-9]+$"', "error 42.", false);
  f('{app="shop"} |~ "^x"', "\nx", false);
  f('{app="shop"} |= "a" or "b"', "b", true);
  t.end();
});

t.test("entries held back by nested stages go on to the stages after the match", (t) => {
  const stages = `
- match:
    selector: '{app="java"}'
    stages:
    - match:
        selector: '{app="java"}'
        stages: [{multiline: {firstline: '^-'}}, {static_labels: {nested: yes}}]
    - static_labels: {match: yes}
- static_labels: {after: yes}`;
  const test = new TestPipeline(stages, { labels: { app: "java" } });
  test.feed(["-a", "b", "-c"]);
  t.strictSame(test.take().map(({ line, labels }) => [line, labels]), [
    ["-a\nb", '{after="yes", app="java", match="yes", nested="yes"}'],
  ]);
  t.equal(test.held().length, 1);
  test.nowMs += 3000;
  test.pipeline.tick(test.nowMs);
  t.strictSame(test.takeLines(), ["-c"]);
  t.end();
});

t.test("match refuses what cannot work, and tells of mistakes in nested stages", (t) => {
  const f = (config: string, problem: RegExp) =>
    t.match(pipelineProblems(`- match: ${config}`), problem, config);
  f("{}", /match.selector: is required/);
  f("{selector: '{a=\"b\"}'}", /needs stages, or action: drop/);
  f("{selector: '{a=\"b\"}', action: drop, stages: [{cri: }]}", /no use for stages/);
  f("{selector: '{a=\"b\"}', action: remove}", /"remove" is not one of keep, drop/);
  f("{selector: '{a=b}', action: drop}", /match.selector: .*string/);
  f("{selector: '{a=\"b\"} | json', action: drop}", /line filters .* and nothing else/);
  f('{selector: \'{a="b"} |~ "("\', action: drop}', /match.selector: /);
  f(
    "{selector: '{a=\"b\"}', stages: [{criminal: }]}",
    /stages\[0\].criminal: there is no such stage/,
  );
  f(
    "{selector: '{a=\"b\"}', stages: [{regex: {expression: '('}}]}",
    /stages\[0\].regex.expression/,
  );
  f("{selector: '{a=\"b\"}', pipeline_name: '', action: drop}", /pipeline_name: must not be empty/);
  t.end();
});
