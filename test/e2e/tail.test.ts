/** Live tail over WebSocket: every line once and in order at 10,000 lines a second, the seam between history and
 *  live, filters, parameters, and a client that does not keep up. */
import type { Test } from "tap";
import { onServer, type Scenario, type ScenarioBody } from "../../src/testing/onServer.ts";
import { settingsWithoutLimits } from "../../src/testing/serverProcess.ts";
import { TailClient } from "../../src/testing/tailClient.ts";

const second = 1_000_000_000n;

// Small segments, so that what waits to be flushed does not hide what waits to be sent.
onServer({ ...settingsWithoutLimits, "ingester.segment_target_bytes": "8MB" }, {
  "a client gets every line at 10,000 a second, in order": everyLine,
  "history first, then live, with no gap and no double at the seam": seam,
  "line filters and selectors hold for the tail": filters,
  "start and limit bound the history": history,
  "delay_for delays and keeps everything": delayed,
  "structured metadata comes along": metadata,
  "a line pushed twice is shown once or twice, and found once": repeated,
  "wrong questions are refused": refusals,
  "a slow client is told what it lost and costs bounded memory": slowClient,
});

onServer({ "limits_config.max_concurrent_tail_requests": "3" }, {
  "more tails than allowed are refused, and room is made when one closes": async (t, scenario) => {
    const open = () => TailClient.open(scenario.server.baseUrl, { query: `{app="x"}` });
    const tails = [await open(), await open(), await open()];
    const refused = await open();
    const { reason } = await refused.closed;
    t.match(reason, /max concurrent tail requests limit exceeded, count > limit \(4 > 3\)/);
    await tails[0]?.close();
    await sleep(200);
    const again = await open();
    const state = await Promise.race([
      again.closed.then(() => "closed"),
      sleep(500).then(() => "open"),
    ]);
    t.equal(state, "open");
    for (const tail of [again, ...tails.slice(1)]) await tail.close();
  },
  "a stopping server closes its tails": async (t, { server }) => {
    const tail = await TailClient.open(server.baseUrl, { query: `{app="x"}` });
    const end = await server.stop();
    t.equal(end.code, 0);
    t.ok((await tail.closed).code > 0);
    await server.launchAndWait();
  },
});

async function everyLine(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { server, push, app } = scenario;
  const tail = await TailClient.open(server.baseUrl, { query: `{app="${app}"}`, limit: 1 });
  const [pushCount, linesPerPush, streamCount] = [300, 100, 5];
  const startedAt = performance.now();
  const replies: Promise<void>[] = [];
  for (let number = 0; number < pushCount; number++) {
    const dueInMs = startedAt + number * 10 - performance.now();
    if (dueInMs > 0) await sleep(dueInMs);
    const from = number * linesPerPush;
    replies.push(push.push([{
      labels: `{app="${app}", stream="${number % streamCount}"}`,
      entries: numbered(BigInt(Date.now()) * 1_000_000n, from, linesPerPush),
    }]));
    // Pushes of one stream follow one another, so that its order is known.
    if (number % streamCount === streamCount - 1) await Promise.all(replies.splice(0));
  }
  await Promise.all(replies);
  await waitFor(() => tail.entries.length >= pushCount * linesPerPush);
  await sleep(200);
  t.equal(tail.entries.length, pushCount * linesPerPush, "all lines, none twice");
  t.equal(tail.dropped.length, 0, "nothing dropped");
  const newest = new Map<string, number>();
  let disorder = 0;
  for (const { line, labels } of tail.entries) {
    const number = numberOf(line);
    const stream = labels["stream"] as string;
    if (number <= (newest.get(stream) ?? -1)) disorder++;
    newest.set(stream, number);
  }
  t.equal(disorder, 0, "each stream in order");
  await tail.close();
}

async function seam(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { server, push, query, app } = scenario;
  const start = BigInt(Date.now()) * 1_000_000n;
  let pushed = 0;
  let pushing = true;
  let time = start;
  const pusher = (async () => {
    while (pushing) {
      // Two pushes of one millisecond follow one another in time, too.
      const now = BigInt(Date.now()) * 1_000_000n;
      time = now > time + 20_000n ? now : time + 20_000n;
      const entries = numbered(time, pushed, 20);
      await push.push([{ labels: `{app="${app}"}`, entries }]);
      pushed += 20;
      if (pushed === 400) await query.flush();
    }
  })();
  await waitFor(() => pushed >= 1000);
  const tails: TailClient[] = [];
  for (let client = 0; client < 5; client++) {
    tails.push(
      await TailClient.open(server.baseUrl, { query: `{app="${app}"}`, start, limit: 50_000 }),
    );
    await sleep(50);
  }
  await sleep(500);
  pushing = false;
  await pusher;
  await waitFor(() => tails.every(({ entries }) => entries.length >= pushed));
  await sleep(200);
  for (const [client, { entries }] of tails.entries()) {
    const numbers = entries.map(({ line }) => numberOf(line));
    const seen = new Set(numbers);
    t.equal(seen.size, pushed, `client ${client} has every line`);
    t.equal(numbers.length, seen.size, `client ${client} has none twice`);
    t.same(numbers, numbers.toSorted((a, b) => a - b), `client ${client} has them in order`);
  }
  for (const tail of tails) await tail.close();
}

async function filters(
  ...[t, { server, push, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const open = (query: string) => TailClient.open(server.baseUrl, { query, start: now });
  const queries: ReadonlyArray<readonly [query: string, wanted: ReadonlyArray<string>]> = [
    [`{app="${app}"} |= "error"`, ["error one", "error two"]],
    [`{app="${app}"} |= "error" != "two"`, ["error one"]],
    [`{app="${app}"} |~ "^(info|error) t"`, ["error two", "info three"]],
    [`{app="${app}"} !~ "(?i)ERROR"`, ["info three"]],
    [`{app="${app}", pod="b"}`, ["error two", "info three"]],
    [`{app="${app}", pod=~"a|c"}`, ["error one"]],
    [`{app="${app}"} |= "absent"`, []],
  ];
  const tails = await Promise.all(queries.map(([query]) => open(query)));
  await push.push([
    { labels: `{app="${app}", pod="a"}`, entries: [{ timestamp: now, line: "error one" }] },
    {
      labels: `{app="${app}", pod="b"}`,
      entries: [
        { timestamp: now + 1n, line: "error two" },
        { timestamp: now + 2n, line: "info three" },
      ],
    },
    { labels: `{app="other", pod="a"}`, entries: [{ timestamp: now, line: "error other" }] },
  ]);
  await waitFor(() =>
    tails.every(({ entries }, index) => entries.length >= (queries[index]?.[1].length ?? 0))
  );
  await sleep(200);
  for (const [index, [query, wanted]] of queries.entries()) {
    t.same(tails[index]?.entries.map(({ line }) => line).toSorted(), wanted, query);
  }
  for (const tail of tails) await tail.close();
}

async function history(
  ...[t, { server, push, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  await push.push([{ labels: `{app="${app}"}`, entries: numbered(now, 0, 50) }]);
  const shown = async (parameters: { start?: bigint; limit?: number }, count: number) => {
    const tail = await TailClient.open(server.baseUrl, { query: `{app="${app}"}`, ...parameters });
    await waitFor(() => tail.entries.length >= count);
    await sleep(200);
    await tail.close();
    return tail.entries.map(({ line }) => numberOf(line));
  };
  const numbersFrom = (from: number) => Array.from({ length: 50 - from }, (_, n) => from + n);
  t.same(await shown({}, 50), numbersFrom(0), "an hour by default");
  t.same(await shown({ start: now + 30n * 1000n }, 20), numbersFrom(30), "from start on");
  t.same(await shown({ limit: 7 }, 7), numbersFrom(43), "the newest of the limit, oldest first");
}

async function delayed(...[t, { server, push, app }]: Parameters<ScenarioBody>): Promise<void> {
  const tail = await TailClient.open(server.baseUrl, {
    query: `{app="${app}"}`,
    delayForSeconds: 1,
  });
  const start = BigInt(Date.now()) * 1_000_000n;
  const pushedAt = performance.now();
  await push.push([{ labels: `{app="${app}"}`, entries: numbered(start, 0, 10) }]);
  await waitFor(() => tail.entries.length >= 10);
  t.ok(performance.now() - pushedAt > 800, "not before the delay");
  t.same(tail.entries.map(({ line }) => numberOf(line)), Array.from({ length: 10 }, (_, n) => n));
  await tail.close();
}

async function metadata(
  ...[t, { server, push, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const tail = await TailClient.open(server.baseUrl, { query: `{app="${app}"}`, start: now });
  await push.push([{
    labels: `{app="${app}"}`,
    entries: [{ timestamp: now, line: "level=warn", metadata: { trace_id: "abc" } }],
  }]);
  await waitFor(() => tail.entries.length > 0);
  t.same(tail.entries[0]?.labels, {
    app,
    service_name: app,
    detected_level: "warn",
    trace_id: "abc",
  });
  t.equal(tail.entries[0]?.timestamp, now);
  await tail.close();
}

async function repeated(
  ...[t, { server, push, query, app, now }]: Parameters<ScenarioBody>
): Promise<void> {
  const tail = await TailClient.open(server.baseUrl, { query: `{app="${app}"}`, start: now });
  const streams = [{ labels: `{app="${app}"}`, entries: [{ timestamp: now, line: "again" }] }];
  await push.push(streams);
  await push.push(streams);
  await waitFor(() => tail.entries.length > 0);
  t.ok(tail.entries.every(({ line }) => line === "again"));
  t.equal(
    (await query.range({ query: `{app="${app}"}`, start: now, end: now + second })).length,
    1,
  );
  await tail.close();
}

async function refusals(...[t, { server, query }]: Parameters<ScenarioBody>): Promise<void> {
  const refused = (options: { query: string; delayForSeconds?: number }) =>
    TailClient.open(server.baseUrl, options).then(
      () => ({ status: 101, body: "" }),
      (error: unknown) => error as { status: number; body: string },
    );
  t.match(await refused({ query: `{app="x"` }), { status: 400, body: /parse|syntax/i });
  t.match(await refused({ query: `{app="x"}`, delayForSeconds: 6 }), {
    status: 400,
    body: /delay_for/,
  });
  t.match(await refused({ query: `{}` }), { status: 400, body: /at least one/ });
  const plain = await query.get("/loki/api/v1/tail", { query: `{app="x"}` });
  t.equal(plain.status, 400, "a GET that is no WebSocket");
}

async function slowClient(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { server, push, app } = scenario;
  const slow = await TailClient.open(server.baseUrl, { query: `{app="${app}"}`, limit: 1 });
  const fast = await TailClient.open(server.baseUrl, { query: `{app="${app}"}`, limit: 1 });
  slow.pause();
  await pushMegabytes(scenario, 0, 20);
  const before = server.usage().peakResidentBytes;
  const lineCount = await pushMegabytes(scenario, 20, 140);
  const grownBytes = server.usage().peakResidentBytes - before;
  t.ok(grownBytes < 350e6, `memory grew by ${(grownBytes / 1e6).toFixed(0)} MB for 120 MB unread`);
  slow.resume();
  // Something new to be told with.
  await push.push([{
    labels: `{app="${app}"}`,
    entries: numbered(BigInt(Date.now()) * 1_000_000n, lineCount, 1),
  }]);
  await waitFor(() => slow.dropped.length > 0);
  t.match(slow.dropped[0], { labels: { app }, timestamp: /^\d+$/ });
  await waitFor(() => slow.entries.length + slow.droppedCount > lineCount);
  t.equal(slow.entries.length + slow.droppedCount, lineCount + 1, "each line came or is counted");
  const numbers = slow.entries.map(({ line }) => numberOf(line));
  t.equal(new Set(numbers).size, numbers.length, "what the slow client gets, it gets once");
  t.ok(numbers.length < lineCount, "it did not get all");
  await waitFor(() => fast.entries.length + fast.dropped.length > 0);
  await checkStillLive(t, scenario, slow);
  for (const tail of [slow, fast]) await tail.close();
}

/** Pushes lines of 1 KB until `to` MB are in; returns how many lines that makes. */
async function pushMegabytes({ push, app }: Scenario, from: number, to: number): Promise<number> {
  for (let megabyte = from; megabyte < to; megabyte++) {
    const entries = numbered(BigInt(Date.now()) * 1_000_000n, megabyte * 1000, 1000, 1000);
    await push.push([{ labels: `{app="${app}"}`, entries }]);
  }
  return to * 1000;
}

async function checkStillLive(t: Test, { push, app }: Scenario, tail: TailClient): Promise<void> {
  const line = "line 999999999 after all";
  await waitFor(async () => {
    await push.push([{
      labels: `{app="${app}"}`,
      entries: [{ timestamp: BigInt(Date.now()) * 1_000_000n, line }],
    }]);
    await sleep(50);
    return tail.entries.some((entry) => entry.line === line);
  });
  t.pass("it goes on with what is new");
}

function numbered(
  start: bigint,
  from: number,
  count: number,
  bytes = 0,
): { timestamp: bigint; line: string }[] {
  return Array.from({ length: count }, (_, row) => ({
    timestamp: start + BigInt(row) * 1000n,
    line: `line ${from + row} level=info `.padEnd(bytes, "x"),
  }));
}

function numberOf(line: string): number {
  return Number(/^line (\d+) /.exec(line)?.[1]);
}

async function waitFor(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!await condition()) await sleep(10);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
