/** Reads over several tenants, and the limits on reading. */
import { onServer, type Scenario, type ScenarioBody } from "../../src/testing/onServer.ts";
import { PushClient } from "../../src/testing/pushClient.ts";
import { QueryClient } from "../../src/testing/queryClient.ts";

type Arguments = Parameters<ScenarioBody>;

const second = 1_000_000_000n;

onServer({ auth_enabled: "true", "querier.multi_tenant_queries_enabled": "true" }, {
  "several tenants in one query": severalTenants,
});

onServer({ auth_enabled: "true" }, { "several tenants need a setting": refused });

onServer({
  "limits_config.required_labels": "app, env",
  "limits_config.max_chunks_per_query": "1",
  "limits_config.max_streams_matchers_per_query": "2",
  "limits_config.volume_enabled": "false",
  "querier.patterns_enabled": "false",
}, {
  "limits name themselves": limits,
});

/** Pushes `count` lines as tenant. */
async function pushAs({ server, app, now }: Scenario, tenant: string, count: number) {
  const client = new PushClient(server.baseUrl, { tenant });
  await client.push([{
    labels: `{app="${app}"}`,
    entries: Array.from({ length: count }, (_, index) => ({
      timestamp: now + BigInt(index) * second,
      line: `${tenant} ${index}`,
    })),
  }]);
  client.close();
}

async function severalTenants(...[t, scenario]: Arguments): Promise<void> {
  const { server, app, now } = scenario;
  await pushAs(scenario, "a", 2);
  await pushAs(scenario, "b", 3);
  const query = new QueryClient(server.baseUrl, { tenant: "b|a" });
  const range = { start: String(now), end: String(now + 10n * second) };
  const check = async (when: string) => {
    const lines = async (logql: string) =>
      (await query.all({ query: logql, start: now, end: now + 10n * second }))
        .map(({ line, labels }) => `${labels["__tenant_id__"]}: ${line}`).sort();
    t.same(
      await lines(`{app="${app}"}`),
      ["a: a 0", "a: a 1", "b: b 0", "b: b 1", "b: b 2"],
      `lines ${when}`,
    );
    t.same(await lines(`{app="${app}", __tenant_id__="a"}`), ["a: a 0", "a: a 1"], when);
    t.same(await lines(`{app="${app}", __tenant_id__!~"a|b"}`), [], when);
    t.same(await lines(`{app="${app}"} | __tenant_id__="b" |= "1"`), ["b: b 1"], when);
    const get = async (path: string, parameters: Record<string, string>) => {
      const reply = await query.get(`/loki/api/v1/${path}`, { ...range, ...parameters });
      t.equal(reply.status, 200, reply.body);
      return JSON.parse(reply.body);
    };
    t.same(
      (await get("query", {
        query: `sum by (__tenant_id__) (count_over_time({app="${app}"}[1m]))`,
        time: String(now + 10n * second),
      })).data.result.map(({ metric, value }: { metric: unknown; value: unknown[] }) => [
        metric,
        value[1],
      ]),
      [[{ __tenant_id__: "a" }, "2"], [{ __tenant_id__: "b" }, "3"]],
      `samples ${when}`,
    );
    t.same((await get("labels", {})).data, ["__tenant_id__", "app", "service_name"], when);
    t.same((await get("label/__tenant_id__/values", {})).data, ["a", "b"], when);
    t.same(
      (await get("series", { "match[]": `{app="${app}", __tenant_id__="b"}` })).data,
      [{ app, service_name: app, __tenant_id__: "b" }],
      when,
    );
    t.match(await get("index/stats", { query: `{app="${app}"}` }), { streams: 2, entries: 5 });
    t.same(
      (await get("index/volume", { query: `{app="${app}"}`, targetLabels: "__tenant_id__" }))
        .data.result.map(({ metric }: { metric: unknown }) => metric),
      [{ __tenant_id__: "b" }, { __tenant_id__: "a" }],
      when,
    );
  };
  await check("in memory");
  await query.flush();
  await check("in a segment");
  const bad = new QueryClient(server.baseUrl, { tenant: "a|b/c" });
  t.equal((await bad.get("/loki/api/v1/labels")).status, 400);
  const push = new PushClient(server.baseUrl, { tenant: "a|b" });
  const reply = await push.request("POST", "/loki/api/v1/push");
  t.equal(reply.status, 400);
  t.match(reply.body, /multiple org IDs present/);
  for (const client of [query, bad, push]) client.close();
}

async function refused(...[t, { server }]: Arguments): Promise<void> {
  const query = new QueryClient(server.baseUrl, { tenant: "a|b" });
  const reply = await query.get("/loki/api/v1/labels");
  t.equal(reply.status, 400);
  t.match(reply.body, /multiple org IDs present/);
  query.close();
}

async function limits(...[t, { push, query, app, now }]: Arguments): Promise<void> {
  const check = async (
    path: string,
    parameters: Record<string, string>,
    status: number,
    wanted: RegExp,
  ) => {
    const reply = await query.get(`/loki/api/v1/${path}`, parameters);
    t.equal(reply.status, status, path);
    t.match(reply.body, wanted);
  };
  const missing = /missing required matchers \[env\].*\[app\].*limits_config.required_labels/;
  await check("query_range", { query: `{app="${app}"}` }, 400, missing);
  await check("query", { query: `count_over_time({app="${app}"}[1m])` }, 400, missing);
  await check("index/volume", { query: "{}" }, 404, /limits_config.volume_enabled/);
  await check("patterns", { query: `{app="${app}"}` }, 404, /^$/);
  const selectors = ["a", "b", "c"].map((name) => `match[]=${encodeURIComponent(`{x="${name}"}`)}`)
    .join("&");
  const series = await query.get(`/loki/api/v1/series?${selectors}`);
  t.equal(series.status, 400);
  t.match(series.body, /matchers-count > limit \(3 > 2\).*max_streams_matchers_per_query/);
  for (let round = 0; round < 2; round++) {
    await push.push([{
      labels: `{app="${app}", env="x"}`,
      entries: [{ timestamp: now + BigInt(round), line: "x" }],
    }]);
    await query.flush();
  }
  await check(
    "query_range",
    { query: `{app="${app}", env="x"}`, start: String(now) },
    400,
    /max number of chunks limit \(limit: 1 chunks, found: 2\).*limits_config.max_chunks_per_query/,
  );
  const long = await push.request(
    "POST",
    "/loki/api/v1/query_range",
    { "content-type": "application/x-www-form-urlencoded" },
    new TextEncoder().encode(new URLSearchParams({ query: `{app="${"x".repeat(140_000)}"}` }) + ""),
  );
  t.equal(long.status, 400);
  t.match(long.body, /too long \(140008 > 131072\)/);
}
