/** The stage docker: lines as Docker writes them, the same read as any JSON, and what is neither. */
import fc from "fast-check";
import t from "tap";
import { extracted, runPipeline } from "../../testing/collectorPipelines.ts";

const now = Date.UTC(2024, 0, 1);
const run = (line: string) =>
  runPipeline("- docker: {}", [line], { labels: { app: "a" }, nowMs: now })[0]!;

t.test("docker takes a line apart", (t) => {
  const f = (line: string, log: string, stream: string, time: string) => {
    const output = run(line);
    t.equal(output.line, log, line);
    t.equal(output.labels, `{app="a", stream="${stream}"}`, line);
    t.equal(output.time, time, line);
  };
  f(
    '{"log":"level=info msg=\\"Adding target\\"\\n","stream":"stderr","time":"2019-04-30T02:12:41.8443515Z"}',
    'level=info msg="Adding target"',
    "stderr",
    "2019-04-30T02:12:41.844351500Z",
  );
  f(
    '{"log":"a\\tb\\\\c\\u003cd\\u003e \\/ ü\\r\\n","stream":"stdout","time":"2019-04-30T02:12:41Z"}',
    "a\tb\\c<d> / ü\r",
    "stdout",
    "2019-04-30T02:12:41.000000000Z",
  );
  // Other orders, blanks and members are JSON too.
  f(
    '{ "stream": "stdout", "time": "2019-04-30T04:12:41+02:00", "log": "x", "attrs": {"a": 1} }',
    "x",
    "stdout",
    "2019-04-30T02:12:41.000000000Z",
  );
  f(
    '{"log":"\\ud83d\\ude00\\n","stream":"stdout","time":"2019-04-30T02:12:41Z"}',
    "😀",
    "stdout",
    "2019-04-30T02:12:41.000000000Z",
  );
  t.end();
});

t.test("docker takes what there is", (t) => {
  const arrival = "2024-01-01T00:00:00.000000000Z";
  const f = (line: string, log: string, labels: string, time = arrival) => {
    const output = run(line);
    t.strictSame([output.line, output.labels, output.time], [log, labels, time], line);
  };
  f("plain text", "plain text", '{app="a"}');
  f('{"log":"x\\n"}', "x", '{app="a"}');
  f('{"log":"x', '{"log":"x', '{app="a"}');
  f('["log"]', '["log"]', '{app="a"}');
  f('{"log":3,"stream":null}', '{"log":3,"stream":null}', '{app="a"}');
  f('{"log":"x","stream":"stdout","time":"noon"}', "x", '{app="a", stream="stdout"}');
  t.end();
});

t.test("both ways of reading give the same entry", (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.constantFrom("stdout", "stderr"),
      (log, stream) => {
        const time = "2019-04-30T02:12:41.8443515Z";
        const text = log.toWellFormed();
        const docker = JSON.stringify({ log: text, stream, time });
        const other = JSON.stringify({ time, stream, log: text });
        t.strictSame(run(docker), run(other));
      },
    ),
  );
  t.end();
});

t.test("docker extracts what later stages use", (t) => {
  const line = '{"log":"x\\n","stream":"stderr","time":"2019-04-30T02:12:41Z"}';
  t.strictSame(
    extracted("- docker: {}", ["output", "timestamp"], line),
    { output: "x\n", timestamp: "2019-04-30T02:12:41Z" },
  );
  t.end();
});
