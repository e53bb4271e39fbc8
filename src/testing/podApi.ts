/** A server that speaks the list and watch protocol of Kubernetes for pods and nodes, and misbehaves when told to: versions
 *  that are forgotten, cut connections, refusals. Owns versions, selectors and pages; what is listed is the test's. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly [key: string]: unknown;
  };
  readonly spec?: { readonly nodeName?: string; readonly [key: string]: unknown };
  readonly status?: Readonly<Record<string, unknown>>;
}

interface Event {
  readonly type: string;
  readonly object: FakeObject;
  readonly version: number;
}

interface List {
  readonly number: number;
  readonly version: number;
  readonly all: ReadonlyArray<FakeObject>;
}

interface Watch {
  readonly response: ServerResponse;
  readonly matches: (object: FakeObject) => boolean;
}

export class PodApi {
  readonly #server = createServer((request, response) => this.#answer(request, response));
  readonly #objects = new Map<string, FakeObject>();
  #history: Event[] = [];
  /** Versions up to this one are forgotten. */
  #forgotten = 0;
  #version = 10;
  readonly #watches = new Set<Watch>();
  readonly #lists: List[] = [];
  /** Path and query of each request. */
  readonly requests: string[] = [];
  readonly authorizations = new Set<string>();
  /** Answers every request with this status instead. */
  refusal: { readonly status: number; readonly message: string } | undefined;
  /** How an expired version is told: by the status of the answer or as an event of the watch. */
  tellsGoneBy: "status" | "event" = "status";

  static async start(): Promise<PodApi> {
    const api = new PodApi();
    await new Promise<void>((resolve) => api.#server.listen(0, "127.0.0.1", resolve));
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get watchCount(): number {
    return this.#watches.size;
  }

  get version(): number {
    return this.#version;
  }

  /** Adds or changes a pod; an object without a namespace is a node. */
  put(object: FakeObject): void {
    const key = keyOf(object);
    this.#publish(this.#objects.has(key) ? "MODIFIED" : "ADDED", object);
  }

  remove(object: FakeObject): void {
    this.#publish("DELETED", object);
  }

  /** Changes something without telling any watch, as while a connection is down. */
  removeSilently(object: FakeObject): void {
    this.#version++;
    this.#objects.delete(keyOf(object));
  }

  /** Tells watches the version without an object. */
  bookmark(): void {
    this.#version++;
    const metadata = { resourceVersion: String(this.#version) };
    for (const { response } of this.#watches) {
      response.write(`${JSON.stringify({ type: "BOOKMARK", object: { metadata } })}\n`);
    }
  }

  /** Forgets what has happened so far, as after compaction. */
  forget(): void {
    this.#history = [];
    this.#forgotten = this.#version;
  }

  /** Cuts all watches in the middle of a line, without an end of the answer. */
  cutWatches(): void {
    for (const { response } of this.#watches) {
      response.write('{"type":"ADD');
      response.socket?.destroy();
    }
    this.#watches.clear();
  }

  /** Ends all watches as their time limit does. */
  endWatches(): void {
    for (const { response } of this.#watches) response.end();
    this.#watches.clear();
  }

  /** Sends all watches an event as it is. */
  send(event: unknown): void {
    for (const { response } of this.#watches) response.write(`${JSON.stringify(event)}\n`);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #publish(type: string, given: FakeObject): void {
    this.#version++;
    const metadata = { ...given.metadata, resourceVersion: String(this.#version) };
    const object = { ...given, metadata };
    if (type === "DELETED") this.#objects.delete(keyOf(given));
    else this.#objects.set(keyOf(given), object);
    this.#history.push({ type, object, version: this.#version });
    for (const { response, matches } of this.#watches) {
      if (matches(object)) response.write(`${JSON.stringify({ type, object })}\n`);
    }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(request.url ?? "");
    this.authorizations.add(request.headers.authorization ?? "");
    const url = new URL(request.url ?? "", "http://x");
    const matches = matcherOf(url);
    response.setHeader("content-type", "application/json");
    if (this.refusal !== undefined) return this.#fail(response, this.refusal);
    if (matches === undefined) return this.#fail(response, { status: 404, message: "not found" });
    if (url.searchParams.has("watch")) this.#watch(url, matches, response);
    else this.#list(url, matches, response);
  }

  /** Pages of one list are of one moment, as the API server's are. */
  #list(url: URL, matches: (object: FakeObject) => boolean, response: ServerResponse): void {
    const [from = "0", number = ""] = (url.searchParams.get("continue") ?? "0").split(".");
    const list = this.#lists[Number(number || -1)] ?? {
      number: this.#lists.length,
      version: this.#version,
      all: [...this.#objects.values()].filter(matches),
    };
    this.#lists[list.number] = list;
    const to = Number(from) + Math.min(Number(url.searchParams.get("limit") ?? list.all.length), 2);
    response.end(JSON.stringify({
      metadata: {
        resourceVersion: String(list.version),
        ...(to < list.all.length ? { continue: `${to}.${list.number}` } : {}),
      },
      items: list.all.slice(Number(from), to),
    }));
  }

  #watch(url: URL, matches: (object: FakeObject) => boolean, response: ServerResponse): void {
    const from = Number(url.searchParams.get("resourceVersion"));
    if (from < this.#forgotten) {
      const gone = { status: 410, message: `too old resource version: ${from}` };
      if (this.tellsGoneBy === "status") return this.#fail(response, gone);
      const object = { kind: "Status", code: 410, reason: "Expired", message: gone.message };
      response.end(`${JSON.stringify({ type: "ERROR", object })}\n`);
      return;
    }
    response.writeHead(200);
    response.flushHeaders();
    for (const { type, object, version } of this.#history) {
      if (version > from && matches(object)) {
        response.write(`${JSON.stringify({ type, object })}\n`);
      }
    }
    const watch = { response, matches };
    this.#watches.add(watch);
    response.on("close", () => this.#watches.delete(watch));
  }

  #fail(
    response: ServerResponse,
    { status, message }: { readonly status: number; readonly message: string },
  ): void {
    response.statusCode = status;
    response.end(JSON.stringify({ kind: "Status", status: "Failure", message, code: status }));
  }
}

function keyOf({ metadata }: FakeObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

/** The objects that a URL asks for; undefined for a path that there is not. */
function matcherOf(url: URL): ((object: FakeObject) => boolean) | undefined {
  const path = /^\/api\/v1(?:\/namespaces\/([^/]+))?\/(pods|nodes)$/.exec(url.pathname);
  if (path === null) return undefined;
  const conditions = (parameter: string) =>
    (url.searchParams.get(parameter) ?? "").split(",").filter((text) => text !== "")
      .map((text) => text.split("=") as [string, string]);
  const fields = conditions("fieldSelector");
  const labels = conditions("labelSelector");
  return ({ metadata, spec }) =>
    (metadata.namespace === undefined) === (path[2] === "nodes") &&
    (path[1] === undefined || metadata.namespace === path[1]) &&
    labels.every(([name, value]) => metadata.labels?.[name] === value) &&
    fields.every(([name, value]) =>
      value ===
        (name === "spec.nodeName" ? spec?.nodeName : metadata[name.replace("metadata.", "")])
    );
}
