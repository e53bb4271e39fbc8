/** The stage metrics against Promtail's documentation, and Prometheus' text format. */
import t from "tap";
import { pipelineProblems, TestPipeline } from "../../testing/collectorPipelines.ts";

/** What /metrics shows of the metrics that lines made, without help and without drops. */
function shown(config: string, lines: ReadonlyArray<string>, labels = {}): ReadonlyArray<string> {
  const stages = "- regex: {expression: '(?:status=(?P<status>\\S+))?(?: *)(?:v=(?P<v>\\S+))?'}\n" +
    `- metrics: ${config}`;
  const test = new TestPipeline(stages, { labels }).feed(lines);
  return test.metrics.expose(test.nowMs).trimEnd().split("\n").filter((line) => line[0] !== "#");
}

t.test("counters", (t) => {
  const lines = ["status=ok v=2", "status=fail v=0.5", "status=ok", "status=ok v=-3", "other"];
  const f = (config: string, value: number | null) =>
    t.strictSame(
      shown(`{n: {type: Counter, ${config}}}`, lines),
      value === null ? [""] : [`promtail_custom_n ${value}`],
      config,
    );
  f("config: {match_all: true, action: inc}", 5);
  f("config: {match_all: true, count_entry_bytes: true, action: add}", 13 + 17 + 9 + 14 + 5);
  f("source: status, config: {value: ok, action: inc}", 3);
  f("source: v, config: {action: add}", 2.5);
  f("source: missing, config: {action: inc}", null);
  f("config: {action: inc}", null);
  t.end();
});

t.test("gauges", (t) => {
  const lines = ["v=2", "v=10", "v=x", "v=-1"];
  const f = (action: string, value: number) =>
    t.strictSame(
      shown(`{g: {type: gauge, source: v, prefix: my_, config: {action: ${action}}}}`, lines),
      [`my_g ${value}`],
      action,
    );
  f("set", -1);
  f("inc", 4);
  f("dec", -4);
  f("Add", 11);
  f("sub", -11);
  t.end();
});

t.test("histograms count durations in seconds, with the labels of the entries", (t) => {
  const lines = ["v=0.5ms", "v=0.01", "v=10ms", "v=1m", "v=soon"];
  t.strictSame(
    shown(
      "{h: {type: Histogram, description: d, source: v, config: {buckets: [0.025, 0.001]}}}",
      lines,
      { app: 'a"\\\n' },
    ),
    [
      'promtail_custom_h_bucket{app="a\\"\\\\\\n",le="0.001"} 1',
      'promtail_custom_h_bucket{app="a\\"\\\\\\n",le="0.025"} 3',
      'promtail_custom_h_bucket{app="a\\"\\\\\\n",le="+Inf"} 4',
      'promtail_custom_h_sum{app="a\\"\\\\\\n"} 60.0205',
      'promtail_custom_h_count{app="a\\"\\\\\\n"} 4',
    ],
  );
  t.end();
});

t.test("series that nothing touches for their idle time are gone", (t) => {
  const test = new TestPipeline(
    "- metrics: {n: {type: Counter, max_idle_duration: 10s, config: {match_all: true, action: inc}}}",
  );
  test.feed(["x"]);
  const start = test.nowMs;
  t.match(test.metrics.expose(start + 10_000), "promtail_custom_n 1");
  t.notMatch(test.metrics.expose(start + 10_001), "promtail_custom_n");
  t.end();
});

t.test("metrics refuse what has no meaning", (t) => {
  const f = (config: string, problem: RegExp) =>
    t.match(pipelineProblems(`- metrics: {n: ${config}}`), problem, config);
  f("{type: meter}", /metrics.n.type: "meter" is not one of counter, gauge, histogram/);
  f("{type: Counter}", /metrics.n.config.action: is required/);
  f("{type: Counter, config: {action: set}}", /"set" is not one of inc, add/);
  f("{type: Counter, config: {action: inc, match_all: true, value: x}}", /match_all or value/);
  f("{type: Counter, config: {action: add, count_entry_bytes: true}}", /needs match_all: true/);
  f("{type: Counter, max_idle_duration: 5ms, config: {action: inc}}", /at least 1s/);
  f("{type: Gauge, config: {action: grow}}", /"grow" is not one of set, inc, dec, add, sub/);
  f("{type: Histogram, config: {buckets: [a]}}", /config.buckets\[0\]: "a" is not a number/);
  t.match(
    pipelineProblems("- metrics: {n-m: {type: Counter, config: {action: inc}}}"),
    /"n-m" does not make a metric's name/,
  );
  t.match(
    pipelineProblems(
      "- metrics: {n: {type: Counter, config: {action: inc}}}\n" +
        "- metrics: {n: {type: Gauge, config: {action: inc}}}",
    ),
    /metric of another type/,
  );
  t.end();
});
