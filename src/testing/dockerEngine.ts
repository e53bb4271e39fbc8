/** Stands in for Docker's Engine API on a unix socket: containers, networks, events and logs as `docker` has them. Owns the form
 *  of answers; which containers there are and what they log is the test's. */
import { rmSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";

interface LogLine {
  readonly stream: 1 | 2;
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly text: string;
}

interface Container {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly tty: boolean;
  state: "running" | "exited";
  readonly log: LogLine[];
  readonly followers: Set<ServerResponse>;
}

export class DockerEngineFake {
  readonly path: string;
  readonly #server = createServer((request, response) => this.#answer(request.url ?? "", response));
  readonly #containers = new Map<string, Container>();
  readonly #listeners = new Set<ServerResponse>();
  readonly requests: string[] = [];

  private constructor(path: string) {
    this.path = path;
  }

  static async start(path: string): Promise<DockerEngineFake> {
    const engine = new DockerEngineFake(path);
    await engine.listen();
    return engine;
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(this.path, resolve));
  }

  /** As when the daemon is stopped: connections break and the socket is gone. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
    rmSync(this.path, { force: true });
  }

  run(id: string, name: string, labels: Readonly<Record<string, string>> = {}, tty = false): void {
    const known = this.#containers.get(id);
    if (known !== undefined) known.state = "running";
    else {
      const container = { id, name, labels, tty, log: [], followers: new Set<ServerResponse>() };
      this.#containers.set(id, { ...container, state: "running" });
    }
    this.#tell("start", id);
  }

  log(id: string, time: string, text: string, stream: 1 | 2 = 1): void {
    const container = this.#containers.get(id)!;
    const line = { stream, time, text };
    container.log.push(line);
    for (const response of container.followers) response.write(encoded(container, line));
  }

  stop(id: string): void {
    const container = this.#containers.get(id)!;
    container.state = "exited";
    for (const response of container.followers) response.end();
    container.followers.clear();
    this.#tell("die", id);
  }

  remove(id: string): void {
    this.#containers.delete(id);
    this.#tell("destroy", id);
  }

  #tell(action: string, id: string): void {
    const event = JSON.stringify({ Type: "container", Action: action, Actor: { ID: id } });
    for (const response of this.#listeners) response.write(`${event}\n`);
  }

  #answer(address: string, response: ServerResponse): void {
    this.requests.push(address);
    const url = new URL(address, "http://docker");
    const container = this.#containers.get(
      /^\/containers\/([^/]+)\//.exec(url.pathname)?.[1] ?? "",
    );
    if (url.pathname === "/containers/json") return this.#list(url, response);
    if (url.pathname === "/networks") return void response.end("[]");
    if (url.pathname === "/events") {
      response.flushHeaders();
      this.#listeners.add(response);
      response.on("close", () => this.#listeners.delete(response));
      return;
    }
    if (container === undefined) {
      response.statusCode = 404;
      return void response.end(JSON.stringify({ message: "No such container" }));
    }
    if (url.pathname.endsWith("/json")) {
      return void response.end(JSON.stringify({ Config: { Tty: container.tty } }));
    }
    this.#logs(container, url, response);
  }

  #list(url: URL, response: ServerResponse): void {
    const filters = JSON.parse(url.searchParams.get("filters") ?? "{}") as { name?: string[] };
    const isListed = (container: Container) =>
      (url.searchParams.get("all") === "1" || container.state === "running") &&
      (filters.name === undefined || filters.name.some((name) => container.name.includes(name)));
    response.end(JSON.stringify(
      [...this.#containers.values()].filter(isListed).map(({ id, name, labels, state }) => ({
        Id: id,
        Names: [`/${name}`],
        Labels: labels,
        State: state,
        HostConfig: { NetworkMode: "bridge" },
        NetworkSettings: { Networks: { bridge: { NetworkID: "b", IPAddress: "172.17.0.2" } } },
      })),
    ));
  }

  #logs(container: Container, url: URL, response: ServerResponse): void {
    // Seconds with a fraction, as text: a number would lose nanoseconds.
    const [seconds = "0", nanos = "0"] = (url.searchParams.get("since") ?? "0").split(".");
    const since = `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${
      nanos.padEnd(9, "0")
    }Z`;
    response.flushHeaders();
    for (const line of container.log) {
      if (line.time >= since) response.write(encoded(container, line));
    }
    if (container.state !== "running") return void response.end();
    container.followers.add(response);
    response.on("close", () => container.followers.delete(response));
  }
}

function encoded({ tty }: Container, { stream, time, text }: LogLine): Buffer {
  if (tty) return Buffer.from(`${time} ${text}\r\n`);
  const pieces = text.match(/.{1,16}/gsu) ?? [""];
  return Buffer.concat(pieces.map((piece, index) => {
    const content = Buffer.from(`${time} ${piece}${index === pieces.length - 1 ? "\n" : ""}`);
    const header = Buffer.alloc(8);
    header[0] = stream;
    header.writeUInt32BE(content.byteLength, 4);
    return Buffer.concat([header, content]);
  }));
}
