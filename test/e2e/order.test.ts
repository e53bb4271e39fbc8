/** Order, identity and time over HTTP: equal timestamps, out-of-order pushes, duplicates, range bounds, limit and
 *  direction. The same questions are asked before and after a flush, and with half of the lines flushed. */
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";
import type { FoundEntry, QueryClient } from "../../src/testing/queryClient.ts";
import { randomFrom } from "../../src/testing/random.ts";

const second = 1_000_000_000n;

onServer({}, {
  "lines of one timestamp keep their order and come back reversed": equalTimestamps,
  "lines pushed out of order are found sorted": outOfOrder,
  "a line pushed again is found once": duplicates,
  "the start of a range is in it, the end is not": bounds,
  "limit takes the newest or oldest over all streams": limitOverStreams,
  "timestamps are exact to the nanosecond from 1970 on": exactTimestamps,
  "paging gives every line once": paging,
});

onServer({ "limits_config.creation_grace_period": "300y" }, {
  "lines of the year 2200 are accepted when limits allow them": async (t, scenario) => {
    const { push, query, app } = scenario;
    const timestamp = BigInt(Date.UTC(2200, 0, 1)) * 1_000_000n + 123_456_789n;
    await push.push([{ labels: `{app="${app}"}`, entries: [{ timestamp, line: "far" }] }]);
    const range = { query: `{app="${app}"}`, start: timestamp, end: timestamp + 1n };
    t.same((await query.range(range)).map((entry) => entry.timestamp), [timestamp]);
    await query.flush();
    t.same((await query.range(range)).map((entry) => entry.timestamp), [timestamp]);
  },
});

async function equalTimestamps(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const lines = Array.from({ length: 30 }, (_, index) => `line ${(index * 17) % 30}`);
  const pushLines = (from: number, to: number) =>
    push.push([{
      labels: `{app="${app}"}`,
      entries: lines.slice(from, to).map((line) => ({ timestamp: now, line })),
    }]);
  const range = { query: `{app="${app}"}`, start: now, end: now + 1n };
  const check = async (wanted: ReadonlyArray<string>, when: string) => {
    const forward = await query.range({ ...range, direction: "forward" });
    t.same(forward.map(({ line }) => line), wanted, `forward ${when}`);
    const backward = await query.range({ ...range, direction: "backward" });
    t.same(backward.map(({ line }) => line), wanted.toReversed(), `backward ${when}`);
    const newest = await query.range({ ...range, direction: "backward", limit: 7 });
    t.same(newest.map(({ line }) => line), wanted.toReversed().slice(0, 7), `7 newest ${when}`);
  };
  await pushLines(0, 10);
  await pushLines(10, 20);
  await check(lines.slice(0, 20), "in memory");
  await query.flush();
  await check(lines.slice(0, 20), "in a segment");
  await pushLines(20, 30);
  await check(lines, "in both");
  await query.flush();
  await check(lines, "in two segments");
}

async function outOfOrder(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const random = randomFrom(app);
  const offsets = Array.from({ length: 2000 }, (_, index) => index);
  for (let i = offsets.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [offsets[i], offsets[j]] = [offsets[j] as number, offsets[i] as number];
  }
  for (let from = 0; from < offsets.length; from += 100) {
    const entries = offsets.slice(from, from + 100).map((offset) => ({
      timestamp: now - BigInt(offset) * second,
      line: `offset ${offset}`,
    }));
    await push.push([{ labels: `{app="${app}"}`, entries }]);
    if (from === 500 || from === 1200) await query.flush();
  }
  const wanted = Array.from({ length: 2000 }, (_, index) => `offset ${1999 - index}`);
  const range = { query: `{app="${app}"}`, start: now - 3000n * second, end: now + second };
  const forward = await query.range({ ...range, direction: "forward" });
  t.same(forward.map(({ line }) => line), wanted);
  const backward = await query.range({ ...range, direction: "backward", limit: 150 });
  t.same(backward.map(({ line }) => line), wanted.toReversed().slice(0, 150));
  await query.flush();
  const flushed = await query.range({ ...range, direction: "forward" });
  t.same(flushed.map(({ line }) => line), wanted);
}

async function duplicates(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const streams = [{
    labels: `{app="${app}"}`,
    entries: [
      { timestamp: now, line: "same" },
      { timestamp: now, line: "same" },
      { timestamp: now, line: "same", metadata: { a: "1" } },
      { timestamp: now, line: "same", metadata: { a: "2" } },
      { timestamp: now + 1n, line: "same" },
      { timestamp: now, line: "other" },
    ],
  }];
  const check = async (when: string) => {
    const range = { query: `{app="${app}"}`, start: now, end: now + second };
    const found = await query.all(range);
    const texts = found.map(({ line, labels, timestamp }) =>
      `${timestamp - now} ${line} ${labels["a"] ?? "-"}`
    );
    t.same(texts.sort(), ["0 other -", "0 same -", "0 same 1", "0 same 2", "1 same -"], when);
    t.equal((await query.range({ ...range, limit: 5 })).length, 5, `limit after dropping, ${when}`);
  };
  await push.push(streams);
  await check("pushed once");
  await push.push(streams);
  await check("pushed twice, in memory");
  await query.flush();
  await check("flushed");
  await push.push(streams);
  await check("pushed again after a flush");
  await query.flush();
  await check("in two segments");
}

async function bounds(...[t, { push, query, app, now }]: Parameters<ScenarioBody>): Promise<void> {
  const entries = [-1n, 0n, 1n, 9n, 10n, 11n].map((offset) => ({
    timestamp: now + offset,
    line: `at ${offset}`,
  }));
  await push.push([{ labels: `{app="${app}"}`, entries }]);
  const check = async (start: bigint, end: bigint, wanted: ReadonlyArray<string>) => {
    const found = await query.range({
      query: `{app="${app}"}`,
      start: now + start,
      end: now + end,
      direction: "forward",
    });
    t.same(found.map(({ line }) => line), wanted, `[${start}, ${end})`);
  };
  for (const flush of [false, true]) {
    if (flush) await query.flush();
    await check(0n, 10n, ["at 0", "at 1", "at 9"]);
    await check(-1n, 11n, ["at -1", "at 0", "at 1", "at 9", "at 10"]);
    await check(1n, 2n, ["at 1"]);
    await check(2n, 9n, []);
    await check(0n, 0n, []);
  }
}

async function limitOverStreams(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const random = randomFrom(app);
  const all: { readonly timestamp: bigint; readonly line: string; readonly pod: number }[] = [];
  for (let index = 0; index < 1500; index++) {
    const timestamp = now + BigInt(index) * 1000n + BigInt(random.below(1000));
    all.push({ timestamp, line: `line ${index}`, pod: random.below(7) });
  }
  for (const [from, to] of [[0, 700], [700, 1500]] as const) {
    const streams = Array.from({ length: 7 }, (_, pod) => ({
      labels: `{app="${app}", pod="${pod}"}`,
      entries: all.slice(from, to).filter((line) => line.pod === pod),
    }));
    await push.push(streams);
    if (from === 0) await query.flush();
  }
  const range = { query: `{app="${app}"}`, start: now, end: now + second };
  for (const limit of [1, 2, 10, 799, 800, 801, 1499, 1500, 1501]) {
    const backward = await query.range({ ...range, limit, direction: "backward" });
    t.same(sorted(backward), all.slice(-limit).map(({ line }) => line), `${limit} newest`);
    const forward = await query.range({ ...range, limit, direction: "forward" });
    t.same(sorted(forward), all.slice(0, limit).map(({ line }) => line), `${limit} oldest`);
  }
  const byDefault = await query.get("/loki/api/v1/query_range", {
    query: range.query,
    start: String(range.start),
    end: String(range.end),
  });
  const answer = JSON.parse(byDefault.body) as {
    data: { result: { stream: Record<string, string>; values: [string, string][] }[] };
  };
  const newest = answer.data.result.flatMap(({ values }) => values)
    .toSorted(([a], [b]) => BigInt(a) < BigInt(b) ? -1 : 1).map(([, line]) => line);
  t.same(newest, all.slice(-100).map(({ line }) => line), "without parameters: the 100 newest");
  for (const { values } of answer.data.result) {
    const times = values.map(([timestamp]) => BigInt(timestamp));
    t.same(times, times.toSorted((a, b) => a < b ? 1 : -1), "each stream is newest first");
  }
  const pods = answer.data.result.map(({ stream }) => stream["pod"]);
  t.same(pods, pods.toSorted(), "streams are ordered by labels");
}

async function exactTimestamps(
  ...[t, { push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const timestamps = [
    0n,
    1n,
    999_999_999n,
    second,
    BigInt(Date.UTC(1999, 11, 31, 23, 59, 59)) * 1_000_000n + 999_999_999n,
    now + 123_456_789n,
    now + 123_456_790n,
  ];
  const entries = timestamps.map((timestamp) => ({ timestamp, line: `at ${timestamp}` }));
  await push.push([{ labels: `{app="${app}"}`, entries }]);
  for (const when of ["in memory", "in a segment"]) {
    if (when === "in a segment") await query.flush();
    const found = await query.all({ query: `{app="${app}"}`, start: 0n, end: now + second });
    t.same(found.map(({ timestamp }) => timestamp), timestamps, when);
    t.same(found.map(({ line }) => line), entries.map(({ line }) => line), when);
    t.same(await oneAt(query, app, now + 123_456_789n), [`at ${now + 123_456_789n}`], when);
  }
}

async function paging(...[t, { push, query, app, now }]: Parameters<ScenarioBody>): Promise<void> {
  const lines = Array.from({ length: 3000 }, (_, index) => `line ${index}`);
  // Three lines per timestamp, so that pages end inside a timestamp.
  const entries = lines.map((line, index) => ({
    timestamp: now + BigInt(Math.floor(index / 3)),
    line,
  }));
  await push.push([{ labels: `{app="${app}"}`, entries: entries.slice(0, 2000) }]);
  await query.flush();
  await push.push([{ labels: `{app="${app}"}`, entries: entries.slice(2000) }]);
  const range = { query: `{app="${app}"}`, start: now, end: now + second };
  for (const limit of [10, 100, 1000]) {
    const found = await query.all({ ...range, limit });
    t.same(found.map(({ line }) => line), lines, `pages of ${limit}`);
  }
}

async function oneAt(query: QueryClient, app: string, timestamp: bigint): Promise<string[]> {
  const range = { query: `{app="${app}"}`, start: timestamp, end: timestamp + 1n };
  return (await query.range(range)).map(({ line }) => line);
}

function sorted(entries: ReadonlyArray<FoundEntry>): string[] {
  return entries.toSorted((a, b) => a.timestamp < b.timestamp ? -1 : 1).map(({ line }) => line);
}
