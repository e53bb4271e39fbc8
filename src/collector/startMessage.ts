/** What a collector says when it starts: what it reads, where it sends, where its state and its pages are; and of a dry
 *  run, when it ends. Owns the words; passwords are not among them. */
import type { CollectorConfig } from "./config/collectorConfig.ts";
import type { ScrapeConfig } from "./config/scrapeConfig.ts";
import { withoutPassword } from "./delivery/clientNames.ts";
import { staticTargets, targetRelabeler } from "./relabel/targetLabels.ts";

/** Things of one kind that are named; of more the number is. */
const namedMax = 8;

/** One line, in the order of the data. */
export function startMessage(options: {
  readonly config: CollectorConfig;
  readonly dataDirectory: string;
  readonly readsInput: boolean;
  readonly isDry: boolean;
}): string {
  const { config, dataDirectory, readsInput, isDry } = options;
  const reading = readsInput ? "standard input" : sourcesOf(config);
  if (isDry) {
    return `dry run, reading ${reading}; printing what would be sent, from the files' start, and keeping nothing; ` +
      "goes on until it is stopped (Ctrl-C)";
  }
  const servers = listed(config.clients.map(({ url }) => withoutPassword(url)));
  const { disable, http_listen_address: host, http_listen_port: port, http_path_prefix: prefix } =
    config.server;
  const shownHost = host.includes(":") ? `[${host}]` : host || "0.0.0.0";
  const pages = disable || readsInput
    ? "no pages"
    : `pages on http://${shownHost}:${port}${prefix.replace(/\/$/, "")}/targets`;
  return `collecting ${reading}; sending to ${servers}; positions and disk buffer in ${dataDirectory}; ${pages}`;
}

function sourcesOf({ scrape_configs: jobs }: CollectorConfig): string {
  const sources = [...new Set(jobs.flatMap(jobSources))];
  if (sources.length === 0) return "nothing: no job has a source";
  return `${listed(sources)} (${jobs.length === 1 ? "1 job" : `${jobs.length} jobs`})`;
}

function jobSources(job: ScrapeConfig): ReadonlyArray<string> {
  const { journal, syslog, loki_push_api: push } = job;
  return [
    ...staticPaths(job),
    ...job.file_sd_configs.map(({ files }) => `files of targets in ${files.join(", ")}`),
    ...job.kubernetes_sd_configs.map(() => "pods of Kubernetes"),
    ...job.docker_sd_configs.map(({ host }) => `containers of ${withoutPassword(host)}`),
    ...(journal === undefined ? [] : ["the journal"]),
    ...(syslog === undefined
      ? []
      : [`syslog on ${syslog.listen_protocol} ${syslog.listen_address}`]),
    ...(push === undefined
      ? []
      : [`pushes on ${push.server.http_listen_address}:${push.server.http_listen_port}`]),
  ];
}

function staticPaths(job: ScrapeConfig): ReadonlyArray<string> {
  const relabel = targetRelabeler(job.relabel_configs);
  return job.static_configs.flatMap(staticTargets)
    .flatMap((discovered) => relabel(discovered)?.internal.get("__path__") || []);
}

function listed(names: ReadonlyArray<string>): string {
  const more = names.length - namedMax;
  return names.slice(0, namedMax).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
