/** Partitions among ingesters, in a simulated world: who stops hands over everything, whatever it is doing at that moment, so
 *  that nobody has to wait for its leases to end. What is lost or seen twice meanwhile is test/faults/simulation.test.ts's business. */
import t from "tap";
import { settingsWith } from "../../platform/config/mod.ts";
import { randomFrom } from "../../testing/random.ts";
import { SimulatedMember } from "../../testing/simulation/SimulatedCluster.ts";
import { SimulatedJetStream } from "../../testing/simulation/SimulatedJetStream.ts";
import { SimulatedNetwork } from "../../testing/simulation/SimulatedNetwork.ts";
import { SimulatedWorld } from "../../testing/simulation/SimulatedWorld.ts";

const partitions = 6;
const settings = settingsWith({
  "ingester.partitions": partitions,
  "nats.log_max_bytes": "1MB",
});
/** Leases end after five seconds, and are looked at each second. */
const soonMs = 4000;

function cluster(seed: string) {
  const world = new SimulatedWorld(randomFrom(seed));
  const network = new SimulatedNetwork(world);
  new SimulatedJetStream(network, { tellAll: true });
  const member = (name: string) => new SimulatedMember(network, "ingester", name, settings);
  const owned = async (of: SimulatedMember) => {
    let found: ReadonlyArray<number> | undefined;
    of.ask(network.nature, (duties) => Promise.resolve(duties.owned()), (some) => found = some);
    await world.run(world.nowMs + 1000, () => found !== undefined);
    return [...found ?? []].sort();
  };
  return { world, a: member("a"), b: member("b"), owned };
}

t.test("who stops in the middle of a turn leaves nothing behind", async (t) => {
  const late: number[] = [];
  for (let step = 0; step < 24; step++) {
    const { world, a, b, owned } = cluster(`turn ${step}`);
    a.start();
    b.start();
    await world.run(8000 + step * 43);
    a.stop();
    await world.run(world.nowMs + soonMs);
    if ((await owned(b)).length < partitions) late.push(step * 43);
  }
  t.same(late, [], "ms after which it stopped, and the other waits for its leases to end");
});

t.test("who stops while it hands partitions over hands over all of them", async (t) => {
  const late: number[] = [];
  for (let step = 0; step < 24; step++) {
    const { world, a, b, owned } = cluster(`handover ${step}`);
    a.start();
    await world.run(6000);
    b.start();
    await world.run(world.nowMs + step * 90);
    a.stop();
    await world.run(world.nowMs + soonMs);
    if ((await owned(b)).length < partitions) late.push(step * 90);
  }
  t.same(late, []);
});
