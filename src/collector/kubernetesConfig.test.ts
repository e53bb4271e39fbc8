/** What --kubernetes makes of pods as an API server tells them: labels and paths, by hand. */
import { Result } from "effect";
import t from "tap";
import { type Pod, podLabels } from "./discovery/kubernetes/podLabels.ts";
import { kubernetesConfig } from "./kubernetesConfig.ts";
import { targetRelabeler } from "./relabel/targetLabels.ts";

const config = Result.getOrThrowWith(
  kubernetesConfig({
    url: "http://tailrace:3100/loki/api/v1/push",
    tenant: "ops",
    externalLabels: { cluster: "eu" },
    node: "node-1.example",
    httpPort: 3101,
    podLogs: "/var/log/pods/",
    kubeconfig: "",
  }),
  (error) => error,
);
const [job] = config.scrape_configs;

/** Labels and path of each container of a pod. */
function targets(pod: Pod) {
  const relabel = targetRelabeler(job!.relabel_configs);
  return podLabels(pod).map((labels) => {
    const target = relabel(labels);
    return `${target?.labels.text} ${target?.internal.get("__path__")}`;
  });
}

function pod(
  name: string,
  owner: readonly [kind: string, name: string] | undefined,
  rest: Partial<Pod> = {},
): Pod {
  return {
    spec: { nodeName: "node-1.example", containers: [{ name: "main" }] },
    status: { phase: "Running", podIP: "10.0.0.1" },
    ...rest,
    metadata: {
      name,
      namespace: "shop",
      uid: "8a2b",
      ...(owner === undefined
        ? {}
        : { ownerReferences: [{ kind: owner[0], name: owner[1], controller: true }] }),
      ...rest.metadata,
    },
  };
}

/** The labels app and workload of the pod's first container. */
function names(given: Pod): string {
  return /app="([^"]*)".*workload="([^"]*)"/.exec(targets(given)[0]!)!.slice(1).join(" ");
}

t.test("a pod of a Deployment, with init and ephemeral containers", (t) => {
  const given = pod("cart-6d4cf56db6-x2x8z", ["ReplicaSet", "cart-6d4cf56db6"], {
    metadata: {
      labels: { "pod-template-hash": "6d4cf56db6", "app.kubernetes.io/name": "basket" },
    },
    spec: {
      nodeName: "node-1.example",
      containers: [{ name: "main", ports: [{ containerPort: 80 }, { containerPort: 443 }] }],
      initContainers: [{ name: "migrate" }],
      ephemeralContainers: [{ name: "debugger-1" }],
    },
  });
  const expected = (container: string) =>
    `{app="basket", container="${container}", namespace="shop", node="node-1.example", ` +
    'pod="cart-6d4cf56db6-x2x8z", workload="cart"} ' +
    `/var/log/pods/shop_cart-6d4cf56db6-x2x8z_8a2b/${container}/*.log`;
  t.strictSame(targets(given), ["main", "main", "migrate", "debugger-1"].map(expected));
  t.end();
});

t.test("the workload is the owner that people know", (t) => {
  const hash = { metadata: { labels: { "pod-template-hash": "6d4cf56db6" } } };
  t.equal(
    names(pod("cart-6d4cf56db6-x2x8z", ["ReplicaSet", "cart-6d4cf56db6"], hash)),
    "cart cart",
  );
  t.equal(names(pod("rs-x2x8z", ["ReplicaSet", "my-rs"])), "my-rs my-rs", "a ReplicaSet alone");
  t.equal(names(pod("backup-28400100-abcde", ["Job", "backup-28400100"])), "backup backup");
  t.equal(names(pod("load-1-abcde", ["Job", "load-1"])), "load-1 load-1", "a Job alone");
  t.equal(names(pod("db-0", ["StatefulSet", "db"])), "db db");
  t.equal(names(pod("proxy-abcde", ["DaemonSet", "proxy"])), "proxy proxy");
  t.equal(names(pod("debug", undefined)), "debug debug", "a pod alone, without labels");
  const labels = { metadata: { labels: { app: "x", "k8s-app": "y" } } };
  t.equal(names(pod("db-0", ["StatefulSet", "db"], labels)), "x db");
  t.end();
});

t.test("a static pod has the hash of its manifest for a uid", (t) => {
  const given = pod("etcd-node-1.example", ["Node", "node-1.example"], {
    metadata: { annotations: { "kubernetes.io/config.hash": "c0ffee" } },
  });
  t.strictSame(targets(given), [
    '{app="etcd", container="main", namespace="shop", node="node-1.example", ' +
    'pod="etcd-node-1.example", workload="etcd"} ' +
    "/var/log/pods/shop_etcd-node-1.example_c0ffee/main/*.log",
  ]);
  t.end();
});

t.test("a pod that never got an address has logs, too", (t) => {
  t.equal(targets(pod("a", undefined, { status: { phase: "Failed" } })).length, 1);
  t.end();
});

t.test("client, selector and port are the options'", (t) => {
  t.match(config.clients[0], { tenant_id: "ops", external_labels: { cluster: "eu" } });
  t.equal(job!.kubernetes_sd_configs[0]!.selectors[0]!.field, "spec.nodeName=node-1.example");
  t.equal(config.server.http_listen_port, 3101);
  const bad = kubernetesConfig({
    url: "tailrace",
    tenant: "",
    externalLabels: {},
    node: "n",
    httpPort: 1,
    podLogs: "/p",
    kubeconfig: "",
  });
  t.match(Result.isFailure(bad) ? bad.failure.message : "", '"tailrace" is not a URL');
  t.end();
});
