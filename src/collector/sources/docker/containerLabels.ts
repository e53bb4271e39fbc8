/** What discovery knows of a container, as Prometheus' docker_sd_configs has it: `__meta_docker_*`, a set for each network and TCP
 *  port. Pure. A container without a network is one target all the same: it has logs. */
import type { DockerSdConfig } from "../../config/scrapeConfig.ts";
import { labelName } from "../../discovery/metaLabels.ts";

/** As `GET /containers/json` lists it. */
export interface DockerContainer {
  readonly Id: string;
  readonly Names?: ReadonlyArray<string> | null;
  readonly State?: string;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly Ports?:
    | ReadonlyArray<{
      readonly IP?: string;
      readonly PrivatePort?: number;
      readonly PublicPort?: number;
      readonly Type?: string;
    }>
    | null;
  readonly HostConfig?: { readonly NetworkMode?: string };
  readonly NetworkSettings?: {
    readonly Networks?:
      | Readonly<
        Record<string, { readonly NetworkID?: string; readonly IPAddress?: string } | null>
      >
      | null;
  };
}

/** As `GET /networks` lists it. */
export interface DockerNetwork {
  readonly Id: string;
  readonly Name?: string;
  readonly Scope?: string;
  readonly Internal?: boolean;
  readonly Ingress?: boolean;
  readonly Labels?: Readonly<Record<string, string>> | null;
}

const prefix = "__meta_docker_";

type Pairs = ReadonlyArray<readonly [string, string]>;

/** The label sets of a container. `containers` are those whose networks it may share. */
export function containerLabels(
  container: DockerContainer,
  containers: ReadonlyArray<DockerContainer>,
  networks: ReadonlyArray<DockerNetwork>,
  config: DockerSdConfig,
): ReadonlyArray<ReadonlyMap<string, string>> {
  const mode = container.HostConfig?.NetworkMode ?? "";
  const common: Pairs = [
    [`${prefix}container_id`, container.Id],
    [`${prefix}container_name`, container.Names?.[0] ?? ""],
    [`${prefix}container_network_mode`, mode],
    ...ofLabels("container_label", container.Labels),
  ];
  const sets = networksOf(container, containers, config).flatMap(
    ({ NetworkID, IPAddress = "" }) => {
      const network = networks.find(({ Id }) => Id === NetworkID);
      const shared: Pairs = [...common, ...ofNetwork(network), [`${prefix}network_ip`, IPAddress]];
      const ports = (container.Ports ?? []).filter(({ Type }) => Type === "tcp");
      if (ports.length === 0) {
        const address = mode === "host"
          ? config.host_networking_host
          : hostPort(IPAddress, config.port);
        return [new Map([...shared, ["__address__", address]])];
      }
      return ports.map((port) =>
        new Map([
          ...shared,
          [`${prefix}port_private`, String(port.PrivatePort ?? "")],
          ...(port.PublicPort === undefined || port.PublicPort === 0 ? [] : [
            [`${prefix}port_public`, String(port.PublicPort)] as const,
            [`${prefix}port_public_ip`, port.IP ?? ""] as const,
          ]),
          ["__address__", hostPort(IPAddress, port.PrivatePort ?? 0)],
        ])
      );
    },
  );
  return sets.length === 0 ? [new Map(common)] : sets;
}

/** Its own networks, or those of the container that it has joined; only the first by name if that is asked for. */
function networksOf(
  container: DockerContainer,
  containers: ReadonlyArray<DockerContainer>,
  { match_first_network }: DockerSdConfig,
) {
  let owner: DockerContainer | undefined = container;
  // A container may have joined one that has joined another.
  for (let hops = 0; hops < 10 && owner !== undefined; hops++) {
    const own = Object.entries(owner.NetworkSettings?.Networks ?? {})
      .sort(([a], [b]) => a < b ? -1 : 1)
      .flatMap(([, network]) => network ?? []);
    if (own.length > 0) return match_first_network ? own.slice(0, 1) : own;
    const joined: string | undefined = /^container:(.+)$/.exec(
      owner.HostConfig?.NetworkMode ?? "",
    )?.[1];
    owner = containers.find(({ Id }) => Id === joined);
  }
  return [];
}

function ofNetwork(network: DockerNetwork | undefined): Pairs {
  if (network === undefined) return [];
  return [
    [`${prefix}network_id`, network.Id],
    [`${prefix}network_name`, network.Name ?? ""],
    [`${prefix}network_scope`, network.Scope ?? ""],
    [`${prefix}network_internal`, String(network.Internal === true)],
    [`${prefix}network_ingress`, String(network.Ingress === true)],
    ...ofLabels("network_label", network.Labels),
  ];
}

function ofLabels(
  kind: string,
  labels: Readonly<Record<string, string>> | null | undefined,
): Pairs {
  return Object.entries(labels ?? {}).map(([name, value]) =>
    [`${prefix}${kind}_${labelName(name)}`, value] as const
  );
}

function hostPort(address: string, port: number): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}
