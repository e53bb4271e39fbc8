/** A real S3 server (versitygw over a temporary directory) and a proxy in front of it that does to answers what networks and
 *  overloaded stores do. Owns starting and ending; what is asked is the test's business. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { s3Program } from "./s3Program.ts";
import { freePort } from "./serverProcess.ts";

export const s3Credentials = { accessKeyId: "test-key", secretAccessKey: "test-secret-of-s3" };

export class S3Server {
  readonly endpoint: string;
  readonly directory: string;
  readonly #child: ChildProcess;

  private constructor(endpoint: string, directory: string, child: ChildProcess) {
    this.endpoint = endpoint;
    this.directory = directory;
    this.#child = child;
  }

  static async start(): Promise<S3Server> {
    const directory = mkdtempSync(join(tmpdir(), "tailrace-s3-"));
    const port = await freePort();
    const child = spawn(s3Program(), [
      ...["--access", s3Credentials.accessKeyId, "--secret", s3Credentials.secretAccessKey],
      ...["--port", `127.0.0.1:${port}`, "--quiet", "--health", "/health"],
      ...["posix", "--sidecar", join(directory, "sidecar"), join(directory, "buckets")],
    ], { stdio: ["ignore", "ignore", "pipe"], env: { PATH: process.env["PATH"] } });
    mkdirSync(join(directory, "buckets"));
    mkdirSync(join(directory, "sidecar"));
    const server = new S3Server(`http://127.0.0.1:${port}`, directory, child);
    running.add(server);
    let output = "";
    child.stderr?.on("data", (part: Buffer) => output = (output + part.toString()).slice(-4000));
    while (!await fetch(`${server.endpoint}/health`).then((reply) => reply.ok, () => false)) {
      if (child.exitCode !== null) throw new Error(`versitygw ended: ${output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return server;
  }

  /** A new bucket; to this server a directory is one. */
  makeBucket(name: string): void {
    mkdirSync(join(this.directory, "buckets", name));
  }

  remove(): void {
    this.#child.kill("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
    running.delete(this);
  }
}

const running = new Set<S3Server>();
process.once("exit", () => {
  for (const server of running) server.remove();
});

/** What happens to one request. `before` means that the server never sees it, `after` that it does its work. */
export type S3Fault =
  | {
    readonly kind: "status";
    readonly when: "before" | "after";
    readonly status: number;
    readonly code?: string;
  }
  | { readonly kind: "reset"; readonly when: "before" | "after" }
  /** The body ends in the middle: with the connection, or by a wrong length. */
  | { readonly kind: "cut" | "short" }
  /** A byte of the body is another one. */
  | { readonly kind: "flip" };

export class S3Proxy {
  readonly endpoint: string;
  /** Decides what happens to the next requests. */
  fault: (request: { readonly method: string; readonly url: string }) => S3Fault | undefined = () =>
    undefined;
  readonly #server: http.Server;

  private constructor(endpoint: string, server: http.Server) {
    this.endpoint = endpoint;
    this.#server = server;
  }

  static async start(target: S3Server): Promise<S3Proxy> {
    const server = http.createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const proxy = new S3Proxy(`http://127.0.0.1:${port}`, server);
    server.on("request", (request, response) => proxy.#pass(target, request, response));
    return proxy;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #pass(target: S3Server, request: http.IncomingMessage, response: http.ServerResponse): void {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("error", () => {});
    request.on("end", () => {
      const { method = "", url = "" } = request;
      const fault = this.fault({ method, url });
      if (fault !== undefined && "when" in fault && fault.when === "before") {
        return answerWith(fault, response);
      }
      const passed = http.request(`${target.endpoint}${url}`, {
        method,
        headers: request.headers,
      }, (answer) => {
        const received: Buffer[] = [];
        answer.on("data", (part: Buffer) => received.push(part));
        answer.on("end", () => finish(fault, answer, Buffer.concat(received), response));
      });
      passed.on("error", () => response.destroy());
      passed.end(Buffer.concat(parts));
    });
  }
}

function answerWith(fault: S3Fault, response: http.ServerResponse): void {
  if (fault.kind !== "status") return void response.destroy();
  const { status, code = "InternalError" } = fault;
  response.writeHead(status, { "content-type": "application/xml" });
  response.end(
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>a fault</Message></Error>`,
  );
}

function finish(
  fault: S3Fault | undefined,
  answer: http.IncomingMessage,
  body: Buffer,
  response: http.ServerResponse,
): void {
  if (fault !== undefined && "when" in fault) return answerWith(fault, response);
  const half = body.subarray(0, body.length >> 1);
  const status = answer.statusCode ?? 0;
  if (fault?.kind === "cut") {
    response.writeHead(status, answer.headers);
    response.write(half, () => response.destroy());
    return;
  }
  if (fault?.kind === "short") {
    response.writeHead(status, { ...answer.headers, "content-length": String(half.length) });
    response.end(half);
    return;
  }
  if (fault?.kind === "flip" && body.length > 0) body[body.length >> 1]! ^= 1;
  response.writeHead(status, answer.headers);
  response.end(body);
}
