/** What the manifests in k8s/ say to start is started here, as processes of this machine: the Job that makes the credentials,
 *  three NATS servers, every role; and all of it is restarted in turn, as Kubernetes does it, under writers and readers. */
import t from "tap";
import { AcknowledgedLines } from "../../src/testing/acknowledgedLines.ts";
import { ManifestCluster } from "../../src/testing/manifestCluster.ts";
import { renderManifests } from "../../src/testing/manifests.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { randomFrom } from "../../src/testing/random.ts";

t.test("overlays/single: what it starts keeps what was pushed over a restart", async (t) => {
  const cluster = await ManifestCluster.start(renderManifests("overlays/single"));
  t.teardown(() => cluster.remove());
  const url = cluster.serviceUrl("tailrace");
  const [push, query] = [new PushClient(url), new QueryClient(url)];
  t.teardown(() => [push, query].forEach((client) => client.close()));
  const now = BigInt(Date.now()) * 1_000_000n;
  const range = { query: '{app="pod"} |= "line"', start: now, end: now + 1_000_000_000n };
  await push.push([{ labels: '{app="pod"}', entries: [{ timestamp: now, line: "a line" }] }]);
  t.equal((await query.all(range)).length, 1);
  await cluster.rollingRestart(cluster.workloads[0]!);
  t.equal((await query.all(range)).length, 1, "also after the restart");
});

t.test("k8s: a rolling restart of everything loses nothing and holds up nobody", async (t) => {
  const cluster = await ManifestCluster.start(
    renderManifests(".").filter(({ kind }) => kind !== "DaemonSet"),
  );
  t.teardown(() => cluster.remove());
  const lines = new AcknowledgedLines({
    distributors: [cluster.serviceUrl("tailrace-distributor")],
    queriers: [cluster.serviceUrl("tailrace")],
    writerCount: 2,
    linesPerPush: 20,
    random: randomFrom("rolling restart"),
  });
  const running = lines.run();
  for (const workload of cluster.workloads) {
    const [acknowledged, started] = [lines.acknowledged, performance.now()];
    await cluster.rollingRestart(workload);
    t.comment(
      `${workload.metadata.name}: ${Math.round(performance.now() - started)} ms, ` +
        `${lines.acknowledged - acknowledged} lines acknowledged meanwhile, ` +
        `longest push so far ${Math.round(lines.longestPushMs)} ms`,
    );
    t.ok(
      lines.acknowledged > acknowledged,
      `pushes go on while ${workload.metadata.name} restarts`,
    );
  }
  lines.stop();
  await running;
  t.comment(
    `${lines.acknowledged} lines acknowledged, ${lines.retries} pushes sent again, ${lines.answers} answers, ` +
      `${lines.refusals} refused`,
  );
  t.same(lines.violations.slice(0, 10), [], "every answer had what was acknowledged before");
  t.same((await lines.checkAll(cluster.serviceUrl("tailrace"))).slice(0, 10), [], "and at the end");
  // Promtail's and Alloy's first five retries: 0.5, 1, 2, 4 and 8 s apart. They make ten.
  t.ok(lines.longestPushMs < 15_500, `no push took longer than retries: ${lines.longestPushMs} ms`);
  // Who comes before the ingesters have made the streams tries to, is refused, and waits.
  const violations = cluster.of("nats").flatMap(({ output }) =>
    output.split("\n").filter((line) =>
      /violation/i.test(line) && !/\$JS\.API\.STREAM\.CREATE\./.test(line)
    )
  );
  t.same(violations, [], "no role asks NATS for what it may not");
  t.same(await cluster.stop(), [], "everything ends well");
});
