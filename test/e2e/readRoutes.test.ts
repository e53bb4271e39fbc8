/** The small routes of the read API: format_query, limits, the oldest spelling of a query, and what every
 *  route says to a wrong method. */
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";

type Arguments = Parameters<ScenarioBody>;

const second = 1_000_000_000n;

onServer({ "limits_config.max_query_range": "1h", "limits_config.max_query_length": "30d" }, {
  "format_query lays out what can be read": formatQuery,
  "limits of the tenant": limits,
  "the first version's query": legacyQuery,
  "the first version's labels": legacyLabels,
  "methods and content": methods,
  "a range aggregation that looks back too far": maxQueryRange,
});

async function formatQuery(...[t, { query }]: Arguments): Promise<void> {
  const good = await query.get("/loki/api/v1/format_query", {
    query: 'sum   by(app) ( rate( {app="a"}|="x" [5m] ) )',
  });
  t.equal(good.status, 200);
  t.same(JSON.parse(good.body), {
    status: "success",
    data: 'sum by (app) (rate({app="a"} |= "x" [5m]))',
  });
  const bad = await query.get("/loki/api/v1/format_query", { query: "{app=" });
  t.equal(bad.status, 400);
  t.match(JSON.parse(bad.body), {
    status: "invalid-query",
    error: /^parse error at line 1, col 6: /,
  });
}

async function limits(...[t, { query }]: Arguments): Promise<void> {
  const drilldown = await query.get("/loki/api/v1/drilldown-limits");
  t.equal(drilldown.status, 200);
  t.match(JSON.parse(drilldown.body), {
    limits: {
      discover_log_levels: true,
      max_query_length: "30d",
      max_query_range: "1h",
      retention_period: "0s",
      volume_enabled: true,
    },
    pattern_ingester_enabled: true,
    version: String,
  });
  const changed = await query.get("/config", { mode: "diff" });
  t.match(changed.body, /^limits_config:\n {2}max_query_length: 30d\n {2}max_query_range: 1h$/m);
  t.notMatch(changed.body, /max_line_size/, "only what differs");
  const defaults = await query.get("/config", { mode: "defaults" });
  t.match(defaults.body, /^ {2}max_query_range: 0s$/m);
  const yaml = await query.get("/config/tenant/v1/limits");
  t.equal(yaml.status, 200);
  t.match(yaml.body, /^max_query_length: 30d$/m);
  t.match(yaml.body, /^max_line_size: 256KB$/m);
}

async function legacyQuery(...[t, { push, query, app, now }]: Arguments): Promise<void> {
  await push.push([{
    labels: `{app="${app}"}`,
    entries: [
      { timestamp: now, line: "one" },
      { timestamp: now + 1_500_000n, line: "two" },
    ],
  }]);
  const reply = await query.get("/api/prom/query", {
    query: `{app="${app}"} | drop detected_level`,
    start: String(now),
    end: String(now + second),
    direction: "FORWARD",
  });
  const start = new Date(Number(now / 1_000_000n)).toISOString().slice(0, 19);
  t.same(JSON.parse(reply.body), {
    streams: [{
      labels: `{app="${app}", service_name="${app}"}`,
      entries: [{ ts: `${start}Z`, line: "one" }, { ts: `${start}.0015Z`, line: "two" }],
    }],
  });
}

async function legacyLabels(...[t, { push, query, app, now }]: Arguments): Promise<void> {
  await push.push([{ labels: `{app="${app}"}`, entries: [{ timestamp: now, line: "x" }] }]);
  const parameters = {
    query: `{app="${app}"}`,
    start: String(now),
    end: String(now + second),
  };
  const names = await query.get("/api/prom/label", parameters);
  t.same(JSON.parse(names.body), { values: ["app", "service_name"] });
  const values = await query.get("/api/prom/label/app/values", parameters);
  t.same(JSON.parse(values.body), { values: [app] });
  const series = await query.get("/api/prom/series", { ...parameters, match: parameters.query });
  t.same(JSON.parse(series.body).data, [{ app, service_name: app }]);
}

async function methods(...[t, { push, query }]: Arguments): Promise<void> {
  for (
    const path of [
      "/loki/api/v1/index/stats",
      "/loki/api/v1/index/volume",
      "/loki/api/v1/index/volume_range",
      "/loki/api/v1/detected_labels",
      "/loki/api/v1/detected_fields",
      "/loki/api/v1/detected_field/x/values",
      "/loki/api/v1/patterns",
      "/loki/api/v1/format_query",
      "/loki/api/v1/drilldown-limits",
      "/api/prom/query",
    ]
  ) {
    const put = await push.request("PUT", path);
    t.equal(put.status, 405, path);
    t.equal(put.headers["allow"], "GET, POST", path);
    const form = await push.request(
      "POST",
      path,
      { "content-type": "application/x-www-form-urlencoded", "x-query-tags": "Source=test,a=b" },
      new TextEncoder().encode(`query=${encodeURIComponent('{app="nothing"}')}`),
    );
    t.equal(form.status, 200, `${path}: ${form.body}`);
    t.match(form.headers["content-type"], /^application\/json/, path);
  }
  t.equal((await query.get("/loki/api/v1/index/nothing")).status, 404);
}

async function maxQueryRange(...[t, { query }]: Arguments): Promise<void> {
  for (const path of ["query", "query_range"]) {
    const reply = await query.get(`/loki/api/v1/${path}`, { query: 'rate({app="a"}[2h])' });
    t.equal(reply.status, 400);
    t.match(reply.body, /\[interval\] value exceeds limit: \[2h\] > \[1h\]; .*max_query_range/);
  }
  const long = await query.get("/loki/api/v1/index/stats", {
    query: '{app="a"}',
    start: "0",
    end: String(90 * 86_400),
  });
  t.equal(long.status, 400);
  t.match(long.body, /exceeds the limit .*max_query_length/);
}
