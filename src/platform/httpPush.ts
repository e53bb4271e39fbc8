/** HTTP requests of long-lived clients: one pool of kept connections per destination, TLS with certificates
 *  of one's own, a time limit from connecting to the last byte. Owns node:http; what is sent and what an
 *  answer means is the caller's. `fetch` offers neither certificates nor unix sockets on both runtimes. */
import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import type { SecureContextOptions } from "node:tls";

/** How to speak TLS: PEM text, or files that are read when a connection is made. */
export interface ClientTls {
  readonly ca?: string | undefined;
  readonly ca_file?: string | undefined;
  readonly cert?: string | undefined;
  readonly cert_file?: string | undefined;
  readonly key?: string | undefined;
  readonly key_file?: string | undefined;
  readonly server_name?: string | undefined;
  readonly insecure_skip_verify?: boolean | undefined;
}

/** How the other side is checked. */
interface TlsPeer {
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  /** The body's beginning. */
  readonly text: string;
  readonly retryAfter: string | undefined;
  /** Where a redirect leads. They are not followed. */
  readonly location: string | undefined;
}

/** What is kept of an answer's body. */
const answerBytesMax = 64 * 1024;

export class HttpSender {
  readonly #agent: http.Agent;
  readonly #url: URL;

  /** Throws if a certificate file cannot be read. */
  constructor(url: string, tls: ClientTls | undefined, connectionsMax: number) {
    this.#url = new URL(url);
    const options = { keepAlive: true, maxSockets: connectionsMax };
    this.#agent = this.#url.protocol === "https:"
      ? new https.Agent({ ...options, ...tlsOptions(tls) })
      : new http.Agent(options);
  }

  /** POSTs `body` and reads the answer, whatever its status. Rejects if there is none within `timeoutMs`. */
  post(
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const url = this.#url;
    const { request } = url.protocol === "https:" ? https : http;
    return new Promise((resolve, reject) => {
      const sent = request(url, {
        method: "POST",
        agent: this.#agent,
        headers: { ...headers, "content-length": String(body.byteLength) },
        signal,
        ...(url.username === ""
          ? {}
          : { auth: `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}` }),
      }, (answer) => {
        const parts: Uint8Array[] = [];
        let bytes = 0;
        answer.on("data", (part: Uint8Array) => {
          if (bytes < answerBytesMax) parts.push(part);
          bytes += part.byteLength;
        });
        answer.on("error", fail);
        answer.on("end", () => {
          clearTimeout(timer);
          resolve({
            status: answer.statusCode ?? 0,
            text: Buffer.concat(parts).toString("utf8", 0, answerBytesMax),
            retryAfter: answer.headers["retry-after"],
            location: answer.headers.location,
          });
        });
      });
      const fail = (error: Error) => {
        clearTimeout(timer);
        reject(error);
      };
      // After the request, which throws at once if a header is none.
      const timer = setTimeout(
        () => sent.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)),
        timeoutMs,
      );
      sent.on("error", fail);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** The options of node:tls; throws if a file cannot be read. */
export function tlsOptions(tls: ClientTls | undefined): SecureContextOptions & TlsPeer {
  if (tls === undefined) return {};
  const ca = tls.ca ?? fileText(tls.ca_file);
  const cert = tls.cert ?? fileText(tls.cert_file);
  const key = tls.key ?? fileText(tls.key_file);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tls.server_name === undefined ? {} : { servername: tls.server_name }),
    rejectUnauthorized: tls.insecure_skip_verify !== true,
  };
}

function fileText(path: string | undefined): string | undefined {
  return path === undefined || path === "" ? undefined : readFileSync(path, "utf8");
}
