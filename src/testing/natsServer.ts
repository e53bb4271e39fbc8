/** Runs real NATS servers with JetStream on free loopback ports: one alone, or three as a cluster. Owns their start, kill -9,
 *  freeze, restart and removal, and the links between them; natsProgram.ts finds the program. Invariant: it signals only
 *  processes it started, and nothing it started outlives the test. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { natsServerProgram } from "./natsProgram.ts";
import { freePort } from "./serverProcess.ts";
import { TcpLink } from "./tcpLink.ts";
import type { TemporaryDisk } from "./temporaryDisk.ts";

export interface NatsOptions {
  readonly nodes: 1 | 3;
  /** Further lines of every node's configuration file, such as accounts or max_payload. */
  readonly config?: string;
  /** Of a user that may look at streams, if `config` asks for users. */
  readonly admin?: { readonly user: string; readonly pass: string };
  /** Whether to wait until streams can be kept, which needs a client that the servers take. Default: true. */
  readonly wait?: boolean;
  /** Further lines of the jetstream section, such as max_file_store. */
  readonly jetstream?: string;
  /** Default: always. */
  readonly syncInterval?: string;
  /** Servers reach each other over links that can be cut. */
  readonly links?: boolean;
  /** By node's name: a small disk for its store. */
  readonly disks?: Readonly<Record<string, TemporaryDisk>>;
  /** By node's name: a directory for its store that the test owns. */
  readonly stores?: Readonly<Record<string, string>>;
}

/** One server. */
export class NatsNode {
  readonly name: string;
  readonly port: number;
  /** Where its store lies. */
  readonly store: string;
  readonly disk: TemporaryDisk | undefined;
  readonly #configFile: string;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #output = "";

  constructor(
    place: Pick<NatsNode, "name" | "port" | "store" | "disk"> & { readonly configFile: string },
  ) {
    this.name = place.name;
    this.port = place.port;
    this.store = place.store;
    this.disk = place.disk;
    this.#configFile = place.configFile;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** What the server wrote; the newest 200 kB of it. */
  get output(): string {
    return this.#output;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the process and waits until it takes connections; a cluster may still elect its leaders. */
  async start(): Promise<void> {
    // Out of sight of the test runner, which adds hooks to what it sees being started.
    const command = [
      ...(this.disk?.enterCommand ?? []),
      ...["env", "-u", "NODE_OPTIONS", natsServerProgram(), "-c", this.#configFile],
    ];
    const child = spawn(command[0]!, command.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    if (child.pid !== undefined) running.add(child.pid);
    this.#ended = new Promise((resolve) => child.once("close", () => resolve()));
    void this.#ended.then(() => child.pid !== undefined && running.delete(child.pid));
    await new Promise<void>((resolve, reject) => {
      const remember = (part: Buffer) => {
        this.#output = (this.#output + part.toString()).slice(-200_000);
        if (this.#output.includes("Server is ready")) resolve();
      };
      this.#output = "";
      child.stdout?.on("data", remember);
      child.stderr?.on("data", remember);
      child.once("error", reject);
      void this.#ended.then(() =>
        reject(new Error(`nats-server ${this.name} ended before it was ready:\n${this.#output}`))
      );
    });
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#ended;
  }

  /** Asks it to stop, and waits for that. */
  async stop(): Promise<void> {
    this.#child?.kill("SIGTERM");
    await this.#ended;
  }

  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
  }
}

/** One server, or three as one cluster, with their data in a temporary directory. */
export class NatsServers {
  readonly nodes: ReadonlyArray<NatsNode>;
  readonly directory: string;
  readonly #links: Links;

  private constructor(nodes: ReadonlyArray<NatsNode>, directory: string, links: Links) {
    this.nodes = nodes;
    this.directory = directory;
    this.#links = links;
  }

  /** Every node's address, as a client takes them. */
  get urls(): string {
    return this.nodes.map(({ url }) => url).join(",");
  }

  /** Starts the servers and waits until they can keep streams. Fails with a server's output if one does not start. */
  static async start(options: NatsOptions): Promise<NatsServers> {
    const directory = mkdtempSync(join(tmpdir(), "tailrace-nats-"));
    directories.add(directory);
    const routePorts = await Promise.all(Array.from({ length: options.nodes }, freePort));
    const links: Links = options.links === true ? await linksBetween(routePorts) : [];
    const nodes: NatsNode[] = [];
    for (let index = 0; index < options.nodes; index++) {
      const [name, port] = [`n${index + 1}`, await freePort()];
      const disk = options.disks?.[name];
      const store = disk?.directory ?? options.stores?.[name] ?? join(directory, name);
      const configFile = join(directory, `${name}.conf`);
      mkdirSync(store, { recursive: true });
      // Straight to its own port, else through the link from here to there.
      const routes = routePorts.map((direct, to) => links[index]?.[to]?.port ?? direct);
      const listen = routePorts[index]!;
      writeFileSync(configFile, configOf(options, { name, port, store, listen, routes }));
      nodes.push(new NatsNode({ name, port, store, disk, configFile }));
    }
    const servers = new NatsServers(nodes, directory, links);
    try {
      await Promise.all(nodes.map((node) => node.start()));
      if (options.wait !== false) await untilStreamsWork(servers.urls, options.admin);
    } catch (error) {
      await servers.remove();
      throw error;
    }
    return servers;
  }

  /** Cuts the network between two nodes, given by their places in `nodes`. */
  cut(one: number, other: number): void {
    for (const link of this.#between(one, other)) link.cut();
  }

  heal(one: number, other: number): void {
    for (const link of this.#between(one, other)) link.heal();
  }

  /** Kills all nodes and deletes their data. */
  async remove(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    for (const link of this.#links.flat()) link?.close();
    rmSync(this.directory, { recursive: true, force: true });
    directories.delete(this.directory);
  }

  #between(one: number, other: number): ReadonlyArray<TcpLink> {
    const links = [this.#links[one]?.[other], this.#links[other]?.[one]];
    const known = links.filter((link) => link !== undefined);
    if (known.length !== 2) throw new Error("the servers were started without links");
    return known;
  }
}

/** The link from one node to another, by their places. */
type Links = ReadonlyArray<ReadonlyArray<TcpLink | undefined>>;

async function linksBetween(routePorts: ReadonlyArray<number>): Promise<Links> {
  return await Promise.all(
    routePorts.map((_, from) =>
      Promise.all(
        routePorts.map((port, to) => from === to ? Promise.resolve(undefined) : TcpLink.to(port)),
      )
    ),
  );
}

function configOf(
  options: NatsOptions,
  node: {
    readonly name: string;
    readonly port: number;
    readonly store: string;
    /** Its own port for routes, and those at which it finds all nodes. */
    readonly listen: number;
    readonly routes: ReadonlyArray<number>;
  },
): string {
  const { name, port, store, listen } = node;
  const routes = node.routes.map((route) => `nats-route://127.0.0.1:${route}`).join(", ");
  // What nodes tell each other of their addresses would lead around the links: nothing listens at port 1.
  const advertise = options.links === true ? '\n  advertise: "127.0.0.1:1"' : "";
  const cluster = options.nodes === 1 ? "" : `cluster {
  name: tailrace
  listen: "127.0.0.1:${listen}"
  routes: [${routes}]${advertise}
}
`;
  return `server_name: ${name}
listen: "127.0.0.1:${port}"
jetstream {
  store_dir: ${JSON.stringify(store)}
  sync_interval: ${options.syncInterval ?? "always"}
  ${options.jetstream ?? ""}
}
${cluster}${options.config ?? ""}
`;
}

/** A new cluster refuses while it elects its leader. */
async function untilStreamsWork(urls: string, admin: NatsOptions["admin"]): Promise<void> {
  const connection = await connect({ servers: urls.split(","), ...admin });
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: 1000 });
  while (!await manager.streams.names().next().then(() => true, () => false)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await connection.close();
}

const running = new Set<number>();
const directories = new Set<string>();

process.once("exit", cleanUp);
// serverProcess.ts then ends the process by the same signal.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, cleanUp);

function cleanUp(): void {
  for (const pid of running) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
  }
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
}
