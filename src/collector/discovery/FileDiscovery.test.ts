/** Files of targets: JSON and YAML, changed, broken, repaired and removed. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Result } from "effect";
import t from "tap";
import { parseConfig } from "../config/load.ts";
import { targetRelabeler } from "../relabel/targetLabels.ts";
import { compileStages } from "../stages/compile.ts";
import { StageMetrics } from "../stages/stageMetrics.ts";
import { TargetFiles } from "./FileDiscovery.ts";

const directory = mkdtempSync(join(tmpdir(), "tailrace-file-sd-"));
t.teardown(() => rmSync(directory, { recursive: true }));

const text = `
scrape_configs:
- job_name: a
  file_sd_configs: [{files: ["${directory}/*.json", "${directory}/*.y{a,}ml"]}]
  relabel_configs:
  - {source_labels: [__meta_filepath], regex: '.*/(.+)', target_label: from}
  - {source_labels: [__address__], target_label: host}
`;
const { scrape_configs: [config] } = Result.getOrThrowWith(
  parseConfig({ file: "p.yaml", text, environment: null }),
  (error) => error,
);

function files() {
  const targets = new Map<string, ReadonlyArray<string>>();
  const problems: string[] = [];
  let sets = 0;
  const pipeline = compileStages([], { jobName: "a", metrics: new StageMetrics() }, () => {});
  const files = new TargetFiles({
    job: {
      name: "a",
      config: config!,
      pipeline,
      relabel: targetRelabeler(config!.relabel_configs),
    },
    config: config!.file_sd_configs[0]!,
    set: (target, groups) => {
      sets++;
      targets.set(target, groups.map(({ labels, pathText }) => `${labels.text} ${pathText}`));
    },
    onProblem: (message) => problems.push(message),
  });
  return { files, problems, all: () => [...targets.values()].flat().sort(), sets: () => sets };
}

const write = (name: string, text: string) => writeFileSync(join(directory, name), text);

t.test("targets follow their files", (t) => {
  const { files: targets, problems, all, sets } = files();
  t.teardown(() => targets.close());
  targets.refresh();
  t.strictSame(all(), []);
  write("a.json", '[{"targets": ["h1", "h2"], "labels": {"app": "x", "__path__": "/x/*.log"}}]');
  write("b.yml", "- labels: {app: y, n: 007, __path__: /y.log}\n");
  write("c.txt", "- labels: {app: z, __path__: /z.log}");
  write("d.yaml", "");
  targets.refresh();
  const fromA = [
    '{app="x", from="a.json", host="h1"} /x/*.log',
    '{app="x", from="a.json", host="h2"} /x/*.log',
  ];
  const fromB = '{app="y", from="b.yml", host="localhost", n="007"} /y.log';
  t.strictSame(all(), [...fromA, fromB]);
  const before = sets();
  targets.refresh();
  t.equal(sets(), before, "what is the same is left alone");

  write("a.json", '[{"targets": ["h1"], "labels": {"app": "x"');
  targets.refresh();
  targets.refresh();
  t.strictSame(all(), [...fromA, fromB], "a broken file keeps its targets");
  t.equal(problems.length, 1);
  t.match(problems[0], /Job "a": the targets in ".*a.json" cannot be read/);
  t.match(targets.state.problem, "a.json");
  write("a.json", '[{"target": ["h1"]}]');
  targets.refresh();
  t.match(problems[1], "target");

  write("a.json", '[{"targets": ["h3"], "labels": {"__path__": "/x/[a.log"}}]');
  targets.refresh();
  t.match(problems[2], "is not closed");

  write("a.json", "[]");
  rmSync(join(directory, "b.yml"));
  targets.refresh();
  t.strictSame(all(), []);
  t.equal(targets.state.problem, undefined);
  t.end();
});

t.test("a change in the directory is noticed", async (t) => {
  const { files: targets, all } = files();
  t.teardown(() => targets.close());
  targets.refresh();
  const changed = targets.changed(new AbortController().signal);
  write("e.yaml", "[{labels: {__path__: /e.log}}]");
  await changed;
  targets.refresh();
  t.strictSame(all(), ['{from="e.yaml", host="localhost"} /e.log']);
});
