/** Answers a conformance case with a server over HTTP. Owns the shape of requests and answers; a shape that Loki does not have
 *  throws. */
import type { LabelMap, LogRow } from "../reference/row.ts";
import { labelText } from "../reference/row.ts";
import { PushClient, type PushStream } from "../pushClient.ts";
import { type Case, timeOf } from "./caseFile.ts";
import type { AnsweredLine, AnsweredSeries } from "./expectation.ts";
import type { Answer } from "./judge.ts";
import { defaults } from "./referenceAnswer.ts";

/** Pushes rows in their order. */
export async function pushRows(client: PushClient, rows: ReadonlyArray<LogRow>): Promise<void> {
  const streams = new Map<
    string,
    { labels: string; entries: Array<PushStream["entries"][number]> }
  >();
  for (const { labels, timestampNs, line, metadata } of rows) {
    const key = labelText(labels);
    const stream = streams.get(key) ?? { labels: key, entries: [] };
    const bytes = Uint8Array.from(line, (character) => character.charCodeAt(0));
    stream.entries.push({ timestamp: timestampNs, line: bytes, metadata });
    streams.set(key, stream);
  }
  if (streams.size > 0) await client.push([...streams.values()]);
}

export async function answerByServer(client: PushClient, test: Case): Promise<Answer> {
  const { path, parameters } = requestOf(test);
  const headers = test.options["categorize"] === undefined
    ? {}
    : { "x-loki-response-encoding-flags": "categorize-labels" };
  const reply = await client.request("GET", `${path}?${new URLSearchParams(parameters)}`, headers);
  if (reply.status !== 200) return { kind: "error", status: reply.status, message: reply.body };
  if (test.kind === "get") return { kind: "json", body: JSON.parse(reply.body) as unknown };
  return readAnswer(JSON.parse(reply.body) as Body, test, parameters);
}

interface Body {
  readonly status: string;
  readonly data?: unknown;
}

type Matrix = ReadonlyArray<
  { readonly metric: LabelMap; readonly values: ReadonlyArray<readonly [number, string]> }
>;
type Vector = ReadonlyArray<
  { readonly metric: LabelMap; readonly value: readonly [number, string] }
>;
type Streams = ReadonlyArray<
  {
    readonly stream: LabelMap;
    readonly values: ReadonlyArray<
      readonly [string, string, { structuredMetadata?: LabelMap; parsed?: LabelMap }?]
    >;
  }
>;

function requestOf({ kind, options, query }: Case): {
  readonly path: string;
  readonly parameters: Record<string, string>;
} {
  const start = String(timeOf(options["start"] ?? defaults.start));
  const end = (fallback: string) => String(timeOf(options["end"] ?? fallback));
  switch (kind) {
    case "logs":
      return {
        path: "/loki/api/v1/query_range",
        parameters: {
          query,
          start,
          end: end(defaults.end),
          limit: options["limit"] ?? defaults.limit,
          direction: options["direction"] ??
            (options["forward"] === undefined ? "backward" : "forward"),
          ...(options["interval"] === undefined ? {} : { interval: options["interval"] }),
        },
      };
    case "instant":
      return {
        path: "/loki/api/v1/query",
        parameters: { query, time: String(timeOf(options["at"] ?? defaults.at)) },
      };
    case "range":
      return {
        path: "/loki/api/v1/query_range",
        parameters: { query, start, end: end(defaults.at), step: options["step"] ?? "20s" },
      };
    case "labels":
      return { path: "/loki/api/v1/labels", parameters: { start, end: end(defaults.end), query } };
    case "values": {
      const [name, ...rest] = query.split(" ");
      return {
        path: `/loki/api/v1/label/${name}/values`,
        parameters: { start, end: end(defaults.end), query: rest.join(" ") },
      };
    }
    case "get": {
      const [path, rest] = query.split(/ (.*)/s);
      const given = (rest ?? "").split("; ").filter((pair) => pair !== "")
        .map((pair) => pair.split(/=(.*)/s).slice(0, 2) as [string, string]);
      return {
        path: path!,
        parameters: { start, end: end(defaults.end), ...Object.fromEntries(given) },
      };
    }
    case "series":
      return {
        path: "/loki/api/v1/series",
        parameters: { start, end: end(defaults.end), "match[]": query },
      };
  }
}

function readAnswer(body: Body, test: Case, parameters: Record<string, string>): Answer {
  if (body.status !== "success") throw new Error(`status is ${body.status}`);
  if (test.kind === "labels" || test.kind === "values") {
    return { kind: "names", names: (body.data ?? []) as string[] };
  }
  if (test.kind === "series") return { kind: "labelSets", sets: (body.data ?? []) as LabelMap[] };
  const data = body.data as { resultType: string; result: unknown; encodingFlags?: string[] };
  switch (data.resultType) {
    case "streams":
      return { kind: "lines", lines: readLines(data.result as Streams, data.encodingFlags, test) };
    case "scalar":
      return { kind: "scalar", value: (data.result as [number, string])[1] };
    case "vector":
      return {
        kind: "series",
        series: readVector(data.result as Vector, BigInt(parameters["time"] ?? "0")),
      };
    case "matrix":
      return { kind: "series", series: readMatrix(data.result as Matrix, parameters) };
    default:
      throw new Error(`resultType is ${data.resultType}`);
  }
}

function readLines(streams: Streams, flags: string[] | undefined, test: Case): AnsweredLine[] {
  const isCategorized = test.options["categorize"] !== undefined;
  if (isCategorized !== (flags?.includes("categorize-labels") ?? false)) {
    throw new Error(`encodingFlags are ${JSON.stringify(flags)}`);
  }
  return streams.flatMap(({ stream, values }) =>
    values.map(([time, line, extra]) => {
      if (isCategorized !== (extra !== undefined)) throw new Error("the third object of a value");
      const categories = {
        metadata: extra?.structuredMetadata ?? {},
        parsed: extra?.parsed ?? {},
      };
      const base = { labels: stream, timestampNs: BigInt(time), line };
      return isCategorized ? { ...base, categories } : base;
    })
  );
}

/** Times of samples are whole milliseconds. */
function readVector(vector: Vector, timeNs: bigint): AnsweredSeries[] {
  const wanted = Number(timeNs / 1_000_000n) / 1000;
  return vector.map(({ metric, value: [seconds, value] }) => {
    if (seconds !== wanted) throw new Error(`a sample at ${seconds}, wanted at ${wanted}`);
    return { labels: metric, values: [value] };
  });
}

function readMatrix(matrix: Matrix, parameters: Record<string, string>): AnsweredSeries[] {
  const start = Number(parameters["start"]) / 1e9;
  const step = Number.parseFloat(parameters["step"]!);
  if (!/^[\d.]+s?$/.test(parameters["step"]!)) throw new Error("steps are in seconds here");
  const steps = Math.floor((Number(parameters["end"]) / 1e9 - start) / step + 1e-9) + 1;
  return matrix.map(({ metric, values }) => {
    const row = new Array<string | null>(steps).fill(null);
    for (const [seconds, value] of values) {
      const index = Math.round((seconds - start) / step);
      if (
        Math.abs(start + index * step - seconds) > 1e-3 || index >= steps || row[index] !== null
      ) {
        throw new Error(`a point at ${seconds}, from ${start} by ${step}`);
      }
      row[index] = value;
    }
    return { labels: metric, values: row };
  });
}
