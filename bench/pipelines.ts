/** How many megabytes of lines a pipeline takes in a CPU second, on one thread and blocks in
 *  memory: what parsing costs, without chunks and the network. Usage: node bench/pipelines.ts
 *  [words that a row must contain...], on either runtime. */
import process from "node:process";
import { compilePipeline } from "../src/logql/pipeline.ts";
import type { Needed } from "../src/logql/pipelinePlan.ts";
import type { LineBlock } from "../src/streams/lineBlock.ts";
import { encodeMetadata } from "../src/streams/metadata.ts";
import { type LineFormat, lineMakers } from "../src/testing/logLines.ts";
import { pipelineOf } from "../src/testing/pipelines.ts";
import { randomFrom } from "../src/testing/random.ts";

const blockBytes = 128 * 1024;
const corpusBytes = 32 * 1024 * 1024;

function blocksOf(format: LineFormat): LineBlock[] {
  const random = randomFrom(7);
  const encoder = new TextEncoder();
  const meta = encodeMetadata([["detected_level", "info"]]);
  const blocks: LineBlock[] = [];
  let timeMs = 1_700_000_000_000;
  for (let total = 0; total < corpusBytes;) {
    const lines: string[] = [];
    let bytes = 0;
    for (let from = 0; bytes < blockBytes; from = lines.length) {
      lineMakers[format](
        { random, app: "gateway", pod: "gateway-7f9-x2", timeMs: timeMs += 3 },
        lines,
      );
      for (const line of lines.slice(from)) bytes += line.length;
    }
    const encoded = lines.map((line) => encoder.encode(line));
    let end = 0;
    const lineEnds = Uint32Array.from(encoded, (line) => end += line.length);
    const buffer = new Uint8Array(end);
    encoded.forEach((line, row) => buffer.set(line, lineEnds[row]! - line.length));
    blocks.push({
      lines: buffer,
      lineEnds,
      rowStart: 0,
      rowEnd: lines.length,
      timestamps: new BigInt64Array(lines.length),
      metaIds: new Uint32Array(lines.length).fill(1),
      sets: { meta, setEnds: Uint32Array.of(meta.length) },
    });
    total += end;
  }
  return blocks;
}

const lineless = (...labels: string[]): Needed => ({ labels, line: false });
const all: Needed = { labels: "all", line: true };

const cases: ReadonlyArray<readonly [LineFormat, string, Needed]> = [
  ["json", "| json", lineless("status")],
  ["json", "| json | status >= 500", lineless("status")],
  ["json", "| json | status >= 500", lineless("method", "status")],
  ["json", "| json | status >= 500", all],
  ["json", '| json status="status", method="method"', lineless("status", "method")],
  ["json", "| json", all],
  ["logfmt", "| logfmt", lineless("duration", "level")],
  ["logfmt", '| logfmt | level="error"', all],
  ["logfmt", "| logfmt", all],
  [
    "nginx",
    '| pattern "<ip> - <_> [<_>] \\"<method> <path> <_>\\" <status> <size>"',
    lineless("path"),
  ],
  ["nginx", '| pattern "<ip> - <_> [<_>] \\"<method> <path> <_>\\" <status> <size>"', all],
  ["nginx", '| regexp "\\"(?P<method>\\\\w+) (?P<path>\\\\S+) [^\\"]*\\" (?P<status>\\\\d+)"', all],
  ["json", '| line_format "{{.detected_level}}"', all],
];

const words = process.argv.slice(2);
const corpora = new Map<LineFormat, LineBlock[]>();
for (const [format, text, needed] of cases) {
  const title = `${format} ${text} -> ${needed.labels}`;
  if (!words.every((word) => title.includes(word))) continue;
  const blocks = corpora.get(format) ?? blocksOf(format);
  corpora.set(format, blocks);
  const bytes = blocks.reduce((sum, { lines }) => sum + lines.length, 0);
  let best = 0;
  let passed = 0;
  for (let round = 0; round < 4; round++) {
    const pipeline = compilePipeline(pipelineOf(text, needed));
    const stream = pipeline.forStream([["app", "gateway"]]);
    if (stream === "none") throw new Error(title);
    passed = 0;
    const before = process.cpuUsage();
    for (const block of blocks) {
      const mask = new Uint8Array(block.rowEnd).fill(1);
      for (const filter of stream.filters) filter.apply(block, mask);
      stream.begin(block, mask);
      for (let row = 0; row < block.rowEnd; row++) {
        if (mask[row] === 1 && stream.run(row)) passed++;
      }
    }
    const { user, system } = process.cpuUsage(before);
    best = Math.max(best, bytes / (user + system));
  }
  console.log(`${best.toFixed(0).padStart(5)} MB/s  ${String(passed).padStart(7)} rows  ${title}`);
}
