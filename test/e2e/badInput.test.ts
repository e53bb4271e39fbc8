/** Bad input and limits: each is refused with Loki's status and words, good entries of a mixed push are kept, and the
 *  server goes on serving. Connections that misbehave are rawConnections.test.ts's business. */
import { gzipSync } from "node:zlib";
import snappy from "snappy";
import { onServer, type Scenario, type ScenarioBody } from "../../src/testing/onServer.ts";
import {
  encoded,
  type HttpReply,
  jsonBody,
  protobufBody,
  type PushBody,
} from "../../src/testing/pushClient.ts";
import { encodePushRequest } from "../../src/testing/protobuf.ts";
import { randomFrom } from "../../src/testing/random.ts";

const second = 1_000_000_000n;
const year2200 = BigInt(Date.UTC(2200, 0, 1)) * 1_000_000n;

onServer({}, {
  "bodies that are no push": bodiesThatAreNoPush,
  "wrong content types and encodings": contentTypes,
  "JSON that is no push": wrongJson,
  "labels that are no labels": wrongLabels,
  "limits of Loki, in Loki's words; the rest of the push is kept": limits,
  "a stream with 100,000 labels": manyLabels,
  "a line of 10 MB": longLine,
  "a push without streams is 422, one without entries 204": emptyPush,
  "bombs are not unpacked": bombs,
  "wrong methods are 405": wrongMethods,
});

onServer({
  "limits_config.reject_old_samples": "true",
  "limits_config.max_line_size": "100",
  "limits_config.max_line_size_truncate": "true",
  "limits_config.max_global_streams_per_user": "50",
  "distributor.max_recv_msg_size": "1MB",
}, {
  "old lines are refused when limits say so": async (t, scenario) => {
    const { push, query, app, now } = scenario;
    const reply = await push.send(protobufBody([{
      labels: `{app="${app}"}`,
      entries: [{ timestamp: 0n, line: "old" }, { timestamp: now, line: "new" }],
    }]));
    t.equal(reply.status, 400);
    t.match(
      reply.body,
      /has timestamp too old: 1970-01-01T00:00:00Z, oldest acceptable timestamp is: 20/,
    );
    const found = await query.all({ query: `{app="${app}"}`, start: 0n, end: now + second });
    t.same(found.map(({ line }) => line), ["new"]);
  },
  "long lines are cut when limits say so": async (t, { push, query, app, now }) => {
    const line = "x".repeat(1000);
    await push.push([{ labels: `{app="${app}"}`, entries: [{ timestamp: now, line }] }]);
    const [found] = await query.range({ query: `{app="${app}"}`, start: now, end: now + 1n });
    t.ok(found !== undefined && found.line.length <= 100 && /^x+$/.test(found.line));
  },
  "a body over the limit is 413": async (t, { push, app, now }) => {
    const reply = await push.send(protobufBody(noise(app, now, 3_000_000)));
    t.equal(reply.status, 413);
    t.not(reply.body, "");
  },
  "more streams than allowed are 429, known streams go on": async (t, scenario) => {
    const { push, query, app, now } = scenario;
    const known = [{ labels: `{app="${app}"}`, entries: [{ timestamp: now, line: "known" }] }];
    await push.push(known);
    const replies: HttpReply[] = [];
    for (let pod = 0; pod < 60; pod++) {
      replies.push(
        await push.send(protobufBody([{
          labels: `{app="${app}", pod="${pod}"}`,
          entries: [{ timestamp: now, line: "one of many" }],
        }])),
      );
    }
    const refused = replies.filter(({ status }) => status === 429);
    t.ok(refused.length >= 10 && refused.length < 60, `${refused.length} of 60 refused`);
    t.match(refused[0]?.body, /[Mm]aximum active stream limit exceeded/);
    t.equal(replies.filter(({ status }) => status === 204).length, 60 - refused.length);
    await push.push([{ labels: `{app="${app}"}`, entries: [{ timestamp: now, line: "again" }] }]);
    const found = await query.all({ query: `{app="${app}"}`, start: now, end: now + 1n });
    t.equal(found.length, 60 - refused.length + 2, "what was accepted is there, nothing else");
  },
});

onServer({ "limits_config.ingestion_rate_mb": "1", "limits_config.ingestion_burst_size_mb": "2" }, {
  "pushing too fast is 429, and what was answered 204 is there": async (t, scenario) => {
    const { push, query, app, now } = scenario;
    const bodies = Array.from(
      { length: 20 },
      (_, number) => protobufBody(noise(`${app}-${number}`, now, 400_000)),
    );
    const replies = await Promise.all(bodies.map((body) => push.send(body)));
    const refused = replies.filter(({ status }) => status === 429);
    t.ok(refused.length > 5, `${refused.length} of 20 refused`);
    t.match(refused[0]?.body, /ingestion rate limit exceeded for user fake/i);
    for (const [number, { status }] of replies.entries()) {
      const range = { query: `{app="${app}-${number}"}`, start: now, end: now + second };
      const found = await query.all(range);
      t.equal(found.length > 0, status === 204, `push ${number} answered ${status}`);
    }
  },
});

async function bodiesThatAreNoPush(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const good = protobufBody([{
    labels: `{app="${scenario.app}"}`,
    entries: [{ timestamp: scenario.now, line: "never stored ".repeat(50) }],
  }]);
  const raw = (bytes: Uint8Array): PushBody => ({ ...good, bytes });
  const compressed = (bytes: Uint8Array) => raw(snappy.compressSync(Buffer.from(bytes)));
  const message = snappy.uncompressSync(Buffer.from(good.bytes)) as Buffer;
  const bodies: Readonly<Record<string, PushBody>> = {
    "no bytes": raw(new Uint8Array(0)),
    "not snappy": raw(Buffer.from("this is not snappy at all")),
    "uncompressed protobuf": raw(message),
    "snappy without its end": raw(good.bytes.subarray(0, good.bytes.byteLength - 5)),
    "snappy with more after its end": raw(Buffer.concat([good.bytes, Buffer.alloc(9, 0xff)])),
    "snappy that promises 4 GB": raw(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0])),
    "protobuf without its end": compressed(message.subarray(0, message.byteLength - 5)),
    "protobuf of another kind": compressed(Buffer.from("\x0a\x05hello\x12\x03abc\x98\x01")),
    "a stream length beyond the body": compressed(
      Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
    ),
    "a length of more than 64 bits": compressed(Buffer.from([0x0a, ...Array(12).fill(0xff)])),
    "a wire type that does not exist": compressed(Buffer.from([0x0f, 1, 2, 3])),
    "random bytes": compressed(
      Buffer.from(Array.from({ length: 500 }, (_, n) => (n * 7919) % 251)),
    ),
    "gzip that is none": { ...good, headers: { ...good.headers, "content-encoding": "gzip" } },
    "gzip without its end": (() => {
      const body = encoded(good, "gzip");
      return { ...body, bytes: body.bytes.subarray(0, body.bytes.byteLength - 10) };
    })(),
  };
  for (const [name, body] of Object.entries(bodies)) {
    const reply = await scenario.push.send(body);
    const allowed = name.includes("4 GB") ? [400, 413] : [400, 422];
    t.ok(allowed.includes(reply.status), `${name}: ${reply.status} ${reply.body}`);
    t.not(reply.body.trim(), "", name);
    t.match(String(reply.headers["content-type"]), /^text\/plain/, name);
  }
  await nothingStored(t, scenario);
}

async function contentTypes(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { push, app, now } = scenario;
  const good = protobufBody([{
    labels: `{app="${app}"}`,
    entries: [{ timestamp: now, line: "x" }],
  }]);
  const json = jsonBody([{ stream: { app }, values: [[String(now), "x"]] }]);
  const cases: ReadonlyArray<readonly [PushBody, Record<string, string | undefined>]> = [
    [good, { "content-type": undefined }],
    [good, { "content-type": "" }],
    [good, { "content-type": "application/" }],
    [good, { "content-type": ";;;" }],
    [good, { "content-type": "application/json" }],
    [json, { "content-type": "application/x-protobuf" }],
    [json, { "content-type": "text/plain" }],
    [good, { "content-encoding": "br" }],
    [good, { "content-encoding": "zstd" }],
    [good, { "content-encoding": "gzip, gzip" }],
    [json, { "content-encoding": "nonsense" }],
  ];
  for (const [body, changes] of cases) {
    const headers = Object.fromEntries(
      Object.entries({ ...body.headers, ...changes }).filter(([, value]) => value !== undefined),
    );
    const reply = await push.send({ ...body, headers });
    t.equal(reply.status, 400, `${JSON.stringify(changes)}: ${reply.body}`);
    t.not(reply.body.trim(), "");
  }
  await nothingStored(t, scenario);
}

async function wrongJson(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { push, app, now } = scenario;
  const time = String(now);
  const stream = (...values: unknown[]) => ({ streams: [{ stream: { app }, values }] });
  const bodies: ReadonlyArray<string> = [
    "",
    "{",
    "null",
    "[]",
    '"text"',
    '{"streams":{}}',
    '{"streams":[1]}',
    JSON.stringify(stream([Number(now), "a number as timestamp"])),
    JSON.stringify(stream([`${time}x`, "no number"])),
    JSON.stringify(stream([time])),
    JSON.stringify(stream([time, 5])),
    JSON.stringify(stream([time, "x", { a: 1 }])),
    JSON.stringify(stream([time, "x", { a: { b: "c" } }])),
    JSON.stringify(stream([time, "x", "not an object"])),
    JSON.stringify({ streams: [{ stream: { app: 1 }, values: [[time, "x"]] }] }),
    JSON.stringify({ streams: [{ stream: "text", values: [[time, "x"]] }] }),
    JSON.stringify(stream([time, "x"])).slice(0, -3),
    `${JSON.stringify(stream([time, "x"]))} trailing`,
  ];
  for (const body of bodies) {
    const reply = await push.send({
      path: "/loki/api/v1/push",
      headers: { "content-type": "application/json" },
      bytes: Buffer.from(body),
    });
    t.ok(
      reply.status === 400 || (reply.status === 422 && /^(|null|\[\])$/.test(body)),
      `${body.slice(0, 80)}: ${reply.status} ${reply.body}`,
    );
    t.not(reply.body.trim(), "", body.slice(0, 80));
  }
  const invalidUtf8 = await push.send({
    path: "/loki/api/v1/push",
    headers: { "content-type": "application/json" },
    bytes: Buffer.concat([
      Buffer.from(`{"streams":[{"stream":{"app":"`),
      Buffer.from([0xff, 0xfe]),
    ]),
  });
  t.equal(invalidUtf8.status, 400);
  await nothingStored(t, scenario);
}

async function wrongLabels(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { push, query, app, now } = scenario;
  const wrong = [
    "",
    "app",
    `{app="${app}"`,
    `app="${app}"}`,
    `{app=${app}}`,
    `{app="${app}" pod="x"}`,
    `{1app="${app}"}`,
    `{a-b="x", app="${app}"}`,
    `{app!="${app}"}`,
    `{app=~"${app}"}`,
    `{app="${app}", app="${app}"}`,
    `{app="${app}"} |= "x"`,
    `{app="${app}\\q"}`,
  ];
  for (const labels of wrong) {
    const reply = await push.send(
      protobufBody([{ labels, entries: [{ timestamp: now, line: "x" }] }]),
    );
    t.equal(reply.status, 400, `${labels}: ${reply.body}`);
    t.not(reply.body.trim(), "", labels);
  }
  await nothingStored(t, scenario);
  const mixed = await push.send(protobufBody([
    { labels: `{app="${app}", pod="good"}`, entries: [{ timestamp: now, line: "kept" }] },
    { labels: `{app=}`, entries: [{ timestamp: now, line: "refused" }] },
    { labels: `{app="${app}", pod="fine"}`, entries: [{ timestamp: now + 1n, line: "kept too" }] },
  ]));
  t.equal(mixed.status, 400, mixed.body);
  const found = await query.all({ query: `{app="${app}"}`, start: now, end: now + second });
  t.same(found.map(({ line }) => line), ["kept", "kept too"], "good streams of a mixed push");
}

async function limits(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { push, query, app, now } = scenario;
  const labels = `{app="${app}"}`;
  const cases: ReadonlyArray<
    readonly [
      name: string,
      entry: { timestamp: bigint; line: string; metadata?: Record<string, string> },
      wanted: RegExp,
    ]
  > = [
    [
      "line over 256 KB",
      { timestamp: now, line: "x".repeat(262_145) },
      /[Mm]ax entry size .?262144.? bytes exceeded for stream .*length .?262145/,
    ],
    [
      "2200",
      { timestamp: year2200, line: "far" },
      /has timestamp too new: 2200-01-01T00:00:00Z/,
    ],
    [
      "metadata over 64 KB",
      { timestamp: now, line: "x", metadata: { a: "v".repeat(70_000) } },
      /structured metadata too large/,
    ],
    [
      "129 pairs of metadata",
      {
        timestamp: now,
        line: "x",
        metadata: Object.fromEntries(Array.from({ length: 129 }, (_, n) => [`m${n}`, "v"])),
      },
      /structured metadata too many|too many structured metadata/,
    ],
  ];
  let kept = 0;
  for (const [name, entry, wanted] of cases) {
    const reply = await push.send(protobufBody([{
      labels,
      entries: [
        { timestamp: now + 1n, line: `${name} before` },
        entry,
        { timestamp: now + 2n, line: `${name} after` },
      ],
    }]));
    t.equal(reply.status, 400, name);
    t.match(reply.body.slice(0, 1000), wanted, name);
    const found = await query.all({ query: labels, start: now, end: year2200 + 1n });
    t.equal(found.length, kept += 2, `the rest of the push is kept: ${name}`);
  }
  const wrongStreams: ReadonlyArray<readonly [labels: string, wanted: RegExp]> = [
    [`{app="${app}", ${"n".repeat(1025)}="v"}`, /label name too long/],
    [`{app="${app}", n="${"v".repeat(2049)}"}`, /label value too long/],
    [
      `{app="${app}", ${Array.from({ length: 30 }, (_, n) => `n${n}="v"`).join(", ")}}`,
      /has 31 label names; limit 30/,
    ],
  ];
  for (const [wrong, wanted] of wrongStreams) {
    const entries = [{ timestamp: now, line: "x" }];
    const reply = await push.send(protobufBody([{ labels: wrong, entries }]));
    t.equal(reply.status, 400, String(wanted));
    t.match(reply.body.slice(0, 5000), wanted);
  }
  const limit = `{app="${app}", ${Array.from({ length: 29 }, (_, n) => `n${n}="v"`).join(", ")}}`;
  await push.push([{ labels: limit, entries: [{ timestamp: now + 9n, line: "at the limit" }] }]);
  await push.push([{ labels, entries: [{ timestamp: now + 9n, line: "x".repeat(262_144) }] }]);
  t.equal((await query.all({ query: labels, start: now + 9n, end: now + 10n })).length, 2);
}

async function manyLabels(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { push, app, now } = scenario;
  const pairs = Array.from({ length: 100_000 }, (_, n) => [`label_${n}`, `value ${n}`] as const);
  const labels = `{app="${app}", ${pairs.map(([name, value]) => `${name}="${value}"`).join(", ")}}`;
  const protobuf = await push.send(
    protobufBody([{ labels, entries: [{ timestamp: now, line: "x" }] }]),
  );
  t.equal(protobuf.status, 400);
  t.match(protobuf.body.slice(-300), /100001 label names; limit 30/);
  t.ok(protobuf.body.length < 100_000, `an answer of ${protobuf.body.length} characters`);
  const json = await push.send(jsonBody([{
    stream: { app, ...Object.fromEntries(pairs) },
    values: [[String(now), "x"]],
  }]));
  t.equal(json.status, 400);
  const metadata = await push.send(jsonBody([{
    stream: { app },
    values: [[String(now), "x", Object.fromEntries(pairs)]],
  }]));
  t.equal(metadata.status, 400);
  await nothingStored(t, scenario);
}

async function longLine(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { push, app, now } = scenario;
  const line = "long ".repeat(2_000_000);
  const reply = await push.send(
    protobufBody([{ labels: `{app="${app}"}`, entries: [{ timestamp: now, line }] }]),
  );
  t.equal(reply.status, 400);
  t.match(reply.body.slice(0, 500), /10000000/);
  t.ok(reply.body.length < 10_000, "the answer does not repeat the line");
  const json = await push.send(jsonBody([{ stream: { app }, values: [[String(now), line]] }]));
  t.equal(json.status, 400);
  await nothingStored(t, scenario);
}

async function emptyPush(...[t, { push, app, now }]: Parameters<ScenarioBody>): Promise<void> {
  t.equal((await push.send(jsonBody([]))).status, 422);
  t.equal((await push.send(protobufBody([]))).status, 422);
  t.equal((await push.send(jsonBody([{ stream: { app }, values: [] }]))).status, 204);
  const unlabelled = jsonBody([{ stream: {}, values: [[String(now), "x"]] }]);
  t.equal((await push.send(unlabelled)).status, 204, "no labels: service_name is added");
}

async function bombs(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { push, server, app, now } = scenario;
  const before = server.usage().peakResidentBytes;
  const zeros = gzipSync(Buffer.alloc(400_000_000), { level: 1 });
  const gzip = await push.send({
    path: "/loki/api/v1/push",
    headers: { "content-type": "application/json", "content-encoding": "gzip" },
    bytes: zeros,
  });
  t.ok(gzip.status === 413 || gzip.status === 400, `400 MB in gzip: ${gzip.status} ${gzip.body}`);
  const line = new Uint8Array(300_000_000).fill(0x61);
  const message = encodePushRequest([{
    labels: `{app="${app}"}`,
    entries: [{ timestamp: now, line }],
  }]);
  const block = await push.send({
    path: "/loki/api/v1/push",
    headers: { "content-type": "application/x-protobuf" },
    bytes: snappy.compressSync(Buffer.from(message)),
  });
  t.ok(block.status === 413 || block.status === 400, `300 MB in snappy: ${block.status}`);
  const grownBytes = server.usage().peakResidentBytes - before;
  t.ok(grownBytes < 700e6, `memory grew by ${(grownBytes / 1e6).toFixed(0)} MB`);
  await nothingStored(t, scenario);
}

async function wrongMethods(...[t, { push, query }]: Parameters<ScenarioBody>): Promise<void> {
  t.equal((await query.get("/loki/api/v1/push")).status, 405);
  t.equal((await push.request("DELETE", "/loki/api/v1/labels")).status, 405);
  t.equal((await push.request("PUT", "/loki/api/v1/query_range")).status, 405);
}

async function nothingStored(
  t: Parameters<ScenarioBody>[0],
  { query, app, now }: Scenario,
): Promise<void> {
  const found = await query.all({ query: `{app="${app}"}`, start: 0n, end: now + second });
  t.same(found, [], "nothing of it is stored");
}

/** About `bytes` of lines that snappy cannot compress. */
function noise(app: string, now: bigint, bytes: number) {
  const random = randomFrom(app);
  const entries = Array.from({ length: Math.ceil(bytes / 1000) }, (_, row) => ({
    timestamp: now + BigInt(row),
    line: random.hex(1000),
  }));
  return [{ labels: `{app="${app}"}`, entries }];
}
