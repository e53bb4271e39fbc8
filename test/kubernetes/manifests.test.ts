/** The manifests in k8s/: every container is limited, probed and confined, every pod spreads and may be drained, selectors
 *  find their pods, autoscalers are not overruled, and roles may do what they need. run.test.ts starts what they say;
 *  applyManifests.ts shows them to a real API server. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { parse } from "yaml";
import { Result } from "effect";
import { inboxPrefix, rolePermissions } from "../../src/cluster/permissions.ts";
import { parseSettingFlags } from "../../src/platform/config/mod.ts";
import { resolveSettings } from "../../src/platform/config/load.ts";
import { parseByteSize } from "../../src/platform/config/units.ts";
import {
  clusterSize,
  configMap,
  type Container,
  type Manifest,
  natsUsers,
  podLabels,
  renderManifests,
  selects,
  workloads,
} from "../../src/testing/manifests.ts";

const folder = fileURLToPath(new URL("../../k8s/overlays", import.meta.url));
const variants = [".", ...readdirSync(folder).sort().map((name) => `overlays/${name}`)];
const launchPlan = fileURLToPath(
  new URL("../../src/platform/config/launchPlan.ts", import.meta.url),
);
const mebibyte = 1024 * 1024;
/** The only one that reads files of its node. */
const collector = "DaemonSet collector";

for (const variant of variants) {
  const manifests = renderManifests(variant);
  const running = workloads(manifests).filter(({ kind }) => kind !== "Job");

  t.test(`${variant}: every container has limits, probes and a strict security context`, (t) => {
    t.ok(running.length > 0);
    const known = workloads(manifests).flatMap(({ spec }) => spec!.template!.spec.containers);
    t.equal(containersIn(manifests).length, known.length, "there are no other containers");
    for (const workload of workloads(manifests)) {
      const { containers, securityContext } = workload.spec!.template!.spec;
      const name = nameOf(workload);
      t.match(securityContext, { seccompProfile: { type: "RuntimeDefault" } }, name);
      if (name !== collector) t.match(securityContext, { runAsNonRoot: true }, name);
      for (const container of containers) {
        t.same(
          lacking(container, workload.kind !== "Job"),
          [],
          `${name}, container ${container.name}`,
        );
      }
    }
    t.end();
  });

  t.test(`${variant}: a token is there for who asks the API, and for nobody else`, (t) => {
    for (const workload of workloads(manifests)) {
      const asks = ["Job credentials", collector].includes(nameOf(workload));
      const { automountServiceAccountToken } = workload.spec!.template!.spec;
      t.equal(automountServiceAccountToken, asks, nameOf(workload));
    }
    for (const { kind, metadata, automountServiceAccountToken } of manifests) {
      if (kind === "ServiceAccount") t.equal(automountServiceAccountToken, false, metadata.name);
    }
    t.end();
  });

  t.test(`${variant}: only the collector sees its node, and only its state can it write`, (t) => {
    for (const workload of workloads(manifests)) {
      const pod = workload.spec!.template!.spec;
      t.notOk(pod.hostNetwork ?? pod.hostPID ?? pod.hostIPC, nameOf(workload));
      const hostVolumes = (pod.volumes ?? []).filter(({ hostPath }) => hostPath !== undefined);
      if (nameOf(workload) !== collector) t.same(hostVolumes, [], nameOf(workload));
      for (const { name, mountPath, readOnly } of pod.containers[0]!.volumeMounts ?? []) {
        if (!hostVolumes.some((volume) => volume.name === name)) continue;
        t.equal(readOnly === true, mountPath !== "/var/lib/tailrace-collector", mountPath);
      }
    }
    t.end();
  });

  t.test(`${variant}: selectors pick pods that there are, every pod has what it should`, (t) => {
    for (const { kind, metadata, spec } of manifests) {
      const selector = selectorOf(kind, spec);
      if (selector === undefined) continue;
      const isSelected = running.concat(workloads(manifests)).some((workload) =>
        workload.metadata.namespace === metadata.namespace && selects(selector, podLabels(workload))
      );
      t.ok(isSelected, `${kind} ${metadata.name} selects ${JSON.stringify(selector)}`);
    }
    for (const workload of running) {
      const { kind, metadata } = workload;
      const has = (other: string) =>
        manifests.some((manifest) =>
          manifest.kind === other && manifest.metadata.namespace === metadata.namespace &&
          selects(selectorOf(other, manifest.spec) ?? { nothing: true }, podLabels(workload))
        );
      t.ok(has("NetworkPolicy"), `${nameOf(workload)} has a NetworkPolicy`);
      if (kind !== "DaemonSet") {
        t.ok(has("PodDisruptionBudget"), `${nameOf(workload)} has a budget`);
      }
    }
    t.end();
  });

  t.test(`${variant}: how many pods there are is said in one place`, (t) => {
    for (const { kind, spec } of manifests) {
      if (kind !== "HorizontalPodAutoscaler") continue;
      const { name } = spec!.scaleTargetRef!;
      const target = running.find(({ metadata }) => metadata.name === name);
      t.ok(target, `an autoscaler's ${name}`);
      t.equal(target?.spec?.replicas, undefined, `applying again must not scale ${name} down`);
    }
    t.end();
  });

  t.test(`${variant}: pods get the time to end that their work can take`, (t) => {
    for (const workload of running) {
      const { terminationGracePeriodSeconds = 0 } = workload.spec!.template!.spec;
      // What a role's requests get, server.graceful_shutdown_timeout, or NATS' lame duck, both 30 s; then a flush.
      const seconds = workload.kind === "DaemonSet" ? 30 : 60;
      t.ok(terminationGracePeriodSeconds >= seconds, nameOf(workload));
    }
    t.end();
  });
}

t.test("k8s: NATS' users may do what the roles need, and nothing else", (t) => {
  const manifests = renderManifests(".");
  const users = configMap(manifests, "nats")["users.conf"];
  t.equal(users, natsUsers(clusterSize(manifests)), "run node test/kubernetes/writeUsers.ts");
  const job = workloads(manifests).find(({ kind }) => kind === "Job")!;
  const hosts = job.spec!.template!.spec.containers[0]!.args!.find((arg) => /^--hosts=/.test(arg));
  const routes = configMap(manifests, "nats")["cluster.conf"]!.match(/nats-\d\.nats/g);
  for (const host of routes ?? []) t.match(hosts, host, "its certificate has the server's name");
  t.end();
});

for (const variant of variants.filter((name) => name !== "overlays/single")) {
  t.test(`${variant}: each role has its own certificate, and answers of its own`, (t) => {
    const manifests = renderManifests(variant);
    const deployments = manifests.filter(({ kind, metadata }) =>
      kind === "Deployment" && metadata.labels?.["app.kubernetes.io/name"] === "tailrace"
    );
    const made = JSON.stringify(
      manifests.find(({ kind, metadata }) => kind === "Role" && metadata.name === "credentials"),
    );
    const roles = rolePermissions(clusterSize(manifests)).map(({ role }) => role);
    t.same(deployments.map(({ metadata }) => metadata.name).sort(), [...roles].sort());
    for (const role of roles) {
      const pod = deployments.find(({ metadata }) => metadata.name === role)!.spec!.template!.spec;
      const { args } = pod.containers[0]!;
      t.match(args, ["serve", `--target=${role}`, `--nats.inbox-prefix=${inboxPrefix(role)}`]);
      const secrets = (pod.volumes ?? []).flatMap(({ secret }) => secret?.secretName ?? []);
      t.same(secrets, [`nats-client-${role}`]);
      t.match(made, `"nats-client-${role}"`, "which the Job may make");
    }
    const targets = ["tailrace", "tailrace-distributor"].map((name) =>
      manifests.find(({ kind, metadata }) => kind === "Service" && metadata.name === name)
        ?.spec?.selector?.["app.kubernetes.io/component"]
    );
    t.same(targets, ["ui", "distributor"], "where the Services lead");
    t.end();
  });
}

t.test("overlays/example: alerts count the partitions and bytes that there can be", (t) => {
  const manifests = renderManifests("overlays/example");
  const rules = manifests.find(({ kind }) => kind === "PrometheusRule");
  const { partitions } = clusterSize(manifests);
  t.match(
    JSON.stringify(rules),
    `(partition) (tailrace_ingester_unflushed_records{namespace=\\"tailrace\\"})) < ${partitions}`,
  );
  const text = configMap(manifests, "tailrace")["tailrace.yaml"]!;
  const file = { name: "tailrace.yaml", text };
  const { ingester } = Result.getOrThrow(resolveSettings({ file })).settings;
  const lag = Number(
    /tailrace_ingester_unflushed_bytes[^>]*> (\w+)/.exec(JSON.stringify(rules))![1],
  );
  t.ok(lag < ingester.max_unflushed_bytes && lag > 0.8 * ingester.max_unflushed_bytes, "can fire");
  const free = Number(
    /kubelet_volume_stats_capacity_bytes[^<]*< ([\d.]+)/.exec(JSON.stringify(rules))![1],
  );
  for (const variant of [".", "overlays/dev", "overlays/s3"]) {
    const share = storedShare(renderManifests(variant));
    t.ok(1 - free < 0.95 * share, `pages before ${share} of the volume is all that NATS may fill`);
  }
  const dashboards = manifests.find(({ metadata }) => metadata.name === "tailrace-dashboards");
  for (const text of Object.values(dashboards?.data ?? {})) {
    t.ok(JSON.parse(text).panels.length > 0);
  }
  const [datasource] = parse(
    manifests.find(({ metadata }) => metadata.name === "tailrace-datasource")?.data
      ?.["tailrace-datasource.yaml"] ?? "",
  ).datasources;
  t.match(datasource, { type: "loki", url: "http://tailrace.tailrace.svc:3100" });
  t.end();
});

t.test("overlays/example: the sandbox has what the configuration needs, and no more", (t) => {
  const manifests = renderManifests("overlays/example");
  const directory = mkdtempSync(join(tmpdir(), "tailrace-plan-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const config = join(directory, "tailrace.yaml");
  writeFileSync(config, configMap(manifests, "tailrace")["tailrace.yaml"]!);
  for (const workload of workloads(manifests)) {
    const [container] = workload.spec!.template!.spec.containers as [Container];
    if (container.args?.[0] !== "serve") continue;
    const environment = (container.env ?? []).map(({ name, value }) => [name, value] as const);
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [launchPlan, ...container.args],
      {
        env: { ...Object.fromEntries(environment), TAILRACE_CONFIG_FILE: config },
        encoding: "utf8",
      },
    );
    t.equal(status, 0, stderr);
    const { listen, connects, readsFiles, dataDirectory } = JSON.parse(stdout) as {
      readonly listen: string;
      readonly connects: ReadonlyArray<string>;
      readonly readsFiles: ReadonlyArray<string>;
      readonly dataDirectory: string;
    };
    const allowed = (what: string) =>
      container.command!.find((flag) => flag.startsWith(`--allow-${what}=`))!.split("=")[1]!
        .split(",").sort();
    t.same(allowed("net"), [listen, ...connects].sort(), `${nameOf(workload)}: net`);
    t.same(allowed("write"), [dataDirectory], `${nameOf(workload)}: write`);
    for (const path of readsFiles) {
      t.ok(allowed("read").some((folder) => path.startsWith(`${folder}/`)), `reads ${path}`);
    }
  }
  t.end();
});

for (const variant of variants) {
  const manifests = renderManifests(variant);
  t.test(`${variant}: what pods may hold in memory when all goes wrong fits their limits`, (t) => {
    const text = configMap(manifests, "tailrace")["tailrace.yaml"]!;
    const file = { name: "tailrace.yaml", text };
    const { ingester, distributor } = Result.getOrThrow(resolveSettings({ file })).settings;
    const { partitions } = ingester;
    // The runtime, threads, and segments that are being made.
    const base = 384 * mebibyte;
    const pushes = distributor.max_inflight_size * (1 + partitions);
    // Also what followLog.ts was told of and waits.
    const unflushed = (ingester.max_unflushed_bytes + 32 * mebibyte) * partitions;
    const needs = new Map([
      ["Deployment distributor", base + pushes],
      ["Deployment ingester", base + unflushed],
      ["StatefulSet tailrace", base + pushes + unflushed],
    ]);
    const found = workloads(manifests).filter((workload) => needs.has(nameOf(workload)));
    t.ok(found.length > 0);
    for (const workload of found) {
      const { resources } = workload.spec!.template!.spec.containers[0]!;
      const limit = Result.getOrThrow(parseByteSize(`${resources!.limits!["memory"]}B`));
      const name = nameOf(workload);
      t.ok(needs.get(name)! <= limit, `${name} may need ${needs.get(name)} bytes of ${limit}`);
    }
    t.end();
  });

  t.test(`${variant}: what a role keeps on its disk fits the volume`, (t) => {
    const text = configMap(manifests, "tailrace")["tailrace.yaml"]!;
    const file = { name: "tailrace.yaml", text };
    for (const { metadata: { name }, spec } of workloads(manifests)) {
      const { containers: [container], volumes = [] } = spec!.template!.spec;
      const volume = volumes.find((volume) => volume.name === "data")?.emptyDir;
      if (container!.args?.[0] !== "serve" || volume === undefined) continue;
      const flags = Result.getOrThrow(parseSettingFlags(container!.args)).values;
      const { storage, compactor } = Result.getOrThrow(resolveSettings({ file, flags })).settings;
      const caches = new Map([
        ["compactor", compactor.merge_target_bytes * 4],
        ["querier", storage.cache_size],
        ["ui", storage.cache_size],
      ]);
      const size = Result.getOrThrow(parseByteSize(`${volume.sizeLimit}B`));
      // A copy of the index takes about 100 bytes for each chunk: 5 million chunks are 30 TB of lines.
      const copyBytes = 512 * mebibyte;
      const hasCopy = !["distributor", "ruler"].includes(name);
      const needed = (caches.get(name) ?? 0) + (hasCopy ? copyBytes : 0);
      t.ok(needed * 1.25 <= size, `${name} may need ${needed} bytes of ${size}`);
    }
    t.end();
  });

  t.test(`${variant}: no two servers of NATS share a node where there are enough`, (t) => {
    for (const { metadata, spec } of workloads(manifests)) {
      if (metadata.name !== "nats") continue;
      const { topologySpreadConstraints: constraints = [] } = spec!.template!.spec;
      const ofNodes = constraints.find(({ topologyKey }) =>
        topologyKey === "kubernetes.io/hostname"
      );
      t.match(ofNodes, { maxSkew: 1, whenUnsatisfiable: "DoNotSchedule" });
    }
    t.end();
  });
}

/** How much of its volume NATS may fill; a unit of its own without i is as large as one with. */
function storedShare(manifests: ReadonlyArray<Manifest>): number {
  const { spec } = workloads(manifests).find(({ metadata }) => metadata.name === "nats")!;
  const { env } = spec!.template!.spec.containers[0]!;
  const gibibytes = parseInt(env!.find(({ name }) => name === "MAX_FILE_STORE")!.value!);
  return gibibytes / parseInt(spec!.volumeClaimTemplates![0]!.spec.resources.requests.storage);
}

function nameOf({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.name}`;
}

/** What a container must have and has not. A Job's ends by itself: nobody asks whether it is ready. */
function lacking(container: Container, isProbed: boolean): string[] {
  const { resources, securityContext } = container;
  const missing: string[] = [];
  for (const name of ["cpu", "memory"]) {
    if (resources?.requests?.[name] === undefined) missing.push(`resources.requests.${name}`);
    if (resources?.limits?.[name] === undefined) missing.push(`resources.limits.${name}`);
  }
  for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"] as const) {
    if (isProbed && container[probe] === undefined) missing.push(probe);
  }
  const wanted = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true };
  for (const [name, value] of Object.entries(wanted)) {
    if (securityContext?.[name] !== value) missing.push(`securityContext.${name}: ${value}`);
  }
  if (JSON.stringify(securityContext?.["capabilities"]) !== '{"drop":["ALL"]}') {
    missing.push("capabilities: { drop: [ALL] }, and nothing else");
  }
  // What a container says for itself takes the place of what the pod says.
  const own = Object.keys(securityContext ?? {}).filter((name) =>
    name !== "capabilities" && !Object.hasOwn(wanted, name)
  );
  return [...missing, ...own.map((name) => `no securityContext.${name} of its own`)];
}

/** Every container of any kind, wherever in the manifests it stands. */
function containersIn(value: unknown): ReadonlyArray<unknown> {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, below]) =>
    /containers$/i.test(key) && Array.isArray(below) ? below : containersIn(below)
  );
}

/** The labels that a manifest picks pods by; undefined for kinds that pick none. */
function selectorOf(
  kind: string,
  spec: Manifest["spec"],
): Readonly<Record<string, unknown>> | undefined {
  if (kind === "Service") return spec?.selector;
  if (kind === "ServiceMonitor") return undefined;
  const { selector, podSelector } = (spec ?? {}) as {
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly podSelector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  };
  return selector?.matchLabels ?? podSelector?.matchLabels;
}
