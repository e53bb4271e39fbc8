/** Lines that a stage fails on. */
import t from "tap";
import { TestPipeline } from "../../testing/collectorPipelines.ts";

t.test("a line that a stage fails on goes on without it, and those around it are not touched", (t) => {
  const test = new TestPipeline(
    "- cri: {}\n- json: {expressions: {app: , level: }}\n- labels: {level: }\n- static_labels: {a: b}",
  );
  // Deeper than JSON.stringify goes.
  const deep = `{"app":${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)},"level":"info"}`;
  const line = (text: string) => `2024-01-01T00:00:01Z stdout F ${text}`;
  test.feed([line('{"level":"warn"}'), line(deep), line('{"level":"error"}')]);
  const outputs = test.take();
  t.strictSame(outputs.map(({ line }) => line), ['{"level":"warn"}', deep, '{"level":"error"}']);
  t.strictSame(outputs.map(({ labels }) => labels), [
    '{a="b", level="warn", stream="stdout"}',
    '{a="b", stream="stdout"}',
    '{a="b", level="error", stream="stdout"}',
  ]);
  t.match(test.metrics.expose(0), /tailrace_collector_stage_errors_total\{stage="json"\} 1\n/);
  t.end();
});
