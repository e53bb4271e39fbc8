/** index/stats, index/volume and index/volume_range: lines and bytes counted by hand, in memory, in
 *  segments, in both, across the edges of a range, and for lines that were pushed twice. */
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";

type Arguments = Parameters<ScenarioBody>;

const second = 1_000_000_000n;

onServer({}, {
  "stats count lines and bytes within the range": stats,
  "volumes by series and by label": volumes,
  "volumes in buckets of time": volumeRange,
  "what cannot be answered says why": wrongQuestions,
});

/** Ten lines of 10 bytes a second apart, in streams a and b; b has lines of 20 bytes. */
function lines(app: string, now: bigint) {
  const entries = (line: string) =>
    Array.from({ length: 10 }, (_, index) => ({
      timestamp: now + BigInt(index) * second,
      line: line + index,
    }));
  return [
    { labels: `{app="${app}", pod="a"}`, entries: entries("123456789") },
    { labels: `{app="${app}", pod="b", zone="z"}`, entries: entries("1234567890123456789") },
  ];
}

async function stats(...[t, { push, query, app, now }]: Arguments): Promise<void> {
  const statsOf = async (selector: string, start: bigint, end: bigint) => {
    const reply = await query.get("/loki/api/v1/index/stats", {
      query: selector,
      start: String(start),
      end: String(end),
    });
    t.equal(reply.status, 200, reply.body);
    const { streams, entries, bytes } = JSON.parse(reply.body);
    return { streams, entries, bytes };
  };
  const check = async (when: string) => {
    const all = `{app="${app}"}`;
    t.same(
      await statsOf(all, now, now + 10n * second),
      { streams: 2, entries: 20, bytes: 300 },
      `all ${when}`,
    );
    t.same(
      await statsOf(`{app="${app}", pod="a"}`, now, now + 10n * second),
      { streams: 1, entries: 10, bytes: 100 },
      `one stream ${when}`,
    );
    // Lines 2, 3 and 4 of both streams: the start is included, the end is not.
    t.same(
      await statsOf(all, now + 2n * second, now + 5n * second),
      { streams: 2, entries: 6, bytes: 90 },
      `a part ${when}`,
    );
    t.same(
      await statsOf(all, now + 2n * second + 1n, now + 5n * second),
      { streams: 2, entries: 4, bytes: 60 },
      `to the nanosecond ${when}`,
    );
    t.same(
      await statsOf(all, now + 100n * second, now + 101n * second),
      { streams: 0, entries: 0, bytes: 0 },
      `nothing ${when}`,
    );
  };
  await push.push(lines(app, now));
  await check("in memory");
  await push.push(lines(app, now));
  await check("pushed twice");
  await query.flush();
  await check("in a segment");
  await push.push(lines(app, now));
  await check("again, in a segment and in memory");
  await query.flush();
  await check("in two segments");
}

async function volumes(...[t, { push, query, app, now }]: Arguments): Promise<void> {
  await push.push(lines(app, now));
  const volumeOf = async (parameters: Record<string, string>) => {
    const reply = await query.get("/loki/api/v1/index/volume", {
      start: String(now),
      end: String(now + 10n * second),
      ...parameters,
    });
    t.equal(reply.status, 200, reply.body);
    const { status, data } = JSON.parse(reply.body);
    t.equal(status, "success");
    t.equal(data.resultType, "vector");
    return data.result.map(({ metric, value }: { metric: unknown; value: [number, string] }) => {
      t.equal(value[0], Number(now / second) + 10, "the time is the end of the range");
      return [metric, value[1]];
    });
  };
  const selector = `{app="${app}"}`;
  for (const when of ["in memory", "in a segment"]) {
    t.same(await volumeOf({ query: selector }), [[{ app }, "300"]], `by matchers ${when}`);
    t.same(
      await volumeOf({ query: selector, targetLabels: "pod" }),
      [[{ pod: "b" }, "200"], [{ pod: "a" }, "100"]],
      `by target ${when}`,
    );
    t.same(
      await volumeOf({ query: selector, targetLabels: "pod,app", limit: "1" }),
      [[{ app, pod: "b" }, "200"]],
      `the largest ${when}`,
    );
    t.same(
      await volumeOf({ query: selector, targetLabels: "zone" }),
      [[{ zone: "z" }, "200"]],
      `streams without the target do not count ${when}`,
    );
    t.same(
      await volumeOf({ query: selector, aggregateBy: "labels" }),
      [[{ app: "" }, "300"]],
      `by the name of the matcher ${when}`,
    );
    t.same(
      await volumeOf({ query: selector, targetLabels: "pod", aggregateBy: "labels" }),
      [[{ pod: "" }, "300"]],
      `by the name of the target ${when}`,
    );
    await query.flush();
  }
  const everything = await volumeOf({ query: "{}", limit: "5000" });
  t.ok(
    everything.some(([metric, bytes]: [Record<string, string>, string]) =>
      metric["app"] === app && metric["pod"] === "a" && metric["service_name"] === app &&
      bytes === "100"
    ),
    "{} is by all labels",
  );
  const names = await volumeOf({ query: "{}", aggregateBy: "labels", limit: "5000" });
  t.ok(names.some(([metric]: [Record<string, string>]) => metric["zone"] === ""), "all names");
}

async function volumeRange(...[t, { push, query, app, now }]: Arguments): Promise<void> {
  await push.push(lines(app, now));
  const seconds = Number(now / second);
  for (const when of ["in memory", "in a segment"]) {
    const reply = await query.get("/loki/api/v1/index/volume_range", {
      query: `{app="${app}"}`,
      targetLabels: "pod",
      start: String(now),
      end: String(now + 10n * second),
      step: "4",
    });
    t.same(
      JSON.parse(reply.body).data,
      {
        resultType: "matrix",
        result: [
          {
            metric: { pod: "b" },
            values: [[seconds + 4, "80"], [seconds + 8, "80"], [seconds + 10, "40"]],
          },
          {
            metric: { pod: "a" },
            values: [[seconds + 4, "40"], [seconds + 8, "40"], [seconds + 10, "20"]],
          },
        ],
      },
      when,
    );
    await query.flush();
  }
}

async function wrongQuestions(...[t, { query, now }]: Arguments): Promise<void> {
  const times = { start: String(now), end: String(now + second) };
  const check = async (path: string, parameters: Record<string, string>, wanted: RegExp) => {
    const reply = await query.get(`/loki/api/v1/index/${path}`, { ...times, ...parameters });
    t.equal(reply.status, 400, path);
    t.match(reply.body, wanted);
  };
  await check("stats", {}, /parameter query is missing/);
  await check("stats", { query: '{a="b"} |= "x"' }, /only label matchers are supported here/);
  await check("volume", { query: "{}", aggregateBy: "size" }, /want series or labels/);
  await check("volume", { query: "{}", targetLabels: "a-b" }, /targetLabels has "a-b"/);
  await check("volume", { query: "{}", limit: "0" }, /limit is "0": want a whole number/);
  await check("volume_range", { query: "{}", step: "0" }, /zero or negative query resolution/);
  await check("volume_range", { query: "{}", step: "10us" }, /11,000 points/);
}
