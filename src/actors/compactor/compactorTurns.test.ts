/** Partitions among compactors, in a simulated world: each is one's, whoever comes, stops, dies or sleeps. */
import { Context, Effect, Exit, Layer, Scope } from "effect";
import t from "tap";
import { settingsWith } from "../../platform/config/mod.ts";
import { randomFrom } from "../../testing/random.ts";
import { simulatedNats } from "../../testing/simulation/SimulatedCluster.ts";
import { SimulatedJetStream } from "../../testing/simulation/SimulatedJetStream.ts";
import { SimulatedNetwork } from "../../testing/simulation/SimulatedNetwork.ts";
import { type Process, SimulatedWorld } from "../../testing/simulation/SimulatedWorld.ts";
import { CompactorTurns } from "./Compactor.ts";
import { clusterTurns } from "./compactorTurns.ts";

const partitions = 8;
const settings = settingsWith({ "ingester.partitions": partitions });

class Member {
  readonly process: Process;
  readonly #world: SimulatedWorld;
  #turns: CompactorTurns["Service"] | undefined;
  #stop: () => void = () => {};

  constructor(network: SimulatedNetwork, name: string) {
    this.#world = network.world;
    this.process = network.world.process(name);
    this.#world.later(this.process, 0, () => {
      const scope = Scope.makeUnsafe();
      const layer = clusterTurns(settings).pipe(
        Layer.provide(simulatedNats(network, this.process)),
      );
      const start = Effect.map(Layer.buildWithScope(layer, scope), (context) => {
        this.#turns = Context.get(context, CompactorTurns);
      });
      Effect.runFork(start);
      this.#stop = () => Effect.runFork(Scope.close(scope, Exit.void));
    });
  }

  /** What it takes for its own, asked in its own turn. */
  async owned(): Promise<ReadonlyArray<number>> {
    let owned: ReadonlyArray<number> | undefined;
    const all = Array.from({ length: partitions }, (_, partition) => partition);
    this.#world.later(this.process, 0, () => {
      owned = all.filter((partition) => this.#turns?.has(partition) === true);
    });
    await this.#world.run(this.#world.nowMs + 1, () => owned !== undefined);
    return owned ?? [];
  }

  stop(): void {
    this.#world.later(this.process, 0, () => this.#stop());
  }
}

async function twoMembers(seed: string) {
  const world = new SimulatedWorld(randomFrom(seed));
  const network = new SimulatedNetwork(world);
  new SimulatedJetStream(network, { tellAll: true });
  const members = [new Member(network, "a"), new Member(network, "b")] as const;
  await world.run(5000);
  return { world, network, members };
}

t.test("each partition is one compactor's, and the other's when it sleeps or dies", async (t) => {
  const { world, members: [a, b] } = await twoMembers("turns");
  t.same([...await a.owned(), ...await b.owned()].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
  t.equal((await a.owned()).length, 4);

  world.freeze(a.process);
  await world.run(world.nowMs + 8000);
  t.equal((await b.owned()).length, 8, "one that sleeps");
  world.thaw(a.process);
  t.same(await a.owned(), [], "knows that it slept when it wakes up");
  await world.run(world.nowMs + 8000);
  t.same([...await a.owned(), ...await b.owned()].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);

  world.kill(b.process);
  await world.run(world.nowMs + 8000);
  t.equal((await a.owned()).length, 8);
});

t.test("one that stops gives back what it has, whatever it is doing at that moment", async (t) => {
  const late: number[] = [];
  const count = 60;
  for (let step = 0; step < count; step++) {
    const { world, members: [a, b] } = await twoMembers(`stop ${step}`);
    // From one turn's first message to its last.
    const ms = step * 17;
    await world.run(world.nowMs + ms);
    a.stop();
    await world.run(world.nowMs + 4000);
    if ((await b.owned()).length < partitions) late.push(ms);
  }
  t.same(late, [], "ms after which it stopped and the other has to wait for leases to end");
});
