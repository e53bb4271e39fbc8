/** Pipelines from text, for tests of what executes them, and rows sent through them one at a time.
 */
import { Result } from "effect";
import { describePipeline, everything, type Needed } from "../logql/pipelinePlan.ts";
import { compilePipeline } from "../logql/pipeline.ts";
import { parseLogQuery } from "../logql/parser.ts";
import { category, type Row } from "../logql/row.ts";
import { labelsFromObject } from "../streams/labels.ts";
import { encodeMetadata } from "../streams/metadata.ts";

/** The description of `| json | a="b"` and the like, as a thread gets it. Throws ParseError. */
export function pipelineOf(text: string, needed: Needed = everything) {
  const query = Result.getOrThrow(parseLogQuery(`{app="a"} ${text}`));
  return structuredClone(describePipeline(query.pipeline, needed));
}

/** A row as a test writes it. */
export interface PlainRow {
  readonly line: string | Uint8Array;
  readonly labels?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly timestampNs?: bigint;
}

/** A row as a pipeline left it. */
export interface PipedRow {
  readonly line: string;
  readonly stream: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Without __error_details__, whose wording is tested where it matters. */
  readonly parsed: Readonly<Record<string, string>>;
  readonly details: string | undefined;
}

/** What a pipeline makes of rows of any streams; null for those that it drops. */
export function runPipeline(
  text: string,
  rows: ReadonlyArray<PlainRow>,
  needed: Needed = everything,
): Array<PipedRow | null> {
  const pipeline = compilePipeline(pipelineOf(text, needed));
  return rows.map(({ line, labels = {}, metadata = {}, timestampNs = 0n }) => {
    const stream = pipeline.forStream(labelsFromObject(labels));
    if (stream === "none") return null;
    const lines = typeof line === "string" ? new TextEncoder().encode(line) : line;
    const meta = encodeMetadata(Object.entries(metadata));
    const block = {
      lines,
      lineEnds: Uint32Array.of(lines.length),
      rowStart: 0,
      rowEnd: 1,
      timestamps: BigInt64Array.of(timestampNs),
      metaIds: Uint32Array.of(meta.length === 0 ? 0 : 1),
      sets: { meta, setEnds: Uint32Array.of(meta.length) },
    };
    const mask = Uint8Array.of(1);
    for (const filter of stream.filters) filter.apply(block, mask);
    if (mask[0] === 0) return null;
    stream.begin(block, mask);
    return stream.run(0) ? pipedRow(pipeline.row) : null;
  });
}

function pipedRow(row: Row): PipedRow {
  const byCategory: Record<string, string>[] = [{}, {}, {}, {}];
  for (let index = 0; index < row.memberCount; index++) {
    const slot = row.members[index]!;
    if (row.has(slot)) byCategory[row.categories[slot]!]![row.names.text(slot)] = row.text(slot)!;
  }
  const { __error_details__: details, ...parsed } = byCategory[category.parsed]!;
  return {
    line: row.lineText(),
    stream: byCategory[category.stream]!,
    metadata: byCategory[category.metadata]!,
    parsed,
    details,
  };
}
