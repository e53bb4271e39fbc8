/** Random lines and random queries: a real server and the reference evaluator must answer alike. A slice runs with the tests;
 *  TAILRACE_RANDOM_PAIRS=20000 runs that many. Replay a failure with the seed that it prints:
 *  TAILRACE_RANDOM_SEED=123 node test/conformance/random.test.ts */
import t, { type Test } from "tap";
import { compareAnswers } from "../../src/testing/conformance/judge.ts";
import { randomCase } from "../../src/testing/conformance/randomQueries.ts";
import { randomRows } from "../../src/testing/conformance/randomRows.ts";
import { answerByReference } from "../../src/testing/conformance/referenceAnswer.ts";
import { answerByServer, pushRows } from "../../src/testing/conformance/serverAnswer.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { type Random, randomFrom, seedFrom } from "../../src/testing/random.ts";
import { Ambiguous } from "../../src/testing/reference/metricQuery.ts";
import { runtimes, ServerProcess } from "../../src/testing/serverProcess.ts";

const seed = seedFrom("TAILRACE_RANDOM_SEED");
const pairs = Number(process.env["TAILRACE_RANDOM_PAIRS"] || 300);
/** Queries for each set of lines. */
const queriesPerSet = 25;
/** Sets that are loaded before one flush. */
const setsPerFlush = 20;
const failuresMax = Number(process.env["TAILRACE_RANDOM_FAILURES"] || 5);

const settings = {
  auth_enabled: "true",
  "limits_config.discover_service_name": "false",
  "limits_config.discover_log_levels": "false",
};

for (const runtime of runtimes) {
  t.test(`${runtime}, seed ${seed}`, async (t) => {
    const server = await ServerProcess.start({ runtime, settings });
    t.teardown(() => server.remove());
    const flusher = new QueryClient(server.baseUrl, { tenant: "flusher" });
    t.teardown(() => flusher.close());
    let compared = 0;
    let failures = 0;
    for (let first = 0; compared < pairs && failures < failuresMax; first += setsPerFlush) {
      const count = Math.min(setsPerFlush, Math.ceil((pairs - compared) / queriesPerSet));
      const sets = Array.from({ length: count }, (_, index) => loadSet(server, first + index));
      for (const set of sets) await pushRows(set.client, set.rows.slice(0, set.flushed));
      await flusher.flush();
      for (const set of sets) await pushRows(set.client, set.rows.slice(set.flushed));
      for (const set of sets) {
        for (let query = 0; query < queriesPerSet && failures < failuresMax; query++) {
          const outcome = await comparePair(t, set);
          if (outcome === "differs") failures++;
          if (outcome !== "ambiguous") compared++;
        }
        set.client.close();
      }
    }
    t.equal(failures, 0, `${compared} pairs agree`);
    t.ok(server.isRunning, "the server outlives its queries");
  });
}

interface LoadedSet {
  readonly random: Random;
  readonly index: number;
  readonly rows: ReturnType<typeof randomRows>;
  /** How many rows are flushed. */
  readonly flushed: number;
  readonly client: PushClient;
}

function loadSet(server: ServerProcess, index: number): LoadedSet {
  const random = randomFrom(`${seed}-${index}`);
  const rows = randomRows(random);
  const flushed = random.pick([0, rows.length, random.between(0, rows.length)]);
  return {
    random,
    index,
    rows,
    flushed,
    client: new PushClient(server.baseUrl, { tenant: `set-${index}` }),
  };
}

async function comparePair(t: Test, { random, index, rows, client }: LoadedSet) {
  const test = randomCase(random);
  let expected: ReturnType<typeof answerByReference>;
  try {
    expected = answerByReference(test, rows);
  } catch (error) {
    if (error instanceof Ambiguous) return "ambiguous";
    throw error;
  }
  const actual = await answerByServer(client, test);
  const difference = compareAnswers(actual, expected);
  if (difference === null) return "agrees";
  const options = Object.entries(test.options).map(([name, value]) => `${name}=${value}`).join(" ");
  t.same(
    difference.actual,
    difference.expected,
    `set ${seed}-${index}: ${test.kind} ${options} ${test.query}`,
  );
  return "differs";
}
