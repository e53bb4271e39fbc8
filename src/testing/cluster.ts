/** A whole cluster as child processes: three NATS servers and any number of processes of each role. Owns starting, and
 *  the faults that can be done to a member; what happens when is a test's business. */
import { type NatsOptions, NatsServers } from "./natsServer.ts";
import { type Replacement, TcpLink } from "./tcpLink.ts";
import { type RuntimeName, type ServerOptions, ServerProcess } from "./serverProcess.ts";

export type Role = "distributor" | "ingester" | "querier" | "ruler" | "ui" | "compactor";

/** Something that can be killed and frozen. */
export interface Member {
  readonly name: string;
  readonly kind: Role | "nats";
  readonly kill: () => Promise<void>;
  /** Starts it again; for a role without waiting until it is ready. */
  readonly start: () => Promise<void>;
  readonly freeze: () => void;
  readonly thaw: () => void;
}

export interface ClusterOptions {
  readonly runtime: RuntimeName;
  readonly counts: Readonly<Partial<Record<Role, number>>>;
  readonly settings?: Readonly<Record<string, string>>;
  /** Of one role, over those of all. */
  readonly roleSettings?: Partial<Record<Role, Readonly<Record<string, string>>>>;
  /** Default: three servers that ask for no credentials. */
  readonly natsOptions?: NatsOptions;
  /** A word that is replaced in what roles send to NATS. */
  readonly replacement?: Replacement;
  /** Options of every role's process. */
  readonly process?: Partial<ServerOptions>;
}

export class TailraceCluster {
  readonly nats: NatsServers;
  readonly roles: ReadonlyMap<Role, ReadonlyArray<ServerProcess>>;

  readonly #links: ReadonlyArray<TcpLink>;

  private constructor(
    nats: NatsServers,
    roles: TailraceCluster["roles"],
    links: ReadonlyArray<TcpLink>,
  ) {
    this.nats = nats;
    this.roles = roles;
    this.#links = links;
  }

  /** Starts everything and waits until each role is ready. */
  static async start({ runtime, counts, settings, ...options }: ClusterOptions) {
    const nats = await NatsServers.start(options.natsOptions ?? { nodes: 3 });
    const roles = new Map<Role, ReadonlyArray<ServerProcess>>();
    const { replacement } = options;
    const links = replacement === undefined
      ? []
      : await Promise.all(nats.nodes.map(({ port }) => TcpLink.to(port, replacement)));
    const urls = links.length === 0
      ? nats.urls
      : links.map(({ port }) => `nats://127.0.0.1:${port}`).join(",");
    const cluster = new TailraceCluster(nats, roles, links);
    try {
      for (
        const role of ["ingester", "distributor", "querier", "ruler", "compactor", "ui"] as const
      ) {
        const processes = Array.from({ length: counts[role] ?? 0 }, () =>
          ServerProcess.start({
            ...options.process,
            runtime,
            settings: {
              ...settings,
              "storage.engine": "nats",
              "nats.url": urls,
              "nats.replicas": String(nats.nodes.length),
              ...options.roleSettings?.[role],
              "target": role,
            },
          }));
        roles.set(role, await Promise.all(processes));
      }
    } catch (error) {
      await cluster.remove();
      throw error;
    }
    return cluster;
  }

  of(role: Role): ReadonlyArray<ServerProcess> {
    return this.roles.get(role) ?? [];
  }

  get members(): ReadonlyArray<Member> {
    const nats = this.nats.nodes.map((node): Member => ({
      name: `nats ${node.name}`,
      kind: "nats",
      kill: () => node.kill(),
      start: () => node.start(),
      freeze: () => node.freeze(),
      thaw: () => node.thaw(),
    }));
    const roles = [...this.roles].flatMap(([role, processes]) =>
      processes.map((process, index): Member => ({
        name: `${role} ${index + 1}`,
        kind: role,
        kill: () => process.kill(),
        start: () => Promise.resolve(process.launch()),
        freeze: () => process.freeze(),
        thaw: () => process.thaw(),
      }))
    );
    return [...nats, ...roles];
  }

  /** Kills everything and deletes its data. */
  async remove(): Promise<void> {
    await Promise.all([...this.roles.values()].flat().map((process) => process.remove()));
    for (const link of this.#links) link.close();
    await this.nats.remove();
  }
}
