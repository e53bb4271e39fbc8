/** Queries over WebSocket: their frames put together are query_range's answer, progress only grows, errors come as frames, and a
 *  client that leaves stops the work. */
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";
import { settingsWithoutLimits } from "../../src/testing/serverProcess.ts";
import { framesOf, type QueryFrame, streamQuery } from "../../src/testing/streamQueryClient.ts";

const second = 1_000_000_000n;

onServer({ ...settingsWithoutLimits, "ingester.segment_target_bytes": "1MB" }, {
  "the rows of all frames are those of query_range, in both directions": sameRows,
  "a metric query gives query_range's samples": sameSamples,
  "an error is a frame with query_range's status and text": errors,
  "a running query is listed, and can be ended by another request": ended,
  "closing ends the query, and the next one gets its turn": cancelled,
  "without an upgrade the answer says what to do": async (t, { query }) => {
    const reply = await query.get("/tailrace/api/v1/query", { query: '{app="a"}' });
    t.equal(reply.status, 400);
    t.match(reply.body, /Upgrade: websocket/);
  },
});

/** Each row as one text: time, labels, line, metadata. */
function rowsIn(frames: ReadonlyArray<QueryFrame>): string[] {
  return frames.flatMap((frame) =>
    frame.type !== "rows"
      ? []
      : frame.result.flatMap(({ stream, values }) =>
        values.map(([time, line, extra]) => JSON.stringify([time, stream, line, extra]))
      )
  );
}

async function sameRows(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { server, push, query, app, now } = scenario;
  await pushRows(scenario, 6, 4000);
  t.equal((await push.request("POST", "/flush")).status, 204);
  await push.push([{
    labels: `{app="${app}", part="0"}`,
    entries: [{ timestamp: now + second, line: "unflushed needle", metadata: { a: "b" } }],
  }]);
  for (const direction of ["backward", "forward"] as const) {
    for (const [filter, limit] of [["", 5000], ['|= "7"', 50_000], ['|= "needle"', 100]] as const) {
      for (const categorize of [true, false]) {
        const asked = {
          query: `{app="${app}"} ${filter}`,
          start: now - second,
          end: now + 10n * second,
          limit,
          direction,
        };
        const frames = await framesOf(server.baseUrl, {
          ...asked,
          start: String(asked.start),
          end: String(asked.end),
          limit: String(limit),
          ...(categorize ? { encoding_flags: "categorize-labels" } : {}),
        });
        const { result } = await query.streams({ ...asked, categorize });
        const wanted = rowsIn([{ type: "rows", result }]).sort();
        t.same(rowsIn(frames).sort(), wanted, `${direction} ${filter} ${limit}`);
        checkOrder(t, frames, direction === "forward");
        const last = frames.at(-1);
        t.equal(last?.type, "done");
        if (last?.type !== "done") continue;
        t.same(last.data.encodingFlags, categorize ? ["categorize-labels"] : undefined);
        t.equal(last.data.stats.summary["totalEntriesReturned"], wanted.length);
      }
    }
  }
}

async function sameSamples(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { server, query, app, now } = scenario;
  await pushRows(scenario, 4, 3000);
  for (const operation of ["count_over_time", "bytes_rate"]) {
    const parameters = {
      query:
        `sum by (part) (${operation}({app="${app}"} |= "7" [2s])) / 2 + sum(rate({app="${app}"}[3s]))`,
      start: String(now),
      end: String(now + 10n * second),
      step: "1s",
    };
    const frames = await framesOf(server.baseUrl, parameters);
    const reply = await query.get("/loki/api/v1/query_range", parameters);
    const { data } = JSON.parse(reply.body) as {
      readonly data: { readonly resultType: string; readonly result: ReadonlyArray<unknown> };
    };
    const found = frames.flatMap((frame) => frame.type === "samples" ? [frame.data] : []);
    t.same(found, [{ resultType: data.resultType, result: data.result }]);
    t.equal(frames.at(-1)?.type, "done");
    for (const frame of frames) {
      if (frame.type !== "progress") continue;
      t.ok(frame.leaf! >= 1 && frame.leaf! <= frame.leaves!);
      t.ok(frame.bytesDone <= frame.bytesTotal);
    }
  }
}

/** Frames follow one another in time, and progress only grows. */
function checkOrder(
  t: Parameters<ScenarioBody>[0],
  frames: ReadonlyArray<QueryFrame>,
  isForward: boolean,
): void {
  let previous: bigint | undefined;
  let done = 0;
  let wrong = 0;
  for (const frame of frames) {
    if (frame.type === "progress") {
      if (frame.bytesDone < done || frame.bytesDone > frame.bytesTotal) wrong++;
      done = frame.bytesDone;
    }
    if (frame.type !== "rows") continue;
    const times = frame.result.flatMap(({ values }) => values.map(([time]) => BigInt(time)))
      .sort((a, b) => Number(isForward ? a - b : b - a));
    const first = times[0]!;
    if (previous !== undefined && (isForward ? first < previous : first > previous)) wrong++;
    previous = times.at(-1);
  }
  t.equal(wrong, 0, "frames in order");
}

async function errors(...[t, { server, query }]: Parameters<ScenarioBody>): Promise<void> {
  for (const parameters of [{ query: '{app="a"' }, { query: '{app="a"}', limit: "0" }, {}]) {
    const frames = await framesOf(server.baseUrl, parameters);
    const reply = await query.get("/loki/api/v1/query_range", parameters);
    t.same(frames, [{ type: "error", status: reply.status, message: reply.body.trimEnd() }]);
  }
}

async function ended(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { server, push, query, app, now } = scenario;
  for (let round = 0; round < 6; round++) await pushRows(scenario, 4, 10_000);
  const text = `{app="${app}"} |~ "[a-z][0-9]{7}[XYZ]~|q.*w.*e.*r.*t.*y"`;
  const path = "/tailrace/api/v1/queries";
  // The query may end before it is seen: then it is asked again.
  for (let deleted = 0; deleted !== 204;) {
    const frames: QueryFrame[] = [];
    let hasEnded = false;
    const running = streamQuery(
      server.baseUrl,
      { query: text, start: String(now - second) },
      (frame) => frames.push(frame),
    ).finally(() => hasEnded = true);
    let id: string | undefined;
    while (id === undefined && !hasEnded) {
      const { queries } = JSON.parse((await query.get(path)).body) as {
        readonly queries: ReadonlyArray<{ readonly id: string; readonly query: string }>;
      };
      id = queries.find((one) => one.query === text)?.id;
    }
    if (id !== undefined) deleted = (await push.request("DELETE", `${path}/${id}`)).status;
    await running;
    if (deleted !== 204) continue;
    t.match(frames.at(-1), { type: "error", status: 499, message: /cancelled/ });
    t.equal((await push.request("DELETE", `${path}/${id}`)).status, 404, "it is gone");
  }
  t.same(JSON.parse((await query.get(path)).body), { queries: [] });
}

async function cancelled(...[t, scenario]: Parameters<ScenarioBody>): Promise<void> {
  const { server, query, app, now } = scenario;
  await pushRows(scenario, 4, 3000);
  for (let round = 0; round < 20; round++) {
    await streamQuery(server.baseUrl, {
      query: `{app="${app}"} |~ "(x+x+)+y|[a-z]{3}[0-9]{9}" |~ "never"`,
      start: String(now - second),
    }, (_frame, close) => close());
  }
  const { result } = await query.streams({
    query: `{app="${app}"}`,
    start: now - second,
    end: now + second,
    limit: 10,
  });
  t.equal(result.flatMap(({ values }) => values).length, 10);
}

async function pushRows(
  { push, app, now }: Parameters<ScenarioBody>[1],
  pushCount: number,
  linesPerPush: number,
): Promise<void> {
  for (let number = 0; number < pushCount; number++) {
    await push.push([0, 1, 2].map((part) => ({
      labels: `{app="${app}", part="${part}"}`,
      // Times repeat within and between streams.
      entries: Array.from({ length: linesPerPush }, (_, index) => ({
        timestamp: now + BigInt(Math.floor((number * linesPerPush + index) / 3)) * 1000n,
        line: `line ${number} ${index} of part ${part} ${"x".repeat(index % 60)}`,
        ...(index % 5 === 0 ? { metadata: { number: String(index % 3) } } : {}),
      })),
    })));
  }
}
