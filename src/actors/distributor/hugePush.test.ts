/** A push that is larger than any record of the write log: stored whole, seen before and after a flush, and not stored twice when
 *  it is sent again. */
import type { Test } from "tap";
import { onServer, type Scenario } from "../../testing/onServer.ts";
import { protobufBody } from "../../testing/pushClient.ts";

const lineCount = 100_000;
const filler = "x".repeat(1000);

onServer({ "ingester.max_unflushed_bytes": "1GB" }, {
  "a push of 100 MB": async (t, scenario) => {
    const { push, query, app, now } = scenario;
    const entries = Array.from({ length: lineCount }, (_, line) => ({
      timestamp: now + BigInt(line),
      line: `line ${line} ${filler}`,
    }));
    const other = [{ timestamp: now, line: "the last stream" }];
    const body = protobufBody([
      { labels: `{app="${app}"}`, entries },
      { labels: `{app="${app}", part="last"}`, entries: other },
    ]);
    t.equal((await push.send(body)).status, 204);
    await checkLines(t, scenario);
    t.ok(await recordCount(scenario) > 1, "it is several records");
    t.equal((await push.send(body)).status, 204, "sent again");
    await checkLines(t, scenario);
    await query.flush();
    await checkLines(t, scenario);
  },
});

async function recordCount({ query }: Scenario): Promise<number> {
  const { body } = await query.get("/metrics");
  return Number(/^tailrace_ingester_unflushed_records\{partition="0"\} (\d+)$/m.exec(body)?.[1]);
}

/** Every thousandth line, each once and in order, and the stream behind the cuts. */
async function checkLines(t: Test, { query, app, now }: Scenario): Promise<void> {
  const range = { start: now, end: now + BigInt(lineCount) };
  const found = await query.all({ query: `{app="${app}"} |~ "^line [0-9]*000 "`, ...range });
  t.strictSame(
    found.map(({ timestamp }) => Number(timestamp - now)),
    Array.from({ length: lineCount / 1000 - 1 }, (_, index) => (index + 1) * 1000),
  );
  const last = await query.all({ query: `{app="${app}", part="last"}`, ...range });
  t.strictSame(last.map(({ line }) => line), ["the last stream"]);
}
