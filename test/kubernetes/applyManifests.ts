/** Shows every variant of k8s/ to a real API server: `kubectl apply -k` twice, without a warning and without a change the
 *  second time, and a pod of each workload in its namespace, so that Pod Security has its say. Outside of the default run,
 *  since it needs a server: kind, minikube, or a kube-apiserver with etcd alone, named by KUBECONFIG. `node
 *  test/kubernetes/applyManifests.ts`; CRDS=<folder> has the Prometheus operator's definitions for the variants that need
 *  them. It deletes what it made. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import {
  type Manifest,
  podLabels,
  renderManifests,
  workloads,
} from "../../src/testing/manifests.ts";

const folder = fileURLToPath(new URL("../../k8s", import.meta.url));
const variants = [".", ...readdirSync(join(folder, "overlays")).map((name) => `overlays/${name}`)];
const crds = process.env["CRDS"];

t.before(() => {
  if (process.env["KUBECONFIG"] === undefined) throw new Error("KUBECONFIG must name a cluster");
  // Too large for the annotation that a client's apply keeps.
  for (const kind of ["servicemonitors", "prometheusrules"]) {
    if (crds === undefined) continue;
    const file = join(crds, `monitoring.coreos.com_${kind}.yaml`);
    kubectl(["apply", "--server-side", "-f", file]);
    kubectl(["wait", "--for=condition=established", "-f", file]);
  }
});

for (const variant of variants) {
  t.test(variant, (t) => {
    const path = join(folder, variant);
    const manifests = renderManifests(variant);
    t.equal(kubectl(["apply", "-k", path]).warnings, "", "accepted without a warning");
    const before = generations(path);
    t.ok(before.length > 0);
    t.equal(kubectl(["apply", "-k", path]).warnings, "", "and again");
    t.same(generations(path), before, "which changed nothing");
    const diff = spawnSync("kubectl", ["diff", "-k", path], { encoding: "utf8" });
    t.equal(diff.stdout, "", "what is there is what the files say");
    for (const workload of workloads(manifests)) {
      const { warnings } = kubectl(
        ["apply", "--dry-run=server", "-f", "-"],
        JSON.stringify(podOf(workload)),
      );
      t.equal(warnings, "", `a pod of ${workload.kind} ${workload.metadata.name} is admitted`);
    }
    const unsafe = workloads(manifests).find(({ kind }) => kind !== "DaemonSet")!;
    const refused = spawnSync("kubectl", ["apply", "--dry-run=server", "-f", "-"], {
      input: JSON.stringify(asRoot(podOf(unsafe))),
      encoding: "utf8",
    });
    t.match(refused.stderr, /violates PodSecurity "restricted/, "one that runs as root is not");
    // Namespaces stay: a server without controllers never ends deleting them.
    const items = manifests.filter(({ kind }) => kind !== "Namespace");
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items });
    kubectl(["delete", "--ignore-not-found", "--wait=false", "-f", "-"], list);
    t.end();
  });
}

/** Throws unless it succeeds. The result has what kubectl warned of. */
function kubectl(parameters: ReadonlyArray<string>, input = "") {
  const { status, stdout, stderr } = spawnSync("kubectl", parameters, {
    input,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`kubectl ${parameters.join(" ")} failed:\n${stderr}`);
  return { stdout, warnings: stderr };
}

/** Of everything that has one: it counts changes of what is wanted. */
function generations(path: string): ReadonlyArray<string> {
  const { stdout } = kubectl(["get", "-k", path, "-o", "json"]);
  const { items } = JSON.parse(stdout) as {
    readonly items: ReadonlyArray<
      Manifest & { readonly metadata: { readonly generation?: number } }
    >;
  };
  return items.filter(({ metadata }) => metadata.generation !== undefined)
    .map(({ kind, metadata }) => `${kind} ${metadata.name} ${metadata.generation}`).sort();
}

function podOf(workload: Manifest) {
  const { name, namespace } = workload.metadata;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `${name}-0`, namespace, labels: podLabels(workload) },
    spec: {
      ...workload.spec!.template!.spec,
      // What a StatefulSet's controller adds.
      volumes: [
        ...workload.spec!.template!.spec.volumes ?? [],
        ...(workload.spec!.volumeClaimTemplates ?? []).map(({ metadata }) => ({
          name: metadata.name,
          persistentVolumeClaim: { claimName: `${metadata.name}-${name}-0` },
        })),
      ],
    },
  };
}

function asRoot(pod: ReturnType<typeof podOf>) {
  const securityContext = { ...pod.spec.securityContext, runAsNonRoot: false, runAsUser: 0 };
  return { ...pod, spec: { ...pod.spec, securityContext } };
}
