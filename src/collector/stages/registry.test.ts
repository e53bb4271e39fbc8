/** Every stage of Promtail has a definition, and mistakes in a list of stages are told. */
import t from "tap";
import { pipelineProblems } from "../../testing/collectorPipelines.ts";
import { effectiveStages } from "./compile.ts";
import { stageDefinitions } from "./registry.ts";

/** After https://grafana.com/docs/loki/latest/send-data/promtail/stages/. */
const documented = [
  "cri",
  "decolorize",
  "docker",
  "drop",
  "eventlogmessage",
  "geoip",
  "json",
  "labelallow",
  "labeldrop",
  "labels",
  "limit",
  "logfmt",
  "match",
  "metrics",
  "multiline",
  "non_indexed_labels",
  "output",
  "pack",
  "regex",
  "replace",
  "sampling",
  "static_labels",
  "structured_metadata",
  "template",
  "tenant",
  "timestamp",
];

t.test("every stage of Promtail is known", (t) => {
  const ours = ["stack_traces"];
  t.strictSame([...stageDefinitions.keys()].sort(), [...documented, ...ours].sort());
  t.end();
});

t.test("a list of stages", (t) => {
  const f = (yaml: string, expected: string) => t.equal(pipelineProblems(yaml), expected, yaml);
  f(
    "- {}",
    "pipeline_stages[0]: a stage is a map with the stage's name as its only key, found none",
  );
  f(
    "- {cri: , docker: }",
    "pipeline_stages[0]: a stage is a map with the stage's name as its only key, found cri and docker",
  );
  f(
    "- labeldrp: [a]",
    'pipeline_stages[0].labeldrp: there is no such stage; did you mean "labeldrop"?',
  );
  const deep = (depth: number): string =>
    depth === 0 ? "{cri: }" : `{match: {selector: '{a="b"}', stages: [${deep(depth - 1)}]}}`;
  f(`- ${deep(32)}`, "");
  t.match(pipelineProblems(`- ${deep(33)}`), /nested more than 32 deep/);
  t.end();
});

t.test("stages with their defaults", (t) => {
  t.strictSame(effectiveStages([{ multiline: { firstline: "^x" } }, { cri: undefined }]), [
    { multiline: { firstline: "^x", max_wait_time: "3s", max_lines: 128 } },
    {
      cri: {
        max_partial_lines: 100,
        max_partial_line_size: "0B",
        max_partial_line_size_truncate: false,
      },
    },
  ]);
  t.end();
});
