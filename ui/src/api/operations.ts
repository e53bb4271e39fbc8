// The server's own state: what it holds, which queries run, its metrics and settings.
import type { ResolvedRange } from "../model/timeRange.ts";
import { bounds } from "./fields.ts";
import { readSeries } from "./loki.ts";
import { remove, request, requestText } from "./request.ts";

export interface IndexStats {
  readonly streams: number;
  readonly chunks: number;
  readonly bytes: number;
  readonly entries: number;
}

export interface ActiveQuery {
  readonly id: string;
  readonly query: string;
  readonly seconds: number;
  readonly bytesDone?: number;
  readonly bytesTotal?: number;
  readonly linesMatched?: number;
}

/** Streams, lines and bytes in a range. */
export async function indexStats(range: ResolvedRange, signal: AbortSignal): Promise<IndexStats> {
  return await request("loki/api/v1/index/stats", { query: "{}", ...bounds(range) }, signal);
}

/** Bytes by the values of some labels, the largest first; without labels by stream. */
export async function volumes(
  labels: readonly string[],
  range: ResolvedRange,
  limit: number,
  signal: AbortSignal,
): Promise<readonly { labels: Readonly<Record<string, string>>; bytes: number }[]> {
  type Answer = { readonly data: { readonly resultType: string; readonly result: unknown } };
  const { data } = await request<Answer>("loki/api/v1/index/volume", {
    query: "{}",
    ...bounds(range),
    limit: String(limit),
    ...(labels.length === 0 ? {} : { targetLabels: labels.join(",") }),
  }, signal);
  return readSeries(data.resultType, data.result).map(({ labels, points }) => ({
    labels,
    bytes: Number(points.at(-1)?.[1] ?? 0),
  })).sort((a, b) => b.bytes - a.bytes);
}

/** How many values each label has. */
export async function cardinalities(
  range: ResolvedRange,
  signal: AbortSignal,
): Promise<readonly { label: string; cardinality: number }[]> {
  type Answer = { detectedLabels?: { label: string; cardinality: number }[] | null };
  const answer = await request<Answer>("loki/api/v1/detected_labels", bounds(range), signal);
  return [...answer.detectedLabels ?? []].sort((a, b) => b.cardinality - a.cardinality);
}

/** The label sets of streams that match a selector. */
export async function seriesOf(
  selector: string,
  range: ResolvedRange,
  signal: AbortSignal,
): Promise<readonly Readonly<Record<string, string>>[]> {
  type Answer = { readonly data?: Record<string, string>[] | null };
  const parameters = { "match[]": selector, ...bounds(range) };
  return (await request<Answer>("loki/api/v1/series", parameters, signal)).data ?? [];
}

export async function activeQueries(signal: AbortSignal): Promise<readonly ActiveQuery[]> {
  type Answer = { readonly queries?: ActiveQuery[] };
  return (await request<Answer>("tailrace/api/v1/queries", {}, signal)).queries ?? [];
}

export interface ClusterStatus {
  readonly partitions: readonly {
    readonly partition: number;
    /** "" while nobody owns it. */
    readonly owner: string;
    readonly checkpoint: number;
    readonly next: number;
    readonly bytes: number;
    /** -1 without a limit. */
    readonly bytesMax: number;
  }[];
  readonly ingesters: readonly string[];
  readonly queriers: readonly string[];
  readonly streams: readonly {
    readonly name: string;
    readonly leader: string;
    readonly messages: number;
    readonly bytes: number;
    readonly problems: readonly string[];
  }[];
  /** What somebody should look at. */
  readonly problems: readonly string[];
}

/** The cluster that the server is part of. */
export async function cluster(signal: AbortSignal): Promise<ClusterStatus> {
  return await request("tailrace/api/v1/cluster", {}, signal);
}

/** Ends a query. */
export async function endQuery(id: string): Promise<void> {
  await remove(`tailrace/api/v1/queries/${encodeURIComponent(id)}`);
}

/** Prometheus' text format as a map from name (labels included) to value. */
export async function metrics(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for (const line of (await requestText("metrics", signal)).split("\n")) {
    const match = /^([a-zA-Z_:][^\s{]*(?:\{.*\})?)\s+(\S+)/.exec(line);
    if (match !== null) found.set(match[1] ?? "", Number(match[2]));
  }
  return found;
}

/** The effective settings as YAML. */
export async function configuration(signal: AbortSignal): Promise<string> {
  return await requestText("config", signal);
}

export async function version(signal: AbortSignal): Promise<string> {
  type Answer = { readonly version?: string };
  return (await request<Answer>("loki/api/v1/status/buildinfo", {}, signal)).version ?? "";
}
