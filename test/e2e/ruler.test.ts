/** The ruler of one process, end to end: rules given to the API and in a file become alerts at a fake Alertmanager and samples at
 *  a fake receiver of remote write; a restart, also by kill -9, goes on where the alerts were. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { FakeAlertmanager } from "../../src/testing/fakeAlertmanager.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { RuleClient } from "../../src/testing/ruleClient.ts";
import { runtimes, ServerProcess } from "../../src/testing/serverProcess.ts";

const group = (more = "") =>
  `name: shop errors
interval: 200ms
rules:
  - alert: ManyErrors
    expr: sum by (app) (count_over_time({app=~".+"} |= "error" [1h])) > 1
    for: 1s
    labels: { severity: page }
    annotations:
      summary: '{{ $labels.app }}: {{ $value }}{{ range lines 1 }}, last {{ . }}{{ end }}'
${more}`;

t.setTimeout(0);

for (const runtime of runtimes) {
  t.test(`ruler: ${runtime}`, async (t) => {
    const files = mkdtempSync(join(tmpdir(), "tailrace-rules-"));
    t.teardown(() => rmSync(files, { recursive: true }));
    mkdirSync(join(files, "fake"));
    const file = join(files, "fake", "recorded.yaml");
    writeFileSync(
      file,
      `groups:
  - name: recorded
    interval: 200ms
    rules:
      - record: app:errors:count
        expr: sum by (app) (count_over_time({app=~".+"} |= "error" [1h]))
`,
    );
    const manager = await FakeAlertmanager.start();
    t.teardown(() => manager.close());
    const server = await ServerProcess.start({
      runtime,
      settings: {
        "ruler.alertmanager_url": manager.url,
        "ruler.alertmanager_client.credentials": "secret",
        "ruler.remote_write.url": `${manager.url}/api/v1/write`,
        "ruler.storage.local.directory": files,
        "ruler.poll_interval": "200ms",
        "ruler.resend_delay": "500ms",
        "ruler.external_labels": "cluster=test",
        "ruler.external_url": "http://logs.example/",
      },
    });
    t.teardown(() => server.remove());
    const rules = new RuleClient(server.baseUrl);
    const push = new PushClient(server.baseUrl);
    const pushErrors = async (app: string, count: number) => {
      const now = BigInt(Date.now()) * 1_000_000n;
      const entries = Array.from({ length: count }, (_, index) => ({
        timestamp: now - BigInt(count - index),
        line: `error number ${index + 1}`,
      }));
      await push.push([{ labels: `{app="${app}"}`, entries }]);
    };

    await t.test("the API takes, lists and removes rules as Loki's does", async (t) => {
      t.same(await rules.send("GET", "/loki/api/v1/rules/test/test"), [
        404,
        "group does not exist\n",
      ]);
      t.same(await rules.send("GET", "/api/prom/rules/nothing"), [404, "no rule groups found\n"]);
      const wrong = await rules.send("POST", "/loki/api/v1/rules/team", group("  - alrt: x\n"));
      t.equal(wrong[0], 400);
      t.match(
        wrong[1],
        'group "shop errors", rule 2: alrt: there is no such key; did you mean "alert"?',
      );
      t.match(wrong[1], /^line 10, col 5: /m);
      const [status, body] = await rules.send("POST", "/api/prom/rules/team%2Fa", group());
      t.equal(status, 202);
      t.same(JSON.parse(body), { status: "success", data: null, errorType: "", error: "" });
      const [, listed] = await rules.send("GET", "/loki/api/v1/rules");
      t.match(listed, /^team\/a:$/m);
      t.match(listed, /^recorded.yaml:$/m);
      t.match(
        (await rules.send("GET", "/loki/api/v1/rules/team%2Fa/shop%20errors"))[1],
        /^name: shop errors$/m,
      );
      t.match(await rules.send("DELETE", "/loki/api/v1/rules/recorded.yaml"), [400, /in the file/]);
      t.equal((await rules.send("PUT", "/loki/api/v1/rules/x"))[0], 405);
    });

    await t.test("lines become a pending, then a firing alert", async (t) => {
      await pushErrors("shop", 3);
      const pending = await rules.alertsUntil((alerts) => alerts.length > 0);
      t.equal(pending[0]!.state, "pending");
      const [firing] = await rules.alertsUntil((alerts) => alerts[0]?.state === "firing");
      t.same(firing!.labels, { alertname: "ManyErrors", app: "shop", severity: "page" });
      t.equal(firing!.value, "3e+00");
      const [posted] = await manager.alertsUntil((alerts) => alerts.length > 0);
      t.same(posted!.labels, { cluster: "test", ...firing!.labels });
      t.same(posted!.annotations, { summary: "shop: 3, last error number 3" });
      t.match(posted!.generatorURL, "http://logs.example/?q=sum+by");
      t.ok(Date.parse(posted!.startsAt) - Date.parse(firing!.activeAt) >= 1000, "after for");
      t.ok(Date.parse(posted!.endsAt) > Date.now(), "it lasts");
      t.equal(manager.authorization, "Bearer secret");
    });

    await t.test("results of recording rules are written to the receiver", async (t) => {
      const samples = await manager.samplesUntil((all) =>
        all.some(({ labels }) => labels["__name__"] === "app:errors:count")
      );
      const sample = samples.find(({ labels }) => labels["__name__"] === "app:errors:count")!;
      t.same(sample.labels, { __name__: "app:errors:count", app: "shop", cluster: "test" });
      t.equal(sample.value, 3);
      t.ok(samples.some(({ labels }) => labels["__name__"] === "ALERTS_FOR_STATE"));
    });

    await t.test("states are Prometheus' JSON, and filters choose", async (t) => {
      const names = async (query: string) =>
        (await rules.groups(query)).map(({ name, rules }) => [name, rules.length]);
      t.same(await names(""), [["recorded", 1], ["shop errors", 1]]);
      t.same(await names("?type=alert"), [["shop errors", 1]]);
      t.same(await names("?type=record"), [["recorded", 1]]);
      t.same(await names("?rule_group[]=recorded&rule_group[]=x"), [["recorded", 1]]);
      t.same(await names("?file[]=team/a"), [["shop errors", 1]]);
      t.same(await names("?rule_name[]=ManyErrors"), [["shop errors", 1]]);
      t.equal((await rules.send("GET", "/prometheus/api/v1/rules?type=x"))[0], 400);
      const [shop] = await rules.groups("?type=alert");
      t.match(shop, {
        file: "team/a",
        interval: 0.2,
        rules: [{ type: "alerting", state: "firing", health: "ok", duration: 1 }],
      });
    });

    await t.test("kill -9 and a new start keep what fires", async (t) => {
      const [before] = await rules.alertsUntil((alerts) => alerts.length === 1);
      await server.kill();
      await server.launchAndWait();
      const [after] = await rules.alertsUntil((alerts) => alerts.length === 1);
      t.equal(after!.activeAt, before!.activeAt);
      t.equal(after!.state, "firing");
    });

    await t.test("an alert that is over is told with its end", async (t) => {
      const since = Date.now();
      const more = (await rules.send("GET", "/loki/api/v1/rules/team%2Fa/shop%20errors"))[1];
      await rules.send("POST", "/loki/api/v1/rules/team%2Fa", more.replace("> 1", "> 100"));
      const found = await manager.alertsUntil((alerts) =>
        alerts.some(({ endsAt }) => Date.parse(endsAt) >= since && Date.parse(endsAt) <= Date.now())
      );
      t.ok(found.length > 0);
      t.same(await rules.alertsUntil((alerts) => alerts.length === 0), []);
    });

    await t.test("a file that changes is read again, a wrong one is told and changes nothing", async (t) => {
      writeFileSync(file, "groups:\n  - name: x\n    rule: []\n");
      while (!server.output.includes("did you mean")) await new Promise((r) => setTimeout(r, 50));
      t.match(server.output, /recorded\.yaml: line 3, col 5: group .*x.*: rule: /);
      t.same((await rules.groups("")).map(({ name }) => name), ["recorded", "shop errors"]);
      writeFileSync(file, "groups: []\n");
      await rules.groupsUntil((groups) => groups.length === 1);
      t.equal((await rules.send("DELETE", "/loki/api/v1/rules/team%2Fa"))[0], 202);
      await rules.groupsUntil((groups) => groups.length === 0);
      t.equal((await rules.send("GET", "/loki/api/v1/rules"))[0], 404);
    });
  });
}
