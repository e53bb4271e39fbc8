/** `scrape_configs`: one job each, with its sources, relabel rules and pipeline. Names and defaults
 *  are Promtail's. Sources that the collector does not offer are named here too, so that a
 *  configuration with one is refused with a reason and not taken for a spelling mistake. The stages
 *  of a pipeline have their schemas beside their code (stages/). */
import { Schema } from "effect";
import { RelabelConfigs } from "../relabel/relabelConfig.ts";
import { DockerHost, HttpUrl, ListenAddress } from "./addresses.ts";
import { httpClientFields, TlsConfig } from "./clientConfig.ts";
import {
  DurationMs,
  LabelMap,
  Text,
  Toggle,
  unsupported,
  wholeNumber,
  withDefault,
  word,
} from "./scalars.ts";
import { textEncoding } from "../tailing/textEncoding.ts";
import { ServerConfig } from "./serverConfig.ts";

/** Stages as written: maps of one key, the stage's name. */
export const PipelineStages = Schema.Array(Schema.Record(Schema.String, Schema.Unknown));

export const StaticConfig = Schema.Struct({
  targets: withDefault(Schema.Array(Text), []),
  labels: withDefault(LabelMap, {}),
});

export const FileSdConfig = Schema.Struct({
  files: Schema.Array(Text),
  refresh_interval: withDefault(DurationMs, "5m"),
});

export const KubernetesSdConfig = Schema.Struct({
  role: Text.check(
    Schema.makeFilter((role) =>
      role === "pod" || `role "${role}" is not supported; logs are found by role: pod`
    ),
  ),
  api_server: Schema.optional(HttpUrl),
  kubeconfig_file: Schema.optional(Text),
  namespaces: withDefault(
    Schema.Struct({
      own_namespace: withDefault(Toggle, false),
      names: withDefault(Schema.Array(Text), []),
    }),
    {},
  ),
  selectors: withDefault(
    Schema.Array(
      Schema.Struct({
        role: word("pod"),
        label: withDefault(Text, ""),
        field: withDefault(Text, ""),
      }),
    ),
    [],
  ),
  attach_metadata: withDefault(Schema.Struct({ node: withDefault(Toggle, false) }), {}),
  ...httpClientFields,
});

export const DockerSdConfig = Schema.Struct({
  host: DockerHost,
  port: withDefault(wholeNumber(0, 65535), 80),
  host_networking_host: withDefault(Text, "localhost"),
  match_first_network: withDefault(Toggle, true),
  filters: withDefault(
    Schema.Array(Schema.Struct({ name: Text, values: Schema.Array(Text) })),
    [],
  ),
  refresh_interval: withDefault(DurationMs, "1m"),
  ...httpClientFields,
});

export const JournalConfig = Schema.Struct({
  json: withDefault(Toggle, false),
  max_age: withDefault(DurationMs, "7h"),
  path: withDefault(Text, ""),
  matches: withDefault(Text, ""),
  labels: withDefault(LabelMap, {}),
});

export const SyslogConfig = Schema.Struct({
  listen_address: ListenAddress,
  listen_protocol: withDefault(word("tcp", "udp"), "tcp"),
  idle_timeout: withDefault(DurationMs, "2m"),
  label_structured_data: withDefault(Toggle, false),
  labels: withDefault(LabelMap, {}),
  use_incoming_timestamp: withDefault(Toggle, false),
  use_rfc5424_message: withDefault(Toggle, false),
  syslog_format: withDefault(word("rfc5424", "rfc3164"), "rfc5424"),
  max_message_length: withDefault(wholeNumber(0), 8192),
  tls_config: Schema.optional(TlsConfig),
});

export const PushApiConfig = Schema.Struct({
  server: withDefault(ServerConfig, {}),
  labels: withDefault(LabelMap, {}),
  use_incoming_timestamp: withDefault(Toggle, false),
});

export const DecompressionConfig = Schema.Struct({
  enabled: withDefault(Toggle, false),
  initial_delay: withDefault(DurationMs, "0s"),
  format: withDefault(
    word("", "gz", "bz2", "z").check(
      Schema.makeFilter((format) =>
        format !== "bz2" || "bz2 is not supported: compress with gzip, whose files are read"
      ),
    ),
    "",
  ),
});

const noDiscovery = (what: string) =>
  unsupported(
    `discovery by ${what}`,
    "use static_configs, file_sd_configs, kubernetes_sd_configs or docker_sd_configs",
  );

export const ScrapeConfig = Schema.Struct({
  job_name: Text.check(Schema.makeFilter((name) => name !== "" || "must not be empty")),
  pipeline_stages: withDefault(PipelineStages, []),
  relabel_configs: withDefault(RelabelConfigs, []),
  static_configs: withDefault(Schema.Array(StaticConfig), []),
  file_sd_configs: withDefault(Schema.Array(FileSdConfig), []),
  kubernetes_sd_configs: withDefault(Schema.Array(KubernetesSdConfig), []),
  docker_sd_configs: withDefault(Schema.Array(DockerSdConfig), []),
  journal: Schema.optional(JournalConfig),
  syslog: Schema.optional(SyslogConfig),
  loki_push_api: Schema.optional(PushApiConfig),
  encoding: withDefault(
    Text.check(
      Schema.makeFilter((name) =>
        isEncoding(name) ||
        `"${name}" is no encoding that is supported: see https://encoding.spec.whatwg.org/#names-and-labels`
      ),
    ),
    "",
  ),
  decompression: withDefault(DecompressionConfig, {}),

  kafka: unsupported("reading Kafka", "have a consumer push to a job with loki_push_api"),
  gelf: unsupported("GELF", "send syslog or push to a job with loki_push_api"),
  gcplog: unsupported("Google Cloud's log", "push to a job with loki_push_api"),
  windows_events: unsupported("the event log of Windows", "run Promtail or Alloy there"),
  azure_event_hub: unsupported("Azure Event Hubs", "push to a job with loki_push_api"),
  azure_event_hubs: unsupported("Azure Event Hubs", "push to a job with loki_push_api"),
  cloudflare: unsupported("Cloudflare's log", "push to a job with loki_push_api"),
  heroku_drain: unsupported("Heroku's drain", "push to a job with loki_push_api"),
  entry_parser: unsupported("entry_parser", "say docker or cri in pipeline_stages"),
  dns_sd_configs: noDiscovery("DNS"),
  consul_sd_configs: noDiscovery("Consul"),
  consulagent_sd_configs: noDiscovery("Consul's agent"),
  digitalocean_sd_configs: noDiscovery("DigitalOcean"),
  dockerswarm_sd_configs: noDiscovery("Docker Swarm"),
  serverset_sd_configs: noDiscovery("Serversets"),
  nerve_sd_configs: noDiscovery("Nerve"),
  marathon_sd_configs: noDiscovery("Marathon"),
  gce_sd_configs: noDiscovery("Google Compute Engine"),
  ec2_sd_configs: noDiscovery("EC2"),
  openstack_sd_configs: noDiscovery("OpenStack"),
  azure_sd_configs: noDiscovery("Azure"),
  triton_sd_configs: noDiscovery("Triton"),
});

export type ScrapeConfig = typeof ScrapeConfig.Type;
export type StaticConfig = typeof StaticConfig.Type;
export type FileSdConfig = typeof FileSdConfig.Type;
export type KubernetesSdConfig = typeof KubernetesSdConfig.Type;
export type DockerSdConfig = typeof DockerSdConfig.Type;
export type JournalConfig = typeof JournalConfig.Type;
export type SyslogConfig = typeof SyslogConfig.Type;
export type PushApiConfig = typeof PushApiConfig.Type;
export type DecompressionConfig = typeof DecompressionConfig.Type;

function isEncoding(name: string): boolean {
  try {
    textEncoding(name);
    return true;
  } catch {
    return false;
  }
}
