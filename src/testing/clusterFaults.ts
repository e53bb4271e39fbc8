/** What can happen to a cluster, one thing at a time, and schedules of it. Owns how each fault is done and undone; after a fault
 *  everybody runs again. Whether anything was lost is acknowledgedLines.ts's business.
 *
 *  kill, freeze       a process, by SIGKILL and start, or SIGSTOP and SIGCONT
 *  restart            all NATS servers at once, by SIGKILL
 *  isolate, sever     the network: a NATS server from both others, or two servers from each other while both see the third
 *  fillDisk           one NATS server's disk, until its JetStream gives up; then there is room and it is started again
 *  fillLog            no ingester runs, until a partition's log has max_bytes */
import { randomBytes } from "node:crypto";
import type { Member, TailraceCluster } from "./cluster.ts";
import { protobufBody, PushClient } from "./pushClient.ts";
import type { Random } from "./random.ts";

export type Fault =
  | { readonly kind: "kill" | "freeze"; readonly member: string; readonly ms: number }
  | { readonly kind: "restart"; readonly ms: number }
  | { readonly kind: "isolate"; readonly node: number; readonly ms: number }
  | { readonly kind: "sever"; readonly node: number; readonly ms: number }
  | { readonly kind: "fillDisk"; readonly ms: number }
  | { readonly kind: "fillLog" };

export function faultText({ kind, ...rest }: Fault): string {
  return [kind, ...Object.entries(rest).map(([name, value]) => `${name}=${value}`)].join(" ");
}

/** One of each kind, and of kill and freeze one for each role and each NATS server, in an order that the seed decides. */
export function everyFault(random: Random): ReadonlyArray<Fault> {
  const one = (role: string) => `${role} ${random.between(1, 2)}`;
  const faults: Fault[] = [
    ...["distributor", "querier"].flatMap((role): Fault[] => [
      { kind: "kill", member: one(role), ms: random.between(200, 1000) },
      { kind: "freeze", member: one(role), ms: random.between(1500, 2500) },
    ]),
    // Whatever the seed: an owner that wakes up after another took over.
    { kind: "freeze", member: "ingester 1", ms: 7500 },
    { kind: "kill", member: "ingester 2", ms: random.between(200, 1000) },
    ...[1, 2, 3].flatMap((node): Fault[] => [
      { kind: "kill", member: `nats n${node}`, ms: random.between(100, 1000) },
      // Some long enough for an election, some not.
      {
        kind: "freeze",
        member: `nats n${node}`,
        ms: node === 1 ? 7000 : random.between(1500, 3000),
      },
    ]),
    { kind: "restart", ms: random.between(0, 500) },
    { kind: "isolate", node: random.below(3), ms: 7000 },
    { kind: "sever", node: random.below(3), ms: 5000 },
    { kind: "fillDisk", ms: 4000 },
    { kind: "fillLog" },
  ];
  for (let index = faults.length - 1; index > 0; index--) {
    const other = random.below(index + 1);
    [faults[index], faults[other]] = [faults[other]!, faults[index]!];
  }
  return faults;
}

/** Any one; those that take long seldom. */
export function anyFault(random: Random, members: ReadonlyArray<string>): Fault {
  if (random.oneIn(12)) {
    const node = random.below(3);
    const ms = random.between(1000, 12_000);
    return random.pick<Fault>([
      { kind: "restart", ms: random.between(0, 3000) },
      { kind: "isolate", node, ms },
      { kind: "isolate", node, ms },
      { kind: "sever", node, ms },
      { kind: "fillDisk", ms },
      { kind: "fillLog" },
    ]);
  }
  const kind = random.pick(["kill", "freeze"] as const);
  const ms = random.between(200, kind === "kill" ? 3000 : 8000);
  return { kind, member: random.pick(members), ms };
}

/** Does a fault and undoes it; the result is what it should have done and did not, if anything. */
export async function disturb(cluster: TailraceCluster, fault: Fault): Promise<string | undefined> {
  switch (fault.kind) {
    case "kill": {
      const member = memberOf(cluster, fault.member);
      await member.kill();
      await sleep(fault.ms);
      await member.start();
      return undefined;
    }
    case "freeze": {
      const member = memberOf(cluster, fault.member);
      member.freeze();
      await sleep(fault.ms);
      member.thaw();
      return undefined;
    }
    case "restart":
      await Promise.all(cluster.nats.nodes.map((node) => node.kill()));
      await sleep(fault.ms);
      await Promise.all(cluster.nats.nodes.map((node) => node.start()));
      return undefined;
    case "isolate":
    case "sever": {
      const [node, next] = [fault.node, (fault.node + 1) % 3];
      const others = fault.kind === "sever" ? [next] : [next, (fault.node + 2) % 3];
      for (const other of others) cluster.nats.cut(node, other);
      await sleep(fault.ms);
      for (const other of others) cluster.nats.heal(node, other);
      return undefined;
    }
    case "fillDisk":
      await fillDisk(cluster, fault.ms);
      return undefined;
    case "fillLog":
      return await fillLog(cluster);
  }
}

function memberOf(cluster: TailraceCluster, name: string): Member {
  const member = cluster.members.find((each) => each.name === name);
  if (member === undefined) throw new Error(`The cluster has no member "${name}"`);
  return member;
}

/** What is left of the disk is less than a block of any stream. */
const leftBytes = 32 * 1024;

async function fillDisk(cluster: TailraceCluster, ms: number): Promise<void> {
  const node = cluster.nats.nodes.find(({ disk }) => disk !== undefined);
  if (node?.disk === undefined) throw new Error("no NATS server has a disk of its own");
  const { disk } = node;
  const size = disk.sizeBytes();
  disk.resize(size - disk.freeBytes() + leftBytes);
  await sleep(ms);
  await node.kill();
  disk.resize(size);
  await node.start();
}

/** Bytes of a push that does not compress; several fill a partition's log. */
const fillerChars = 200_000;
const fillMs = 120_000;

async function fillLog(cluster: TailraceCluster): Promise<string | undefined> {
  const ingesters = cluster.members.filter(({ kind }) => kind === "ingester");
  for (const ingester of ingesters) await ingester.kill();
  const client = new PushClient(cluster.of("distributor")[0]!.baseUrl);
  const push = async () => {
    const line = randomBytes(fillerChars / 2).toString("hex");
    const entries = [{ timestamp: BigInt(Date.now()) * 1_000_000n, line }];
    return await client.send(protobufBody([{ labels: '{filler="x"}', entries }])).catch(() =>
      undefined
    );
  };
  const until = async (isWanted: (status: number) => boolean, what: string) => {
    let last = "nothing";
    for (const endMs = performance.now() + fillMs; performance.now() < endMs;) {
      const reply = await push();
      if (reply !== undefined && isWanted(reply.status)) return reply;
      last = `${reply?.status} ${reply?.body}`;
      if (reply?.status !== 204) await sleep(200);
    }
    throw new Error(`${what}; the last answer was ${last}`);
  };
  try {
    const refusal = await until((status) => status === 429, "a full log was not answered 429");
    if (refusal.headers["retry-after"] === undefined) return "a full log has no Retry-After";
    for (const ingester of ingesters) await ingester.start();
    await until((status) => status === 204, "a log that was full takes nothing any more");
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    client.close();
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
