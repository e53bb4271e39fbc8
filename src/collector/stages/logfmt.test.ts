/** The stage logfmt against Promtail's documentation. */
import t from "tap";
import { extracted, pipelineProblems } from "../../testing/collectorPipelines.ts";

t.test("logfmt extracts what it maps", (t) => {
  const f = (mapping: string, line: string, expected: Record<string, string>) =>
    t.strictSame(
      extracted(`- logfmt: {mapping: ${mapping}}`, ["timestamp", "app", "duration", "msg"], line),
      expected,
      line,
    );
  const mapping = "{timestamp: time, app: , duration: , unknown: ''}";
  const line = 'time=2012-11-01T22:08:41+00:00 app=loki level=WARN duration=125 msg="a log line"';
  f(mapping, line, { timestamp: "2012-11-01T22:08:41+00:00", app: "loki", duration: "125" });
  f("{msg: }", line, { msg: "a log line" });
  f("{msg: }", 'msg="a \\"b\\" \\n \\u00e9 \\\\ 😀"', { msg: 'a "b" \n é \\ 😀' });
  f("{app: , msg: }", "app=a app=b msg", { app: "b" });
  f("{app: , msg: }", 'x="open app=a', {});
  f("{app: , msg: }", '"bad" =worse app=a msg=b', { app: "a", msg: "b" });
  f("{app: }", "", {});
  t.end();
});

t.test("logfmt reads a source", (t) => {
  const stages = "- logfmt: {mapping: {extra: }}\n- logfmt: {mapping: {user: }, source: extra}";
  t.strictSame(extracted(stages, ["user"], 'app=loki extra="user=foo"'), { user: "foo" });
  t.strictSame(extracted(stages, ["user"], "app=loki user=foo"), {});
  t.end();
});

t.test("logfmt refuses what cannot work", (t) => {
  t.match(pipelineProblems("- logfmt: {}"), /logfmt.mapping: is required/);
  t.match(pipelineProblems("- logfmt: {mapping: {}}"), /needs one key at least/);
  t.match(pipelineProblems("- logfmt: {mapping: {a: }, source: ''}"), /must not be empty/);
  t.end();
});
