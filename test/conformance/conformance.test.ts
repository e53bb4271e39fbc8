/** The conformance files against a real server over HTTP, on each runtime. Every section is loaded three times, each time as a
 *  tenant of its own: flushed, half flushed, unflushed; each case must hold in all three. README.md beside it is the manual. */
import t, { type Test } from "tap";
import { compareAnswers, judge } from "../../src/testing/conformance/judge.ts";
import { answerByReference } from "../../src/testing/conformance/referenceAnswer.ts";
import { answerByServer, pushRows } from "../../src/testing/conformance/serverAnswer.ts";
import { caseFiles } from "../../src/testing/conformance/suite.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { runtimes, ServerProcess } from "../../src/testing/serverProcess.ts";

/** Answers are the lines that were pushed, without what the distributor would add. */
const settings = {
  auth_enabled: "true",
  "limits_config.discover_service_name": "false",
  "limits_config.discover_log_levels": "false",
};

const states = ["flushed", "half flushed", "unflushed"] as const;

const sections = caseFiles().flatMap(({ sections }) => sections)
  .map((section, index) => ({ ...section, index }));

for (const runtime of runtimes) {
  t.test(runtime, async (t) => {
    const server = await ServerProcess.start({ runtime, settings });
    t.teardown(() => server.remove());
    const clients = states.map((_, state) =>
      sections.map(({ index }) =>
        new PushClient(server.baseUrl, { tenant: `section-${index}-${state}` })
      )
    );
    t.teardown(() => clients.flat().forEach((client) => client.close()));
    await loadAll(server, clients);
    for (const [state, name] of states.entries()) {
      await t.test(name, async (t) => {
        for (const section of sections) {
          await checkSection(t, section, clients[state]![section.index]!);
        }
      });
    }
    t.ok(server.isRunning, "the server outlives its queries");
    t.comment(`the server used ${server.usage().cpuSeconds} s of CPU`);
  });
}

type Load = (typeof sections)[number];

async function loadAll(server: ServerProcess, clients: PushClient[][]): Promise<void> {
  const flusher = new QueryClient(server.baseUrl, { tenant: "flusher" });
  const [flushed, half, unflushed] = clients as [PushClient[], PushClient[], PushClient[]];
  const middle = ({ rows }: Load) => Math.ceil(rows.length / 2);
  for (const section of sections) {
    await pushRows(flushed[section.index]!, section.rows);
    await pushRows(half[section.index]!, section.rows.slice(0, middle(section)));
  }
  await flusher.flush();
  for (const section of sections) {
    await pushRows(half[section.index]!, section.rows.slice(middle(section)));
    await pushRows(unflushed[section.index]!, section.rows);
  }
  flusher.close();
}

async function checkSection(t: Test, { title, rows, cases }: Load, client: PushClient) {
  for (const test of cases) {
    const answer = await answerByServer(client, test).catch((error: unknown) => ({
      kind: "error" as const,
      status: 0,
      message: String(error),
    }));
    const difference = test.expected[0] === "(reference)"
      ? compareAnswers(answer, answerByReference(test, rows))
      : judge(test, rows, answer);
    if (difference !== null) {
      t.same(difference.actual, difference.expected, `${test.place} ${title}: ${test.query}`);
    }
  }
  t.pass(`${title}: ${cases.length} cases`);
}
