/** The collector on a node of Kubernetes: a server that speaks the API of pods, files as the kubelet lays them out, and the real
 *  server, which has each line with the labels of its container. test/kubernetes/collectPods.ts does it with a real API server. */
import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Test } from "tap";
import { CollectorProcess } from "../../src/testing/collectorProcess.ts";
import { type FakeObject, PodApi } from "../../src/testing/podApi.ts";
import { onServer, type Scenario } from "../../src/testing/onServer.ts";

interface PodOptions {
  readonly node?: string;
  readonly owner?: readonly [kind: string, name: string];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly containers?: ReadonlyArray<string>;
  readonly initContainers?: ReadonlyArray<string>;
}

function pod(namespace: string, name: string, uid: string, options: PodOptions = {}): FakeObject {
  const { node = "n1", owner, labels, annotations, containers = ["main"], initContainers = [] } =
    options;
  return {
    metadata: {
      name,
      namespace,
      uid,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(owner === undefined
        ? {}
        : { ownerReferences: [{ kind: owner[0], name: owner[1], controller: true }] }),
    },
    spec: {
      nodeName: node,
      containers: containers.map((name) => ({ name, ports: [{ containerPort: 80 }] })),
      initContainers: initContainers.map((name) => ({ name })),
    },
    status: { phase: "Running", podIP: "10.0.0.1" },
  };
}

/** Appends lines as containerd writes them. `tag`: F for a whole line, P for the beginning of one. */
function log(path: string, lines: ReadonlyArray<string>, tag = "F", stream = "stdout"): void {
  mkdirSync(dirname(path), { recursive: true });
  const time = new Date().toISOString().replace("Z", "000001Z");
  appendFileSync(path, lines.map((line) => `${time} ${stream} ${tag} ${line}\n`).join(""));
}

/** All lines in namespaces of this scenario as `namespace/pod/container/workload stream: line`, sorted, once there are so many. */
function arrivals(
  { query, now }: Scenario,
  collector: CollectorProcess,
  selector: string,
  format: (labels: Readonly<Record<string, string>>, line: string) => string,
) {
  const found = async () =>
    (await query.all({ query: selector, start: now, end: now + 3_600_000_000_000n }))
      .map(({ labels, line }) => format(labels, line)).sort();
  return async (count: number): Promise<ReadonlyArray<string>> => {
    for (;;) {
      const lines = await found();
      if (lines.length >= count) return lines;
      if (!collector.isRunning) throw new Error(`The collector has ended:\n${collector.output}`);
      await sleep(50);
    }
  };
}

const withoutConfiguration = async (t: Test, scenario: Scenario) => {
  const { server, app: namespace } = scenario;
  const api = await PodApi.start();
  t.teardown(() => api.close());
  const cart = pod(namespace, "cart-6d4cf56db6-x2x8z", "u1", {
    owner: ["ReplicaSet", "cart-6d4cf56db6"],
    labels: { "pod-template-hash": "6d4cf56db6", app: "basket" },
    containers: ["main", "proxy"],
    initContainers: ["setup"],
  });
  const etcd = pod(namespace, "etcd-n1", "u2", {
    owner: ["Node", "n1"],
    annotations: { "kubernetes.io/config.hash": "c0ffee" },
  });
  api.put(cart);
  api.put(etcd);
  api.put(pod(namespace, "other", "u3", { node: "n2" }));
  const collector = await CollectorProcess.create({
    runtime: server.runtime,
    config: undefined,
    flags: (logs) => [
      "--kubernetes",
      `--client.url=${server.baseUrl}`,
      "--client.external-labels=cluster=test",
      `--kubernetes.pod-logs=${logs}`,
      `--kubernetes.kubeconfig=${join(logs, "x")}`,
    ],
    environment: { NODE_NAME: "n1", KUBERNETES_SERVICE_HOST: "" },
  });
  t.teardown(() => collector.remove());
  appendFileSync(join(collector.logs, "x"), kubeconfig(api.url));
  const path = (directory: string, file = "main/0.log") =>
    join(collector.logs, `${namespace}_${directory}`, file);
  const cartLogs = "cart-6d4cf56db6-x2x8z_u1";
  log(path(cartLogs, "setup/0.log"), ["migrated"]);
  log(path(cartLogs, "main/0.log"), ["par"], "P");
  log(path(cartLogs, "main/0.log"), ["tial"]);
  log(path(cartLogs, "main/0.log"), ["java.lang.Error: x", "\tat A.b(A.java:1)"], "F", "stderr");
  log(path(cartLogs, "proxy/0.log"), ["GET /"]);
  log(path("etcd-n1_c0ffee"), ["elected"]);
  log(path("other_u3"), ["of another node"]);
  await collector.launchAndWait();
  const arrived = arrivals(
    scenario,
    collector,
    `{namespace="${namespace}", cluster="test"}`,
    (labels, line) =>
      `${labels["pod"]} ${labels["container"]} ${labels["node"]} ${labels["app"]} ` +
      `${labels["workload"]} ${labels["stream"]} ${labels["filename"] ?? "-"}: ${line}`,
  );
  const cartMain = "cart-6d4cf56db6-x2x8z main n1 basket cart";
  const expected = [
    `${cartMain} stderr -: java.lang.Error: x\n\tat A.b(A.java:1)`,
    `${cartMain} stdout -: partial`,
    "cart-6d4cf56db6-x2x8z proxy n1 basket cart stdout -: GET /",
    "cart-6d4cf56db6-x2x8z setup n1 basket cart stdout -: migrated",
    "etcd-n1 main n1 etcd etcd stdout -: elected",
  ];
  t.strictSame(await arrived(5), expected);
  t.match(await collector.page("/targets"), /kubernetes: http.*2 pods/s);

  // A container that restarts, a rotation, a new pod while the watch is down and its version forgotten.
  log(path(cartLogs, "main/1.log"), ["started again"]);
  log(path(cartLogs, "proxy/0.log"), ["last before rotation"]);
  renameSync(path(cartLogs, "proxy/0.log"), path(cartLogs, "proxy/0.log.20240101-000000"));
  log(path(cartLogs, "proxy/0.log"), ["first after rotation"]);
  api.cutWatches();
  const job = pod(namespace, "backup-28400100-abcde", "u4", { owner: ["Job", "backup-28400100"] });
  api.put(job);
  api.removeSilently(etcd);
  api.forget();
  log(path("backup-28400100-abcde_u4"), ["saved"]);
  expected.push(
    "backup-28400100-abcde main n1 backup backup stdout -: saved",
    `${cartMain} stdout -: started again`,
    "cart-6d4cf56db6-x2x8z proxy n1 basket cart stdout -: first after rotation",
    "cart-6d4cf56db6-x2x8z proxy n1 basket cart stdout -: last before rotation",
  );
  t.strictSame(await arrived(9), [...expected].sort());

  // A pod that is deleted together with its files is read to its end.
  log(path("backup-28400100-abcde_u4"), ["done"]);
  api.remove(job);
  rmSync(path("backup-28400100-abcde_u4"));
  expected.push("backup-28400100-abcde main n1 backup backup stdout -: done");
  t.strictSame(await arrived(10), [...expected].sort());
  t.equal(await collector.stop(), 0);
};

const asHelmHasIt = async (t: Test, scenario: Scenario) => {
  const { server, app: namespace } = scenario;
  const api = await PodApi.start();
  t.teardown(() => api.close());
  api.put(pod(namespace, "cart-6d4cf56db6-x2x8z", "u1", {
    owner: ["ReplicaSet", "cart-6d4cf56db6"],
    labels: { "app.kubernetes.io/component": "api" },
  }));
  api.put(pod(namespace, "other", "u3", { node: "n2" }));
  const collector = await CollectorProcess.create({
    runtime: server.runtime,
    // Only addresses and places are others.
    config: (logs) =>
      readFileSync(new URL("../promtail/kubernetes.yaml", import.meta.url), "utf8")
        .replace("http://loki-gateway", server.baseUrl)
        .replaceAll("/var/log/pods", logs)
        .replace("- role: pod", `- {role: pod, api_server: "${api.url}"}`),
    environment: { HOSTNAME: "n1", NODE_NAME: "" },
  });
  t.teardown(() => collector.remove());
  log(join(collector.logs, `${namespace}_cart-6d4cf56db6-x2x8z_u1/main/0.log`), ["hello"]);
  log(join(collector.logs, `${namespace}_other_u3/main/0.log`), ["of another node"]);
  await collector.launchAndWait();
  const arrived = arrivals(scenario, collector, `{namespace="${namespace}"}`, (labels, line) => {
    const added = ["filename", "service_name", "detected_level"];
    const own = Object.entries(labels).filter(([name]) => !added.includes(name));
    return `${JSON.stringify(own.sort())} ${line}`;
  });
  t.strictSame(await arrived(1), [
    `${
      JSON.stringify(Object.entries({
        app: "cart",
        component: "api",
        container: "main",
        job: `${namespace}/cart`,
        namespace,
        node_name: "n1",
        pod: "cart-6d4cf56db6-x2x8z",
        stream: "stdout",
      }))
    } hello`,
  ]);
};

const withoutAnswers = async (t: Test, { server, app: namespace }: Scenario) => {
  const api = await PodApi.start();
  t.teardown(() => api.close());
  api.refusal = { status: 403, message: 'pods is forbidden: User "x" cannot list resource "pods"' };
  const collector = await CollectorProcess.create({
    runtime: server.runtime,
    config: (logs) => ({
      clients: [{ url: `${server.baseUrl}/loki/api/v1/push` }],
      scrape_configs: [{
        job_name: "pods",
        kubernetes_sd_configs: [{
          role: "pod",
          kubeconfig_file: join(logs, "x"),
          namespaces: { names: [namespace] },
        }],
      }],
    }),
  });
  t.teardown(() => collector.remove());
  appendFileSync(join(collector.logs, "x"), kubeconfig(api.url));
  collector.launch();
  while (!collector.output.includes("cannot be asked for pods")) {
    if (!collector.isRunning) throw new Error(collector.output);
    await sleep(50);
  }
  t.match(collector.output, /User .*x.* cannot list resource .*pods/);
  t.match(await collector.page("/ready"), /Not ready: kubernetes of job "pods".*forbidden/s);
  t.match(await collector.page("/targets"), "forbidden");
  api.refusal = undefined;
  while (!(await collector.page("/ready")).startsWith("Ready")) await sleep(50);
  t.ok(
    api.requests.every((request) => request.startsWith(`/api/v1/namespaces/${namespace}/pods?`)),
  );
  t.strictSame([...api.authorizations], ["Bearer secret"]);
};

onServer({}, {
  "without a configuration": withoutConfiguration,
  "with the configuration of Promtail's Helm chart": asHelmHasIt,
  "an API server that refuses": withoutAnswers,
});

function kubeconfig(url: string): string {
  return `
current-context: test
contexts: [{name: test, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "${url}"}}]
users: [{name: u, user: {token: secret}}]
`;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
