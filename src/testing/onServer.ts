/** Runs a test file's scenarios against the real server, once per runtime, over HTTP alone. Owns the server's life
 *  around them; a scenario owns its streams: it takes an application name of its own, so that scenarios do not see
 *  each other's lines. */
import type { Test } from "tap";
import t from "tap";
import { PushClient } from "./pushClient.ts";
import { QueryClient } from "./queryClient.ts";
import { type RuntimeName, runtimes, type ServerOptions, ServerProcess } from "./serverProcess.ts";

/** What a scenario works with. */
export interface Scenario {
  readonly server: ServerProcess;
  readonly push: PushClient;
  readonly query: QueryClient;
  /** A value for the label `app` that no other scenario uses. */
  readonly app: string;
  /** A moment ago, in whole seconds, as ns since 1970. */
  readonly now: bigint;
}

export type ScenarioBody = (t: Test, scenario: Scenario) => Promise<void>;

/** For each runtime: starts a server with `settings`, runs the scenarios one after another, checks that the server
 *  still lives and removes it. */
export function onServer(
  settings: Readonly<Record<string, string>>,
  scenarios: Readonly<Record<string, ScenarioBody>>,
  options: Omit<ServerOptions, "runtime" | "settings"> & {
    /** Where what is tested is not the server's work, one runtime is enough. */
    readonly on?: RuntimeName;
  } = {},
): void {
  for (const runtime of options.on === undefined ? runtimes : [options.on]) {
    t.test(runtime, async (t) => {
      const server = await ServerProcess.start({ ...options, runtime, settings });
      t.teardown(() => server.remove());
      for (const [name, body] of Object.entries(scenarios)) {
        await t.test(name, (t) => runScenario(t, server, runtime, body));
      }
      t.ok(server.isRunning, `the server on ${runtime} outlives its scenarios`);
    });
  }
}

/** All answers of one query in one page, oldest first: `limit` covers what tests push. */
export async function linesOf(
  query: QueryClient,
  logql: string,
  start: bigint,
  end: bigint,
): Promise<string[]> {
  const entries = await query.all({ query: logql, start, end });
  return entries.map(({ line }) => line);
}

let scenarioCount = 0;

async function runScenario(
  t: Test,
  server: ServerProcess,
  runtime: RuntimeName,
  body: ScenarioBody,
): Promise<void> {
  const push = new PushClient(server.baseUrl);
  const query = new QueryClient(server.baseUrl);
  t.teardown(() => {
    push.close();
    query.close();
  });
  const now = BigInt(Math.floor(Date.now() / 1000) - 60) * 1_000_000_000n;
  await body(t, { server, push, query, app: `${runtime}-${scenarioCount++}`, now });
}
