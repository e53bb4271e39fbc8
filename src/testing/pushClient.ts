/** Pushes log lines to a server over HTTP in every form that Loki's push API accepts, and reads the reply. Owns
 *  compression, headers and connections; protobuf.ts owns the message. It never retries: a test must see each
 *  outcome. */
import { Agent, type OutgoingHttpHeaders, request as httpRequest } from "node:http";
import { deflateSync, gzipSync } from "node:zlib";
import snappy from "snappy";
import { encodePushRequest, type PushStream } from "./protobuf.ts";

export type { PushEntry, PushStream } from "./protobuf.ts";

/** What came back. `body` is text, as errors are. */
export interface HttpReply {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A body ready to send. */
export interface PushBody {
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly bytes: Uint8Array;
}

/** Streams of a JSON push, labels as an object. Values are passed through, so that tests can send wrong ones. */
export interface JsonStream {
  readonly stream: Readonly<Record<string, string>>;
  readonly values: ReadonlyArray<ReadonlyArray<unknown>>;
}

/** Snappy block format around protobuf: what every agent sends. */
export function protobufBody(streams: ReadonlyArray<PushStream>): PushBody {
  return {
    path: "/loki/api/v1/push",
    headers: { "content-type": "application/x-protobuf" },
    bytes: snappy.compressSync(Buffer.from(encodePushRequest(streams))),
  };
}

/** Loki's JSON form. */
export function jsonBody(streams: ReadonlyArray<JsonStream>): PushBody {
  return {
    path: "/loki/api/v1/push",
    headers: { "content-type": "application/json" },
    bytes: Buffer.from(JSON.stringify({ streams })),
  };
}

/** The JSON form of `/api/prom/push`, with labels as a string and RFC 3339 timestamps. */
export function legacyJsonBody(streams: ReadonlyArray<PushStream>): PushBody {
  const json = streams.map((stream) => ({
    labels: stream.labels,
    entries: stream.entries.map((entry) => ({
      ts: rfc3339(entry.timestamp),
      line: typeof entry.line === "string" ? entry.line : Buffer.from(entry.line).toString(),
    })),
  }));
  return {
    path: "/api/prom/push",
    headers: { "content-type": "application/json" },
    bytes: Buffer.from(JSON.stringify({ streams: json })),
  };
}

/** The same body with a Content-Encoding around it. */
export function encoded(body: PushBody, encoding: "gzip" | "deflate"): PushBody {
  return {
    path: body.path,
    headers: { ...body.headers, "content-encoding": encoding },
    bytes: encoding === "gzip" ? gzipSync(body.bytes) : deflateSync(body.bytes),
  };
}

/** Nanoseconds since 1970 as RFC 3339 in UTC with nine digits. */
export function rfc3339(timestamp: bigint): string {
  const milliseconds = timestamp / 1_000_000n;
  const nanos = timestamp % 1_000_000_000n;
  const toSecond = new Date(Number(milliseconds)).toISOString().slice(0, 19);
  return `${toSecond}.${nanos.toString().padStart(9, "0")}Z`;
}

/** One client with its own connections. */
export class PushClient {
  readonly baseUrl: string;
  readonly #agent: Agent;
  readonly #headers: OutgoingHttpHeaders;

  /** @param tenant sent as X-Scope-OrgID with every request when given.
   *  @param connectionsMax connections kept open at most; further requests wait. */
  constructor(
    baseUrl: string,
    options: { readonly tenant?: string; readonly connectionsMax?: number } = {},
  ) {
    this.baseUrl = baseUrl;
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.connectionsMax ?? 8 });
    this.#headers = options.tenant === undefined ? {} : { "x-scope-orgid": options.tenant };
  }

  /** Sends a body. Rejects when the connection fails, in which case the outcome is unknown. */
  send(body: PushBody): Promise<HttpReply> {
    return this.request("POST", body.path, body.headers, body.bytes);
  }

  /** Pushes in protobuf and throws unless the server answers 204. */
  async push(streams: ReadonlyArray<PushStream>): Promise<void> {
    const reply = await this.send(protobufBody(streams));
    if (reply.status !== 204) {
      throw new Error(`Push answered ${reply.status}, wanted 204: ${reply.body.slice(0, 500)}`);
    }
  }

  /** Any request; `path` may carry a query string. */
  request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders = {},
    bytes?: Uint8Array,
  ): Promise<HttpReply> {
    return new Promise((resolve, reject) => {
      const request = httpRequest(this.baseUrl + path, {
        method,
        agent: this.#agent,
        headers: {
          ...(bytes === undefined ? {} : { "content-length": bytes.byteLength }),
          ...this.#headers,
          ...headers,
        },
      }, (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(parts).toString(),
            headers: response.headers,
          }));
        response.on("error", reject);
      });
      request.on("error", reject);
      request.end(bytes);
    });
  }

  /** Closes the connections. */
  close(): void {
    this.#agent.destroy();
  }
}
