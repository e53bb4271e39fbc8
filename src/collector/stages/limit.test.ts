/** The stage limit, on a clock that the test moves. */
import t from "tap";
import { LabelSet } from "./labelSet.ts";
import { pipelineProblems, TestPipeline } from "../../testing/collectorPipelines.ts";

const ten = Array.from({ length: 10 }, (_, i) => String(i));

t.test("limit drops what is above the burst, which fills at the rate", (t) => {
  const test = new TestPipeline("- limit: {rate: 10, burst: 4, drop: true}");
  t.strictSame(test.feed(ten).takeLines(), ["0", "1", "2", "3"]);
  test.nowMs += 250;
  t.strictSame(test.feed(ten).takeLines(), ["0", "1"]);
  test.nowMs += 50;
  t.strictSame(test.feed(["x"]).takeLines(), ["x"], "half a line was left over");
  test.nowMs += 3_600_000;
  t.strictSame(test.feed(ten).takeLines(), ["0", "1", "2", "3"], "no more than the burst");
  t.match(
    test.metrics.expose(0),
    'logentry_dropped_lines_total{reason="ratelimit_drop_stage"} 20',
  );
  t.equal(test.pipeline.pausedUntilMs, 0);
  t.end();
});

t.test("limit without drop passes all and asks the sources to wait", (t) => {
  const test = new TestPipeline("- limit: {rate: 10, burst: 4}");
  const start = test.nowMs;
  t.strictSame(test.feed(ten.slice(0, 4)).takeLines(), ["0", "1", "2", "3"]);
  t.equal(test.pipeline.pausedUntilMs, 0);
  t.strictSame(test.feed(["4", "5"]).takeLines(), ["4", "5"]);
  t.equal(test.pipeline.pausedUntilMs, start + 200);
  test.nowMs = start + 200;
  test.feed(["6"]);
  t.equal(test.pipeline.pausedUntilMs, start + 300);
  t.end();
});

t.test("limit by label has a bucket for each value and none for lines without", (t) => {
  const test = new TestPipeline(
    "- limit: {rate: 1, burst: 1, drop: true, by_label_name: ns, max_distinct_labels: 2}",
  );
  const feed = (ns: string) => {
    const labels = LabelSet.of(ns === "" ? {} : { ns });
    return test.feed([`${ns}1`, `${ns}2`], test, labels).takeLines();
  };
  t.strictSame(feed("a"), ["a1"]);
  t.strictSame(feed("b"), ["b1"]);
  t.strictSame(feed(""), ["1", "2"]);
  t.strictSame(feed("a"), []);
  t.strictSame(feed("c"), ["c1"], "forgets b, which was used longest ago");
  t.strictSame(feed("a"), []);
  t.strictSame(feed("b"), ["b1"]);
  t.match(
    test.metrics.expose(0),
    'logentry_dropped_lines_by_label_total{label_name="ns",label_value="a"} 5',
  );
  t.end();
});

t.test("limit refuses what has no meaning", (t) => {
  t.match(pipelineProblems("- limit: {rate: 0, burst: 1}"), /limit.rate: must be greater than 0/);
  t.match(pipelineProblems("- limit: {rate: 1}"), /limit.burst: is required/);
  t.match(
    pipelineProblems("- limit: {rate: 1, burst: 1, by_label_name: x}"),
    /by_label_name needs drop: true/,
  );
  t.end();
});
