/** The stage multiline against Promtail's documentation, on a clock that the test moves. */
import t from "tap";
import { LabelSet } from "./labelSet.ts";
import { pipelineProblems, runPipeline, TestPipeline } from "../../testing/collectorPipelines.ts";

const firstline = "'^\\[\\d{4}-\\d{2}-\\d{2} \\d{1,2}:\\d{2}:\\d{2}\\]'";
const trace = [
  "[2020-12-03 11:36:23] ERROR in app: Exception on /error [GET]",
  "Traceback (most recent call last):",
  '  File "/flask/app.py", line 2447, in wsgi_app',
  "Exception: Sorry, this route always breaks",
];

t.test("multiline joins a first line with those after it", (t) => {
  const lines = [
    '[2020-12-03 11:36:20] "GET /hello HTTP/1.1" 200 -',
    ...trace,
    '[2020-12-03 11:36:23] "GET /error HTTP/1.1" 500 -',
  ];
  t.strictSame(
    runPipeline(`- multiline: {firstline: ${firstline}}`, lines).map(({ line }) => line),
    [lines[0], trace.join("\n"), lines[5]],
  );
  t.strictSame(
    runPipeline("- multiline: {firstline: '^\\x{200B}\\['}", ["before", "\u200b[a", "b"])
      .map(({ line }) => line),
    ["before", "\u200b[a\nb"],
    "lines before any first line go on",
  );
  t.end();
});

t.test("a block has its first line's time, labels, values and offset, and later stages see it", (t) => {
  const stages =
    "- cri:\n- regex: {expression: '^(?P<id>\\d+)'}\n- multiline: {firstline: '^\\d'}\n" +
    '- labels: {id: }\n- match: {selector: \'{id="1"} |= "z"\', action: drop}';
  const test = new TestPipeline(stages);
  test.feed([
    "2024-01-01T00:00:01Z stdout F 7 a",
    "2024-01-01T00:00:02Z stdout F é",
    "2024-01-01T00:00:03Z stdout F 1 b",
    "2024-01-01T00:00:04Z stdout F z",
    "2024-01-01T00:00:05Z stdout F 8",
  ]);
  const [output, ...rest] = test.take();
  t.strictSame(rest, [], "the block with z is dropped");
  t.equal(output!.line, "7 a\né");
  t.equal(output!.labels, '{id="7", stream="stdout"}');
  t.equal(output!.time, "2024-01-01T00:00:01.000000000Z");
  t.equal(output!.offset, 0);
  t.end();
});

t.test("multiline keeps origins and label sets apart", (t) => {
  const test = new TestPipeline("- multiline: {firstline: '^-'}");
  const other = {};
  test.feed(["-a"]).feed(["-b"], other).feed(["a2"]).feed(["b2"], other);
  test.feed(["-c"], test, LabelSet.of({ x: "y" })).feed(["a3"]);
  t.equal(test.held().length, 6, "each line is told");
  test.pipeline.flushOrigin(other);
  t.strictSame(test.takeLines(), ["-b\nb2"]);
  test.pipeline.flush();
  t.strictSame(test.takeLines(), ["-a\na2\na3", "-c"]);
  t.end();
});

t.test("a block ends by time without new lines, and after its most lines", (t) => {
  const test = new TestPipeline(
    "- multiline: {firstline: '^-', max_wait_time: 2s, max_lines: 3}",
  );
  test.feed(["-a", "b"]);
  test.nowMs += 1500;
  test.pipeline.tick(test.nowMs);
  test.feed(["c"]);
  t.strictSame(test.takeLines(), ["-a\nb\nc"], "three lines are enough");
  test.feed(["-d"]);
  test.nowMs += 1500;
  test.pipeline.tick(test.nowMs);
  test.feed(["e"]);
  test.nowMs += 1500;
  test.pipeline.tick(test.nowMs);
  t.strictSame(test.takeLines(), [], "each line starts the wait anew");
  test.nowMs += 500;
  test.pipeline.tick(test.nowMs);
  t.strictSame(test.takeLines(), ["-d\ne"]);
  t.strictSame(test.feed(["f"]).takeLines(), ["f"], "no block is open now");
  t.end();
});

t.test("a block is bounded in bytes", (t) => {
  const test = new TestPipeline("- multiline: {firstline: '^-', max_lines: 1000000}");
  const big = "x".repeat(300_000);
  test.feed(["-", big, big, big, big]);
  test.pipeline.flush();
  t.strictSame(test.take().map(({ line }) => line.length), [1 + 3 * 300_001, 300_000]);
  t.end();
});

t.test("multiline refuses what cannot work", (t) => {
  t.match(pipelineProblems("- multiline: {}"), /multiline.firstline: is required/);
  t.match(pipelineProblems("- multiline: {firstline: '('}"), /invalid regular expression/);
  t.match(pipelineProblems("- multiline: {firstline: a, max_wait_time: 3}"), /is not a duration/);
  t.end();
});
