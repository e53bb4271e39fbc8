/** Scan jobs among queriers, in a simulated world: a job goes to the querier whose cache should have its segment; one that dies,
 *  freezes or fails is replaced by the asker; a process for the page alone takes none. Real queriers share scans in
 *  test/e2e/cluster.test.ts. */
import { Effect, Exit, Scope } from "effect";
import t from "tap";
import { MicroService } from "../../cluster/microService.ts";
import { Nats } from "../../cluster/Nats.ts";
import { randomFrom } from "../../testing/random.ts";
import { simulatedNats } from "../../testing/simulation/SimulatedCluster.ts";
import { SimulatedJetStream } from "../../testing/simulation/SimulatedJetStream.ts";
import { SimulatedNetwork } from "../../testing/simulation/SimulatedNetwork.ts";
import { type Process, SimulatedWorld } from "../../testing/simulation/SimulatedWorld.ts";
import type { JobOptions } from "../../platform/workerPool.ts";
import { bestMember } from "../policy/ownership.ts";
import type { Scanners, UnitsJob } from "../Scanners.ts";
import { shareScans } from "./scanBus.ts";

/** A process whose scans answer with its name, or fail. */
class Querier {
  readonly process: Process;
  readonly #world: SimulatedWorld;
  #shared: Scanners["Service"] | undefined;
  #stop: () => void = () => {};
  isFailing = false;
  /** Whether its scans never end by themselves; how many were given up. */
  isStuck = false;
  givenUp = 0;
  /** How long its scans take. */
  slowMs = 0;

  constructor(network: SimulatedNetwork, name: string, takesJobs: boolean) {
    this.#world = network.world;
    this.process = network.world.process(name);
    const run = (_kind: string, _job: UnitsJob, { signal }: JobOptions) => {
      if (this.isFailing) return Promise.reject(new Error("cannot read"));
      if (this.slowMs > 0) {
        return new Promise((resolve) => setTimeout(() => resolve(name), this.slowMs));
      }
      if (!this.isStuck) return Promise.resolve(name);
      return new Promise((_resolve, reject) =>
        signal?.addEventListener("abort", () => {
          this.givenUp++;
          reject(signal.reason);
        })
      );
    };
    const local = { threadCount: 1, run } as unknown as Scanners["Service"];
    network.world.later(this.process, 0, () => {
      const scope = Scope.makeUnsafe();
      const start = Effect.gen({ self: this }, function* () {
        const link = yield* Nats;
        const service = new MicroService(link, "tailrace-querier", name);
        this.#shared = yield* shareScans(link, service, local, takesJobs);
      });
      Effect.runFork(
        start.pipe(
          Effect.provide(simulatedNats(network, this.process)),
          Effect.provideService(Scope.Scope, scope),
        ),
      );
      this.#stop = () => Effect.runFork(Scope.close(scope, Exit.void));
    });
  }

  /** Who ran a job on a segment, and after how many ms. */
  async ask(key: string): Promise<{ readonly by: string; readonly ms: number }> {
    const startMs = this.#world.nowMs;
    let by: string | undefined;
    this.#world.later(this.process, 0, () => {
      this.#shared!.run<string>("scan", jobOn(key), {}).then(
        (answer) => by = answer,
        (error) => by = String(error),
      );
    });
    await this.#world.run(startMs + 60_000, () => by !== undefined);
    return { by: by ?? "nobody", ms: this.#world.nowMs - startMs };
  }

  stop(): void {
    this.#world.later(this.process, 0, () => this.#stop());
  }
}

function jobOn(key: string): UnitsJob {
  return { units: [{ labels: "{}", sources: [{ chunk: { key, offset: 0, length: 1 } }] }] };
}

t.test("jobs go where the segment should be, and come back when nobody there does them", async (t) => {
  const world = new SimulatedWorld(randomFrom("scan jobs"));
  const network = new SimulatedNetwork(world);
  new SimulatedJetStream(network);
  const [a, b] = [new Querier(network, "a", true), new Querier(network, "b", true)];
  const page = new Querier(network, "page", false);
  await world.run(4000);
  const keys = Array.from({ length: 20 }, (_, at) => `segment-${at}`);
  const keyOf = (name: string) => keys.find((key) => bestMember(["a", "b"], key) === name)!;
  const [ofA, ofB] = [keyOf("a"), keyOf("b")];

  t.equal((await a.ask(ofA)).by, "a");
  t.equal((await a.ask(ofB)).by, "b", "another's segment");
  t.equal((await page.ask(ofA)).by, "a", "a page's process asks queriers");
  t.equal((await page.ask(ofB)).by, "b");

  b.isFailing = true;
  t.equal((await a.ask(ofB)).by, "a", "one that fails");
  b.isFailing = false;

  b.isStuck = true;
  t.equal((await a.ask(ofB)).by, "a", "one that is at it for long");
  b.isStuck = false;
  await world.run(world.nowMs + 100);
  t.equal(b.givenUp, 1, "which need not go on");

  b.slowMs = 3000;
  a.isFailing = true;
  t.equal((await a.ask(ofB)).by, "b", "one that is slow, when who asked cannot do it");
  b.isFailing = true;
  t.match((await a.ask(ofB)).by, /cannot read/, "nobody can");
  b.isFailing = a.isFailing = false;
  b.slowMs = 0;

  world.freeze(b.process);
  const hedged = await a.ask(ofB);
  t.equal(hedged.by, "a", "one that is slow");
  t.ok(hedged.ms >= 2000 && hedged.ms < 3000, `after ${hedged.ms} ms`);
  world.thaw(b.process);
  await world.run(world.nowMs + 8000);
  t.equal((await a.ask(ofB)).by, "b", "it is back");

  world.kill(b.process);
  t.equal((await a.ask(ofB)).by, "a", "one that died");
  await world.run(world.nowMs + 8000);
  const alone = await a.ask(ofB);
  t.equal(alone.by, "a");
  t.ok(alone.ms < 100, "and is forgotten when its lease has expired");
  t.equal((await page.ask(ofB)).by, "a");

  a.stop();
  await world.run(world.nowMs + 8000);
  t.equal((await page.ask(ofB)).by, "page", "without queriers it does it itself");
});
