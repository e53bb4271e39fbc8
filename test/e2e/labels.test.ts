/** Labels, values and series, before and after a flush, and the endpoints that operators and Grafana ask first. */
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";

const second = 1_000_000_000n;

onServer({}, {
  "labels, values and series of what was pushed": labelsAndSeries,
  "values may hold any character, NUL too": oddValues,
  "only streams with lines in the range count": timeRange,
  "selectors pick streams": selectors,
  "operators' endpoints": operators,
  "wrong questions get a 400 that says what is wrong": wrongQuestions,
});

async function labelsAndSeries(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const pushPod = (pod: string) =>
    push.push([{
      labels: `{app="${app}", pod="${pod}", zone="ü \\"1\\""}`,
      entries: [{ timestamp: now, line: "x", metadata: { trace_id: "1" } }],
    }]);
  const check = async (pods: ReadonlyArray<string>, when: string) => {
    const [start, end] = [now - second, now + second];
    const names = await query.labels(start, end);
    for (const name of ["app", "pod", "service_name", "zone"]) {
      t.ok(names.includes(name), `label ${name} ${when}`);
    }
    t.same(names, names.toSorted(), "sorted");
    t.notOk(names.includes("trace_id"), "metadata is no label");
    t.notOk(names.includes("detected_level"), "detected_level is no label");
    t.ok((await query.values("app", start, end)).includes(app), `value ${when}`);
    const ofApp = await query.get("/loki/api/v1/label/pod/values", {
      start: String(start),
      end: String(end),
      query: `{app="${app}"}`,
    });
    t.same((JSON.parse(ofApp.body) as { data: string[] }).data, pods, `values of a query ${when}`);
    t.same(await query.values("no_such_label", start, end), [], "no values");
    const series = await query.series(`{app="${app}"}`, start, end);
    const wanted = pods.map((pod) => ({ app, pod, service_name: app, zone: 'ü "1"' }));
    t.same(series.toSorted((a, b) => (a["pod"] ?? "") < (b["pod"] ?? "") ? -1 : 1), wanted, when);
  };
  await pushPod("a");
  await pushPod("b");
  await check(["a", "b"], "in memory");
  await query.flush();
  await check(["a", "b"], "in a segment");
  await pushPod("b");
  await pushPod("c");
  await check(["a", "b", "c"], "in both");
}

async function oddValues(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const values = ["ab", "ab\0cd", "\u0001", "\ud83d\ude00"];
  const label = `odd_${app.replace(/\W/g, "_")}`;
  const streams = values.map((value) => ({
    stream: { app, [label]: value },
    values: [[String(now), `line of ${JSON.stringify(value)}`]],
  }));
  const reply = await push.send({
    path: "/loki/api/v1/push",
    headers: { "content-type": "application/json" },
    bytes: Buffer.from(JSON.stringify({ streams })),
  });
  t.equal(reply.status, 204);
  const [start, end] = [now - second, now + second];
  for (const when of ["in memory", "in a segment"]) {
    for (const value of values) {
      const selector = `{app="${app}", ${label}=${JSON.stringify(value)}}`;
      const found = await query.all({ query: selector, start, end, limit: 10 });
      t.same(found.map(({ line }) => line), [`line of ${JSON.stringify(value)}`], when);
    }
    const some = { query: `{${label}=~"ab.*"}`, start, end, limit: 10 };
    t.equal((await query.all(some)).length, 2, `by an expression, ${when}`);
    t.same(await query.values(label, start, end), values.toSorted(), `values ${when}`);
    await query.flush();
  }
}

async function timeRange(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const old = now - 3600n * second * 24n;
  await push.push([
    { labels: `{app="${app}", age="old"}`, entries: [{ timestamp: old, line: "x" }] },
    { labels: `{app="${app}", age="new"}`, entries: [{ timestamp: now, line: "x" }] },
  ]);
  for (const when of ["in memory", "in a segment"]) {
    if (when === "in a segment") await query.flush();
    const agesIn = async (start: bigint, end: bigint) =>
      (await query.series(`{app="${app}"}`, start, end)).map(({ age }) => age).toSorted();
    t.same(await agesIn(now - second, now + second), ["new"], when);
    t.same(await agesIn(old - second, old + second), ["old"], when);
    t.same(await agesIn(old - second, now + second), ["new", "old"], when);
    t.same(await agesIn(now + second, now + 2n * second), [], when);
  }
}

async function selectors(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const pods = ["api-1", "api-2", "web-1", "db"];
  await push.push(pods.map((pod) => ({
    labels: `{app="${app}", pod="${pod}"${pod === "db" ? ', tier="data"' : ""}}`,
    entries: [{ timestamp: now, line: `line of ${pod}` }],
  })));
  const cases: ReadonlyArray<readonly [matcher: string, wanted: ReadonlyArray<string>]> = [
    ['pod="api-1"', ["api-1"]],
    ['pod!="api-1"', ["api-2", "db", "web-1"]],
    ['pod=~"api-.*"', ["api-1", "api-2"]],
    ['pod=~"api"', []],
    ['pod!~".*-1"', ["api-2", "db"]],
    ['pod=~"db|web-1"', ["db", "web-1"]],
    ['tier=""', ["api-1", "api-2", "web-1"]],
    ['tier!=""', ["db"]],
    ['tier=~".+"', ["db"]],
    ['pod="API-1"', []],
    ['pod=~"(?i)API-1"', ["api-1"]],
  ];
  for (const when of ["in memory", "in a segment"]) {
    if (when === "in a segment") await query.flush();
    for (const [matcher, wanted] of cases) {
      const selector = `{app="${app}", ${matcher}}`;
      const found = await query.range({ query: selector, start: now, end: now + 1n });
      t.same(found.map(({ labels }) => labels["pod"]).toSorted(), wanted, `${selector} ${when}`);
    }
  }
}

async function operators(...[t, { query }]: Parameters<ScenarioBody>): Promise<void> {
  const ready = await query.get("/ready");
  t.same([ready.status, ready.body], [200, "ready\n"]);
  const build = await query.get("/loki/api/v1/status/buildinfo");
  t.equal(build.status, 200);
  t.match(JSON.parse(build.body), { version: String, revision: String, branch: String });
  const metrics = await query.get("/metrics");
  t.equal(metrics.status, 200);
  t.match(String(metrics.headers["content-type"]), /^text\/plain/);
  const samples = metrics.body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  t.ok(samples.length > 5, "has samples");
  t.same(
    samples.filter((line) =>
      !/^[a-zA-Z_:][\w:]*(\{.*\})? (-?[\d.]+(e[+-]?\d+)?|NaN|[+-]Inf)$/.test(line)
    ),
    [],
    "every line is a sample",
  );
  t.equal((await query.get("/no/such/page")).status, 404);
}

async function wrongQuestions(...[t, { query, now }]: Parameters<ScenarioBody>): Promise<void> {
  const ask = (parameters: Record<string, string>) =>
    query.get("/loki/api/v1/query_range", {
      query: `{app="x"}`,
      start: String(now),
      end: String(now + second),
      ...parameters,
    });
  const cases: ReadonlyArray<readonly [Record<string, string>, RegExp]> = [
    [{ query: "" }, /./],
    [{ query: `{app="x"` }, /parse|syntax/i],
    [{ query: `{}` }, /at least one/i],
    [{ query: `{app=~".*"}` }, /at least one/i],
    [{ query: `{app="x"} |~ "("` }, /invalid regular expression/],
    [{ limit: "0" }, /limit must be a positive value/],
    [{ limit: "-1" }, /limit must be a positive value/],
    [{ limit: "many" }, /many/],
    [
      { limit: "50001" },
      /max entries limit per query exceeded, limit > max_entries_limit_per_query \(50001 > 50000\)/,
    ],
    [{ start: String(now + 2n * second) }, /end/],
    [{ start: "yesterday" }, /yesterday/],
    [{ direction: "sideways" }, /sideways|direction/],
  ];
  for (const [parameters, wanted] of cases) {
    const reply = await ask(parameters);
    const name = JSON.stringify(parameters);
    t.equal(reply.status, 400, name);
    t.match(reply.body, wanted, name);
    t.match(String(reply.headers["content-type"]), /^text\/plain/, name);
  }
}
