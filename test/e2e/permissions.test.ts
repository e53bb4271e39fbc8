/** A cluster in which each role may do exactly what `tailrace cluster permissions` prints works;
 *  and what a role may not do, its credentials cannot: a querier writes nothing, a distributor
 *  reads nothing, a tenant's tail credentials see no other tenant. */
import { connect, createInbox, type NatsConnection } from "@nats-io/transport-node";
import t from "tap";
import { inboxPrefix, permissionsConfig } from "../../src/cluster/permissions.ts";
import { TailraceCluster } from "../../src/testing/cluster.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { runtimes, type ServerProcess } from "../../src/testing/serverProcess.ts";

const roles = ["distributor", "ingester", "querier", "ui", "compactor"] as const;
/** Who answers queries. */
const readers = ["querier", "ui"] as const;
const users = permissionsConfig(
  { partitions: 2, objectShards: 1 },
  (role) => `user: "${role}", password: "secret-${role}"`,
);
const config = `
authorization {
  ${users.replace(/\]$/, "")}
  { user: "admin", password: "admin" }
  { user: "tenant-a", password: "a", permissions: {
    publish: { deny: ">" }, subscribe: { allow: ["tail.a.*"] }
  } }
]
}
`;

t.test("roles with the least permissions", async (t) => {
  const cluster = await TailraceCluster.start({
    runtime: runtimes[0]!,
    counts: { ingester: 1, distributor: 1, querier: 1, ui: 1, compactor: 2 },
    settings: {
      "ingester.partitions": "2",
      "querier.workers": "1",
      "auth_enabled": "true",
      "compactor.compaction_interval": "200ms",
      "compactor.merge_min_segments": "2",
    },
    roleSettings: Object.fromEntries(roles.map((role) => [role, {
      "nats.user": role,
      "nats.password": `secret-${role}`,
      "nats.inbox_prefix": inboxPrefix(role),
    }])),
    natsOptions: { nodes: 1, config, admin: { user: "admin", pass: "admin" } },
  });
  t.teardown(() => cluster.remove());
  const now = BigInt(Math.floor(Date.now() / 1000)) * 1_000_000_000n;
  const pushAs = (tenant: string, round = 0) =>
    new PushClient(cluster.of("distributor")[0]!.baseUrl, { tenant }).push(
      Array.from({ length: 10 }, (_, index) => ({
        labels: `{app="app${index}"}`,
        entries: [{ timestamp: now + BigInt(round), line: `line of ${tenant}` }],
      })),
    );
  const query = (role: typeof readers[number]) =>
    new QueryClient(cluster.of(role)[0]!.baseUrl, { tenant: "a" });
  const range = { query: '{app=~".+"}', start: now - 1n, end: now + 10_000_000_000n };
  const as = (user: string, pass: string, inbox?: string) =>
    connect({
      servers: cluster.nats.urls,
      user,
      pass,
      ...(inbox === undefined ? {} : { inboxPrefix: inbox }),
    });

  const tenantA = await as("tenant-a", "a");
  t.teardown(() => tenantA.close());
  const tailed: string[] = [];
  tenantA.subscribe("tail.a.*", { callback: (_, { subject }) => void tailed.push(subject) });
  t.ok(await isDenied(tenantA, () => tenantA.subscribe("tail.b.*")), "another tenant's tail");
  t.ok(await isDenied(tenantA, () => tenantA.subscribe("tail.*.*")), "everybody's");

  await pushAs("a");
  await pushAs("b");
  for (const role of readers) t.equal((await query(role).all(range)).length, 10, "unflushed");
  await query("ui").flush();
  for (const role of readers) t.equal((await query(role).all(range)).length, 10, "flushed");
  // Again, so that each partition has enough segments of one size.
  for (let round = 1; round <= 3; round++) {
    await pushAs("a", round);
    await query("ui").flush();
  }
  await merged(cluster.of("compactor"), 2);
  for (const role of readers) t.equal((await query(role).all(range)).length, 40, "merged");
  t.ok(tailed.length > 0 && tailed.every((subject) => subject.startsWith("tail.a.")));

  const status = await query("ui").get("/tailrace/api/v1/cluster");
  t.equal(status.status, 200, status.body);
  const { partitions, problems } = JSON.parse(status.body);
  t.same(partitions.map((each: { partition: number }) => each.partition), [0, 1]);
  t.same(problems, [], "all is well");

  const admin = await as("admin", "admin");
  t.teardown(() => admin.close());
  t.same(await servicesOf(admin, 3), ["tailrace-ingester", "tailrace-querier", "tailrace-ui"]);

  const querier = await as("querier", "secret-querier", inboxPrefix("querier"));
  t.teardown(() => querier.close());
  for (
    const subject of [
      "logs.a.0",
      "$KV.tailrace_index.checkpoint.0",
      "$KV.tailrace_leases.partition.0",
      "$KV.tailrace_leases.log.0",
      "$O.tailrace_0.C.x",
      "$JS.API.STREAM.PURGE.LOGS_0",
      "$JS.API.STREAM.UPDATE.LOGS_0",
      "$JS.API.STREAM.DELETE.LOGS_0",
      "$JS.API.CONSUMER.CREATE.LOGS_0",
    ]
  ) t.ok(await isDenied(querier, () => querier.publish(subject)), `a querier and ${subject}`);
  const others = () => querier.subscribe(`${inboxPrefix("ingester")}.>`);
  t.ok(await isDenied(querier, others), "a querier and an ingester's answers");

  // The ingester's connection breaks between the question and the answer: a new one brings it.
  const ingester = () => as("ingester", "secret-ingester", inboxPrefix("ingester"));
  const asked = await ingester();
  const question = new Promise<string>((resolve) =>
    asked.subscribe("tailrace.flush.99", { callback: (_, { reply }) => resolve(reply ?? "") })
  );
  await asked.flush();
  const answer = querier.request("tailrace.flush.99", undefined, { timeout: 10_000 });
  const reply = await question;
  await asked.close();
  const again = await ingester();
  t.teardown(() => again.close());
  t.notOk(await isDenied(again, () => again.publish(reply, "flushed")));
  t.equal((await answer).string(), "flushed", "an answer over a new connection");

  const compactor = await as("compactor", "secret-compactor", inboxPrefix("compactor"));
  t.teardown(() => compactor.close());
  for (
    const subject of [
      "logs.a.0",
      "$KV.tailrace_index.checkpoint.0",
      "$KV.tailrace_leases.partition.0",
      "$JS.API.STREAM.PURGE.LOGS_0",
      "$JS.API.STREAM.UPDATE.LOGS_0",
      "$JS.API.STREAM.DELETE.OBJ_tailrace_0",
      // Nobody asks it.
      `${inboxPrefix("querier")}.x`,
    ]
  ) t.ok(await isDenied(compactor, () => compactor.publish(subject)), `a compactor, ${subject}`);

  const ui = await as("ui", "secret-ui", inboxPrefix("ui"));
  t.teardown(() => ui.close());
  const lease = () => ui.publish("$KV.tailrace_leases.querier.x");
  t.ok(await isDenied(ui, lease), "the page's process is no querier that others ask");
  t.ok(await isDenied(ui, () => ui.subscribe("tailrace.scan.*")), "and hears no job of others");

  const distributor = await as("distributor", "secret-distributor", inboxPrefix("distributor"));
  t.teardown(() => distributor.close());
  for (const subject of ["$JS.API.DIRECT.GET.LOGS_0", "$JS.API.STREAM.PURGE.LOGS_0"]) {
    t.ok(await isDenied(distributor, () => distributor.publish(subject)), `and ${subject}`);
  }
  t.ok(
    await isDenied(distributor, () => distributor.subscribe("tail.a.*")),
    "a distributor's tail",
  );
});

/** Waits until compactors have replaced at least so many segments together. */
async function merged(compactors: ReadonlyArray<ServerProcess>, atLeast: number): Promise<void> {
  for (;;) {
    let count = 0;
    for (const { baseUrl } of compactors) {
      const { body } = await new QueryClient(baseUrl).get("/metrics");
      count += Number(/^tailrace_compactor_segments_replaced_total (\d+)/m.exec(body)?.[1] ?? 0);
    }
    if (count >= atLeast) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The names of so many services, as `nats micro ls` asks for them. */
async function servicesOf(connection: NatsConnection, count: number): Promise<string[]> {
  const names = new Set<string>();
  const inbox = createInbox();
  const answers = connection.subscribe(inbox);
  connection.publish("$SRV.PING", undefined, { reply: inbox });
  for await (const answer of answers) {
    names.add(answer.json<{ readonly name: string }>().name);
    if (names.size === count) break;
  }
  return [...names].sort();
}

/** Refusals that a connection has heard of so far. */
const refusals = new Map<NatsConnection, number>();

/** Whether the server refuses what `act` does. It says so before it answers a later flush. */
async function isDenied(connection: NatsConnection, act: () => unknown): Promise<boolean> {
  if (!refusals.has(connection)) {
    refusals.set(connection, 0);
    void countRefusals(connection);
  }
  const before = refusals.get(connection)!;
  act();
  await connection.flush();
  await new Promise((resolve) => setTimeout(resolve, 20));
  return refusals.get(connection)! > before;
}

async function countRefusals(connection: NatsConnection): Promise<void> {
  for await (const event of connection.status()) {
    if (event.type !== "error" || !/permissions? violation/i.test(String(event.error))) continue;
    refusals.set(connection, refusals.get(connection)! + 1);
  }
}
