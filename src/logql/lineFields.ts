/** The fields of single lines, found with the parsers of queries: for telling a user what a stream's
 *  lines hold. Not for scans: it makes strings. Invariant: a field has the name and the value that the
 *  parser gives it in a query. */
import type { Labels } from "../streams/labels.ts";
import type { Stage } from "./ast.ts";
import { compilePipeline, type Pipeline, type StreamPipeline } from "./pipeline.ts";
import { describePipeline } from "./pipelinePlan.ts";
import { category } from "./row.ts";

export type FieldParser = "json" | "logfmt";

/** Reads fields of lines of one parser. */
export class LineFields {
  readonly #pipeline: Pipeline;
  readonly #streams = new Map<string, StreamPipeline>();

  constructor(parser: FieldParser) {
    this.#pipeline = compilePipeline(describePipeline([stages[parser]]));
  }

  /** Names and values in the order of the line; null for a line that is not of the parser's form.
   *  `labels` are those of the line's stream, `stream` its name among all: a field of a label's name
   *  is called otherwise. */
  read(
    stream: string,
    labels: Labels,
    line: Uint8Array,
  ): ReadonlyArray<readonly [name: string, value: string]> | null {
    const { row } = this.#pipeline;
    const of = this.#streamOf(stream, labels);
    of.runAt(line, 0, line.length, none, 0, 0, noTime, 0);
    if (row.hasError) return null;
    const fields: Array<readonly [string, string]> = [];
    for (let index = 0; index < row.memberCount; index++) {
      const slot = row.members[index]!;
      if (row.categories[slot] === category.parsed) {
        fields.push([row.names.text(slot), row.text(slot)!]);
      }
    }
    return fields;
  }

  #streamOf(name: string, labels: Labels): StreamPipeline {
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      if (this.#streams.size >= streamsMax) this.#streams.clear();
      const made = this.#pipeline.forStream(labels);
      // Only label filters rule streams out.
      if (made === "none") throw new Error("a parser alone refused a stream");
      this.#streams.set(name, stream = made);
    }
    return stream;
  }
}

const streamsMax = 1000;
const none = new Uint8Array(0);
const noTime = { timestamps: new BigInt64Array(1) };
const span = { start: 0, end: 0 };
const stages: Readonly<Record<FieldParser, Stage>> = {
  json: { kind: "JsonParser", extractions: [], span },
  logfmt: { kind: "LogfmtParser", strict: false, keepEmpty: false, extractions: [], span },
};
