/** The stages that rewrite the line: output, pack, decolorize. After Promtail's documentation. */
import t from "tap";
import { pipelineProblems, runPipeline } from "../../testing/collectorPipelines.ts";

t.test("output", (t) => {
  const f = (source: string, line: string, expected: string) =>
    t.equal(
      runPipeline(`- json: {expressions: {msg: , n: , none: }}\n- output: {source: ${source}}`, [
        line,
      ])[0]!.line,
      expected,
      `${source} of ${line}`,
    );
  f("msg", '{"msg":"hello 😀"}', "hello 😀");
  f("msg", '{"msg":""}', "");
  f("n", '{"n":12.50}', "12.5");
  f("none", '{"none":null}', '{"none":null}');
  f("msg", '{"n":1}', '{"n":1}');
  f("msg", "text", "text");
  t.match(pipelineProblems("- output: {}"), /output.source: is required/);
  t.match(pipelineProblems("- output: {source: ''}"), /must not be empty/);
  t.end();
});

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

t.test("decolorize", (t) => {
  const f = (line: string, expected: string) =>
    t.equal(runPipeline("- decolorize:", [line])[0]!.line, expected, JSON.stringify(line));
  f(
    "[2022-11-04 22:17:57.811] \x1b[0;32mhttp\x1b[0m: GET /_health (0 ms) 204",
    "[2022-11-04 22:17:57.811] http: GET /_health (0 ms) 204",
  );
  f("no colour", "no colour");
  f("\x1b[1mü\x1b[22m\x1b[38;5;196mred\x1b[K", "üred");
  f("\x9b31mred", "red");
  f("\x1b not a sequence", "\x1b not a sequence");
  f("é©", "é©");
  t.end();
});
