/** Paging a log query by cursor: the pages together are the whole answer, whatever is flushed between
 *  them, with many lines of one time over several streams. */
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";

type Arguments = Parameters<ScenarioBody>;

const second = 1_000_000_000n;

onServer({}, {
  "pages together are the whole answer": pages,
  "lines that arrive behind the cursor come in their turn": arrivals,
  "cursors that cannot be used": wrongCursors,
});

interface Page {
  readonly lines: ReadonlyArray<string>;
  readonly cursor: string | undefined;
}

type Ask = (parameters: Record<string, string>) => Promise<Page>;

/** Lines of a page in the order of the query, which the streams of an answer do not keep: each line
 *  starts with its place in the order of a forward query. */
function asking({ query, app, now }: Arguments[1], logql = `{app="${app}"}`): Ask {
  return async (parameters) => {
    const reply = await query.get("/loki/api/v1/query_range", {
      query: logql,
      start: String(now),
      end: String(now + 60n * second),
      ...parameters,
    });
    if (reply.status !== 200) throw new Error(reply.body);
    const { data } = JSON.parse(reply.body);
    const lines = data.result.flatMap(({ values }: { values: Array<[string, string]> }) =>
      values.map(([, line]) => line)
    );
    return { lines: lines.sort(), cursor: data.cursor };
  };
}

/** 4 times with 3 streams of 1, 2 and 3 lines; the place of each line in the order is known. */
async function pushOrdered({ push, app, now }: Arguments[1]): Promise<string[]> {
  const wanted: string[] = [];
  const streams = ["a", "b", "c"].map((pod, index) => ({
    labels: `{app="${app}", pod="${pod}"}`,
    count: index + 1,
    entries: [] as Array<{ timestamp: bigint; line: string }>,
  }));
  for (let time = 0n; time < 4n; time++) {
    for (const { count, entries } of streams) {
      for (let line = 0; line < count; line++) {
        const text = String(wanted.length).padStart(3, "0");
        wanted.push(text);
        entries.push({ timestamp: now + time, line: text });
      }
    }
  }
  await push.push(streams);
  return wanted;
}

async function pages(...[t, scenario]: Arguments): Promise<void> {
  const wanted = await pushOrdered(scenario);
  const ask = asking(scenario);
  t.equal((await ask({})).cursor, undefined, "nobody asked for a cursor");
  for (const direction of ["forward", "backward"]) {
    const ordered = direction === "forward" ? wanted : wanted.toReversed();
    for (const limit of [1, 2, 5, 7, 24, 25, 100]) {
      let cursor: string | undefined = "";
      for (let from = 0; cursor !== undefined; from += limit) {
        const page: Page = await ask({ direction, limit: String(limit), cursor });
        const expected = ordered.slice(from, from + limit).sort();
        t.same(page.lines, expected, `${direction}, ${limit} lines from ${from}`);
        cursor = page.cursor;
        if (from > ordered.length) break;
        if (limit === 5 && from === 5) await scenario.query.flush();
      }
    }
  }
  const formatted = asking(scenario, `{app="${scenario.app}"} | line_format "same"`);
  let [cursor, count]: [string | undefined, number] = ["", 0];
  while (cursor !== undefined) {
    const page: Page = await formatted({ limit: "4", cursor });
    count += page.lines.length;
    cursor = page.cursor;
  }
  t.equal(count, 24, "lines that a pipeline makes equal");
}

async function arrivals(...[t, scenario]: Arguments): Promise<void> {
  const wanted = await pushOrdered(scenario);
  const { push, app, now } = scenario;
  const ask = asking(scenario);
  const first = await ask({ direction: "forward", limit: "2", cursor: "" });
  t.same(first.lines, ["000", "001"]);
  // Of the time of the last line: in front of it in the order, in its stream, and behind it.
  for (const [pod, line] of [["a", "x"], ["b", "y"], ["c", "z"]]) {
    await push.push([{
      labels: `{app="${app}", pod="${pod}"}`,
      entries: [{ timestamp: now, line: line! }],
    }]);
  }
  const rest: string[] = [];
  let cursor = first.cursor;
  while (cursor !== undefined) {
    const page: Page = await ask({ direction: "forward", limit: "6", cursor });
    t.ok(page.lines.length <= 6);
    rest.push(...page.lines);
    cursor = page.cursor;
  }
  t.same(
    rest.sort(),
    [...wanted.slice(2), "y", "z"].sort(),
    "what is behind the cursor, each once; what came in front of it is past",
  );
}

async function wrongCursors(...[t, scenario]: Arguments): Promise<void> {
  await pushOrdered(scenario);
  const ask = asking(scenario);
  const { cursor } = await ask({ direction: "forward", limit: "2", cursor: "" });
  t.rejects(ask({ cursor: "nonsense" }), /cannot read the cursor "nonsense"/);
  t.rejects(ask({ cursor: cursor! }), /of the other direction than backward/);
  t.rejects(ask({ cursor: "", interval: "1s" }), /interval and cursor do not go together/);
}
