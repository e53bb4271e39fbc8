/** The stage pack. After Promtail's documentation. */
import t from "tap";
import { runPipeline } from "../../testing/collectorPipelines.ts";

t.test("pack", (t) => {
  const nowMs = Date.UTC(2024, 0, 1, 12) + 7;
  const f = (config: string, line: string, packed: string, labels: string) => {
    const [output] = runPipeline(
      `- regex: {expression: '(?P<level>info)?'}\n- pack: ${config}`,
      [line],
      { labels: { container: "myapp", pod: "pod-3223f", env: "dev" }, nowMs },
    );
    t.equal(output!.line, packed, config);
    t.equal(output!.labels, labels, config);
    t.equal(output!.time, "2024-01-01T12:00:00.007000000Z");
  };
  f(
    "{labels: [pod, container]}",
    "original log message",
    '{"container":"myapp","pod":"pod-3223f","_entry":"original log message"}',
    '{env="dev"}',
  );
  f(
    "{labels: [level, missing]}",
    'info "quoted"\\',
    '{"level":"info","_entry":"info \\"quoted\\"\\\\"}',
    '{container="myapp", env="dev", pod="pod-3223f"}',
  );
  f("{}", "x", '{"_entry":"x"}', '{container="myapp", env="dev", pod="pod-3223f"}');
  const stages = (ingest: string) => `- cri:\n- pack: {labels: [stream]${ingest}}`;
  const cri = "2019-01-01T01:00:00.5Z stdout F x";
  const time = (ingest: string) => runPipeline(stages(ingest), [cri], { nowMs })[0]!.time;
  t.equal(time(", ingest_timestamp: false"), "2019-01-01T01:00:00.500000000Z");
  t.equal(time(""), "2024-01-01T12:00:00.007000000Z");
  t.end();
});
