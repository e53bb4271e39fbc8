/** `--kubernetes`: the configuration that collects the pods of this node, made instead of read. Owns what it says; that it
 *  is a configuration like any other, which `convert` prints, is the point. */
import { Result } from "effect";
import type { CollectorConfig } from "./config/collectorConfig.ts";
import { type ConfigInvalid, parseConfig } from "./config/load.ts";

/** A server to send to, as flags name it. */
export interface ClientOptions {
  /** Without a path, that of pushes is meant. */
  readonly url: string;
  /** "" for none. */
  readonly tenant: string;
  readonly externalLabels: Readonly<Record<string, string>>;
}

export interface KubernetesOptions extends ClientOptions {
  /** The node whose pods are collected. */
  readonly node: string;
  readonly httpPort: number;
  /** Where the kubelet puts logs. */
  readonly podLogs: string;
  /** "" within a cluster. */
  readonly kubeconfig: string;
}

/** The configuration, or what is wrong with the options. */
export function kubernetesConfig(
  options: KubernetesOptions,
): Result.Result<CollectorConfig, ConfigInvalid> {
  const { node, httpPort, kubeconfig } = options;
  const config = {
    server: { http_listen_port: httpPort },
    clients: [client(options)],
    scrape_configs: [{
      job_name: "kubernetes",
      kubernetes_sd_configs: [{
        role: "pod",
        ...(kubeconfig === "" ? {} : { kubeconfig_file: kubeconfig }),
        selectors: [{ role: "pod", field: `spec.nodeName=${node}` }],
      }],
      relabel_configs: [...identity, ...workloadRules(node), appRule, ...pathRules(options)],
      // The file's name tells nothing that the labels do not, and each restart would begin another stream.
      pipeline_stages: [{ cri: {} }, { stack_traces: {} }, { labeldrop: ["filename"] }],
    }],
  };
  // JSON is YAML.
  const text = JSON.stringify(config, undefined, 2);
  return parseConfig({ file: "--kubernetes", text, environment: null });
}

/** The configuration with one more client. */
export function withClient(
  config: CollectorConfig,
  options: ClientOptions,
): Result.Result<CollectorConfig, ConfigInvalid> {
  const text = JSON.stringify({ clients: [client(options)] });
  return Result.map(
    parseConfig({ file: "--client.url", text, environment: null }),
    ({ clients }) => ({ ...config, clients: [...config.clients, ...clients] }),
  );
}

function client({ url, tenant, externalLabels }: ClientOptions) {
  const isBare = URL.canParse(url) && new URL(url).pathname === "/";
  return {
    url: isBare ? new URL("/loki/api/v1/push", url).href : url,
    tenant_id: tenant,
    external_labels: externalLabels,
  };
}

const meta = "__meta_kubernetes_";

const copy = (source: string, target: string) => ({
  source_labels: [`${meta}${source}`],
  target_label: target,
});

const identity = [
  copy("namespace", "namespace"),
  copy("pod_name", "pod"),
  copy("pod_container_name", "container"),
  copy("pod_node_name", "node"),
];

/** Later rules know better. */
function workloadRules(node: string) {
  const rule = (sources: ReadonlyArray<string>, regex: string) => ({
    source_labels: sources.map((name) => `${meta}${name}`),
    regex,
    target_label: "workload",
  });
  const kind = "pod_controller_kind";
  const owner = "pod_controller_name";
  return [
    rule(["pod_name"], "(.+)"),
    rule([owner], "(.+)"),
    // A static pod is owned by its node, whose name the kubelet puts behind the pod's.
    rule([kind, "pod_name"], "Node;(.+)"),
    rule([kind, "pod_name"], `Node;(.+)-${quoted(node)}`),
    // A Deployment names its ReplicaSets after itself and the hash of their pods.
    rule([kind, owner, "pod_label_pod_template_hash"], "ReplicaSet;(.+)-[^-;]+;.+"),
    // A CronJob names its Jobs after itself and the minute they are for.
    rule([kind, owner], "Job;(.+)-[0-9]{8,10}"),
  ];
}

const appRule = {
  source_labels: [
    `${meta}pod_label_app_kubernetes_io_name`,
    `${meta}pod_label_app`,
    `${meta}pod_label_k8s_app`,
    "workload",
  ],
  regex: "^;*([^;]+)(;.*)?$",
  target_label: "app",
};

/** <namespace>_<pod>_<uid>/<container>/<restart>.log; a static pod has the hash of its manifest for a uid there. */
function pathRules({ podLogs }: KubernetesOptions) {
  const rule = (uid: string) => ({
    source_labels: [
      `${meta}namespace`,
      `${meta}pod_name`,
      `${meta}${uid}`,
      `${meta}pod_container_name`,
    ],
    regex: "([^;]+);([^;]+);([^;]+);([^;]+)",
    replacement: `${
      podLogs.replace(/\/+$/, "").replaceAll("$", "$$$$")
    }/\${1}_\${2}_\${3}/\${4}/*.log`,
    target_label: "__path__",
  });
  return [rule("pod_uid"), rule("pod_annotation_kubernetes_io_config_hash")];
}

function quoted(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
