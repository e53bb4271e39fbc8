/** The acknowledged-write checker: a cluster under writers, readers and tails while, one at a time, its processes are killed and
 *  frozen, its network is cut, and disks and logs fill up, by a schedule with a printed seed. Every answer in between, and
 *  everything at the end, has each acknowledged line exactly once. The default schedule has every fault once;
 *  TAILRACE_FAULT_SECONDS goes on for so long, TAILRACE_FAULT_SEED repeats a schedule, TAILRACE_FAULT_LAUNCHER checks another
 *  installation. */
import type { Test } from "tap";
import t from "tap";
import { AcknowledgedLines } from "../../src/testing/acknowledgedLines.ts";
import { TailraceCluster } from "../../src/testing/cluster.ts";
import {
  anyFault,
  disturb,
  everyFault,
  type Fault,
  faultText,
} from "../../src/testing/clusterFaults.ts";
import { LogAudit } from "../../src/testing/logAudit.ts";
import { randomFrom, seedFrom } from "../../src/testing/random.ts";
import { runtimes } from "../../src/testing/serverProcess.ts";
import { TemporaryDisk } from "../../src/testing/temporaryDisk.ts";

const seconds = Number(process.env["TAILRACE_FAULT_SECONDS"] ?? "0");
const seed = seedFrom("TAILRACE_FAULT_SEED");
const launcher = process.env["TAILRACE_FAULT_LAUNCHER"];

t.comment(`seed ${seed}: TAILRACE_FAULT_SEED=${seed} repeats this schedule`);

t.test("a cluster under faults", async (t) => {
  const disk = await TemporaryDisk.create(2_000_000_000);
  t.teardown(() => disk.remove());
  const cluster = await TailraceCluster.start({
    runtime: runtimes.at(-1)!,
    counts: { distributor: 2, ingester: 2, querier: 2, compactor: 2 },
    settings: {
      "ingester.partitions": "3",
      "ingester.segment_target_bytes": "128KB",
      "ingester.max_segment_age": "5s",
      "nats.log_max_bytes": "12MB",
      "querier.workers": "1",
      "limits_config.max_line_size": "1MB",
      "compactor.compaction_interval": "100ms",
      "compactor.merge_min_segments": "2",
      "compactor.merge_target_bytes": "1MB",
      "limits_config.ingestion_rate_mb": "1000",
      "limits_config.ingestion_burst_size_mb": "1000",
    },
    natsOptions: { nodes: 3, links: true, disks: { n2: disk } },
    ...(launcher === undefined ? {} : { process: { launcher } }),
  });
  t.teardown(() => cluster.remove());
  const audit = await LogAudit.start(cluster.nats.urls);
  t.teardown(() => audit.close());
  const lines = new AcknowledgedLines({
    distributors: cluster.of("distributor").map(({ baseUrl }) => baseUrl),
    queriers: cluster.of("querier").map(({ baseUrl }) => baseUrl),
    writerCount: 4,
    linesPerPush: 20,
    random: randomFrom(`${seed}-lines`),
  });
  const running = lines.run();
  const faultCount = await disturbAll(t, cluster, lines);
  lines.stop();
  await running;
  t.comment(
    `${faultCount} faults, ${lines.acknowledged} lines acknowledged, ${lines.retries} pushes sent again, ${lines.answers} ` +
      `answers, ${lines.refusals} refused, ${lines.tailed} lines tailed, ${audit.records} records seen, ${audit.retold} retold`,
  );
  t.same(lines.violations.slice(0, 10), [], "every answer had what was acknowledged before");
  t.ok(lines.answers > faultCount, "readers got answers");
  t.ok(lines.tailed > 0, "tails got lines");
  t.same(audit.problems.slice(0, 10), [], "no record is in the log twice");
  t.same((await audit.segmentProblems()).slice(0, 10), [], "segments are one chain");
  for (const querier of cluster.of("querier")) {
    const problems = await lines.checkAll(querier.baseUrl);
    t.same(problems.slice(0, 10), [], "everything at the end");
  }
});

/** Does one fault after another until the time is over; the result is how many. Everybody runs again at the end. */
async function disturbAll(
  t: Test,
  cluster: TailraceCluster,
  lines: AcknowledgedLines,
): Promise<number> {
  const random = randomFrom(seed);
  const startMs = performance.now();
  const names = cluster.members.map(({ name }) => name);
  const planned: Fault[] = [...everyFault(random)];
  let count = 0;
  let violations = 0;
  await sleep(3000);
  while (planned.length > 0 || performance.now() - startMs < seconds * 1000) {
    const isPlanned = planned.length > 0;
    const fault = planned.shift() ?? anyFault(random, names);
    const atSeconds = ((performance.now() - startMs) / 1000).toFixed(1);
    t.comment(`${atSeconds} s: ${faultText(fault)}`);
    const problem = await disturb(cluster, fault);
    t.equal(problem, undefined, faultText(fault));
    for (const violation of lines.violations.slice(violations)) t.comment(violation);
    violations = lines.violations.length;
    count++;
    await sleep(random.between(500, isPlanned ? 1000 : 4000));
  }
  // What woke up last must have had its chance to do harm.
  await sleep(3000);
  return count;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
