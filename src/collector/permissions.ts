/** What a collector must be allowed to do, told by its configuration: bin/tailrace.mjs runs it on Deno with exactly that.
 *  Owns the list; it reads files wherever they are, so reading is not in it. */
import type { CollectorConfig } from "./config/collectorConfig.ts";
import type { DockerSdConfig, ScrapeConfig } from "./config/scrapeConfig.ts";
import { apiServerAddress } from "./discovery/kubernetes/clusterAccess.ts";

export interface Permissions {
  /** host:port, or unix:path. */
  readonly net: ReadonlyArray<string>;
  /** Files and directories. */
  readonly write: ReadonlyArray<string>;
  /** Programs. */
  readonly run: ReadonlyArray<string>;
}

/** For a run that keeps its state in `dataDirectory`; undefined for a dry run, which sends nothing and listens for no one
 *  but sources. */
export function permissionsOf(
  config: CollectorConfig,
  dataDirectory: string | undefined,
): Permissions {
  const { server, scrape_configs: jobs, clients } = config;
  const isDry = dataDirectory === undefined;
  const pages = isDry || server.disable
    ? []
    : [listen(server.http_listen_address, server.http_listen_port)];
  const docker = jobs.flatMap((job) => job.docker_sd_configs);
  const sockets = docker.flatMap(({ host }) => socketOf(host) ?? []);
  return {
    net: [
      ...(isDry ? [] : clients.map(({ url }) => remote(url))),
      ...pages,
      ...docker.map(dockerAddress),
      ...jobs.flatMap(jobAddresses),
    ],
    write: [...(isDry ? [] : [dataDirectory]), ...sockets],
    run: jobs.some((job) => job.journal !== undefined) ? ["journalctl"] : [],
  };
}

function jobAddresses(
  { syslog, loki_push_api: push, kubernetes_sd_configs: kubernetes }: ScrapeConfig,
): ReadonlyArray<string> {
  const servers = kubernetes.flatMap((config) => apiServerAddress(config) ?? []);
  return [
    ...(syslog === undefined ? [] : [syslogAddress(syslog.listen_address)]),
    ...(push === undefined
      ? []
      : [listen(push.server.http_listen_address, push.server.http_listen_port)]),
    ...servers.map(remote),
  ];
}

function listen(host: string, port: number): string {
  if (host === "") return `0.0.0.0:${port}`;
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function syslogAddress(address: string): string {
  const separator = address.lastIndexOf(":");
  const host = address.slice(0, separator).replace(/^\[|\]$/g, "");
  return listen(host, Number(address.slice(separator + 1)));
}

function remote(address: string): string {
  const url = new URL(address);
  return `${url.hostname}:${url.port || (url.protocol === "https:" ? 443 : 80)}`;
}

function socketOf(host: string): string | undefined {
  return host.startsWith("unix:") ? decodeURIComponent(new URL(host).pathname) : undefined;
}

function dockerAddress({ host, tls_config }: DockerSdConfig): string {
  const socket = socketOf(host);
  if (socket !== undefined) return `unix:${socket}`;
  return remote(host.replace(/^tcp:/, tls_config === undefined ? "http:" : "https:"));
}
