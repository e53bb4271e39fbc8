/** The stage drop. After Promtail's documentation. */
import t from "tap";
import { pipelineProblems, runPipeline, TestPipeline } from "../../testing/collectorPipelines.ts";

t.test("drop drops where all of its conditions hold", (t) => {
  const line = (level: string | null, msg: string) =>
    JSON.stringify(level === null ? { msg } : { level, msg });
  const f = (config: string, text: string, isDropped: boolean) => {
    const stages = `- json: {expressions: {level: , msg: }}\n- drop: ${config}`;
    t.equal(runPipeline(stages, [text]).length, isDropped ? 0 : 1, `${config} on ${text}`);
  };
  f("{expression: '.*debug.*'}", "a debug line", true);
  f("{expression: '.*debug.*'}", "another line", false);
  f("{expression: '^a'}", "ba", false);
  f("{source: level}", line("error", "x"), true);
  f("{source: level}", "text", false);
  f("{source: [level, msg]}", line("error", "x"), true);
  f("{source: level, value: error}", line("error", "x"), true);
  f("{source: level, value: err}", line("error", "x"), false);
  f("{source: level, expression: 'err.*'}", line("error", "x"), true);
  f("{source: level, expression: 'err.*'}", "err", false);
  const push = "{source: [level, msg], separator: '#', expression: '(error|ERROR)#.*/push.*'}";
  f(push, line("error", "POST /loki/api/push/ 200"), true);
  f(push, line("ERROR", "POST /loki/api/push/ 200"), true);
  f(push, line("info", "POST /loki/api/push/ 200"), false);
  f("{source: [level, msg], value: 'error;x'}", line("error", "x"), true);
  f("{source: [level, msg], value: 'error;x'}", line("error", "y"), false);
  f("{longer_than: 8}", "123456789", true);
  f("{longer_than: 8}", "12345678", false);
  f("{longer_than: 1kb}", "é".repeat(513), true);
  f("{longer_than: 1kb}", "é".repeat(512), false);
  f("{expression: debug, longer_than: 8}", "debug", false);
  f("{expression: debug, longer_than: 8}", "debug, and long", true);
  t.end();
});

t.test("drop compares the age of the timestamp with the clock", (t) => {
  const nowMs = Date.UTC(2020, 7, 12, 12);
  const f = (time: string, isDropped: boolean) => {
    const test = new TestPipeline("- cri:\n- drop: {older_than: 24h, drop_counter_reason: old}", {
      nowMs,
    });
    test.feed([`${time} stdout F x`]);
    t.equal(test.outputs.length, isDropped ? 0 : 1, time);
    const counted = 'logentry_dropped_lines_total{reason="old"}';
    t.match(test.metrics.expose(0), `${counted} ${isDropped ? 1 : 0}`);
  };
  f("2020-08-11T11:00:00Z", true);
  f("2020-08-11T11:59:59.999Z", true);
  f("2020-08-11T12:00:00Z", false);
  f("2020-08-11T13:00:00Z", false);
  t.end();
});

t.test("drop refuses what has no meaning", (t) => {
  const f = (config: string, problem: RegExp) =>
    t.match(pipelineProblems(`- drop: ${config}`), problem, config);
  f("{}", /needs at least one of source, expression, older_than and longer_than/);
  f("{source: a, value: b, expression: c}", /value or expression, not both/);
  f("{value: b, longer_than: 3}", /needs a source to compare/);
  f("{older_than: yesterday}", /drop.older_than: "yesterday" is not a duration/);
  f("{longer_than: long}", /drop.longer_than: "long" is not a size/);
  f("{expression: '['}", /drop.expression: invalid regular expression/);
  t.end();
});
