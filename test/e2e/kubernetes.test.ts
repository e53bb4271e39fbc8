/** What the manifests in k8s/ say to start is started here, as processes of this machine: the Job that makes the credentials,
 *  three NATS servers, every role; and what docs/kubernetes.md says to do with them is done, under writers and readers:
 *  restarts in turn, new certificates, a dead disk, a dead node, a copy of a volume. */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { AcknowledgedLines } from "../../src/testing/acknowledgedLines.ts";
import { ManifestCluster, nodeName } from "../../src/testing/manifestCluster.ts";
import {
  clusterSize,
  type Manifest,
  natsUsers,
  renderManifests,
} from "../../src/testing/manifests.ts";
import { PodApi } from "../../src/testing/podApi.ts";
import { PodLog } from "../../src/testing/podLog.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { randomFrom } from "../../src/testing/random.ts";

/** Lines of an application in many streams, pushed and found through Services. */
class Lines {
  readonly #app: string;
  readonly #start = BigInt(Date.now()) * 1_000_000n;
  #pushCount = 0n;

  constructor(app: string) {
    this.#app = app;
  }

  /** Sends it again while it is refused, as agents do, and not for longer. */
  async push(url: string): Promise<void> {
    const startedMs = performance.now();
    const timestamp = this.#start + this.#pushCount++;
    const streams = Array.from({ length: streamCount }, (_, number) => ({
      labels: `{app="${this.#app}", number="${number}"}`,
      entries: [{ timestamp, line: "a line" }],
    }));
    for (;;) {
      const client = new PushClient(url);
      const failure = await client.push(streams).then(() => undefined, (error: Error) => error);
      client.close();
      if (failure === undefined) return;
      if (performance.now() - startedMs > retriesMs) throw failure;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  /** How many are found, of how many were pushed. */
  async found(url: string): Promise<readonly [number, number]> {
    const client = new QueryClient(url);
    const range = { start: this.#start, end: this.#start + 1_000_000_000n };
    const entries = await client.all({ query: `{app="${this.#app}"}`, ...range })
      .finally(() => client.close());
    return [entries.length / streamCount, Number(this.#pushCount)];
  }
}

const streamCount = 50;

/** Promtail and Alloy try ten times, 0.5, 1, 2, 4, … s apart: this is the time of the first seven. */
const retriesMs = 63_500;

// Most of the time is spent waiting: until nobody sends to a pod that ends, until NATS' clients have moved.
t.jobs = 3;

t.test("overlays/single: a restart and a copy of the volume keep what was pushed", async (t) => {
  const manifests = renderManifests("overlays/single").filter(({ kind }) => kind !== "DaemonSet");
  const cluster = await ManifestCluster.start(manifests);
  t.teardown(() => cluster.remove());
  const url = cluster.serviceUrl("tailrace");
  const lines = new Lines("single");
  await lines.push(url);
  await cluster.rollingRestart(cluster.workloads[0]!);
  await lines.push(url);
  t.same(await lines.found(url), [2, 2], "after the restart");
  // As a snapshot of the volume does, while the server runs.
  const snapshot = mkdtempSync(join(tmpdir(), "tailrace-snapshot-"));
  t.teardown(() => rmSync(snapshot, { recursive: true, force: true }));
  const volume = cluster.of("tailrace")[0]!.pathOf("/data");
  cpSync(volume, snapshot, { recursive: true });
  await lines.push(url);
  await cluster.stop();
  rmSync(volume, { recursive: true });
  cpSync(snapshot, volume, { recursive: true });
  await cluster.loseNode(["tailrace"]);
  t.same(await lines.found(url), [2, 3], "what the snapshot has");
});

/** overlays/dev without the collector, with some lines in it. */
async function startDev(t: Test) {
  const manifests = renderManifests("overlays/dev").filter(({ kind }) => kind !== "DaemonSet");
  const cluster = await ManifestCluster.start(manifests);
  t.teardown(() => cluster.remove());
  const push = cluster.serviceUrl("tailrace-distributor");
  const read = cluster.serviceUrl("tailrace");
  const lines = new Lines("dev");
  await lines.push(push);
  return { manifests, cluster, push, read, lines };
}

t.test("overlays/dev: more partitions", async (t) => {
  const { manifests, cluster, push, read, lines } = await startDev(t);
  const writers = new AcknowledgedLines({
    distributors: [push],
    queriers: [read],
    writerCount: 4,
    linesPerPush: 20,
    random: randomFrom("more partitions"),
  });
  const running = writers.run();
  await cluster.apply(withPartitions(manifests, 10));
  await lines.push(push);
  writers.stop();
  await running;
  t.same(await lines.found(read), [2, 2], "in old partitions and in new ones");
  t.same(writers.violations.slice(0, 10), [], "while both are written to");
  t.same((await writers.checkAll(read)).slice(0, 10), []);
  t.ok(writers.longestFailureMs < retriesMs, `failed for ${writers.longestFailureMs} ms`);
});

t.test("overlays/dev: a new authority", async (t) => {
  const { cluster, push, read, lines } = await startDev(t);
  const before = cluster.api.secrets.get("nats-client-querier");
  for (const name of ["nats-ca", "nats-route"]) cluster.api.deleteSecret(name);
  await cluster.runJobs();
  t.not(cluster.api.secrets.get("nats-client-querier"), before);
  await cluster.restartAtOnce();
  await lines.push(push);
  t.same(await lines.found(read), [2, 2], "with a new authority everything is known anew");
});

/** What docs/kubernetes.md says to edit for more partitions. */
function withPartitions(
  manifests: ReadonlyArray<Manifest>,
  count: number,
): ReadonlyArray<Manifest> {
  const edited = manifests.map((manifest) => {
    const text = manifest.data?.["tailrace.yaml"];
    if (text === undefined) return manifest;
    const changed = text.replace(/partitions: \d+/, `partitions: ${count}`);
    return { ...manifest, data: { ...manifest.data, "tailrace.yaml": changed } };
  });
  return edited.map((manifest) =>
    manifest.data?.["users.conf"] === undefined ? manifest : {
      ...manifest,
      data: { ...manifest.data, "users.conf": natsUsers(clusterSize(edited)) },
    }
  );
}

t.test("k8s: restarts, new certificates, a dead disk and a dead node lose nothing", async (t) => {
  const node = mkdtempSync(join(tmpdir(), "tailrace-node-"));
  t.teardown(() => rmSync(node, { recursive: true, force: true }));
  const pods = await PodApi.start();
  t.teardown(() => pods.close());
  pods.put(PodLog.object("shop", "cart", "u1", nodeName));
  const podLog = new PodLog(join(node, "log", "pods"), "shop", "cart", "u1");
  mkdirSync(join(node, "state"));
  const startNs = BigInt(Date.now()) * 1_000_000n;
  const cluster = await ManifestCluster.start(renderManifests("."), {
    podsUrl: pods.url,
    hostPaths: new Map([
      ["/var/log", join(node, "log")],
      ["/var/lib/tailrace-collector", join(node, "state")],
    ]),
  });
  t.teardown(() => cluster.remove());
  podLog.start();
  t.teardown(() => podLog.stop());
  const lines = new AcknowledgedLines({
    distributors: [cluster.serviceUrl("tailrace-distributor")],
    queriers: [cluster.serviceUrl("tailrace")],
    writerCount: 2,
    linesPerPush: 20,
    random: randomFrom("rolling restart"),
  });
  const running = lines.run();
  const disturb = async (what: string, work: () => Promise<void>) => {
    const [acknowledged, started] = [lines.acknowledged, performance.now()];
    lines.longestFailureMs = 0;
    await work();
    // Agents try again after seconds: what they were refused meanwhile comes a little later.
    while (lines.acknowledged === acknowledged) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const count = lines.acknowledged - acknowledged;
    t.comment(
      `${what}: ${
        Math.round(performance.now() - started)
      } ms, ${count} lines acknowledged meanwhile, ` +
        `a push failed for at most ${Math.round(lines.longestFailureMs)} ms`,
    );
    t.ok(count > 0, `pushes go on: ${what}`);
    t.ok(lines.longestFailureMs < retriesMs, "no push fails for longer than agents retry");
  };
  // The authority stays: who has its certificate already and who has not yet know each other.
  const leaves = [...cluster.api.secrets.keys()].filter((name) => /server|client/.test(name));
  for (const name of leaves) cluster.api.deleteSecret(name);
  await cluster.runJobs();
  for (const workload of cluster.workloads) {
    await disturb(`restart of ${workload.metadata.name}`, () => cluster.rollingRestart(workload));
  }
  await disturb("a disk dies", () => cluster.loseNode(["nats"], { loseVolume: true }));
  const roles = cluster.workloads.filter(({ kind }) => kind === "Deployment");
  const zone = ["nats", ...roles.map(({ metadata }) => metadata.name)];
  await disturb("a node or a zone dies", () => cluster.loseNode(zone));
  await disturb(
    "two NATS servers are away",
    () => cluster.loseNode(["nats", "nats"], { afterMs: 5000 }),
  );
  await disturb("three pods of each role", () => each(roles, (role) => cluster.scale(role, 3)));
  await disturb("one pod of each role", () => each(roles, (role) => cluster.scale(role, 1)));
  podLog.stop();
  lines.stop();
  await running;
  t.same(
    await collected(cluster, startNs, podLog),
    podLog.lines(),
    "what a pod wrote, once and in order",
  );
  t.comment(
    `${lines.acknowledged} lines acknowledged, ${lines.retries} pushes sent again, ${lines.answers} answers, ` +
      `${lines.refusals} refused`,
  );
  t.same(lines.violations.slice(0, 10), [], "every answer had what was acknowledged before");
  t.same((await lines.checkAll(cluster.serviceUrl("tailrace"))).slice(0, 10), [], "and at the end");
  // Who comes before the ingesters have made the streams tries to, is refused, and waits.
  const violations = cluster.of("nats").flatMap(({ output }) =>
    output.split("\n").filter((line) =>
      /violation/i.test(line) && !/\$JS\.API\.STREAM\.CREATE\./.test(line)
    )
  );
  t.same(violations, [], "no role asks NATS for what it may not");
  t.same(await cluster.stop(), [], "everything ends well");
});

/** Does something with each role at once. */
async function each(roles: ReadonlyArray<Manifest>, act: (role: Manifest) => Promise<void>) {
  await Promise.all(roles.map(act));
}

/** The pod's lines as the page's Service answers them, once there are as many as the pod wrote. */
async function collected(cluster: ManifestCluster, startNs: bigint, log: PodLog) {
  const client = new QueryClient(cluster.serviceUrl("tailrace"));
  const query = `{namespace="shop", pod="cart", container="main", node="${nodeName}", app="cart"}`;
  try {
    for (;;) {
      const end = BigInt(Date.now()) * 1_000_000n + 1_000_000_000n;
      const found = await client.all({ query, start: startNs, end });
      if (found.length >= log.count) return found.map(({ line }) => line);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  } finally {
    client.close();
  }
}
