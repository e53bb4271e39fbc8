/** The stage cri against lines of the kubelet's documentation and Promtail's. */
import t from "tap";
import {
  extracted,
  pipelineProblems,
  runPipeline,
  TestPipeline,
} from "../../testing/collectorPipelines.ts";

const now = Date.UTC(2024, 0, 1);
const arrival = "2024-01-01T00:00:00.000000000Z";

t.test("cri takes a line apart", (t) => {
  const f = (line: string, content: string, labels: string, time: string) => {
    const [output] = runPipeline("- cri: {}", [line], { labels: { app: "a" }, nowMs: now });
    t.equal(output!.line, content, line);
    t.equal(output!.labels, labels, line);
    t.equal(output!.time, time, line);
  };
  const stdout = '{app="a", stream="stdout"}';
  const stderr = '{app="a", stream="stderr"}';
  f(
    "2019-04-30T02:12:41.8443515Z stdout F message",
    "message",
    stdout,
    "2019-04-30T02:12:41.844351500Z",
  );
  f(
    "2019-01-01T01:00:00.000000001Z stderr F a b  c",
    "a b  c",
    stderr,
    "2019-01-01T01:00:00.000000001Z",
  );
  // Runtimes write their own zone's offset.
  f("2024-02-29T23:30:00.5+01:00 stdout F x", "x", stdout, "2024-02-29T22:30:00.500000000Z");
  f("2024-03-01T00:30:00-05:30 stdout F x", "x", stdout, "2024-03-01T06:00:00.000000000Z");
  // Content may be empty, hold any bytes, and flags may carry more than one tag.
  f("2019-01-01T01:00:00Z stdout F ", "", stdout, "2019-01-01T01:00:00.000000000Z");
  f("2019-01-01T01:00:00Z stdout F ünï 漢", "ünï 漢", stdout, "2019-01-01T01:00:00.000000000Z");
  f("2019-01-01T01:00:00Z stdout F:x y", "y", stdout, "2019-01-01T01:00:00.000000000Z");
  // Not a time: the rest is taken apart all the same.
  f("yesterday stdout F x", "x", stdout, arrival);
  f("2019-02-30T01:00:00Z stdout F x", "x", stdout, arrival);
  t.end();
});

t.test("cri leaves lines of another shape alone", (t) => {
  for (
    const line of [
      "",
      "x",
      "2019-01-01T01:00:00.000000001Z testgood",
      "2019-01-01 T01:00:00.000000001Z stderr testgood",
      "2019-01-01T01:00:00Z stdin F x",
      "2019-01-01T01:00:00Z stdoutF x",
      "2019-01-01T01:00:00Z stdout",
      "2019-01-01T01:00:00Z stdout F",
      "2019-01-01T01:00:00Z stdout  x",
      " stdout F x",
    ]
  ) {
    const [output] = runPipeline("- cri:", [line], { nowMs: now });
    t.strictSame([output!.line, output!.labels, output!.time], [line, "{}", arrival], line);
  }
  t.end();
});

t.test("cri joins partial lines by origin and stream, the last line giving the time", (t) => {
  const test = new TestPipeline("- cri: {}");
  const other = {};
  test.feed(["2024-01-01T00:00:01Z stdout P one ", "2024-01-01T00:00:01Z stderr P err "]);
  test.feed(["2024-01-01T00:00:02Z stdout P other "], other);
  test.feed(["2024-01-01T00:00:03Z stdout P two "]);
  t.strictSame(test.takeLines(), [], "nothing is sent before its end");
  const held = [...test.held()].sort((a, b) => a - b);
  t.strictSame(held, [0, 35, 70, 107], "each line that is held is known");
  test.feed(["2024-01-01T00:00:04Z stdout F three"]);
  const [joined] = test.take();
  t.equal(joined!.line, "one two three");
  t.equal(joined!.time, "2024-01-01T00:00:04.000000000Z");
  t.equal(joined!.offset, 0, "the entry begins where its first line did");
  test.feed(["2024-01-01T00:00:05Z stdout F whole"]);
  t.strictSame(test.takeLines(), ["whole"]);
  test.pipeline.flushOrigin(other);
  t.strictSame(test.takeLines(), ["other "]);
  test.pipeline.flush();
  t.strictSame(test.takeLines(), ["err "]);
  t.strictSame(test.held(), []);
  t.end();
});

t.test("cri bounds what it holds", (t) => {
  const p = (text: string) => `2024-01-01T00:00:01Z stdout P ${text}`;
  const f = (text: string) => `2024-01-01T00:00:01Z stdout F ${text}`;
  const cut = "- cri: {max_partial_line_size: 8, max_partial_line_size_truncate: true}";
  t.strictSame(
    runPipeline(cut, [p("12345"), p("6789"), f("x"), f("whole lines are not cut")])
      .map(({ line }) => line),
    ["12345678", "whole lines are not cut"],
  );
  t.strictSame(runPipeline(cut, [p("1234567890"), f("x")]).map(({ line }) => line), ["12345678"]);
  const pieces = "- cri: {max_partial_line_size: 8}";
  t.strictSame(
    runPipeline(pieces, [p("12345"), p("6789"), p("1234567890"), f("x")]).map(({ line }) => line),
    ["12345", "6789", "1234567890", "x"],
    "beyond the size, pieces are sent rather than lost",
  );
  const test = new TestPipeline("- cri: {max_partial_lines: 2}");
  for (let i = 0; i < 4; i++) test.feed([p(`stream ${i}`)], {});
  t.strictSame(test.takeLines(), ["stream 0", "stream 1"], "the oldest goes first");
  t.end();
});

t.test("cri extracts what later stages use", (t) => {
  t.strictSame(
    extracted("- cri: {}", ["time", "flags", "content"], "2019-01-01T01:00:00Z stderr F i'm a log"),
    { time: "2019-01-01T01:00:00Z", flags: "F", content: "i'm a log" },
  );
  t.end();
});

t.test("cri refuses what it does not know", (t) => {
  t.match(pipelineProblems("- cri: {max_partial_line: 3}"), /did you mean "max_partial_lines"/);
  t.match(pipelineProblems("- cri: {max_partial_lines: many}"), /"many" is not a whole number/);
  t.end();
});
