/** Samples of metric queries for `tailrace query`: asking for a range or one moment, and writing each sample
 *  as a line: time, labels, value, series after series, as the server orders them. */
import { Effect, Schema } from "effect";
import { writeOutput } from "../platform/terminal.ts";
import { ask, type Connection } from "./connection.ts";
import type { Entry } from "./entries.ts";
import { formatNanoseconds } from "./entryPrinter.ts";
import { allowPartialParameter, printWarnings, Warnings } from "./partial.ts";

/** Where the query is evaluated: at `to` alone, or from `from` to `to` in steps. */
export interface SampleQuery {
  readonly query: string;
  readonly from: bigint;
  readonly to: bigint;
  /** As the server reads it; its own choice if there is none. */
  readonly step: string | undefined;
  readonly instant: boolean;
  /** Whether samples of what can be read will do. */
  readonly allowPartial: boolean;
}

/** Path and parameters of the request. */
export function sampleRequest({ query, from, to, step, instant, allowPartial }: SampleQuery): {
  readonly path: string;
  readonly parameters: ReadonlyArray<readonly [string, string]>;
} {
  const partial = allowPartial ? [allowPartialParameter] : [];
  if (instant) {
    const parameters = [["query", query], ["time", String(to)], ...partial] as const;
    return { path: "/loki/api/v1/query", parameters };
  }
  const range = [
    ["query", query],
    ["start", String(from)],
    ["end", String(to)],
    ...partial,
  ] as const;
  return {
    path: "/loki/api/v1/query_range",
    parameters: step === undefined ? range : [...range, ["step", step]],
  };
}

/** Asks and prints. `print` writes for people; `isJson` asks for one object a line. */
export const printSamples = Effect.fnUntraced(function* (
  connection: Connection,
  sampled: SampleQuery,
  print: (entry: Entry) => string,
  isJson: boolean,
) {
  const question = { ...sampleRequest(sampled), answer: Answer, query: sampled.query };
  const { data, warnings } = yield* ask(connection, question);
  printWarnings(warnings);
  const text = samplesOf(data).map((sample) => isJson ? jsonLine(sample) : print(entryOf(sample)));
  yield* Effect.promise(() => writeOutput(text.join("")));
});

interface Sample {
  /** Nanoseconds since 1970, as digits. */
  readonly timestamp: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: string;
}

const Labels = Schema.Record(Schema.String, Schema.String);
const Point = Schema.Tuple([Schema.Number, Schema.String]);

const Answer = Schema.Struct({
  warnings: Warnings,
  data: Schema.Union([
    Schema.Struct({
      resultType: Schema.Literal("matrix"),
      result: Schema.Array(Schema.Struct({ metric: Labels, values: Schema.Array(Point) })),
    }),
    Schema.Struct({
      resultType: Schema.Literal("vector"),
      result: Schema.Array(Schema.Struct({ metric: Labels, value: Point })),
    }),
    Schema.Struct({ resultType: Schema.Literal("scalar"), result: Point }),
  ]),
});

function samplesOf(data: (typeof Answer.Type)["data"]): ReadonlyArray<Sample> {
  switch (data.resultType) {
    case "matrix":
      return data.result.flatMap(({ metric, values }) =>
        values.map((point) => sampleOf(metric, point))
      );
    case "vector":
      return data.result.map(({ metric, value }) => sampleOf(metric, value));
    case "scalar":
      return [sampleOf({}, data.result)];
  }
}

function sampleOf(labels: Sample["labels"], [seconds, value]: typeof Point.Type): Sample {
  return { timestamp: `${Math.round(seconds * 1000)}000000`, labels, value };
}

/** Printed as lines are, with the value for the line. */
function entryOf({ timestamp, labels, value }: Sample): Entry {
  return { timestamp, labels, line: value, structuredMetadata: {}, parsed: {} };
}

function jsonLine({ timestamp, labels, value }: Sample): string {
  return `${JSON.stringify({ timestamp: formatNanoseconds(timestamp), labels, value })}\n`;
}
