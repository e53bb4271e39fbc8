/** Lines that have expired are in no answer from then on, though nothing has deleted them yet: log and metric queries, labels,
 *  series, volumes; unflushed and in segments; by tenant, by rule. The compactor never runs here, so what is hidden is hidden by
 *  queries alone. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";
import { runtimes, ServerProcess } from "../../src/testing/serverProcess.ts";

const configuration = `
auth_enabled: true
compactor:
  retention_enabled: true
  compaction_interval: 10h
limits_config:
  reject_old_samples: false
  discover_service_name: false
  retention_period: 48h
  retention_stream:
    - selector: '{level="debug"}'
      priority: 1
      period: 24h
    - selector: '{level=~"debug|audit", keep="yes"}'
      priority: 2
      period: 0s
overrides:
  short:
    retention_period: 3h
  ruled:
    retention_stream:
      - selector: '{level="info"}'
        priority: 1
        period: 12h
`;

/** Streams and the hours that a line of theirs is kept, by tenant: by hand from the configuration. */
const streams = {
  info: '{app="shop", level="info"}',
  debug: '{app="shop", level="debug"}',
  kept: '{app="shop", keep="yes", level="debug"}',
};
const hoursKept: Readonly<Record<string, Readonly<Record<keyof typeof streams, number>>>> = {
  // The tenant's own period gives way to a rule of everybody's, as in Loki.
  plain: { info: 48, debug: 24, kept: Infinity },
  short: { info: 3, debug: 24, kept: Infinity },
  ruled: { info: 12, debug: 24, kept: Infinity },
};
const ages = [100, 60, 40, 30, 20, 10, 5, 1];
const names = ["info", "debug", "kept"] as const;
const hourNs = 3_600_000_000_000n;

for (const runtime of runtimes) {
  t.test(`expired lines on ${runtime}`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "tailrace-retention-"));
    t.teardown(() => rmSync(directory, { recursive: true }));
    const file = join(directory, "tailrace.yaml");
    writeFileSync(file, configuration);
    // TAILRACE_CONFIG_FILE: only a file has overrides of tenants.
    const server = await ServerProcess.start({ runtime, settings: { "config.file": file } });
    t.teardown(() => server.remove());
    const now = BigInt(Date.now()) * 1_000_000n;
    for (const tenant of Object.keys(hoursKept)) {
      const push = new PushClient(server.baseUrl, { tenant });
      await push.push(names.map((name) => ({
        labels: streams[name],
        entries: ages.map((age) => ({ timestamp: timeOf(now, age), line: `${name} ${age}` })),
      })));
      push.close();
    }
    for (const when of ["unflushed", "in segments"]) {
      for (const tenant of Object.keys(hoursKept)) {
        const query = new QueryClient(server.baseUrl, { tenant });
        if (when === "in segments") await query.flush();
        await t.test(`${when}, tenant ${tenant}`, (t) => checkTenant(t, query, tenant, now));
        query.close();
      }
    }
  });
}

function timeOf(now: bigint, age: number): bigint {
  return now - BigInt(age) * hourNs;
}

async function checkTenant(t: Test, query: QueryClient, tenant: string, now: bigint) {
  const kept = names.flatMap((name) =>
    ages.filter((age) => age < hoursKept[tenant]![name]).map((age) => ({ name, age }))
  );
  const [start, end] = [timeOf(now, 200), now + 1n];
  const found = await query.all({ query: '{app="shop"}', start, end });
  t.same(
    found.map(({ line }) => line).sort(),
    kept.map(({ name, age }) => `${name} ${age}`).sort(),
    "log query",
  );
  for (const aggregation of ["count_over_time", "bytes_over_time"]) {
    const reply = await query.get("/loki/api/v1/query", {
      query: `sum by (level, keep) (${aggregation}({app="shop"}[200h]))`,
      time: String(end),
    });
    const { result } = JSON.parse(reply.body).data;
    const wanted = names.map((name) => {
      const lines = kept.filter((one) => one.name === name).map(({ age }) => `${name} ${age}`);
      return aggregation === "count_over_time" ? lines.length : lines.join("").length;
    });
    const values = result.map(({ value }: { value: [number, string] }) => Number(value[1]));
    t.same(values.toSorted(order), wanted.toSorted(order), aggregation);
  }
  const stats = await query.get("/loki/api/v1/index/stats", {
    query: '{app="shop"}',
    start: String(start),
    end: String(end),
  });
  t.match(JSON.parse(stats.body), { entries: kept.length, streams: 3 }, "volume");
  // In a range whose lines of some streams have all expired, these streams are not there.
  for (const [from, to] of [[110, 50], [42, 25], [25, 15], [12, 4]] as const) {
    const range = [timeOf(now, from), timeOf(now, to)] as const;
    const there = names.filter((name) =>
      kept.some((one) => one.name === name && one.age <= from && one.age > to)
    );
    const series = await query.series('{app="shop"}', ...range);
    t.same(
      series.map(textOf).sort(),
      there.map((name) => streams[name]).sort(),
      `${from}h: series`,
    );
    const levels = new Set(there.map((name) => name === "info" ? "info" : "debug"));
    t.same(await query.values("level", ...range), [...levels].sort(), `${from}h: values`);
    const labels = there.length === 0 ? [] : ["app", "keep", "level"];
    const hasKept = there.includes("kept");
    t.same(
      (await query.labels(...range)).filter((name) => !name.startsWith("__")),
      labels.filter((name) => name !== "keep" || hasKept),
      `${from}h: names`,
    );
  }
}

function order(a: number, b: number): number {
  return a - b;
}

function textOf(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.keys(labels).sort().map((name) => `${name}="${labels[name]}"`);
  return `{${pairs.join(", ")}}`;
}
