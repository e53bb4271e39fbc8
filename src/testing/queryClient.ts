/** Reads logs back over HTTP, without any code of the server: query_range (paged), labels, values, series. Owns
 *  parameters and the shape of answers; comparing them with what was pushed is the test's business. Invariant:
 *  timestamps stay exact (bigint); an answer that is not understood throws. */
import { type HttpReply, PushClient } from "./pushClient.ts";

/** One line of an answer. */
export interface FoundEntry {
  /** The labels of the stream object it came in: with metadata and parsed labels folded in, unless categorized. */
  readonly labels: Readonly<Record<string, string>>;
  /** Nanoseconds since 1970. */
  readonly timestamp: bigint;
  readonly line: string;
  /** The third object of a value, which categorize-labels adds. */
  readonly extra: ValueExtra | undefined;
}

export interface ValueExtra {
  readonly structuredMetadata?: Readonly<Record<string, string>>;
  readonly parsed?: Readonly<Record<string, string>>;
}

export interface RangeQuery {
  readonly query: string;
  /** Inclusive, ns. */
  readonly start: bigint;
  /** Exclusive, ns. */
  readonly end: bigint;
  readonly limit?: number;
  readonly direction?: "forward" | "backward";
  /** Sends X-Loki-Response-Encoding-Flags: categorize-labels. */
  readonly categorize?: boolean;
}

interface StreamsAnswer {
  readonly status: string;
  readonly data: {
    readonly resultType: string;
    readonly encodingFlags?: ReadonlyArray<string>;
    readonly result: ReadonlyArray<{
      readonly stream: Readonly<Record<string, string>>;
      readonly values: ReadonlyArray<readonly [string, string, ValueExtra?]>;
    }>;
  };
}

/** Queries one server as one tenant. */
export class QueryClient {
  readonly #http: PushClient;

  constructor(baseUrl: string, options: { readonly tenant?: string } = {}) {
    this.#http = new PushClient(baseUrl, options);
  }

  /** A GET whose reply the caller judges. */
  get(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<HttpReply> {
    const search = new URLSearchParams(parameters).toString();
    return this.#http.request("GET", search === "" ? path : `${path}?${search}`);
  }

  /** query_range as the server answers it, streams in the order of the answer. */
  async streams(query: RangeQuery): Promise<StreamsAnswer["data"]> {
    const parameters = new URLSearchParams({
      query: query.query,
      start: String(query.start),
      end: String(query.end),
      limit: String(query.limit ?? 5000),
      direction: query.direction ?? "backward",
    });
    const reply = await this.#http.request(
      "GET",
      `/loki/api/v1/query_range?${parameters}`,
      query.categorize === true ? { "x-loki-response-encoding-flags": "categorize-labels" } : {},
    );
    if (reply.status !== 200) {
      throw new Error(
        `query_range of ${query.query} answered ${reply.status}: ${reply.body.slice(0, 500)}`,
      );
    }
    const answer = JSON.parse(reply.body) as StreamsAnswer;
    if (answer.status !== "success" || answer.data.resultType !== "streams") {
      throw new Error(`query_range answered no streams: ${reply.body.slice(0, 500)}`);
    }
    return answer.data;
  }

  /** query_range as a flat list: stream by stream, each in the order of the answer. */
  async range(query: RangeQuery): Promise<FoundEntry[]> {
    const data = await this.streams(query);
    return data.result.flatMap((stream) =>
      stream.values.map(([timestamp, line, extra]) => ({
        labels: stream.stream,
        timestamp: BigInt(timestamp),
        line,
        extra,
      }))
    );
  }

  /** Every line of the range, oldest first, in pages of `limit` lines (default 5000): the next page starts at the last
   *  timestamp seen, and what that page repeats is left out, as logcli does. */
  async all(query: Omit<RangeQuery, "direction">): Promise<FoundEntry[]> {
    const limit = query.limit ?? 5000;
    const found: FoundEntry[] = [];
    let start = query.start;
    let seenAtStart = 0;
    for (;;) {
      const page = await this.range({ ...query, start, limit, direction: "forward" });
      page.sort((a, b) => compare(a.timestamp, b.timestamp));
      const repeated = page.filter((entry) => entry.timestamp === start).length;
      if (repeated < seenAtStart) {
        throw new Error(`Paging lost lines: ${repeated} of ${seenAtStart} at ${start} came again`);
      }
      const seen = new Set(found.slice(found.length - seenAtStart).map(identity));
      const fresh = page.filter((entry) => entry.timestamp !== start || !seen.has(identity(entry)));
      for (const entry of fresh) found.push(entry);
      if (page.length < limit) return found;
      if (fresh.length === 0) {
        throw new Error(`More than ${limit} lines at timestamp ${start}: cannot page past them`);
      }
      start = (found[found.length - 1] as FoundEntry).timestamp;
      seenAtStart = countAtEnd(found, start);
    }
  }

  /** Label names. */
  labels(start: bigint, end: bigint): Promise<ReadonlyArray<string>> {
    return this.#list("/loki/api/v1/labels", { start: String(start), end: String(end) });
  }

  /** Values of one label. */
  values(name: string, start: bigint, end: bigint): Promise<ReadonlyArray<string>> {
    return this.#list(`/loki/api/v1/label/${encodeURIComponent(name)}/values`, {
      start: String(start),
      end: String(end),
    });
  }

  /** Label sets that `match` selects. */
  series(
    match: string,
    start: bigint,
    end: bigint,
  ): Promise<ReadonlyArray<Readonly<Record<string, string>>>> {
    return this.#list("/loki/api/v1/series", {
      "match[]": match,
      start: String(start),
      end: String(end),
    });
  }

  /** Asks the server to write everything unflushed into segments and waits until it says so. */
  async flush(): Promise<void> {
    const reply = await this.#http.request("POST", "/flush");
    if (reply.status !== 204) {
      throw new Error(`POST /flush answered ${reply.status}, wanted 204: ${reply.body}`);
    }
  }

  close(): void {
    this.#http.close();
  }

  async #list<T>(
    path: string,
    parameters: Readonly<Record<string, string>>,
  ): Promise<ReadonlyArray<T>> {
    const reply = await this.get(path, parameters);
    if (reply.status !== 200) {
      throw new Error(`${path} answered ${reply.status}: ${reply.body.slice(0, 500)}`);
    }
    const answer = JSON.parse(reply.body) as { status: string; data?: ReadonlyArray<T> };
    if (answer.status !== "success") throw new Error(`${path} answered ${reply.body}`);
    return answer.data ?? [];
  }
}

function identity(entry: FoundEntry): string {
  return JSON.stringify([entry.labels, entry.line, entry.extra]);
}

function countAtEnd(entries: ReadonlyArray<FoundEntry>, timestamp: bigint): number {
  let count = 0;
  while (entries[entries.length - 1 - count]?.timestamp === timestamp) count++;
  return count;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
