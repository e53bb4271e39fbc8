/** HTTP requests whose answers are bytes, of one server with kept connections: for object stores. Owns node:http and that an
 *  answer is whole or fails; what an answer means is the caller's. httpPush.ts is the same for short texts. */
import * as http from "node:http";
import * as https from "node:https";
import { type ClientTls, tlsOptions } from "./httpPush.ts";

export interface ClientRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent one after the other. */
  readonly body?: ReadonlyArray<Uint8Array>;
  /** Time without a byte in either direction after which it fails. */
  readonly idleMs: number;
  /** Bytes of an answer at which it fails. */
  readonly bytesMax: number;
  /** Ends it. */
  readonly signal?: AbortSignal;
}

export interface ClientAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

export class HttpClient {
  readonly #agent: http.Agent;
  readonly #isSecure: boolean;

  /** Throws if a certificate file cannot be read. */
  constructor(isSecure: boolean, tls: ClientTls | undefined, connectionsMax: number) {
    const options = { keepAlive: true, maxSockets: connectionsMax };
    this.#isSecure = isSecure;
    this.#agent = isSecure
      ? new https.Agent({ ...options, ...tlsOptions(tls) })
      : new http.Agent(options);
  }

  /** The whole answer, whatever its status. Rejects if there is none, or if it ends before it said it would. */
  send(
    { method, url, headers, body = [], idleMs, bytesMax, signal }: ClientRequest,
  ): Promise<ClientAnswer> {
    const { request } = this.#isSecure ? https : http;
    const length = body.reduce((sum, { byteLength }) => sum + byteLength, 0);
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const stay = () => {
        clearTimeout(timer);
        timer = setTimeout(
          () => sent.destroy(new Error(`nothing was heard for ${idleMs / 1000} s`)),
          idleMs,
        );
      };
      const onAbort = () => fail(new Error("the request was given up"));
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      const fail = (error: Error) => {
        end();
        reject(error);
        sent.destroy();
      };
      const sent = request(url, {
        method,
        agent: this.#agent,
        headers: length > 0 || method === "PUT" || method === "POST"
          ? { ...headers, "content-length": String(length) }
          : headers,
      }, (answer) => {
        const parts: Uint8Array[] = [];
        let bytes = 0;
        answer.on("data", (part: Uint8Array) => {
          stay();
          parts.push(part);
          bytes += part.byteLength;
          if (bytes > bytesMax) fail(new Error(`the answer has more than ${bytesMax} bytes`));
        });
        answer.on("error", fail);
        answer.on("aborted", () => fail(new Error("the connection was closed in the answer")));
        answer.on("end", () => {
          const declared = answer.headers["content-length"];
          if (method !== "HEAD" && declared !== undefined && Number(declared) !== bytes) {
            return fail(new Error(`the answer has ${bytes} of ${declared} bytes`));
          }
          end();
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers as ClientAnswer["headers"],
            body: parts.length === 1 ? parts[0]! : Buffer.concat(parts),
          });
        });
      });
      sent.on("error", fail);
      if (signal?.aborted === true) return onAbort();
      signal?.addEventListener("abort", onAbort, { once: true });
      stay();
      const write = (index: number) => {
        stay();
        if (index === body.length) sent.end();
        else if (sent.write(body[index]!)) setImmediate(() => write(index + 1));
        else sent.once("drain", () => write(index + 1));
      };
      write(0);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
