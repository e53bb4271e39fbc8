/** The manifests in k8s/: every container is limited, probed and confined, selectors find their pods, and what they say to
 *  start is started here, takes a push, is restarted as Kubernetes does it, and still has the line. */
import t from "tap";
import {
  clusterSize,
  configMap,
  type Container,
  ContainerProcess,
  type Manifest,
  natsUsers,
  type PodSpec,
  portsFor,
  renderManifests,
  workloads,
} from "../../src/testing/manifests.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";

const variants = [".", "overlays/single"];

for (const variant of variants) {
  const manifests = renderManifests(variant);

  t.test(`${variant}: every container has limits, probes and a strict security context`, (t) => {
    t.ok(workloads(manifests).length > 0);
    for (const { kind, metadata, spec } of workloads(manifests)) {
      // The one that makes passwords runs once, with a token.
      if (kind === "Job") continue;
      const pod = spec!.template!.spec;
      t.equal(pod.automountServiceAccountToken, false, `${kind} ${metadata.name}: no token`);
      t.match(pod.securityContext, {
        runAsNonRoot: true,
        seccompProfile: { type: "RuntimeDefault" },
      });
      for (const container of pod.containers) {
        t.same(lacking(container), [], `${kind} ${metadata.name}, container ${container.name}`);
      }
    }
    t.end();
  });

  t.test(`${variant}: services, policies and budgets select pods that there are`, (t) => {
    const pods = workloads(manifests).map(({ spec }) => podLabels(spec));
    for (const { kind, metadata, spec } of manifests) {
      const selector = selectorOf(kind, spec);
      if (selector === undefined) continue;
      const found = pods.some((labels) =>
        Object.entries(selector).every(([name, value]) => labels[name] === value)
      );
      t.ok(found, `${kind} ${metadata.name} selects ${JSON.stringify(selector)}`);
    }
    t.end();
  });
}

t.test("overlays/single: what it starts keeps what was pushed over a restart", async (t) => {
  const manifests = renderManifests("overlays/single");
  const pod = workloads(manifests)[0]?.spec?.template?.spec as PodSpec;
  const container = pod.containers[0] as Container;
  const process = await ContainerProcess.of(manifests, pod, { podName: "tailrace-0" });
  t.teardown(() => process.remove());
  const base = `http://127.0.0.1:${process.port}/loki/api/v1`;
  const line = "the line of a pod";
  const find = async () => {
    const query = encodeURIComponent('{app="pod"} |= "line"');
    const reply = await fetch(`${base}/query_range?query=${query}`);
    const { data } = await reply.json() as {
      readonly data: {
        readonly result: ReadonlyArray<{ readonly values: ReadonlyArray<unknown> }>;
      };
    };
    return data.result.flatMap(({ values }) => values);
  };
  process.start();
  await process.until(container.startupProbe);
  await process.until(container.readinessProbe);
  await process.until(container.livenessProbe);
  const time = `${Date.now()}000000`;
  const push = await fetch(`${base}/push`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ streams: [{ stream: { app: "pod" }, values: [[time, line]] }] }),
  });
  t.equal(push.status, 204);
  t.same(await find(), [[time, line]]);
  t.equal(await process.stop(), 0, "SIGTERM is a clean end");
  process.start();
  await process.until(container.readinessProbe);
  t.same(await find(), [[time, line]], "also after the restart");
});

t.test("k8s: NATS' users may do what the roles need, and nothing else", (t) => {
  const manifests = renderManifests(".");
  const users = configMap(manifests, "nats")["users.conf"];
  t.equal(users, natsUsers(clusterSize(manifests)), "run node test/kubernetes/writeUsers.ts");
  t.end();
});

t.test("k8s: three NATS servers and the roles, as the manifests start them", async (t) => {
  const manifests = renderManifests(".");
  const podOf = (name: string) =>
    workloads(manifests).find(({ metadata }) => metadata.name === name)!.spec!.template!.spec;
  const nats = podOf("nats");
  const ports = await Promise.all([0, 1, 2].map(() => portsFor(nats.containers[0]!)));
  const addresses = new Map(
    ports.flatMap((own, index) =>
      nats.containers[0]!.ports!.map(({ name, containerPort }) =>
        [`nats-${index}.nats:${containerPort}`, `127.0.0.1:${own.get(name)}`] as const
      )
    ),
  );
  const users = ["distributor", "ingester", "querier", "ruler", "route", "admin"];
  const secrets = new Map(users.map((user) => [`nats-credentials/${user}`, `secretOf${user}`]));
  const start = async (
    pod: PodSpec,
    podName: string,
    own?: ReadonlyMap<string, number>,
  ): Promise<ContainerProcess> => {
    const process = await ContainerProcess.of(
      manifests,
      pod,
      { podName, secrets, addresses },
      own,
    );
    t.teardown(() => process.remove());
    process.start();
    return process;
  };
  const ready = async (pod: PodSpec, process: ContainerProcess) => {
    const [container] = pod.containers as [Container];
    for (const probe of [container.startupProbe, container.readinessProbe]) {
      await process.until(probe);
    }
    await process.until(container.livenessProbe);
  };
  const servers = await Promise.all(ports.map((own, index) => start(nats, `nats-${index}`, own)));
  const started = await Promise.all(["distributor", "ingester", "querier"].map(async (role) => {
    const process = await start(podOf(role), `${role}-0`);
    await ready(podOf(role), process);
    return process;
  })) as [ContainerProcess, ContainerProcess, ContainerProcess];
  for (const server of servers) await ready(nats, server);
  const [distributor, ingester, querier] = started;
  const push = new PushClient(`http://127.0.0.1:${distributor.port}`);
  const query = new QueryClient(`http://127.0.0.1:${querier.port}`);
  t.teardown(() => [push, query].forEach((client) => client.close()));
  const now = BigInt(Date.now()) * 1_000_000n;
  const range = { query: '{app=~".+"}', start: now, end: now + 1_000_000_000n };
  const pushed = Array.from({ length: 40 }, (_, index) => ({
    labels: `{app="app${index}"}`,
    entries: [{ timestamp: now + BigInt(index), line: `line ${index}` }],
  }));
  await push.push(pushed);
  t.equal((await query.all(range)).length, 40, "what was pushed is found");
  t.equal(await ingester.stop(), 0, "an ingester that is stopped flushes and ends well");
  ingester.start();
  await push.push(pushed.map((stream) => ({
    ...stream,
    entries: stream.entries.map((entry) => ({ ...entry, line: `second ${entry.line}` })),
  })));
  await ready(podOf("ingester"), ingester);
  t.equal((await query.all(range)).length, 80, "nothing is lost or found twice over its restart");
  // Who comes before the ingesters have made the streams tries to, is refused, and waits.
  const violations = servers.flatMap(({ output }) =>
    output.split("\n").filter((line) =>
      /violation/i.test(line) && !/\$JS\.API\.STREAM\.CREATE\./.test(line)
    )
  );
  t.same(violations, [], "no role asks NATS for what it may not");
  for (const process of [distributor, ingester, querier]) t.equal(await process.stop(), 0);
});

/** What a container must have and has not. */
function lacking(container: Container): string[] {
  const { resources, securityContext } = container;
  const missing: string[] = [];
  for (const name of ["cpu", "memory"]) {
    if (resources?.requests?.[name] === undefined) missing.push(`resources.requests.${name}`);
    if (resources?.limits?.[name] === undefined) missing.push(`resources.limits.${name}`);
  }
  for (const probe of ["readinessProbe", "livenessProbe"] as const) {
    if (container[probe] === undefined) missing.push(probe);
  }
  const wanted = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true };
  for (const [name, value] of Object.entries(wanted)) {
    if (securityContext?.[name] !== value) missing.push(`securityContext.${name}: ${value}`);
  }
  const { drop } = (securityContext?.["capabilities"] ?? {}) as { readonly drop?: unknown };
  if (JSON.stringify(drop) !== '["ALL"]') missing.push("capabilities.drop: [ALL]");
  return missing;
}

function podLabels(spec: Manifest["spec"]): Readonly<Record<string, string>> {
  const template = spec?.template as { readonly metadata?: Manifest["metadata"] } | undefined;
  return template?.metadata?.labels ?? {};
}

/** The labels that a manifest picks pods by; undefined for kinds that pick none. */
function selectorOf(
  kind: string,
  spec: Manifest["spec"],
): Readonly<Record<string, unknown>> | undefined {
  if (kind === "Service") return spec?.selector;
  const { selector, podSelector } = (spec ?? {}) as {
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly podSelector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  };
  return selector?.matchLabels ?? podSelector?.matchLabels;
}
