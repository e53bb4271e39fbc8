/** Runs the collector's pipelines in tests: stages as YAML, lines in, what comes out as plain values. */
import { compileStages, PipelineInvalid } from "../collector/stages/compile.ts";
import { ConfigDocument } from "../platform/yaml/document.ts";
import { StageEntry } from "../collector/stages/entry.ts";
import { LabelSet } from "../collector/stages/labelSet.ts";
import type { StagePipeline } from "../collector/stages/stage.ts";
import { StageMetrics } from "../collector/stages/stageMetrics.ts";

export interface PipelineOptions {
  /** Labels that lines come with. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Milliseconds since 1970; also the time that lines come with. */
  readonly nowMs?: number;
  readonly random?: () => number;
}

/** One entry that came out. */
export interface Output {
  readonly line: string;
  /** Canonical text. */
  readonly labels: string;
  /** ISO 8601 with nanoseconds. */
  readonly time: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tenant: string | null;
  readonly offset: number;
}

/** A pipeline to feed line by line. */
export class TestPipeline {
  readonly metrics = new StageMetrics();
  readonly outputs: Output[] = [];
  readonly pipeline: StagePipeline;
  nowMs: number;
  #labels: LabelSet;
  #entry = new StageEntry();
  #offset = 0;

  constructor(yaml: string, options: PipelineOptions = {}) {
    this.nowMs = options.nowMs ?? Date.UTC(2024, 0, 1);
    this.#labels = LabelSet.of(options.labels ?? {});
    const stages = new ConfigDocument(yaml).value as ReadonlyArray<Record<string, unknown>>;
    this.pipeline = compileStages(
      stages,
      {
        jobName: "test",
        metrics: this.metrics,
        nowMs: () => this.nowMs,
        random: options.random ?? Math.random,
      },
      (entry) => this.outputs.push(outputOf(entry)),
    );
  }

  /** Feeds lines as if they stood one after another in a file, which `origin` stands for. */
  feed(lines: ReadonlyArray<string>, origin: object = this, labels = this.#labels): this {
    const encoder = new TextEncoder();
    for (const line of lines) {
      // The line lies in a larger buffer that is overwritten afterwards, as a source's is.
      const bytes = encoder.encode(`\n${line}\n`);
      const seconds = Math.floor(this.nowMs / 1000);
      const nanos = (this.nowMs % 1000) * 1e6;
      const entry = this.#entry;
      entry.reset(labels, bytes, 1, bytes.length - 1, seconds, nanos, origin, this.#offset);
      this.#offset += bytes.length - 1;
      this.pipeline.process(entry);
      bytes.fill(0x23);
    }
    return this;
  }

  /** What came out since the last call. */
  take(): ReadonlyArray<Output> {
    return this.outputs.splice(0);
  }

  takeLines(): ReadonlyArray<string> {
    return this.take().map(({ line }) => line);
  }

  /** Offsets of what is held back. */
  held(): ReadonlyArray<number> {
    const offsets: number[] = [];
    this.pipeline.eachHeld((_origin, offset) => offsets.push(offset));
    return offsets;
  }
}

/** What comes out for lines, everything held back flushed at the end. */
export function runPipeline(
  yaml: string,
  lines: ReadonlyArray<string>,
  options: PipelineOptions = {},
): ReadonlyArray<Output> {
  const test = new TestPipeline(yaml, options).feed(lines);
  test.pipeline.flush();
  return test.outputs;
}

/** The mistakes of stages, as text; empty if there are none. */
export function pipelineProblems(yaml: string): string {
  try {
    new TestPipeline(yaml);
    return "";
  } catch (error) {
    if (error instanceof PipelineInvalid) return error.message;
    throw error;
  }
}

/** One way to see extracted values: as the line. */
export function extracted(
  stages: string,
  names: ReadonlyArray<string>,
  line: string,
  options: PipelineOptions = {},
): Readonly<Record<string, string>> {
  const show = `\n- structured_metadata: {${names.map((name) => `${name}: `).join(", ")}}`;
  return runPipeline(stages + show, [line], options)[0]!.metadata;
}

function outputOf(entry: StageEntry): Output {
  entry.encode();
  const seconds = new Date(entry.seconds * 1000).toISOString().slice(0, 19);
  return {
    line: new TextDecoder().decode(entry.bytes.subarray(entry.start, entry.end)),
    labels: entry.labels.text,
    time: `${seconds}.${String(entry.nanos).padStart(9, "0")}Z`,
    metadata: Object.fromEntries(entry.metadata),
    tenant: entry.labels.tenant,
    offset: entry.offset,
  };
}
