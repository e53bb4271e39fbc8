/** Patterns of pushed lines, counted by hand, and what the answer says about how much was read. */
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";

type Arguments = Parameters<ScenarioBody>;

const second = 1_000_000_000n;

onServer({}, { "patterns with their levels and counts": patterns });

async function patterns(...[t, { push, query, app, now }]: Arguments): Promise<void> {
  const start = now / (10n * second) * 10n * second;
  const at = (seconds: number, line: string) => ({
    timestamp: start + BigInt(seconds) * second,
    line,
  });
  await push.push([{
    labels: `{app="${app}"}`,
    entries: [
      at(0, "level=info took 5ms"),
      at(1, "level=info took 7ms"),
      at(12, "level=info took 9ms"),
      at(13, "level=error failed for good"),
    ],
  }]);
  const ask = async (parameters: Record<string, string> = {}) => {
    const reply = await query.get("/loki/api/v1/patterns", {
      query: `{app="${app}"}`,
      start: String(start),
      end: String(start + 30n * second),
      ...parameters,
    });
    t.equal(reply.status, 200, reply.body);
    return JSON.parse(reply.body);
  };
  const seconds = Number(start / second);
  const failure = {
    pattern: "level=error failed for good",
    level: "error",
    samples: [[seconds + 10, 1]],
  };
  for (const when of ["in memory", "in a segment"]) {
    t.same(
      await ask(),
      {
        status: "success",
        data: [
          {
            pattern: "level=info took <_>",
            level: "info",
            samples: [[seconds, 2], [seconds + 10, 1]],
          },
          failure,
        ],
        linesRead: 4,
        complete: true,
      },
      when,
    );
    await query.flush();
  }
  t.same(
    await ask({ line_limit: "1" }),
    { status: "success", data: [failure], linesRead: 1, complete: false },
    "the newest line alone",
  );
  const minutes = await ask({ step: "60s", query: `{app="${app}"} |= "took"` });
  t.equal(minutes.data.length, 1);
  t.equal(minutes.data[0].samples.reduce((sum: number, [, count]: number[]) => sum + count!, 0), 3);
  t.ok(minutes.data[0].samples.every(([time]: number[]) => time! % 60 === 0));
  const matching = await query.range({
    query: `{app="${app}"} |> "${minutes.data[0].pattern}"`,
    start,
    end: start + 30n * second,
  });
  t.equal(matching.length, 3, "the pattern is a filter");
  t.equal((await query.get("/loki/api/v1/patterns")).status, 400);
}
