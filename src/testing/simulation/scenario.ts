/** One simulated run from a seed: writers and readers on a small cluster, faults one after another, then peace, then a last look.
 *  Owns what happens when; invariants.ts owns what must hold. */
import { createHash } from "node:crypto";
import { buildBatch, encodeBatch } from "../../streams/batch.ts";
import { makeMatcher } from "../../streams/matcher.ts";
import { columnsOf } from "../modelRows.ts";
import { randomFrom } from "../random.ts";
import { checkAnswer, checkLog, checkSegments, countMerges, type Violation } from "./invariants.ts";
import type { Direction } from "./SimulatedConnection.ts";
import { settingsOfTwo, SimulatedMember, simulatedSettings } from "./SimulatedCluster.ts";
import type { Mutations } from "./mutations.ts";
import { SimulatedJetStream } from "./SimulatedJetStream.ts";
import { SimulatedNetwork } from "./SimulatedNetwork.ts";
import { SimulatedWorld } from "./SimulatedWorld.ts";

export interface RunResult {
  readonly violations: ReadonlyArray<Violation>;
  readonly faults: ReadonlyArray<string>;
  readonly acknowledged: number;
  readonly answers: number;
  /** Segments that took the place of others. */
  readonly merges: number;
  /** Equal for equal runs. */
  readonly trace: number;
  readonly turns: number;
}

interface Writer {
  readonly name: string;
  sent: number;
  acknowledged: number;
}

/** The time after which there are two partitions instead of one: one ingester is started again and told of it, and writers write
 *  to both. The other ingester, the distributor and the querier are never told. */
const growMs: readonly [number, number] = [300, 3000];
/** Time in which members start, faults happen, and everything must be well again. */
const startMs = 700;
const faultMs: ReadonlyArray<readonly [number, number]> = [[2000, 5000], [2000, 5000], [
  5000,
  12_000,
]];
const settleMs = 60_000;
const linesPerPush = 3;
const askMs = 3000;

export async function runScenario(seed: string, mutations: Mutations = {}): Promise<RunResult> {
  return await new Scenario(seed, mutations).run();
}

class Scenario {
  readonly #world: SimulatedWorld;
  readonly #network: SimulatedNetwork;
  readonly #jetStream: SimulatedJetStream;
  readonly #members: ReadonlyArray<SimulatedMember>;
  readonly #writers: ReadonlyArray<Writer>;
  readonly #violations: Violation[] = [];
  readonly #faults: string[] = [];
  #answers = 0;
  #isWriting = true;
  #partitionCount = 1;
  #isDamaged = false;

  constructor(seed: string, mutations: Mutations) {
    this.#world = new SimulatedWorld(randomFrom(seed));
    this.#network = new SimulatedNetwork(this.#world);
    this.#jetStream = new SimulatedJetStream(this.#network, mutations);
    const member = (role: SimulatedMember["role"], name: string) =>
      new SimulatedMember(this.#network, role, name, simulatedSettings);
    this.#members = [
      member("ingester", "i1"),
      member("ingester", "i2"),
      member("distributor", "d1"),
      member("querier", "q1"),
      member("compactor", "c1"),
      member("compactor", "c2"),
    ];
    this.#writers = ["w0", "w1"].map((name) => ({ name, sent: 0, acknowledged: 0 }));
  }

  async run(): Promise<RunResult> {
    const world = this.#world;
    const { nature } = this.#network;
    for (const member of this.#members) member.start();
    world.later(nature, 200, () => {
      for (const writer of this.#writers) this.#push(writer);
      this.#read();
    });
    world.later(nature, startMs, () => this.#disturb());
    world.later(nature, world.random.between(...growMs), () => this.#grow());
    const endMs = startMs + world.random.between(...world.random.pick(faultMs));
    await world.run(endMs);
    this.#heal();
    this.#isWriting = false;
    let isSettled = false;
    world.later(nature, 1000, () => this.#settle(() => isSettled = true));
    await world.run(endMs + settleMs, () => isSettled);
    if (!isSettled && !this.#isDamaged) {
      this.#violations.push({ id: "TR-5", message: "not everything was well in the end" });
    }
    this.#checkStored();
    const acknowledged = this.#writers.reduce((sum, writer) => sum + writer.acknowledged, 0);
    return {
      violations: this.#violations,
      faults: this.#faults,
      acknowledged,
      answers: this.#answers,
      merges: countMerges(this.#jetStream.streams.get("KV_tailrace_index")?.ops ?? []),
      trace: world.trace >>> 0,
      turns: world.turnCount,
    };
  }

  #grow(): void {
    this.#partitionCount = 2;
    const [, second] = this.#of("ingester");
    second!.settings = settingsOfTwo;
    second!.kill();
    second!.start();
  }

  #of(role: SimulatedMember["role"]): ReadonlyArray<SimulatedMember> {
    return this.#members.filter((member) => member.role === role);
  }

  /** The next lines of a writer, until they are acknowledged. */
  #push(writer: Writer): void {
    if (!this.#isWriting) return;
    const from = writer.sent;
    writer.sent += linesPerPush;
    const record = recordOf(writer, from, writer.sent);
    const partition = this.#world.random.below(this.#partitionCount);
    const { nature } = this.#network;
    const attempt = () => {
      let isOver = false;
      const done = (offset: number | undefined) => {
        if (isOver) return;
        isOver = true;
        cancel();
        if (offset === undefined) return void this.#world.later(nature, 100, attempt);
        writer.acknowledged = from + linesPerPush;
        this.#world.later(nature, this.#world.random.between(20, 400), () => this.#push(writer));
      };
      const cancel = this.#world.later(nature, askMs, () => done(undefined));
      const distributor = this.#world.random.pick(this.#of("distributor"));
      distributor.ask(nature, ({ append }) => append(partition, record), done);
    };
    attempt();
  }

  /** Questions, one after another. */
  #read(): void {
    if (!this.#isWriting) return;
    const { random } = this.#world;
    const { nature } = this.#network;
    this.#question(random.pick(this.#writers), () => {
      this.#world.later(nature, random.between(50, 400), () => this.#read());
    });
  }

  #question(writer: Writer, then: (isAnswered: boolean) => void): void {
    const { nature } = this.#network;
    const { acknowledged } = writer;
    let isOver = false;
    const done = (found: ReadonlyArray<string> | undefined) => {
      if (isOver) return;
      isOver = true;
      cancel();
      if (found !== undefined) {
        this.#answers++;
        const lineOf = (number: number) => lineText(writer, number);
        this.#violations.push(...checkAnswer(found, lineOf, acknowledged, writer.sent));
      }
      then(found !== undefined);
    };
    const cancel = this.#world.later(nature, 20_000, () => done(undefined));
    const request = {
      tenant: "t",
      matchers: [makeMatcher("writer", "=", writer.name)],
      range: { start: 0n, end: 1_000_000_000n },
    };
    this.#world.random.pick(this.#of("querier")).ask(nature, ({ query }) => query(request), done);
  }

  /** A fault, and the next when it is over. */
  #disturb(): void {
    if (!this.#isWriting) return;
    const { random } = this.#world;
    const { nature } = this.#network;
    const leader = this.#jetStream.streams.get("LOGS_0")?.leader;
    const node = random.oneIn(2) && leader !== undefined
      ? leader
      : random.pick(this.#network.nodes);
    const member = random.pick([...this.#members, ...this.#of("ingester")]);
    const ways = random.pick<ReadonlyArray<Direction>>([["up"], ["down"], ["up", "down"]]);
    // As long as an election takes, or not.
    const ms = random.oneIn(2) ? random.between(50, 800) : random.between(800, 9000);
    const choices: ReadonlyArray<readonly [string, () => void, () => void]> = [
      [`kill ${member.name}`, () => member.kill(), () => member.start()],
      [`freeze ${member.name}`, () => member.freeze(), () => member.thaw()],
      [`stop ${member.name}`, () => member.stop(), () => {
        member.kill();
        member.start();
      }],
      [
        `kill ${node.process.name}`,
        () => this.#network.kill(node),
        () => this.#network.restart(node),
      ],
      [
        `freeze ${node.process.name}`,
        () => this.#network.freeze(node),
        () => this.#network.thaw(node),
      ],
      [
        `isolate ${node.process.name}`,
        () => this.#network.isolate(node),
        () => this.#network.heal(node),
      ],
      [
        `cut ${ways.join(" and ")} of ${member.name}`,
        () => member.cutOff(ways),
        () => member.mend(),
      ],
      ["move leaders", () => this.#moveLeaders(), () => {}],
      ["damage", () => this.#damage(), () => {}],
      ["sweep", () => this.#sweep(this.#world.nowMs + ms), () => {}],
    ];
    const [name, begin, end] = random.pick(choices);
    this.#faults.push(`${this.#world.nowMs} ${name} for ${ms} ms`);
    begin();
    this.#world.later(nature, ms, () => {
      end();
      this.#world.later(nature, random.between(50, 1500), () => this.#disturb());
    });
  }

  #moveLeaders(): void {
    for (const stream of this.#jetStream.streams.values()) {
      if (this.#world.random.oneIn(2)) this.#jetStream.stepDown(stream);
    }
  }

  /** Again and again, so that some come between an object and its commit. */
  #sweep(endMs: number): void {
    const { nature } = this.#network;
    const { random } = this.#world;
    if (this.#world.nowMs > endMs || !this.#isWriting) return;
    random.pick(this.#of("ingester")).ask(nature, ({ sweep }) => sweep(), () => {});
    this.#world.later(nature, random.between(5, 100), () => this.#sweep(endMs));
  }

  /** Some messages of the log are gone at a server that does not lead. */
  #damage(): void {
    const stream = this.#jetStream.streams.get("LOGS_0");
    if (stream === undefined) return;
    const { random } = this.#world;
    const index = this.#network.nodes.findIndex((node) => node !== stream.leader);
    const lost = stream.replicas[index]!.damage(() => random.oneIn(4));
    if (lost > 0) this.#isDamaged = true;
  }

  #heal(): void {
    for (const node of this.#network.nodes) {
      if (node.process.isDead) this.#network.restart(node);
      if (node.process.isFrozen) this.#network.thaw(node);
      if (node.isIsolated) this.#network.heal(node);
    }
    for (const member of this.#members) {
      if (member.isDead) member.start();
      else {
        member.thaw();
        member.mend();
      }
    }
  }

  /** All is acknowledged, all is found, all can be flushed and is found again. */
  #settle(done: () => void): void {
    const { nature } = this.#network;
    const again = () => void this.#world.later(nature, 500, () => this.#settle(done));
    if (this.#writers.some(({ sent, acknowledged }) => acknowledged < sent)) return again();
    const [first, second] = this.#writers as [Writer, Writer];
    this.#question(first, (isAnswered) => {
      if (!isAnswered) return again();
      this.#flush((isFlushed) => {
        if (!isFlushed) return again();
        this.#question(second, (isAnswered) => isAnswered ? done() : again());
      });
    });
  }

  #flush(then: (isFlushed: boolean) => void): void {
    const { nature } = this.#network;
    let isOver = false;
    const done = (isFlushed: boolean | undefined) => {
      if (isOver) return;
      isOver = true;
      cancel();
      then(isFlushed === true);
    };
    const cancel = this.#world.later(nature, 10_000, () => done(false));
    this.#of("querier")[0]!.ask(nature, ({ flush }) => flush().then(() => true), done);
  }

  #checkStored(): void {
    const { streams, forgotten } = this.#jetStream;
    const digestOf = (data: Uint8Array) => createHash("sha256").update(data).digest("base64");
    for (const name of ["LOGS_0", "LOGS_1"]) {
      this.#violations.push(...checkLog(streams.get(name)?.ops ?? [], digestOf, forgotten));
    }
    this.#violations.push(...checkSegments(streams.get("KV_tailrace_index")?.ops ?? []));
  }
}

function lineText({ name }: Writer, number: number): string {
  return `${name} line ${number}`;
}

function recordOf(writer: Writer, from: number, to: number): Uint8Array {
  const rows = Array.from({ length: to - from }, (_, at) => ({
    timestamp: BigInt(from + at + 1),
    line: [...new TextEncoder().encode(lineText(writer, from + at))],
    metadata: [],
  }));
  const slices = [{ labels: `{writer="${writer.name}"}`, rowStart: 0, rowEnd: rows.length }];
  return encodeBatch(buildBatch("t", slices, columnsOf(rows)), "none");
}
