/** HTTP requests whose answers are read as they come: lists, watches, logs that go on for ever. Over TCP, TLS
 *  or a unix socket. Owns node:http for that; httpPush.ts is for requests that carry the bytes. */
import * as http from "node:http";
import * as https from "node:https";
import { type ClientTls, tlsOptions } from "./httpPush.ts";

export interface HttpStreamAnswer {
  readonly status: number;
  /** The body's bytes. Ends with an error if the connection breaks before the body is whole. */
  readonly body: AsyncIterable<Uint8Array>;
  /** The whole body, if it has at most `bytesMax` bytes; throws if it has more. */
  readonly text: (bytesMax: number) => Promise<string>;
}

export interface HttpStreamRequest {
  /** Path and query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the request, and the reading of its body. */
  readonly signal: AbortSignal;
  /** Ends it when nothing has come for so long; 0 for never. */
  readonly idleMs: number;
}

/** A server to ask: `http://`, `https://` or `unix:///run/x.sock`. `tcp://` is Docker's word for http. */
export class HttpEndpoint {
  readonly #base: http.RequestOptions;
  readonly #isTls: boolean;
  readonly #prefix: string;

  /** Throws if the address is none of those, or a certificate file cannot be read. */
  constructor(address: string, tls?: ClientTls) {
    const url = new URL(address.replace(/^tcp:\/\//, tls === undefined ? "http://" : "https://"));
    this.#isTls = url.protocol === "https:";
    switch (url.protocol) {
      case "unix:":
        // There is no host; servers want the header all the same.
        this.#base = {
          socketPath: decodeURIComponent(url.pathname),
          headers: { host: "localhost" },
        };
        this.#prefix = "";
        break;
      case "http:":
      case "https:":
        this.#base = {
          host: url.hostname.replace(/^\[|\]$/g, ""),
          port: url.port || (this.#isTls ? 443 : 80),
          ...(this.#isTls ? tlsOptions(tls) : {}),
        };
        this.#prefix = url.pathname.replace(/\/+$/, "");
        break;
      default:
        throw new Error(
          `"${address}" is not an address that begins with unix://, http:// or https://`,
        );
    }
  }

  /** Resolves when the answer's headers are there, whatever its status. */
  get({ path, headers = {}, signal, idleMs }: HttpStreamRequest): Promise<HttpStreamAnswer> {
    const { request } = this.#isTls ? https : http;
    return new Promise((resolve, reject) => {
      const sent = request({
        ...this.#base,
        path: this.#prefix + path,
        headers: { ...this.#base.headers as Record<string, string>, ...headers },
        // A connection of its own: one that goes on for ever would block others.
        agent: false,
        signal,
      }, (answer) => {
        resolve({
          status: answer.statusCode ?? 0,
          body: answer,
          text: (bytesMax) => wholeText(answer, bytesMax),
        });
      });
      sent.setTimeout(idleMs, () => {
        sent.destroy(new Error(`nothing has come for ${Math.round(idleMs / 1000)} s`));
      });
      sent.on("error", reject);
      sent.end();
    });
  }
}

async function wholeText(answer: http.IncomingMessage, bytesMax: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of answer as AsyncIterable<Uint8Array>) {
    bytes += part.byteLength;
    if (bytes > bytesMax) {
      answer.destroy();
      throw new Error(`the answer has more than ${bytesMax} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** The lines of a body, without their line feeds. Throws if one has more than `bytesMax` bytes. */
export async function* linesOf(
  body: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    let start = 0;
    for (let end = part.indexOf(10); end >= 0; end = part.indexOf(10, start)) {
      parts.push(part.subarray(start, end));
      yield Buffer.concat(parts).toString("utf8");
      parts = [];
      bytes = 0;
      start = end + 1;
    }
    bytes += part.byteLength - start;
    if (bytes > bytesMax) throw new Error(`a line has more than ${bytesMax} bytes`);
    if (start < part.byteLength) parts.push(part.subarray(start));
  }
  if (bytes > 0) yield Buffer.concat(parts).toString("utf8");
}
