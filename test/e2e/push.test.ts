/** Every form of push that Loki accepts, over HTTP: what was sent is what query_range answers. */
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";
import {
  encoded,
  jsonBody,
  legacyJsonBody,
  protobufBody,
  type PushBody,
  type PushStream,
} from "../../src/testing/pushClient.ts";

const second = 1_000_000_000n;

onServer({}, {
  "protobuf in snappy": accepts((streams) => protobufBody(streams)),
  "protobuf with a charset in the content type": accepts((streams) =>
    withHeaders(protobufBody(streams), { "content-type": "application/x-protobuf; charset=utf-8" })
  ),
  "protobuf with Content-Encoding snappy, which changes nothing": accepts((streams) =>
    withHeaders(protobufBody(streams), { "content-encoding": "snappy" })
  ),
  "any other parsable type is protobuf": accepts((streams) =>
    withHeaders(protobufBody(streams), { "content-type": "text/plain" })
  ),
  "protobuf in snappy in gzip": accepts((streams) => encoded(protobufBody(streams), "gzip")),
  "JSON": accepts((streams) => jsonOf(streams)),
  "JSON with a charset": accepts((streams) =>
    withHeaders(jsonOf(streams), { "content-type": "application/json; charset=utf-8" })
  ),
  "JSON in gzip": accepts((streams) => encoded(jsonOf(streams), "gzip")),
  "JSON in deflate": accepts((streams) => encoded(jsonOf(streams), "deflate")),
  "the legacy path in JSON": accepts((streams) => legacyJsonBody(streams)),
  "the legacy path in protobuf": accepts((streams) => ({
    ...protobufBody(streams),
    path: "/api/prom/push",
  })),
  "lines of any text": anyText,
  "lines that are not UTF-8 come back with replacement characters": invalidUtf8,
  "structured metadata, folded and categorized": structuredMetadata,
  "service_name is the first label that usually names a service": serviceName,
  "detected_level comes from labels, metadata or the line": detectedLevel,
  "an empty label value is no label": emptyLabelValue,
  "unknown JSON fields and streams without values are ignored": unknownJson,
});

onServer({
  "limits_config.discover_service_name": "false",
  "limits_config.discover_log_levels": "false",
}, {
  "service_name and detected_level can be switched off": async (t, { push, query, app, now }) => {
    const line = "level=error msg=x";
    await push.push([{ labels: `{app="${app}"}`, entries: [{ timestamp: now, line }] }]);
    const range = { query: `{app="${app}"}`, start: now, end: now + 1n };
    const [entry] = await query.range(range);
    t.same(entry?.labels, { app });
    const [categorized] = await query.range({ ...range, categorize: true });
    t.same(categorized?.extra, {});
  },
});

/** Three lines, one of another stream, pushed in the given form. */
function accepts(form: (streams: ReadonlyArray<PushStream>) => PushBody): ScenarioBody {
  return async (t, { push, query, app, now }) => {
    const reply = await push.send(form([
      {
        labels: `{app="${app}", pod="one"}`,
        entries: [
          { timestamp: now + 1n, line: "first level=warn" },
          { timestamp: now + 2n, line: 'second "quoted" \\ ü → 世界' },
        ],
      },
      { labels: `{app="${app}", pod="two"}`, entries: [{ timestamp: now + 3n, line: "third" }] },
    ]));
    t.equal(reply.status, 204, reply.body);
    t.equal(reply.body, "");
    const entries = await query.all({ query: `{app="${app}"}`, start: now, end: now + second });
    const common = { app, service_name: app };
    t.same(
      entries.map(({ labels, timestamp, line }) => [labels, timestamp - now, line]),
      [
        [{ ...common, pod: "one", detected_level: "warn" }, 1n, "first level=warn"],
        [{ ...common, pod: "one", detected_level: "unknown" }, 2n, 'second "quoted" \\ ü → 世界'],
        [{ ...common, pod: "two", detected_level: "unknown" }, 3n, "third"],
      ],
    );
  };
}

async function anyText(...[t, { push, query, app, now }]: Parameters<ScenarioBody>): Promise<void> {
  const lines = [
    "",
    " ",
    "\0",
    "a\0b\u0001\u001f\u007f",
    "tab\there",
    "line\nbreak\r\nand return",
    "\u2028\u2029\ufeff",
    '{"json":"\\u0000 \\" \\\\"}',
    "emoji 🧵 and family 👩‍👩‍👧, flags 🇪🇺",
    "'single' `back` <html>&amp;",
    "\u001b[31mred\u001b[0m",
    "x".repeat(200_000),
    "é".repeat(100_000),
  ];
  const entries = lines.map((line, index) => ({ timestamp: now + BigInt(index), line }));
  await push.push([{ labels: `{app="${app}"}`, entries }]);
  const found = await query.all({ query: `{app="${app}"}`, start: now, end: now + second });
  t.equal(found.length, lines.length);
  for (const [index, line] of lines.entries()) {
    t.ok(found[index]?.line === line, `line ${index}`);
  }
}

async function invalidUtf8(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const line = Buffer.from([0x61, 0xff, 0x62, 0x80, 0x63]);
  await push.push([{ labels: `{app="${app}"}`, entries: [{ timestamp: now, line }] }]);
  const [found] = await query.range({ query: `{app="${app}"}`, start: now, end: now + 1n });
  t.equal(found?.line, "a\ufffdb\ufffdc");
}

async function structuredMetadata(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const metadata = { trace_id: "abc123", "user name": "Zoë" };
  await push.push([{
    labels: `{app="${app}"}`,
    entries: [
      { timestamp: now, line: "with", metadata },
      { timestamp: now + 1n, line: "without" },
    ],
  }]);
  const reply = await push.send(jsonBody([{
    stream: { app, form: "json" },
    values: [[String(now + 2n), "from json", { trace_id: "def456" }]],
  }]));
  t.equal(reply.status, 204, reply.body);
  const range = { query: `{app="${app}"}`, start: now, end: now + second };
  const folded = await query.all(range);
  t.same(folded.map(({ labels }) => labels), [
    { app, service_name: app, detected_level: "unknown", trace_id: "abc123", user_name: "Zoë" },
    { app, service_name: app, detected_level: "unknown" },
    { app, service_name: app, detected_level: "unknown", form: "json", trace_id: "def456" },
  ]);
  const data = await query.streams({ ...range, direction: "forward", categorize: true });
  t.same(data.encodingFlags, ["categorize-labels"]);
  t.same(data.result, [
    {
      stream: { app, form: "json", service_name: app },
      values: [[String(now + 2n), "from json", {
        structuredMetadata: { detected_level: "unknown", trace_id: "def456" },
      }]],
    },
    {
      stream: { app, service_name: app },
      values: [
        [String(now), "with", {
          structuredMetadata: { detected_level: "unknown", trace_id: "abc123", user_name: "Zoë" },
        }],
        [String(now + 1n), "without", { structuredMetadata: { detected_level: "unknown" } }],
      ],
    },
  ]);
}

async function serviceName(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const cases: ReadonlyArray<readonly [labels: string, wanted: string]> = [
    [`{test="${app}", service="s", app="a", job="j"}`, "s"],
    [`{test="${app}", job="j", container="c"}`, "c"],
    [`{test="${app}", k8s_job_name="k"}`, "k"],
    [`{test="${app}", service_name="own", app="a"}`, "own"],
    [`{test="${app}", other="x"}`, "unknown_service"],
  ];
  for (const [index, [labels, wanted]] of cases.entries()) {
    const start = now + BigInt(index);
    await push.push([{ labels, entries: [{ timestamp: start, line: "x" }] }]);
    const [found] = await query.range({ query: `{test="${app}"}`, start, end: start + 1n });
    t.equal(found?.labels["service_name"], wanted, labels);
  }
}

async function detectedLevel(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const cases: ReadonlyArray<
    readonly [labels: string, metadata: Record<string, string>, line: string, wanted: string]
  > = [
    [`level="warning"`, {}, "level=error", "warn"],
    [`pod="p"`, { severity: "ERROR" }, "level=info", "error"],
    [`pod="p"`, { detected_level: "DEBUG" }, "level=info", "debug"],
    [`pod="p"`, {}, '{"msg":"x","level":"fatal"}', "fatal"],
    [`pod="p"`, {}, "ts=1 lvl=dbg msg=x", "debug"],
    [`pod="p"`, {}, "2026-01-01 CRITICAL disk gone", "critical"],
    [`pod="p"`, {}, "all is well", "unknown"],
  ];
  for (const [index, [labels, metadata, line, wanted]] of cases.entries()) {
    const start = now + BigInt(index);
    await push.push([{
      labels: `{app="${app}", ${labels}}`,
      entries: [{ timestamp: start, line, metadata }],
    }]);
    const [found] = await query.range({ query: `{app="${app}"}`, start, end: start + 1n });
    t.equal(
      found?.labels["detected_level"],
      wanted,
      `${labels} ${JSON.stringify(metadata)} ${line}`,
    );
  }
}

async function emptyLabelValue(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  await push.push([{
    labels: `{app="${app}", empty=""}`,
    entries: [{ timestamp: now, line: "x" }],
  }]);
  const [found] = await query.range({ query: `{app="${app}"}`, start: now, end: now + 1n });
  t.same(found?.labels, { app, service_name: app, detected_level: "unknown" });
}

async function unknownJson(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const bytes = Buffer.from(JSON.stringify({
    other: [1, { a: null }],
    streams: [
      { stream: { app }, values: [], more: true },
      { values: [[String(now), "kept"]], stream: { app } },
    ],
  }));
  const headers = { "content-type": "application/json" };
  const reply = await push.send({ path: "/loki/api/v1/push", headers, bytes });
  t.equal(reply.status, 204, reply.body);
  const found = await query.all({ query: `{app="${app}"}`, start: now, end: now + 1n });
  t.same(found.map(({ line }) => line), ["kept"]);
}

function jsonOf(streams: ReadonlyArray<PushStream>): PushBody {
  return jsonBody(streams.map(({ labels, entries }) => ({
    stream: Object.fromEntries(
      [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value] as const),
    ) as Record<string, string>,
    values: entries.map(({ timestamp, line }) => [String(timestamp), line]),
  })));
}

function withHeaders(body: PushBody, headers: Record<string, string>): PushBody {
  return { ...body, headers: { ...body.headers, ...headers } };
}
