/** That the checker of acknowledged writes would notice: the same cluster and faults, with a header that protects taken out of
 *  what processes send to NATS. Takes minutes and failures, so it runs only with TAILRACE_FAULT_TEETH=1; simulation.test.ts does
 *  the same in every run. */
import t from "tap";
import { AcknowledgedLines } from "../../src/testing/acknowledgedLines.ts";
import { TailraceCluster } from "../../src/testing/cluster.ts";
import { disturb, type Fault } from "../../src/testing/clusterFaults.ts";
import { LogAudit } from "../../src/testing/logAudit.ts";
import { randomFrom, seedFrom } from "../../src/testing/random.ts";
import { runtimes } from "../../src/testing/serverProcess.ts";
import type { Replacement } from "../../src/testing/tcpLink.ts";

const seed = seedFrom("TAILRACE_FAULT_SEED");
const isWanted = process.env["TAILRACE_FAULT_TEETH"] === "1";
t.comment(isWanted ? `seed ${seed}` : "TAILRACE_FAULT_TEETH=1 runs this");

const protections: ReadonlyArray<readonly [string, Replacement]> = [
  ["message id", { from: "Nats-Msg-Id", to: "Xats-Msg-Id" }],
  ["compare-and-set", {
    from: "Nats-Expected-Last-Subject-Sequence",
    to: "Xats-Expected-Last-Subject-Sequence",
  }],
];
const roundsMax = 24;

for (const [name, replacement] of isWanted ? protections : []) {
  t.test(`without the ${name} the checker fails`, async (t) => {
    const cluster = await TailraceCluster.start({
      runtime: runtimes.at(-1)!,
      counts: { distributor: 2, ingester: 2, querier: 1 },
      settings: {
        "ingester.partitions": "2",
        "ingester.segment_target_bytes": "64KB",
        "ingester.max_segment_age": "3s",
        "querier.workers": "1",
      },
      replacement,
    });
    t.teardown(() => cluster.remove());
    const audit = await LogAudit.start(cluster.nats.urls);
    t.teardown(() => audit.close());
    const lines = new AcknowledgedLines({
      distributors: cluster.of("distributor").map(({ baseUrl }) => baseUrl),
      queriers: cluster.of("querier").map(({ baseUrl }) => baseUrl),
      writerCount: 6,
      linesPerPush: 10,
      random: randomFrom(`${seed}-lines`),
    });
    const random = randomFrom(seed);
    const running = lines.run();
    const problems: string[] = [];
    for (let round = 0; round < roundsMax && problems.length === 0; round++) {
      const fault: Fault = round % 2 === 0
        ? { kind: "kill", member: `nats n${random.between(1, 3)}`, ms: 300 }
        : { kind: "freeze", member: `ingester ${random.between(1, 2)}`, ms: 7500 };
      await disturb(cluster, fault);
      await new Promise((resolve) => setTimeout(resolve, 3000));
      problems.push(...lines.violations, ...audit.problems);
      problems.push(...await audit.segmentProblems().catch(() => []));
    }
    lines.stop();
    t.comment(problems.slice(0, 3).join("; "));
    t.ok(problems.length > 0, "something was found");
    await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 10_000))]);
  });
}
t.pass("the end");
