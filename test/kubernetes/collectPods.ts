/** The collector's discovery of pods with a real API server, on both runtimes: pods come, change and go, files are as the kubelet
 *  lays them out, and the real server has the lines. Outside of the default run, since it needs a server: kind, minikube, or a
 *  kube-apiserver with etcd alone, named by KUBECONFIG. `node test/kubernetes/collectPods.ts`. It deletes what it made. */
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Test } from "tap";
import { CollectorProcess } from "../../src/testing/collectorProcess.ts";
import { onServer, type Scenario } from "../../src/testing/onServer.ts";

const kubeconfig = process.env["KUBECONFIG"] ?? "";
if (kubeconfig === "") throw new Error("KUBECONFIG must name a cluster");
/** No kubelet has it, so nothing runs there. */
const node = "tailrace-test-node";

function kubectl(parameters: ReadonlyArray<string>, input = ""): string {
  const { status, stdout, stderr } = spawnSync("kubectl", parameters, { encoding: "utf8", input });
  if (status !== 0) throw new Error(`kubectl ${parameters.join(" ")}: ${stderr}`);
  return stdout;
}

/** Makes a pod and returns its uid. */
function create(namespace: string, name: string, more: Record<string, unknown> = {}): string {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, ...more },
    spec: {
      nodeName: node,
      containers: [{ name: "main", image: "none" }],
      initContainers: [{ name: "setup", image: "none" }],
      terminationGracePeriodSeconds: 0,
    },
  };
  return kubectl(["create", "-f", "-", "-o", "jsonpath={.metadata.uid}"], JSON.stringify(pod));
}

function log(path: string, line: string): void {
  mkdirSync(dirname(path), { recursive: true });
  appendFileSync(path, `${new Date().toISOString()} stdout F ${line}\n`);
}

const podsOfANode = async (t: Test, { server, app: namespace, query, now }: Scenario) => {
  kubectl(["create", "namespace", namespace]);
  t.teardown(() => kubectl(["delete", "namespace", namespace, "--wait=false"]));
  const collector = await CollectorProcess.create({
    runtime: server.runtime,
    config: undefined,
    flags: (logs) => [
      "--kubernetes",
      `--client.url=${server.baseUrl}`,
      `--kubernetes.pod-logs=${logs}`,
    ],
    environment: { NODE_NAME: node, KUBECONFIG: kubeconfig, KUBERNETES_SERVICE_HOST: "" },
  });
  t.teardown(() => collector.remove());
  const path = (name: string, uid: string, container = "main") =>
    join(collector.logs, `${namespace}_${name}_${uid}`, container, "0.log");
  const arrived = async (count: number) => {
    for (;;) {
      const entries = await query.all({
        query: `{namespace="${namespace}"}`,
        start: now,
        end: now + 3_600_000_000_000n,
      });
      if (entries.length >= count) {
        return entries.map(({ labels, line }) =>
          `${labels["pod"]} ${labels["container"]} ${labels["app"]} ${labels["workload"]}: ${line}`
        ).sort();
      }
      if (!collector.isRunning) throw new Error(`The collector has ended:\n${collector.output}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const owner = {
    ownerReferences: [{
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      name: "cart-6d4cf56db6",
      uid: "8a2b",
      controller: true,
    }],
    labels: { "pod-template-hash": "6d4cf56db6" },
  };
  const cart = create(namespace, "cart-6d4cf56db6-x2x8z", owner);
  log(path("cart-6d4cf56db6-x2x8z", cart), "one");
  log(path("cart-6d4cf56db6-x2x8z", cart, "setup"), "set up");
  await collector.launchAndWait();
  const expected = [
    "cart-6d4cf56db6-x2x8z main cart cart: one",
    "cart-6d4cf56db6-x2x8z setup cart cart: set up",
  ];
  t.strictSame(await arrived(2), expected, "what the list has");
  const later = create(namespace, "later");
  log(path("later", later), "two");
  expected.push("later main later later: two");
  t.strictSame(await arrived(3), expected, "what the watch tells");
  kubectl(["label", "pod", "-n", namespace, "later", "app=renamed"]);
  while (!(await collector.page("/targets")).includes("renamed")) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  kubectl(["delete", "pod", "-n", namespace, "later"]);
  while ((await collector.page("/targets")).includes("renamed")) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  t.equal(await collector.stop(), 0);
};

onServer({}, { "pods of a node": podsOfANode });
