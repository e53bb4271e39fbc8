/** Queries that are given up: whichever way a query ends before its answer, the threads that worked for it are free again and
 *  have done only a part of the work; and while one is evaluated the process answers others. Everything is told by counters
 *  of /metrics and by answers, nothing by time: each of the queries would take minutes. */
import type { Test } from "tap";
import { onServer, type Scenario, type ScenarioBody } from "../../src/testing/onServer.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { RuleClient } from "../../src/testing/ruleClient.ts";
import { type QueryFrame, streamQuery } from "../../src/testing/streamQueryClient.ts";

const second = 1_000_000_000n;

onServer({
  "querier.workers": "2",
  "ingester.segment_target_bytes": "1MB",
  // Operators may work for minutes.
  "limits_config.max_query_samples": "2000000000",
}, {
  "closing a streaming query of lines stops its scan": closedScan,
  "closing a streaming query of samples stops its evaluation": (t, scenario) =>
    closedEvaluation(t, scenario, async ({ close }) => await Promise.resolve(close())),
  "a query that another request ends stops its evaluation": (t, scenario) =>
    closedEvaluation(t, scenario, async ({ ended, frames }) => {
      const { id } = await activeQuery(scenario);
      const path = `/tailrace/api/v1/queries/${id}`;
      t.equal((await scenario.push.request("DELETE", path)).status, 204);
      await ended;
      t.match(frames.at(-1), { type: "error", status: 499 });
    }),
  "closing an HTTP request stops its evaluation": closedRequest,
  "a rule's query that another request ends stops its scan": endedRule,
});

/** How a client that evaluates can leave. */
interface Leaving {
  readonly close: () => void;
  /** The connection has ended. */
  readonly ended: Promise<unknown>;
  readonly frames: ReadonlyArray<QueryFrame>;
}

/** Starts a streaming query, waits until the process answers others while a thread evaluates it, and has the client leave. */
async function closedEvaluation(
  t: Test,
  scenario: Scenario,
  leave: (leaving: Leaving) => Promise<void>,
): Promise<void> {
  await pushSeries(scenario);
  const before = await jobsOf(scenario, "evaluate", "cancelled");
  const frames: QueryFrame[] = [];
  const { close, ended } = opened(scenario, costly(scenario), frames);
  await evaluating(t, scenario, ended);
  await leave({ close, ended, frames });
  await ended;
  await idle(scenario);
  t.equal(await jobsOf(scenario, "evaluate", "cancelled"), before + 1);
  t.same(await activeQueries(scenario), []);
  t.notMatch(frames, [{ type: "done" }]);
}

async function closedRequest(t: Test, scenario: Scenario): Promise<void> {
  await pushSeries(scenario);
  const before = await jobsOf(scenario, "evaluate", "cancelled");
  const stop = new AbortController();
  const search = new URLSearchParams(costly(scenario));
  const url = `${scenario.server.baseUrl}/loki/api/v1/query_range?${search}`;
  const request = fetch(url, { signal: stop.signal }).then(() => "answered", () => "left");
  await evaluating(t, scenario, request);
  stop.abort();
  t.equal(await request, "left");
  await idle(scenario);
  t.equal(await jobsOf(scenario, "evaluate", "cancelled"), before + 1);
  t.same(await activeQueries(scenario), []);
}

/** A query that takes half a minute: a regex that needs 14 us for each byte of lines in which no two parts are alike. */
async function pushSlowLines({ push, app, now }: Scenario): Promise<string> {
  const random = randomFrom(app);
  await push.push(Array.from({ length: 64 }, (_, stream) => ({
    labels: `{app="${app}", stream="${stream}"}`,
    entries: Array.from({ length: 100 }, (_, index) => ({
      timestamp: now + BigInt(index),
      line: Array.from({ length: 400 }, () => random.oneIn(2) ? "a" : "b").join(""),
    })),
  })));
  return `{app="${app}"} |~ "a[ab]{200}[x-z]"`;
}

/** The list of queries has the rule's, and ending it is the rule's failure. */
async function endedRule(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const slow = await pushSlowLines(scenario);
  const rules = new RuleClient(scenario.server.baseUrl);
  const expr = `sum(count_over_time(${slow} [1h])) > 0`;
  const group = JSON.stringify({
    name: "slow",
    interval: "1s",
    rules: [{ alert: "Slow", expr }],
  });
  t.equal((await rules.send("POST", "/loki/api/v1/rules/test", group))[0], 202);
  await until(never, async () => (await activeQueries(scenario)).length === 1);
  const { id, query } = await activeQuery(scenario);
  t.equal(query, expr);
  await until(never, async () => await running(scenario, "aggregate") > 0);
  const path = `/tailrace/api/v1/queries/${id}`;
  t.equal((await scenario.push.request("DELETE", path)).status, 204);
  const [shown] = await rules.groupsUntil(([found]) => found?.rules[0]?.health === "err");
  t.match(shown?.rules[0]?.lastError, /the query was cancelled by another request/);
  t.equal((await rules.send("DELETE", "/loki/api/v1/rules/test"))[0], 202);
  // It may have been asked again meanwhile.
  await until(never, async () => {
    const left = await activeQueries(scenario);
    for (const { id } of left) {
      await scenario.push.request("DELETE", `/tailrace/api/v1/queries/${id}`);
    }
    return left.length === 0 && (await rules.groups()).length === 0;
  });
  await idle(scenario);
}

async function closedScan(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { now } = scenario;
  const slow = await pushSlowLines(scenario);
  const ended = () =>
    Promise.all(
      ["succeeded", "cancelled"].map((outcome) => jobsOf(scenario, "scan", outcome)),
    );
  const [succeededBefore = 0, cancelledBefore = 0] = await ended();
  const frames: QueryFrame[] = [];
  const start = String(now - second);
  const client = opened(scenario, { query: slow, start }, frames);
  await until(client.ended, async () => (await activeQueries(scenario)).length === 1);
  await until(client.ended, async () => await running(scenario, "scan") > 0);
  client.close();
  await client.ended;
  await idle(scenario);
  const [succeeded = 0, cancelled = 0] = await ended();
  t.ok(cancelled > cancelledBefore, "what threads were at was given up");
  t.ok(succeeded - succeededBefore <= 2, "and nothing else was begun");
  t.same(await activeQueries(scenario), []);
  t.notMatch(frames, [{ type: "done" }]);
}

async function pushSeries({ push, app, now }: Scenario): Promise<void> {
  await push.push(Array.from({ length: 300 }, (_, series) => ({
    labels: `{app="${app}", series="${series}"}`,
    entries: [{ timestamp: now, line: "one" }],
  })));
}

function leafOf({ app }: Scenario): string {
  return `count_over_time({app="${app}"}[1h])`;
}

/** Three million samples through each of 900 operators: a minute of one thread. */
function costly(scenario: Scenario): Readonly<Record<string, string>> {
  const { now } = scenario;
  return {
    query: `${leafOf(scenario)}${"%7".repeat(900)}`,
    start: String(now),
    end: String(now + 10_900n * second / 4n),
    step: "0.25",
  };
}

/** Waits until a thread evaluates, and sees that the process answers all the while. */
async function evaluating(t: Test, scenario: Scenario, ended: Promise<unknown>): Promise<void> {
  await until(ended, async () => await running(scenario, "evaluate") === 1);
  for (let count = 0; count < 50; count++) {
    t.equal((await scenario.query.get("/ready")).status, 200);
  }
  t.equal(await running(scenario, "evaluate"), 1, "a thread is still at it");
}

interface Listed {
  readonly id: string;
  readonly query: string;
}

async function activeQueries({ query }: Scenario): Promise<ReadonlyArray<Listed>> {
  const { body } = await query.get("/tailrace/api/v1/queries");
  return (JSON.parse(body) as { readonly queries: ReadonlyArray<Listed> }).queries;
}

async function activeQuery(scenario: Scenario): Promise<Listed> {
  return (await activeQueries(scenario))[0]!;
}

function opened(
  { server }: Scenario,
  parameters: Readonly<Record<string, string>>,
  frames: QueryFrame[],
): { readonly close: () => void; readonly ended: Promise<number> } {
  const { promise: opening, resolve } = Promise.withResolvers<() => void>();
  const ended = streamQuery(server.baseUrl, parameters, (frame) => frames.push(frame), resolve);
  return { close: () => void opening.then((close) => close()), ended };
}

/** Waits until no thread works. */
function idle(scenario: Scenario): Promise<void> {
  return until(never, async () => {
    const counts = await Promise.all(jobKinds.map((kind) => running(scenario, kind)));
    return counts.every((count) => count === 0);
  });
}

function running(scenario: Scenario, kind: typeof jobKinds[number]): Promise<number> {
  return metric(scenario, `tailrace_worker_jobs_running{kind="${kind}"}`);
}

function jobsOf(scenario: Scenario, kind: string, outcome: string): Promise<number> {
  return metric(scenario, `tailrace_worker_jobs_total{kind="${kind}",outcome="${outcome}"}`);
}

/** 0 for one that is not shown. */
async function metric({ query }: Scenario, name: string): Promise<number> {
  const { body } = await query.get("/metrics");
  const line = body.split("\n").find((line) => line.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

const jobKinds = ["scan", "aggregate", "windows", "evaluate"] as const;

const never = new Promise<never>(() => {});

/** Throws when the query has ended before it holds. */
async function until(ended: Promise<unknown>, holds: () => Promise<boolean>): Promise<void> {
  while (!await holds()) {
    const pause = new Promise((resolve) => setTimeout(resolve, 5));
    const over = await Promise.race([ended.then(() => true), pause.then(() => false)]);
    if (over) throw new Error(`the query has ended already`);
  }
}
