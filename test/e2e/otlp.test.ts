/** OTLP over HTTP: what a collector pushes, in protobuf and in JSON, is found with the labels and the structured metadata
 *  that Loki gives it; refusals are google.rpc.Status. */
import { gzipSync, zstdCompressSync } from "node:zlib";
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";
import {
  type OtlpAttribute,
  otlpJsonBody,
  otlpProtobufBody,
  type OtlpRecord,
  type OtlpRequest,
} from "../../src/testing/otlp.ts";
import type { PushBody } from "../../src/testing/pushClient.ts";

const otlpConfig = {
  resource_attributes: {
    attributes_config: [
      { action: "index_label", regex: "team\\..*" },
      { action: "drop", attributes: ["process.command_args"] },
    ],
  },
  log_attributes: [{ action: "index_label", attributes: ["event.kind"] }],
};

onServer({
  "distributor.max_decompressed_size": "1MB",
  "limits_config.otlp_config": JSON.stringify(otlpConfig),
}, {
  "everything that a record can say, in protobuf": saysEverything(otlpProtobufBody),
  "everything that a record can say, in JSON": saysEverything(otlpJsonBody),
  "in gzip": saysEverything((request) => encoded(otlpProtobufBody(request), "gzip", gzipSync)),
  "in zstd": saysEverything((request) => encoded(otlpJsonBody(request), "zstd", zstdCompressSync)),
  "in lz4": saysEverything((request) => encoded(otlpProtobufBody(request), "lz4", lz4Sync)),
  "bodies of every kind are lines": bodies,
  "a record without a time has the time it was observed at, or now": times,
  "several resources are several streams": severalResources,
  "what becomes of attributes is the tenant's choice": choices,
  "refusals are a status": refusals,
  "a resource cannot make a push larger than pushes may be": amplification,
});

function saysEverything(bodyOf: (request: OtlpRequest) => PushBody): ScenarioBody {
  return async (t, { push, query, app, now }) => {
    const request: OtlpRequest = {
      resourceLogs: [{
        resource: {
          attributes: [
            text("service.name", app),
            text("k8s.namespace.name", "shop"),
            text("k8s.pod.name", "cart-0"),
            text("deployment.environment", ""),
            text("host.name", "node-1"),
            map("os", [text("type", "linux"), map("v", [number("major", "6")])]),
          ],
        },
        scopeLogs: [{
          scope: {
            name: "lib",
            version: "1.2",
            attributes: [text("scope.attr", "s")],
            droppedAttributesCount: 3,
          },
          logRecords: [{
            timeUnixNano: String(now + 123n),
            observedTimeUnixNano: String(now + 456n),
            severityNumber: 17,
            severityText: "ERROR",
            body: { stringValue: "héllo\nworld" },
            attributes: [
              text("http.method", "GET"),
              number("status", "-500"),
              { key: "ok", value: { boolValue: true } },
              { key: "took", value: { doubleValue: 1.5 } },
              map("user", [text("id", "u1")]),
              { key: "tags", value: { arrayValue: { values: [{ stringValue: "a" }] } } },
            ],
            droppedAttributesCount: 2,
            flags: 1,
            traceId: "0102030405060708090a0b0c0d0e0f10",
            spanId: "0102030405060708",
          }],
        }],
      }],
    };
    const reply = await push.send(bodyOf(request));
    t.equal(reply.status, 204, reply.body);
    const range = { query: `{service_name="${app}"}`, start: now, end: now + 1000n };
    const [entry] = await query.range({ ...range, categorize: true });
    t.equal(entry?.line, "héllo\nworld");
    t.equal(entry?.timestamp, now + 123n);
    t.same(entry?.labels, {
      service_name: app,
      k8s_namespace_name: "shop",
      k8s_pod_name: "cart-0",
    });
    t.same(entry?.extra?.structuredMetadata, {
      detected_level: "error",
      dropped_attributes_count: "2",
      flags: "1",
      host_name: "node-1",
      http_method: "GET",
      observed_timestamp: String(now + 456n),
      ok: "true",
      os_type: "linux",
      os_v_major: "6",
      scope_attr: "s",
      scope_dropped_attributes_count: "3",
      scope_name: "lib",
      scope_version: "1.2",
      severity_number: "17",
      severity_text: "ERROR",
      span_id: "0102030405060708",
      status: "-500",
      tags: '["a"]',
      took: "1.5",
      trace_id: "0102030405060708090a0b0c0d0e0f10",
      user_id: "u1",
    });
  };
}

async function bodies(...[t, { push, query, app, now }]: Parameters<ScenarioBody>): Promise<void> {
  const records: ReadonlyArray<readonly [OtlpRecord["body"], string]> = [
    [{ intValue: "-9007199254740993" }, "-9007199254740993"],
    [{ boolValue: false }, "false"],
    [{ doubleValue: 0.25 }, "0.25"],
    [{ bytesValue: "AQID" }, "AQID"],
    [{ kvlistValue: { values: [text("b", 'q"'), number("a", "1")] } }, '{"a":1,"b":"q\\""}'],
    [{ arrayValue: { values: [{ stringValue: "x" }, { boolValue: true }] } }, '["x",true]'],
    [undefined, ""],
  ];
  for (const bodyOf of [otlpProtobufBody, otlpJsonBody]) {
    const reply = await push.send(bodyOf(requestOf(
      app,
      records.map(([body], index) => ({
        timeUnixNano: String(now + BigInt(index)),
        ...(body === undefined ? {} : { body }),
      })),
    )));
    t.equal(reply.status, 204, reply.body);
    const range = { query: `{service_name="${app}"}`, start: now, end: now + 1000n };
    const found = await query.range({ ...range, direction: "forward" });
    t.same(found.map(({ line }) => line), records.map(([, line]) => line));
  }
}

async function times(...[t, { push, query, app, now }]: Parameters<ScenarioBody>): Promise<void> {
  const before = BigInt(Date.now()) * 1_000_000n;
  const reply = await push.send(otlpProtobufBody(requestOf(app, [
    { body: { stringValue: "observed" }, observedTimeUnixNano: String(now + 7n) },
    { body: { stringValue: "now" } },
  ])));
  t.equal(reply.status, 204, reply.body);
  const after = BigInt(Date.now() + 1) * 1_000_000n;
  const range = { query: `{service_name="${app}"}`, start: now, end: after };
  const found = await query.range({ ...range, direction: "forward" });
  t.same(found.map(({ line }) => line), ["observed", "now"]);
  t.equal(found[0]?.timestamp, now + 7n);
  t.ok(found[1]!.timestamp >= before && found[1]!.timestamp <= after);
}

async function severalResources(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const record = (line: string) => ({ timeUnixNano: String(now), body: { stringValue: line } });
  const of = (pod: string, line: string) => ({
    resource: { attributes: [text("service.name", app), text("k8s.pod.name", pod)] },
    scopeLogs: [{ logRecords: [record(line)] }, { logRecords: [record(`${line} again`)] }],
  });
  const request = { resourceLogs: [of("a", "one"), of("b", "two"), of("a", "three")] };
  t.equal((await push.send(otlpProtobufBody(request))).status, 204);
  const range = { query: `{service_name="${app}"}`, start: now, end: now + 1n };
  const found = await query.all(range);
  const lines = found.map(({ line, labels }) => `${labels["k8s_pod_name"]} ${line}`);
  t.same(lines.sort(), [
    "a one",
    "a one again",
    "a three",
    "a three again",
    "b two",
    "b two again",
  ]);
}

async function choices(...[t, { push, query, app, now }]: Parameters<ScenarioBody>): Promise<void> {
  const record = (line: string, attributes: ReadonlyArray<OtlpAttribute>) => ({
    timeUnixNano: String(now),
    body: { stringValue: line },
    attributes,
  });
  const attributes = [text("service.name", app), text("team.name", "a"), text("team", "b")];
  const request: OtlpRequest = {
    resourceLogs: [{
      resource: { attributes: [...attributes, text("process.command_args", "--password=x")] },
      scopeLogs: [{
        logRecords: [
          record("bought", [text("event.kind", "order"), text("user", "u1")]),
          record("started", []),
        ],
      }],
    }],
  };
  for (const bodyOf of [otlpProtobufBody, otlpJsonBody]) {
    const reply = await push.send(bodyOf(request));
    t.equal(reply.status, 204, reply.body);
  }
  const range = { query: `{service_name="${app}", team_name="a"}`, start: now, end: now + 1n };
  const found = await query.range({ ...range, categorize: true });
  t.same(
    found.toSorted((one, other) => one.line < other.line ? -1 : 1).map((
      { line, labels, extra },
    ) => [line, labels["event_kind"], extra?.structuredMetadata]),
    [
      ["bought", "order", { detected_level: "unknown", team: "b", user: "u1" }],
      ["started", undefined, { detected_level: "unknown", team: "b" }],
    ],
  );
}

async function refusals(...[t, { push, app, now }]: Parameters<ScenarioBody>): Promise<void> {
  const valid = otlpProtobufBody(requestOf(app, [{ timeUnixNano: String(now) }]));
  const send = (changes: Partial<PushBody>) => push.send({ ...valid, ...changes });
  const json = { "content-type": "application/json" };
  const protobuf = { "content-type": "application/x-protobuf" };
  const truncated = await send({ bytes: valid.bytes.subarray(0, valid.bytes.length - 3) });
  t.equal(truncated.status, 400);
  t.equal(truncated.headers["content-type"], "application/x-protobuf");
  // A google.rpc.Status: code 3 (invalid argument), then the message.
  t.same([...truncated.body.slice(0, 3)].map((text) => text.charCodeAt(0)), [0x08, 3, 0x12]);
  t.match(truncated.body, /cannot read the request: a field at byte \d+ is longer/);
  const wrong = await send({
    headers: json,
    bytes: Buffer.from('{"resourceLogs":[{"scopeLogs":7}]}'),
  });
  t.same([wrong.status, JSON.parse(wrong.body)], [400, {
    code: 3,
    message: "cannot read the request: resourceLogs[0].scopeLogs is 7: want an array",
  }]);
  t.equal((await send({ headers: json, bytes: Buffer.from('{"resourceLogs":[]}') })).status, 422);
  t.equal((await send({ headers: { "content-type": "text/plain" } })).status, 415);
  t.equal((await send({ headers: { ...protobuf, "content-encoding": "br" } })).status, 415);
  t.equal((await send({ headers: { ...protobuf, "content-encoding": "gzip" } })).status, 400);
  const tomorrow = String(now + 86_400_000_000_000n);
  const tooNew = await push.send(otlpJsonBody(requestOf(app, [{ timeUnixNano: tomorrow }])));
  t.equal(tooNew.status, 400);
  t.match((JSON.parse(tooNew.body) as { message: string }).message, /timestamp too new/);
  const deep = Array.from({ length: 100 }).reduce<OtlpAttribute>(
    (inner) => map("m", [inner]),
    text("k", "v"),
  );
  const tooDeep = otlpProtobufBody(requestOf(app, [{ attributes: [deep] }]));
  t.match((await push.send(tooDeep)).body, /values within values/);
}

async function amplification(...[t, { push, app, now }]: Parameters<ScenarioBody>): Promise<void> {
  const request = requestOf(
    app,
    Array.from({ length: 1000 }, () => ({ timeUnixNano: String(now) })),
  );
  const large = text("note", "x".repeat(100_000));
  const [resourceLogs] = request.resourceLogs;
  const reply = await push.send(otlpProtobufBody({
    resourceLogs: [{
      ...resourceLogs!,
      resource: { attributes: [text("service.name", app), large] },
    }],
  }));
  t.equal(reply.status, 413);
  t.match(reply.body, /send smaller batches/);
}

function requestOf(app: string, logRecords: ReadonlyArray<OtlpRecord>): OtlpRequest {
  const resource = { attributes: [text("service.name", app)] };
  return { resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] };
}

function text(key: string, value: string): OtlpAttribute {
  return { key, value: { stringValue: value } };
}

function number(key: string, value: string): OtlpAttribute {
  return { key, value: { intValue: value } };
}

function map(key: string, values: ReadonlyArray<OtlpAttribute>): OtlpAttribute {
  return { key, value: { kvlistValue: { values } } };
}

/** A frame of one block, which is as it was. */
function lz4Sync(bytes: Uint8Array): Uint8Array {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(0x80000000 + bytes.length);
  return Buffer.concat([Buffer.from("04224d18604082", "hex"), size, bytes, Buffer.alloc(4)]);
}

function encoded(
  body: PushBody,
  encoding: string,
  compress: (bytes: Uint8Array) => Uint8Array,
): PushBody {
  return {
    ...body,
    headers: { ...body.headers, "content-encoding": encoding },
    bytes: compress(body.bytes),
  };
}
