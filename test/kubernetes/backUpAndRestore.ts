/** Backs up overlays/dev with the NATS command line while it runs, loses all of it, and restores it, as docs/kubernetes.md
 *  says; every line that was acknowledged before the backup is found. Outside of the default run, since it needs `nats` on
 *  the PATH (`go install github.com/nats-io/natscli/nats@v0.5.1`): `node test/kubernetes/backUpAndRestore.ts`. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { AcknowledgedLines } from "../../src/testing/acknowledgedLines.ts";
import { ManifestCluster } from "../../src/testing/manifestCluster.ts";
import { renderManifests } from "../../src/testing/manifests.ts";
import { randomFrom } from "../../src/testing/random.ts";

t.test("a backup that was made under load restores what was acknowledged before", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "tailrace-backup-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const manifests = renderManifests("overlays/dev").filter(({ kind }) => kind !== "DaemonSet");
  const cluster = await ManifestCluster.start(manifests);
  t.teardown(() => cluster.remove());
  const lines = new AcknowledgedLines({
    distributors: [cluster.serviceUrl("tailrace-distributor")],
    queriers: [],
    writerCount: 2,
    linesPerPush: 20,
    random: randomFrom("backup"),
  });
  const running = lines.run();
  while (lines.acknowledged < 3000) await new Promise((resolve) => setTimeout(resolve, 100));
  const mark = lines.mark();
  const streams = await backUp(cluster, directory);
  t.ok(streams.length > 4);
  const written = lines.acknowledged;
  lines.stop();
  await running;
  t.ok(written > mark.acknowledged, "writers went on");
  await cluster.stop();
  await cluster.startWorkload("nats", true);
  for (const stream of streams) {
    await nats(cluster, directory, "stream", "restore", join(directory, stream));
  }
  for (const name of ["ingester", "distributor", "querier", "ui", "ruler"]) {
    await cluster.startWorkload(name);
  }
  const problems = await lines.checkMarked(cluster.serviceUrl("tailrace"), mark);
  t.same(problems.slice(0, 10), [], "what was acknowledged before the backup");
});

/** The write log first, then the index, then what the index names: whatever happens in between is in one of them. */
async function backUp(cluster: ManifestCluster, directory: string): Promise<ReadonlyArray<string>> {
  const listed = await nats(cluster, directory, "stream", "ls", "--all", "--names");
  const names = listed.trim().split(/\s+/);
  const rank = (name: string) => /^LOGS_/.test(name) ? 0 : /^KV_/.test(name) ? 1 : 2;
  const ordered = names.filter((name) => name !== "KV_tailrace_leases")
    .sort((left, right) => rank(left) - rank(right));
  for (const name of ordered) {
    await nats(cluster, directory, "stream", "backup", name, join(directory, name));
  }
  return ordered;
}

/** `nats` as the operator. */
async function nats(
  cluster: ManifestCluster,
  directory: string,
  ...parameters: string[]
): Promise<string> {
  const files = cluster.api.secrets.get("nats-client-operator")!;
  const folder = join(directory, "operator");
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const [server] = cluster.of("nats");
  const options = [
    `--server=tls://127.0.0.1:${server!.ports.get("client")}`,
    `--tlsca=${join(folder, "ca.crt")}`,
    `--tlscert=${join(folder, "tls.crt")}`,
    `--tlskey=${join(folder, "tls.key")}`,
  ];
  const { stdout } = await promisify(execFile)("nats", [...options, ...parameters]);
  return stdout;
}
