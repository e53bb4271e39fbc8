/** Rulers of a cluster with the least permissions: each group is evaluated by one of two; when one is killed the other takes its
 *  groups over, with their alerts; a frozen one that wakes up changes nothing. Rules are given and asked through a querier. */
import t from "tap";
import { inboxPrefix, permissionsConfig } from "../../src/cluster/permissions.ts";
import { type Role, TailraceCluster } from "../../src/testing/cluster.ts";
import { FakeAlertmanager } from "../../src/testing/fakeAlertmanager.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { RuleClient } from "../../src/testing/ruleClient.ts";
import { runtimes } from "../../src/testing/serverProcess.ts";

t.setTimeout(0);

const roles: ReadonlyArray<Role> = ["distributor", "ingester", "querier", "ruler"];
const users = permissionsConfig(
  { partitions: 1, objectShards: 1 },
  (role) => `user: "${role}", password: "secret-${role}"`,
);
const config = `authorization {
  ${users.replace(/\]$/, '  { user: "admin", password: "admin" }\n]')}
}`;
const groups = Array.from({ length: 12 }, (_, index) => `group ${index}`);
const groupText = (name: string) =>
  `name: ${name}
interval: 500ms
rules:
  - alert: Errors
    expr: sum by (app) (count_over_time({app="shop"} |= "error" [1h])) > 0
    for: 1s
    labels: { group: ${name} }
`;

for (const runtime of runtimes) {
  t.test(`rulers of a cluster: ${runtime}`, async (t) => {
    const manager = await FakeAlertmanager.start();
    t.teardown(() => manager.close());
    const cluster = await TailraceCluster.start({
      runtime,
      counts: { ingester: 1, distributor: 1, querier: 1, ruler: 2 },
      settings: {
        "querier.workers": "1",
        "ruler.alertmanager_url": manager.url,
        "ruler.resend_delay": "1h",
      },
      roleSettings: Object.fromEntries(roles.map((role) => [role, {
        "nats.user": role,
        "nats.password": `secret-${role}`,
        "nats.inbox_prefix": inboxPrefix(role),
      }])),
      natsOptions: { nodes: 1, config, admin: { user: "admin", pass: "admin" } },
    });
    t.teardown(() => cluster.remove());
    const rules = new RuleClient(cluster.of("querier")[0]!.baseUrl);
    const [first, second] = cluster.of("ruler");
    const groupsOf = async (ruler: typeof first) => {
      const text = await (await fetch(`${ruler!.baseUrl}/metrics`)).text();
      return Number(/^tailrace_ruler_groups (\d+)/m.exec(text)?.[1] ?? 0);
    };
    const sharesUntil = async (wanted: (a: number, b: number) => boolean) => {
      while (!wanted(await groupsOf(first), await groupsOf(second))) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };

    await t.test("rules given to a querier are shared by both rulers", async (t) => {
      for (const name of groups) {
        const [status, text] = await rules.send("POST", "/loki/api/v1/rules/ns", groupText(name));
        t.equal(status, 202, text);
      }
      await sharesUntil((a, b) => a > 0 && b > 0 && a + b === groups.length);
      const entries = [{ timestamp: BigInt(Date.now()) * 1_000_000n, line: "an error" }];
      await new PushClient(cluster.of("distributor")[0]!.baseUrl).push([
        { labels: '{app="shop"}', entries },
      ]);
      const firing = await rules.alertsUntil((alerts) =>
        alerts.filter(({ state }) => state === "firing").length === groups.length
      );
      t.same(firing.map(({ labels }) => labels["group"]).sort(), [...groups].sort());
      await manager.alertsUntil((alerts) => alerts.length >= groups.length);
      // Its own answer is the same.
      t.equal((await new RuleClient(second!.baseUrl).groups()).length, groups.length);
    });

    await t.test("a killed ruler's groups go on elsewhere, and no alert is told twice", async (t) => {
      const before = await rules.alertsUntil((alerts) => alerts.length === groups.length);
      await first!.kill();
      const at = new Date().toISOString();
      while ((await groupsOf(second)) < groups.length) await new Promise((r) => setTimeout(r, 100));
      await rules.groupsUntil((all) => all.every(({ lastEvaluation }) => lastEvaluation > at));
      const after = await rules.alertsUntil((alerts) => alerts.length === groups.length);
      const begun = (alerts: typeof before) =>
        alerts.map(({ labels, activeAt, state }) => [labels["group"], activeAt, state]).sort();
      t.same(begun(after), begun(before));
      const told = manager.alerts.map(({ labels }) => labels["group"]).sort();
      t.same(told, [...groups].sort(), "each once: resend_delay is long");
    });

    await t.test("a frozen ruler that wakes up gives way", async (t) => {
      await first!.launchAndWait();
      await sharesUntil((a, b) => a > 0 && a + b === groups.length);
      second!.freeze();
      const at = new Date().toISOString();
      while ((await groupsOf(first)) < groups.length) await new Promise((r) => setTimeout(r, 100));
      await rules.groupsUntil((all) => all.every(({ lastEvaluation }) => lastEvaluation > at));
      second!.thaw();
      await sharesUntil((a, b) => b > 0 && a + b === groups.length);
      const told = manager.alerts.map(({ labels }) => labels["group"]).sort();
      t.same(told, [...groups].sort(), "still each once");
      t.ok((await rules.groups()).every(({ rules }) => rules[0]!.health === "ok"));
    });
  });
}
