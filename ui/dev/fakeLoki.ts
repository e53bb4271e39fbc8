// A Loki that holds lines in memory and can be told to misbehave: for working on the page without a server, and for tests of
// what a healthy server does not do on request (dropped connections, dropped lines). Knows selectors, line filters and label
// filters by equality, no more of LogQL. Invariant: listens on loopback only.
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { type WebSocket, WebSocketServer } from "ws";
import { pagePolicy } from "../../src/platform/pageFiles.ts";
import { compareNanoseconds } from "../src/model/nanoseconds.ts";
import { type Matcher, readSelector } from "../src/model/selector.ts";

export type Labels = Record<string, string>;

export interface FakeEntry {
  readonly stream: Labels;
  readonly nanoseconds: string;
  readonly line: string;
  readonly metadata: Labels;
}

interface Tail {
  readonly socket: WebSocket;
  readonly matches: (entry: FakeEntry) => boolean;
}

export class FakeLoki {
  /** The most entries one answer holds, as max_entries_limit_per_query. */
  entriesMax = 5000;
  /** While set, new tails are refused. */
  refuseTails = false;
  /** Queries are answered when this resolves. */
  gate: Promise<void> = Promise.resolve();
  #entries: FakeEntry[] = [];
  #tails = new Set<Tail>();
  #prefix: string;
  #files: string;
  #server: Server;
  #sockets = new WebSocketServer({ noServer: true });

  /** `files` is the built page; `prefix` is a path such as "/logs/" below which everything is. */
  constructor(files: string, prefix = "/") {
    this.#files = files;
    this.#prefix = prefix;
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on("upgrade", (request, socket, head) => {
      // A server that speaks Loki's API alone: the page does without answers in pieces.
      const isTail = new URL(request.url ?? "/", "http://fake").pathname.endsWith("/tail");
      if (this.refuseTails || !isTail) return void socket.destroy();
      this.#sockets.handleUpgrade(request, socket, head, (each) => this.#tail(request, each));
    });
  }

  /** Starts listening; gives the page's address. */
  async listen(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${this.#prefix}`;
  }

  async close(): Promise<void> {
    this.dropTails();
    this.#sockets.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Stores a line and shows it to the tails, as one frame each. */
  push(stream: Labels, nanoseconds: bigint, line: string, metadata: Labels = {}): void {
    const entry = { stream, nanoseconds: nanoseconds.toString(), line, metadata };
    this.#entries.push(entry);
    for (const tail of this.#tails) {
      if (tail.matches(entry)) send(tail.socket, { streams: [fold(entry)] });
    }
  }

  /** Stores a line that no tail sees. */
  store(stream: Labels, nanoseconds: bigint, line: string, metadata: Labels = {}): void {
    this.#entries.push({ stream, nanoseconds: nanoseconds.toString(), line, metadata });
  }

  /** Tells tails that a line was left out. */
  announceDropped(stream: Labels, nanoseconds: bigint): void {
    const dropped_entries = [{ labels: stream, timestamp: nanoseconds.toString() }];
    for (const tail of this.#tails) send(tail.socket, { streams: [], dropped_entries });
  }

  /** Cuts all tails without a closing handshake. */
  dropTails(): void {
    for (const tail of this.#tails) tail.socket.terminate();
    this.#tails.clear();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://fake");
    const path = url.pathname.startsWith(this.#prefix)
      ? url.pathname.slice(this.#prefix.length)
      : "?";
    const body = request.method === "POST" ? await text(request) : "";
    const parameters = body === "" ? url.searchParams : new URLSearchParams(body);
    if (path.endsWith("query_range")) await this.gate;
    try {
      if (path === "loki/api/v1/push") return this.#take(body, response);
      if (!path.startsWith("loki/api/v1/")) return this.#file(path, response);
      json(response, this.#api(path.slice("loki/api/v1/".length), parameters));
    } catch (cause) {
      response.writeHead(400, { "content-type": "text/plain; charset=utf-8" }).end(
        String((cause as Error).message),
      );
    }
  }

  #take(body: string, response: ServerResponse): void {
    const { streams } = JSON.parse(body) as {
      streams: { stream: Labels; values: [string, string][] }[];
    };
    for (const { stream, values } of streams) {
      for (const [nanoseconds, line] of values) this.push(stream, BigInt(nanoseconds), line);
    }
    response.writeHead(204).end();
  }

  #api(path: string, parameters: URLSearchParams): unknown {
    const value = /^label\/([^/]+)\/values$/.exec(path);
    if (value !== null) {
      return {
        status: "success",
        data: this.#values(decodeURIComponent(value[1] ?? ""), parameters),
      };
    }
    if (path === "labels") {
      const names = new Set(this.#entries.flatMap((entry) => Object.keys(entry.stream)));
      return { status: "success", ...(names.size === 0 ? {} : { data: [...names].sort() }) };
    }
    // The volume of lines is not what this is for: there are no samples.
    if (/^\s*sum\b/.test(parameters.get("query") ?? "")) {
      return { status: "success", data: { resultType: "matrix", result: [], stats: {} } };
    }
    if (path === "query_range") return this.#query(parameters);
    throw new Error("404 page not found");
  }

  #values(name: string, parameters: URLSearchParams): string[] {
    const query = parameters.get("query");
    const matches = query === null ? () => true : compile(query);
    const found = this.#entries.filter(matches).map((entry) => entry.stream[name]);
    return [...new Set(found.filter((each) => each !== undefined))].sort();
  }

  #query(parameters: URLSearchParams): unknown {
    const matches = compile(parameters.get("query") ?? "");
    const start = BigInt(parameters.get("start") ?? "0");
    const end = BigInt(parameters.get("end") ?? "0");
    const limit = Number(parameters.get("limit") ?? "100");
    if (limit > this.entriesMax) throw new Error("max entries limit per query exceeded");
    const found = this.#entries.filter((entry) => {
      const time = BigInt(entry.nanoseconds);
      return time >= start && time < end && matches(entry);
    }).sort((a, b) => compareNanoseconds(a.nanoseconds, b.nanoseconds));
    if (parameters.get("direction") !== "forward") found.reverse();
    const result = found.slice(0, limit).map((entry) => {
      const structuredMetadata = Object.keys(entry.metadata).length === 0
        ? undefined
        : entry.metadata;
      return {
        stream: entry.stream,
        values: [[entry.nanoseconds, entry.line, { structuredMetadata }]],
      };
    });
    const bytes = this.#entries.reduce((sum, entry) => sum + entry.line.length, 0);
    const stats = { summary: { totalBytesProcessed: bytes, execTime: 0.012 } };
    return { status: "success", data: { resultType: "streams", result, stats } };
  }

  #tail(request: IncomingMessage, socket: WebSocket): void {
    const url = new URL(request.url ?? "/", "http://fake");
    const tail = { socket, matches: compile(url.searchParams.get("query") ?? "") };
    this.#tails.add(tail);
    socket.on("close", () => this.#tails.delete(tail));
    socket.on("error", () => {});
  }

  #file(path: string, response: ServerResponse): void {
    const name = normalize(path === "" ? "index.html" : path);
    const file = join(this.#files, name);
    if (name.startsWith("..") || !existsSync(file)) {
      return void response.writeHead(404).end("404 page not found");
    }
    const types: Record<string, string> = {
      ".js": "text/javascript",
      ".css": "text/css",
      ".svg": "image/svg+xml",
    };
    response.writeHead(200, {
      "content-type": types[extname(name)] ?? "text/html; charset=utf-8",
      "content-security-policy": pagePolicy(readFileSync(join(this.#files, "index.html"), "utf8")),
    });
    createReadStream(file).pipe(response);
  }
}

/** A predicate from the little LogQL this knows; throws Loki's kind of parse error for the rest. */
function compile(query: string): (entry: FakeEntry) => boolean {
  const selector = readSelector(query);
  if (typeof selector === "string" || selector.start !== 0) {
    throw new Error(
      `parse error at line 1, col ${Math.max(1, query.length)}: syntax error: unexpected $end`,
    );
  }
  const tests = selector.matchers.map((matcher) => matcherTest(matcher));
  const stage =
    /\s*(?:(\|=|!=|\|~|!~)\s*|\|\s*([A-Za-z_]\w*)\s*(=~|!=|=)\s*)"((?:\\.|[^"\\])*)"\s*/y;
  stage.lastIndex = selector.end;
  while (stage.lastIndex < query.length) {
    const position = stage.lastIndex;
    const match = stage.exec(query);
    if (match === null) {
      throw new Error(
        `parse error at line 1, col ${position + 2}: syntax error: unexpected IDENTIFIER`,
      );
    }
    const value = JSON.parse(`"${match[4]}"`) as string;
    tests.push(
      match[1] === undefined
        ? fieldTest(match[2] ?? "", match[3] ?? "=", value)
        : lineTest(match[1], value),
    );
  }
  return (entry) => tests.every((test) => test(entry));
}

type Test = (entry: FakeEntry) => boolean;

function matcherTest(matcher: Matcher): Test {
  return compareTest((entry) => entry.stream[matcher.name] ?? "", matcher.operator, matcher.value);
}

function fieldTest(name: string, operator: string, value: string): Test {
  return compareTest((entry) => entry.metadata[name] ?? entry.stream[name] ?? "", operator, value);
}

function compareTest(read: (entry: FakeEntry) => string, operator: string, value: string): Test {
  const pattern = operator.endsWith("~") ? new RegExp(`^(?:${value})$`, "s") : undefined;
  const wanted = operator.startsWith("=");
  return (entry) => (pattern?.test(read(entry)) ?? read(entry) === value) === wanted;
}

function lineTest(operator: string, value: string): Test {
  const pattern = operator.endsWith("~") ? new RegExp(value) : undefined;
  const wanted = operator.startsWith("|");
  return (entry) => (pattern?.test(entry.line) ?? entry.line.includes(value)) === wanted;
}

function fold(entry: FakeEntry): unknown {
  return {
    stream: { ...entry.stream, ...entry.metadata },
    values: [[entry.nanoseconds, entry.line]],
  };
}

function send(socket: WebSocket, frame: unknown): void {
  socket.send(JSON.stringify(frame));
}

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { "content-type": "application/json; charset=UTF-8" }).end(
    JSON.stringify(body),
  );
}

async function text(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
}
