/** Metric queries over HTTP: envelopes, times, steps, formats, errors, limits, explain, and that flushed,
 *  unflushed and repeated pushes count once. What LogQL means is tested by test/conformance. */
import type { Test } from "tap";
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";
import type { QueryClient } from "../../src/testing/queryClient.ts";

const second = 1_000_000_000n;

onServer({}, {
  "a push that is flushed, repeated, and goes on counts once": countsOnce,
  "an instant query answers a vector or a scalar, at the time asked for": instant,
  "a range query has its steps exactly where they were asked for": steps,
  "values are written as Go writes them": formats,
  "series are ordered by labels, sort by value": order,
  "wrong questions get a 400 that says what is wrong": wrongQuestions,
  "a line with an error fails the query": pipelineErrors,
  "Grafana's health check and volume histogram": grafana,
  "explain says what was done and what it cost": explain,
});

onServer({
  "limits_config.max_query_series": "3",
  "limits_config.max_query_samples": "50",
  "querier.max_response_bytes": "1KB",
}, { "limits end in an error that names them": limits });

onServer({ "limits_config.max_query_lookback": "10m" }, {
  "max_query_lookback hides what is older": lookback,
});

type Parameters_ = Readonly<Record<string, string>>;

interface Answer {
  readonly data: {
    readonly resultType: string;
    readonly result: ReadonlyArray<{
      readonly metric: Readonly<Record<string, string>>;
      readonly value?: readonly [number, string];
      readonly values?: ReadonlyArray<readonly [number, string]>;
    }>;
    readonly stats: { readonly summary: Readonly<Record<string, number>> };
  };
  readonly explain?: {
    readonly type: string;
    readonly filters: ReadonlyArray<string>;
    readonly steps: ReadonlyArray<Readonly<Record<string, unknown>>>;
    readonly leaves: ReadonlyArray<{
      readonly filters: ReadonlyArray<string>;
      readonly stages: ReadonlyArray<string>;
      readonly skipped: ReadonlyArray<string>;
      readonly pushedDown: string | null;
      readonly labels: unknown;
      readonly steps: ReadonlyArray<Readonly<Record<string, unknown>>>;
    }>;
  };
}

async function ask(client: QueryClient, path: string, parameters: Parameters_): Promise<Answer> {
  const reply = await client.get(`/loki/api/v1/${path}`, parameters);
  if (reply.status !== 200) throw new Error(`${reply.status}: ${reply.body}`);
  return JSON.parse(reply.body) as Answer;
}

/** The values at one moment, by the value of one label. */
async function at(client: QueryClient, query: string, time: bigint, label: string) {
  const { data } = await ask(client, "query", { query, time: String(time) });
  return Object.fromEntries(data.result.map(({ metric, value }) => [metric[label], value![1]]));
}

async function countsOnce(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { push, query, app, now } = scenario;
  const entries = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => ({
      timestamp: now + BigInt(from + index) * second,
      line: `line ${from + index} took=${from + index}ms`,
      metadata: { host: (from + index) % 2 === 0 ? "even" : "odd" },
    }));
  const labels = `{app="${app}"}`;
  const end = now + 40n * second;
  const check = async (even: string, odd: string, when: string) => {
    const counts = await at(
      query,
      `sum by (host) (count_over_time({app="${app}"}[1m]))`,
      end,
      "host",
    );
    t.same(counts, { even, odd }, `by metadata ${when}`);
    const total = await at(query, `sum(count_over_time({app="${app}"}[1m]))`, end, "host");
    t.same(total, { undefined: String(Number(even) + Number(odd)) }, `in all ${when}`);
    const filtered = await at(
      query,
      `sum(count_over_time({app="${app}"} |= "line" |~ "took=\\\\d+ms" [1m]))`,
      end,
      "host",
    );
    t.same(filtered, total, `with filters ${when}`);
  };
  await push.push([{ labels, entries: entries(0, 10) }]);
  await check("5", "5", "unflushed");
  await push.push([{ labels, entries: entries(0, 10) }]);
  await check("5", "5", "pushed twice");
  await query.flush();
  await check("5", "5", "flushed");
  await push.push([{ labels, entries: entries(5, 15) }]);
  await check("8", "7", "overlapping what was flushed");
  await query.flush();
  await check("8", "7", "flushed again");
  await push.push([{ labels, entries: entries(20, 21) }, { labels, entries: entries(3, 4) }]);
  await check("9", "7", "with a repeated line");
  const sums = await at(
    query,
    `sum by (app) (sum_over_time({app="${app}"} | logfmt | unwrap duration(took) [1m]))`,
    end,
    "app",
  );
  t.same(sums, { [app]: "0.125" }, "values count once as well: (0 + … + 14 + 20) ms");
}

async function instant(...[t, { push, query, app, now }]: Parameters<ScenarioBody>): Promise<void> {
  await push.push([{ labels: `{app="${app}"}`, entries: [{ timestamp: now, line: "x" }] }]);
  const time = `${now / second}.5`;
  const vector = await ask(query, "query", { query: `count_over_time({app="${app}"}[5s])`, time });
  t.equal(vector.data.resultType, "vector");
  t.same(vector.data.result[0]!.value, [Number(now / second) + 0.5, "1"]);
  const summary = vector.data.stats.summary;
  t.equal(summary["totalEntriesReturned"], 1);
  t.equal(summary["totalPostFilterLines"], 1);
  const scalar = await ask(query, "query", { query: "2 ^ 3", time });
  t.equal(scalar.data.resultType, "scalar");
  t.same(scalar.data.result as unknown, [Number(now / second) + 0.5, "8"]);
  const none = await ask(query, "query", { query: `rate({app="none of it"}[5s])`, time });
  t.same(none.data.result, []);
  const range = await ask(query, "query_range", {
    query: "1+1",
    start: "100",
    end: "130",
    step: "15",
  });
  t.equal(range.data.resultType, "matrix", "a number over a range is a matrix");
  t.same(range.data.result, [{ metric: {}, values: [[100, "2"], [115, "2"], [130, "2"]] }]);
}

async function steps(...[t, { push, query, app, now }]: Parameters<ScenarioBody>): Promise<void> {
  const entries = [0n, 1n, 2n, 7n].map((at) => ({ timestamp: now + at * second, line: "x" }));
  await push.push([{ labels: `{app="${app}"}`, entries }]);
  const base = Number(now / second);
  const points = async (parameters: Parameters_) => {
    const { data } = await ask(query, "query_range", {
      query: `sum(count_over_time({app="${app}"}[2s]))`,
      ...parameters,
    });
    t.equal(data.resultType, "matrix");
    return (data.result[0]?.values ?? []).map(([time, value]) => [time - base, value]);
  };
  const range = { start: String(now), end: String(now + 8n * second) };
  t.same(await points({ ...range, step: "2" }), [[0, "1"], [2, "2"], [8, "1"]], "gaps are gaps");
  t.same(await points({ ...range, step: "2000ms" }), [[0, "1"], [2, "2"], [8, "1"]]);
  t.same(
    await points({ ...range, start: `${base}.500`, step: "3" }),
    [[0.5, "1"], [3.5, "1"]],
    "nothing is aligned",
  );
  t.same(await points({ ...range, end: range.start, step: "1" }), [[0, "1"]], "start may be end");
  const whole = await points(range);
  t.equal(whole.length, 6, "without a step: a second here");
  const long = await ask(query, "query_range", {
    query: "vector(1)",
    start: String(now - 5000n * second),
    end: String(now),
  });
  t.equal(long.data.result[0]!.values!.length, 251, "or the 250th part of the range");
}

async function formats(...[t, { query }]: Parameters<ScenarioBody>): Promise<void> {
  const values = {
    "vector(0.1) + vector(0.2)": "0.30000000000000004",
    "vector(10) ^ 21": "1000000000000000000000",
    "vector(10) ^ -7": "0.0000001",
    "vector(123456789) * 1e15": "123456789000000000000000",
    "vector(1) / 0": "NaN",
    "vector(2) ^ 2000": "+Inf",
    "0 - vector(2) ^ 2000": "-Inf",
    "vector(3) * 100": "300",
    "-1 * vector(0)": "-0",
  };
  for (const [text, wanted] of Object.entries(values)) {
    const { data } = await ask(query, "query", { query: text, time: "1.0005" });
    t.same(data.result[0]!.value, [1.001, wanted], text);
  }
}

async function order(...[t, { push, query, app, now }]: Parameters<ScenarioBody>): Promise<void> {
  const entries = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ timestamp: now + BigInt(at), line: "x" }));
  await push.push([
    { labels: `{app="${app}", pod="b"}`, entries: entries(2) },
    { labels: `{app="${app}", pod="c"}`, entries: entries(3) },
    { labels: `{app="${app}", pod="a"}`, entries: entries(1) },
  ]);
  const counts = `sum by (pod) (count_over_time({app="${app}"}[1m]))`;
  const pods = async (text: string) => {
    const { data } = await ask(query, "query", { query: text, time: String(now + second) });
    return data.result.map(({ metric }) => metric["pod"]).join("");
  };
  t.equal(await pods(counts), "abc");
  t.equal(await pods(`sort_desc(${counts})`), "cba");
  t.equal(await pods(`sort(${counts})`), "abc");
  t.equal(await pods(`topk(2, ${counts})`), "bc", "topk is ordered by labels");
  t.equal(await pods(`bottomk(2, ${counts})`), "ab");
}

async function refused(
  t: Test,
  query: QueryClient,
  path: string,
  parameters: Parameters_,
  pattern: RegExp,
): Promise<void> {
  const reply = await query.get(`/loki/api/v1/${path}`, parameters);
  t.equal(reply.status, 400, JSON.stringify(parameters));
  t.match(reply.body, pattern);
}

async function wrongQuestions(...[t, { query }]: Parameters<ScenarioBody>): Promise<void> {
  const range = { query: "vector(1)", start: "0", end: "11001" };
  await refused(
    t,
    query,
    "query",
    { query: '{app="a"}' },
    /log queries are not supported as an instant/,
  );
  await refused(t, query, "query", { query: "rate(" }, /parse error at line 1, col 6/);
  await refused(t, query, "query", {}, /parameter query is missing/);
  await refused(
    t,
    query,
    "query",
    { query: "vector(1)", time: "soon" },
    /"soon" in parameter time/,
  );
  await refused(t, query, "query_range", { ...range, step: "1" }, /maximum resolution of 11,000/);
  await refused(t, query, "query_range", { ...range, step: "0" }, /step/);
  await refused(t, query, "query_range", { ...range, step: "-5" }, /step/);
  await refused(t, query, "query_range", { ...range, step: "fast" }, /"fast" in parameter step/);
  await refused(t, query, "query_range", { ...range, end: "-1" }, /end timestamp/);
  const most = await ask(query, "query_range", { ...range, end: "11000", step: "1" });
  t.equal(most.data.result[0]!.values!.length, 11_001, "11,000 steps are allowed");
}

async function pipelineErrors(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const lines = ['{"n":1}', "no json"];
  const entries = lines.map((line, at) => ({ timestamp: now + BigInt(at), line }));
  await push.push([{ labels: `{app="${app}"}`, entries }]);
  const time = String(now + second);
  const text = (rest: string) => `count_over_time({app="${app}"} | json ${rest} [1m])`;
  await refused(
    t,
    query,
    "query",
    { query: text(""), time },
    /pipeline error: 'JSONParserErr' for series: '\{/,
  );
  const counted = async (query_: string) =>
    (await ask(query, "query", { query: query_, time })).data.result.map(({ value }) => value![1]);
  t.same(await counted(text('| __error__=""')), ["1"], "without the lines that fail");
  t.same(
    await counted(`sum(${text("| drop __error__, __error_details__")})`),
    ["2"],
    "with them, if they are meant",
  );
  t.same(
    await counted(`sum(${text("")})`),
    ["2"],
    "where nobody needs what is parsed, nothing fails",
  );
}

async function grafana(...[t, { push, query, app, now }]: Parameters<ScenarioBody>): Promise<void> {
  const health = await ask(query, "query", { query: "vector(1)+vector(1)" });
  t.equal(health.data.resultType, "vector");
  t.equal(health.data.result.length, 1);
  t.equal(health.data.result[0]!.value![1], "2");
  const lines = ["level=error a", "level=info b", "level=info c"];
  const entries = lines.map((line, at) => ({ timestamp: now + BigInt(at), line }));
  await push.push([{ labels: `{app="${app}"}`, entries }]);
  const { data } = await ask(query, "query_range", {
    query: `sum by (level, detected_level) (count_over_time({app="${app}"}[10s]))`,
    start: String(now),
    end: String(now + 10n * second),
    step: "10000ms",
  });
  const last = data.result.map(({ metric, values }) => [metric, values!.at(-1)![1]]);
  t.same(last, [[{ detected_level: "error" }, "1"], [{ detected_level: "info" }, "2"]]);
}

async function explain(...[t, { push, query, app, now }]: Parameters<ScenarioBody>): Promise<void> {
  const entries = Array.from({ length: 100 }, (_, at) => ({
    timestamp: now + BigInt(at) * 1_000_000n,
    line: `level=info status=${200 + at} GET /`,
  }));
  await push.push([{ labels: `{app="${app}"}`, entries }]);
  await query.flush();
  const time = String(now + second);
  const text =
    `sum by (app) (count_over_time({app="${app}"} |= "GET" |~ "status=2.5" | logfmt | status > 204 [1m]))`;
  const { explain: plan } = await ask(query, "query", { query: text, time, explain: "true" });
  const leaf = plan!.leaves[0]!;
  t.equal(plan!.type, "metric");
  t.equal(leaf.pushedDown, "sum");
  t.same(leaf.filters, ['|= "GET"', '|~ "status=2.5"'], "in the order in which they run");
  t.same(leaf.stages, ["| logfmt", "| status > 204"]);
  t.ok((leaf.labels as string[]).includes("app"), "the labels that are needed");
  const [index, scan, merge] = leaf.steps;
  t.equal(index!["step"], "index");
  t.equal(index!["consideredChunks"], 1);
  t.equal(scan!["rowsScanned"], 100);
  t.equal(scan!["rowsFolded"], 10, "205, 215, … 295");
  t.ok((scan!["bytesRead"] as number) > 0);
  t.ok((scan!["ms"] as number) > 0);
  t.equal(merge!["series"], 1);
  const counted = await ask(query, "query", {
    query: `sum(count_over_time({app="${app}"} | json [1m]))`,
    time,
    explain: "1",
  });
  t.same(counted.explain!.leaves[0]!.skipped, ["| json"]);
  t.equal(counted.explain!.leaves[0]!.steps[0]!["answeredChunks"], 1, "the index alone answers");
  t.equal(counted.explain!.leaves[0]!.steps[1]!["bytesRead"], 0);
  const logs = await ask(query, "query_range", {
    query: `{app="${app}"} |= "GET"`,
    start: String(now),
    end: time,
    explain: "true",
  });
  t.equal(logs.explain!.type, "log");
  t.same(logs.explain!.filters, ['|= "GET"']);
  t.equal(logs.explain!.steps[1]!["rowsReturned"], 100);
  const plain = await ask(query, "query", { query: text, time });
  t.notOk("explain" in plain, "only when it is asked for");
}

async function limits(...[t, { push, query, app, now }]: Parameters<ScenarioBody>): Promise<void> {
  const entries = Array.from({ length: 60 }, (_, at) => ({
    timestamp: now + BigInt(at) * second,
    line: `n=${at}`,
    metadata: { id: String(at % 5) },
  }));
  await push.push([{ labels: `{app="${app}"}`, entries }]);
  const range = { start: String(now), end: String(now + 60n * second), step: "1" };
  const by = (label: string) => `sum by (${label}) (count_over_time({app="${app}"}[1s]))`;
  await refused(
    t,
    query,
    "query_range",
    { query: by("id"), ...range },
    /series \(3\).*max_query_series/,
  );
  await refused(
    t,
    query,
    "query_range",
    { query: by("app"), ...range },
    /samples \(50\).*max_query_samples/,
  );
  const time = String(now + 60n * second);
  await refused(
    t,
    query,
    "query",
    { query: `quantile_over_time(0.5, {app="${app}"} | logfmt | unwrap n [2m]) by (app)`, time },
    /samples \(50\).*max_query_samples/,
  );
  const wide = { ...range, step: "0.001", end: String(now + 10n * second) };
  await refused(
    t,
    query,
    "query_range",
    { query: "vector(1)", ...wide },
    /1024 bytes.*|1000 bytes.*/,
  );
  t.same(
    await at(query, `sum by (app) (count_over_time({app="${app}"}[2m]))`, BigInt(time), "app"),
    {
      [app]: "60",
    },
    "within the limits all is well",
  );
}

async function lookback(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const entries = [now - 3600n * second, now].map((timestamp) => ({ timestamp, line: "x" }));
  await push.push([{ labels: `{app="${app}"}`, entries }]);
  const counts = `sum by (app) (count_over_time({app="${app}"}[2h]))`;
  t.same(await at(query, counts, now + second, "app"), { [app]: "1" });
  await query.flush();
  t.same(await at(query, counts, now + second, "app"), { [app]: "1" }, "flushed");
}
