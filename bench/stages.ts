/** What the collector's pipelines cost: CPU seconds of one thread for a GB of lines as they are read, without files, batches
 *  or the network. Usage: node --expose-gc bench/stages.ts [words that a row must contain...], on either runtime. */
import process from "node:process";
import { compileStages } from "../src/collector/stages/compile.ts";
import { ConfigDocument } from "../src/platform/yaml/document.ts";
import { StageEntry } from "../src/collector/stages/entry.ts";
import { LabelSet } from "../src/collector/stages/labelSet.ts";
import { StageMetrics } from "../src/collector/stages/stageMetrics.ts";
import { type LineFormat, lineMakers } from "../src/testing/logLines.ts";
import { randomFrom } from "../src/testing/random.ts";

const corpusBytes = 32 * 1024 * 1024;
const rounds = 3;

/** How a container runtime wraps a line. */
type Framing = "plain" | "cri" | "docker";

/** Lines one after another, as a read of a file gives them. */
interface Corpus {
  readonly bytes: Uint8Array;
  /** Line k is bytes[ends[k - 1] + 1..ends[k]), without its line break. */
  readonly ends: Uint32Array;
}

function corpusOf(format: LineFormat, framing: Framing): Corpus {
  const random = randomFrom(7);
  const lines: string[] = [];
  let timeMs = 1_700_000_000_000;
  for (let total = 0, from = 0; total < corpusBytes; from = lines.length) {
    timeMs += 3;
    lineMakers[format]({ random, app: "gateway", pod: "gateway-7f9-x2", timeMs }, lines);
    for (let index = from; index < lines.length; index++) {
      lines[index] = framed(framing, lines[index]!, timeMs);
      total += lines[index]!.length + 1;
    }
  }
  let end = -1;
  const encoder = new TextEncoder();
  const ends = Uint32Array.from(lines, (line) => end += 1 + encoder.encode(line).length);
  return { bytes: encoder.encode(`${lines.join("\n")}\n`), ends };
}

function framed(framing: Framing, line: string, timeMs: number): string {
  const time = new Date(timeMs).toISOString().replace("Z", "123456Z");
  if (framing === "cri") return `${time} stdout F ${line}`;
  return framing === "docker" ? JSON.stringify({ log: `${line}\n`, stream: "stdout", time }) : line;
}

const cases: ReadonlyArray<readonly [LineFormat, Framing, string]> = [
  ["json", "plain", "[]"],
  ["json", "plain", "[static_labels: {env: prod}]"],
  ["nginx", "plain", "[]"],
  ["json", "cri", "[cri: {}]"],
  ["nginx", "cri", "[cri: {}]"],
  ["nginx", "cri", "[cri: {}, static_labels: {env: prod}]"],
  ["json", "docker", "[docker: {}]"],
  ["nginx", "docker", "[docker: {}]"],
  ["java", "cri", "[cri: {}, multiline: {firstline: '^\\d{4}-'}]"],
  ["nginx", "cri", "[cri: {}, match: {selector: '{app=\"x\"}', action: drop}]"],
  ["nginx", "cri", '[cri: {}, match: {selector: \'{app="gateway"} |= "/health"\', action: drop}]'],
  ["nginx", "cri", "[cri: {}, drop: {expression: '/health'}]"],
  ["json", "cri", "[cri: {}, json: {expressions: {level: }}, labels: {level: }]"],
  ["logfmt", "cri", "[cri: {}, logfmt: {mapping: {level: }}, labels: {level: }]"],
  ["nginx", "cri", "[cri: {}, regex: {expression: '\" (?P<status>\\d{3}) '}, labels: {status: }]"],
  [
    "json",
    "cri",
    "[cri: {}, json: {expressions: {ts: time}}, timestamp: {source: ts, format: RFC3339Nano}]",
  ],
  [
    "json",
    "cri",
    "[cri: {}, json: {expressions: {m: msg}}, template: {source: m, template: '{{ ToUpper .Value }}'}, output: {source: m}]",
  ],
];

const words = process.argv.slice(2);
const corpora = new Map<string, Corpus>();
console.log("| lines | pipeline | CPU s per GB | ns a line |\n| --- | --- | --- | --- |");
for (const [format, framing, yaml] of cases) {
  const title = `${format}, ${framing} | ${yaml}`;
  if (!words.every((word) => title.includes(word))) continue;
  const key = `${format} ${framing}`;
  const corpus = corpora.get(key) ?? corpusOf(format, framing);
  corpora.set(key, corpus);
  const { secondsPerGb, nsPerLine } = measure(corpus, yaml);
  console.log(`| ${title} | ${secondsPerGb.toFixed(2)} | ${nsPerLine.toFixed(0)} |`);
}

function measure({ bytes, ends }: Corpus, yaml: string) {
  let best = Infinity;
  for (let round = 0; round <= rounds; round++) {
    const run = runner(yaml);
    globalThis.gc?.();
    const before = process.cpuUsage();
    run(bytes, ends);
    const { user, system } = process.cpuUsage(before);
    // The first round warms up.
    if (round > 0) best = Math.min(best, (user + system) / 1e6);
  }
  return { secondsPerGb: best * 1e9 / bytes.length, nsPerLine: best * 1e9 / ends.length };
}

function runner(yaml: string): (bytes: Uint8Array, ends: Uint32Array) => void {
  const stages = new ConfigDocument(yaml).value as ReadonlyArray<Record<string, unknown>>;
  let written = 0;
  const environment = { jobName: "bench", metrics: new StageMetrics() };
  const pipeline = compileStages(stages, environment, (entry) => written += entry.byteLength);
  const labels = LabelSet.of({ app: "gateway", pod: "gateway-7f9-x2" });
  const origin = {};
  const entry = new StageEntry();
  return (bytes, ends) => {
    let start = 0;
    for (let line = 0; line < ends.length; line++) {
      const end = ends[line]!;
      entry.reset(labels, bytes, start, end, 1_700_000_000, 0, origin, start);
      pipeline.process(entry);
      start = end + 1;
    }
    pipeline.flush();
    if (written === 0) throw new Error("nothing came out");
  };
}
