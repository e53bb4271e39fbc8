/** detected_labels, detected_fields and values of fields, expected by hand from a few lines. */
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";

type Arguments = Parameters<ScenarioBody>;

const second = 1_000_000_000n;

onServer({}, {
  "labels with their number of values": labels,
  "fields of JSON, of logfmt and of metadata": fields,
  "fields of a query's own parsers": pipelines,
});

async function labels(...[t, { push, query, app, now }]: Arguments): Promise<void> {
  await push.push(["a", "b"].map((zone, index) => ({
    labels: `{app="${app}", zone="${zone}", pod="${index}", number="${index}.5", ` +
      `id="0191f3a0-1111-7222-8333-44445555666${index}"}`,
    entries: [{ timestamp: now, line: "x" }],
  })));
  for (const when of ["in memory", "in a segment"]) {
    const reply = await query.get("/loki/api/v1/detected_labels", {
      query: `{app="${app}"}`,
      start: String(now),
      end: String(now + second),
    });
    t.same(
      JSON.parse(reply.body),
      {
        detectedLabels: [
          { label: "app", cardinality: 1 },
          { label: "pod", cardinality: 2 },
          { label: "service_name", cardinality: 1 },
          { label: "zone", cardinality: 2 },
        ],
      },
      `numbers and UUIDs are left out, but not of pods, ${when}`,
    );
    await query.flush();
  }
  const none = await query.get("/loki/api/v1/detected_labels", { start: "1", end: "2" });
  t.same(JSON.parse(none.body), {}, "nothing at all");
}

async function fields(...[t, { push, query, app, now }]: Arguments): Promise<void> {
  const texts = [
    '{"status":200,"took":"1.5ms","user":{"id":"u1","admin":true},"app":"inner","n":1}',
    '{"status":404,"took":"2s","user":{"id":"u2","admin":false},"n":2.5}',
    "level=info size=2KB path=/a status=x",
    "just a line",
  ];
  await push.push([{
    labels: `{app="${app}"}`,
    entries: texts.map((line, index) => ({
      timestamp: now + BigInt(index),
      line,
      metadata: { trace_id: `t${index % 2}` },
    })),
  }]);
  const ask = async (path: string, parameters: Record<string, string> = {}) => {
    const reply = await query.get(`/loki/api/v1/${path}`, {
      query: `{app="${app}"}`,
      start: String(now),
      end: String(now + second),
      ...parameters,
    });
    t.equal(reply.status, 200, reply.body);
    return JSON.parse(reply.body);
  };
  const field = (label: string, type: string, cardinality: number, parsers: string[] | null) => ({
    label,
    type,
    cardinality,
    parsers,
  });
  const json = ["json"];
  t.same(await ask("detected_fields"), {
    fields: [
      { ...field("app_extracted", "string", 1, json) },
      field("detected_level", "string", 2, null),
      field("level", "string", 1, ["logfmt"]),
      { ...field("n", "float", 2, json), jsonPath: ["n"] },
      field("path", "string", 1, ["logfmt"]),
      field("size", "bytes", 1, ["logfmt"]),
      { ...field("status", "string", 3, ["json", "logfmt"]), jsonPath: ["status"] },
      { ...field("took", "duration", 2, json), jsonPath: ["took"] },
      field("trace_id", "string", 2, null),
      { ...field("user_admin", "boolean", 2, json), jsonPath: ["user", "admin"] },
      { ...field("user_id", "string", 2, json), jsonPath: ["user", "id"] },
    ],
    limit: 1000,
  });
  t.same(
    (await ask("detected_fields", { line_limit: "1" })).fields.map((
      { label }: { label: string },
    ) => label),
    ["detected_level", "trace_id"],
    "the newest line alone",
  );
  t.equal((await ask("detected_fields", { limit: "2" })).fields.length, 2);
  t.same(await ask("detected_field/status/values"), { values: ["200", "404", "x"], limit: 1000 });
  t.same(await ask("detected_field/status/values", { limit: "1" }), { values: ["200"], limit: 1 });
  t.same(await ask("detected_field/nothing/values"), {});
  const missing = await query.get("/loki/api/v1/detected_fields");
  t.equal(missing.status, 400);
  t.match(missing.body, /parameter query is missing/);
}

async function pipelines(...[t, { push, query, app, now }]: Arguments): Promise<void> {
  await push.push([{
    labels: `{app="${app}"}`,
    entries: [{ timestamp: now, line: "10.0.0.1 GET 200" }, { timestamp: now + 1n, line: "no" }],
  }]);
  const reply = await query.get("/loki/api/v1/detected_fields", {
    query: `{app="${app}"} |= "GET" | pattern "<ip> <_> <code>" | drop detected_level`,
    start: String(now),
    end: String(now + second),
  });
  t.same(JSON.parse(reply.body).fields, [
    { label: "code", type: "int", cardinality: 1, parsers: ["pattern"] },
    { label: "ip", type: "string", cardinality: 1, parsers: ["pattern"] },
  ]);
}
