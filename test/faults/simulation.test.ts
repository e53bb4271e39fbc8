/** The cluster in a simulated world: production code of owners, log, index, queries and compactors on simulated NATS servers that
 *  lose acknowledgements, lag, freeze, are cut off and change leaders (src/testing/simulation says which faults there are, and
 *  what must hold). TAILRACE_SIMULATION_SEEDS sets how many runs there are, TAILRACE_SIMULATION_SEED where they begin, which
 *  repeats a failure exactly. That the runs would notice is a test too: with one protection taken away they fail. */
import t from "tap";
import { seedFrom } from "../../src/testing/random.ts";
import type { Violation } from "../../src/testing/simulation/invariants.ts";
import { runScenario } from "../../src/testing/simulation/scenario.ts";
import type { Mutations } from "../../src/testing/simulation/mutations.ts";

const first = Number(seedFrom("TAILRACE_SIMULATION_SEED"));
const count = Number(process.env["TAILRACE_SIMULATION_SEEDS"] ?? "100");

t.comment(`seeds ${first} to ${first + count - 1}`);

t.test("a seed decides everything", async (t) => {
  const run = await runScenario(String(first));
  await runScenario(String(first + 1));
  const again = await runScenario(String(first));
  t.same(again, run, "also after another run in the same process");
  t.ok(run.turns > 500 && run.acknowledged > 0 && run.answers > 0, "and much happens");
});

t.test(`${count} runs`, async (t) => {
  const totals = { acknowledged: 0, answers: 0, merges: 0, faults: 0 };
  for (let seed = first; seed < first + count; seed++) {
    const { violations, faults, acknowledged, answers, merges } = await runScenario(String(seed));
    totals.acknowledged += acknowledged;
    totals.answers += answers;
    totals.merges += merges;
    totals.faults += faults.length;
    if (violations.length === 0) continue;
    const some = violations.slice(0, 5).map(({ id, message }) => `${id}: ${message}`);
    t.fail(`TAILRACE_SIMULATION_SEED=${seed} TAILRACE_SIMULATION_SEEDS=1`, { some, faults });
  }
  t.comment(JSON.stringify(totals));
  t.ok(totals.answers > count, "questions were answered");
  t.ok(totals.merges > count / 2, "segments were merged");
});

const protections: ReadonlyArray<readonly [string, Mutations, Violation["id"]]> = [
  ["the compare-and-set of a commit", { ignoreConditions: true }, "TR-4"],
  ["the message id of a record", { ignoreIds: true }, "TR-3"],
  ["the contiguity of what is read", { hideHoles: true }, "TR-1"],
  ["asking which partitions there are", { hideSubjects: true }, "TR-1"],
];
/** About one run in ten notices; none in so many would be a wonder. */
const attemptsMax = 400;

for (const [name, mutation, id] of protections) {
  t.test(`without ${name} runs fail`, async (t) => {
    const found = new Set<string>();
    for (let seed = 0; seed < attemptsMax && !found.has(id); seed++) {
      const { violations } = await runScenario(String(seed), mutation);
      for (const violation of violations) found.add(violation.id);
    }
    t.ok(found.has(id), `${id} is violated`);
  });
}
