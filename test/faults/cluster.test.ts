/** The acknowledged-write checker: a cluster under writers and readers while its members are
 *  killed and frozen, one at a time, by a schedule with a printed seed. Every answer in between,
 *  and everything at the end, has each acknowledged line exactly once. TAILRACE_FAULT_SECONDS sets
 *  how long it goes on (default 20), TAILRACE_FAULT_SEED repeats a schedule,
 *  TAILRACE_FAULT_LAUNCHER checks another installation. */
import type { Test } from "tap";
import t from "tap";
import { AcknowledgedLines } from "../../src/testing/acknowledgedLines.ts";
import { type Member, TailraceCluster } from "../../src/testing/cluster.ts";
import { LogAudit } from "../../src/testing/logAudit.ts";
import { type Random, randomFrom, seedFrom } from "../../src/testing/random.ts";
import { runtimes } from "../../src/testing/serverProcess.ts";

const seconds = Number(process.env["TAILRACE_FAULT_SECONDS"] ?? "20");
const seed = seedFrom("TAILRACE_FAULT_SEED");
const launcher = process.env["TAILRACE_FAULT_LAUNCHER"];

t.comment(`seed ${seed}: TAILRACE_FAULT_SEED=${seed} repeats this schedule`);

t.test(`${seconds} s of faults`, async (t) => {
  const cluster = await TailraceCluster.start({
    runtime: runtimes.at(-1)!,
    counts: { distributor: 2, ingester: 2, querier: 2 },
    settings: {
      "ingester.partitions": "3",
      "ingester.segment_target_bytes": "128KB",
      "ingester.max_segment_age": "5s",
      "querier.workers": "1",
      "limits_config.ingestion_rate_mb": "1000",
      "limits_config.ingestion_burst_size_mb": "1000",
    },
    ...(launcher === undefined ? {} : { process: { launcher } }),
  });
  t.teardown(() => cluster.remove());
  const audit = await LogAudit.start(cluster.nats.urls);
  t.teardown(() => audit.close());
  const random = randomFrom(seed);
  const lines = new AcknowledgedLines({
    distributors: cluster.of("distributor").map(({ baseUrl }) => baseUrl),
    queriers: cluster.of("querier").map(({ baseUrl }) => baseUrl),
    writerCount: 4,
    linesPerPush: 20,
    random: randomFrom(`${seed}-lines`),
  });
  const running = lines.run();
  const faultCount = await disturb(t, cluster, random);
  lines.stop();
  await running;
  t.comment(
    `${faultCount} faults, ${lines.acknowledged} lines acknowledged, ${lines.retries} pushes sent again, ${lines.answers} ` +
      `answers, ${lines.refusals} refused, ${audit.records} records seen`,
  );
  t.same(lines.violations.slice(0, 10), [], "every answer had what was acknowledged before");
  t.ok(lines.answers > faultCount, "readers got answers");
  t.same(audit.problems.slice(0, 10), [], "no record is in the log twice");
  t.same((await audit.segmentProblems()).slice(0, 10), [], "segments are one chain");
  for (const querier of cluster.of("querier")) {
    const problems = await lines.checkAll(querier.baseUrl);
    t.same(problems.slice(0, 10), [], "everything at the end");
  }
});

/** Does one fault after another until the time is over; the result is how many. Everybody runs again at the end. */
async function disturb(t: Test, cluster: TailraceCluster, random: Random): Promise<number> {
  const endMs = performance.now() + seconds * 1000;
  let count = 0;
  const disturbOne = async (what: keyof typeof faults, member: Member, milliseconds: number) => {
    t.comment(`${what} ${member.name} for ${milliseconds} ms`);
    await faults[what](member, milliseconds);
    count++;
  };
  const named = (name: string) => cluster.members.find((member) => member.name === name)!;
  await sleep(3000);
  // Whatever the seed: an owner that wakes up after another took over, and a leader of each stream that dies with publishes
  // under way.
  for (const name of ["ingester 1", "ingester 2"]) {
    await disturbOne("freeze", named(name), 7500);
    await sleep(1500);
  }
  for (const node of ["nats n1", "nats n2", "nats n3"]) {
    await sleep(1500);
    await disturbOne("kill", named(node), 300);
  }
  while (performance.now() < endMs) {
    await sleep(random.between(500, 4000));
    const member = random.pick(cluster.members);
    const what = random.pick(["kill", "freeze"] as const);
    await disturbOne(what, member, random.between(200, what === "kill" ? 3000 : 8000));
  }
  // What woke up last must have had its chance to do harm.
  await sleep(3000);
  return count;
}

const faults = {
  kill: async (member: Member, milliseconds: number) => {
    await member.kill();
    await sleep(milliseconds);
    await member.start();
  },
  freeze: async (member: Member, milliseconds: number) => {
    member.freeze();
    await sleep(milliseconds);
    member.thaw();
  },
};

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
