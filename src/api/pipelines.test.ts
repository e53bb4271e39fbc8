/** Label filters and other stages through the API, in query_range before and after a flush and in a tail, with
 *  labels categorized by parameter. */
import type { Test } from "tap";
import WebSocket from "ws";
import { onServer, type Scenario } from "../testing/onServer.ts";

const lines = [
  { line: "level=error no route", metadata: { trace_id: "ab1" } },
  { line: "level=error timed out", metadata: { trace_id: "cd2", app: "inner" } },
  { line: "level=info all well", metadata: { trace_id: "ab3" } },
  { line: "nothing to see", metadata: {} },
];

/** The numbers of the lines that each pipeline lets through. */
const wanted: ReadonlyArray<readonly [pipeline: string, numbers: ReadonlyArray<number>]> = [
  ['| detected_level="error"', [0, 1]],
  ['| detected_level!="error"', [2, 3]],
  ['| trace_id=~"ab.*"', [0, 2]],
  ['| trace_id!~"ab.*"', [1, 3]],
  ['| trace_id=~"b"', []],
  ['| trace_id=""', [3]],
  ['| detected_level="error" |= "timed"', [1]],
  ['|= "timed" | detected_level="error"', [1]],
  ['| detected_level="error" | trace_id="ab1"', [0]],
  ['| detected_level="error" and (trace_id="ab1" or trace_id="ab3")', [0]],
  ['| trace_id="ab3" or trace_id="cd2"', [1, 2]],
  ['| app_extracted="inner"', [1]],
  ['| host="h1"', [0, 1, 2, 3]],
  ['| host="h2"', []],
  ['| host="h2" or trace_id="ab1"', [0]],
  ['| app="inner"', []],
  ['| logfmt | level="error"', [0, 1]],
  ['| logfmt | level="error" | trace_id!="ab1"', [1]],
  ['| pattern "level=<level> <rest>" | rest=~"no.*|all.*"', [0, 2]],
  ['| regexp "level=(?P<level>\\\\w+)" | level=""', [3]],
  ['| json | __error__="JSONParserErr" | trace_id=~"ab.*"', [0, 2]],
  ['| drop trace_id | trace_id="" | host="h1"', [0, 1, 2, 3]],
  ['| decolorize | keep app |= "to"', [3]],
];

onServer({}, {
  "query_range and tail keep what label filters let through": async (t, scenario) => {
    const { push, query, app, now, server } = scenario;
    const entries = lines.map(({ line, metadata }, index) => ({
      timestamp: now + BigInt(index),
      line,
      metadata,
    }));
    const open = wanted.map(([pipeline]) => openTail(server.baseUrl, `{app="${app}"} ${pipeline}`));
    await Promise.all(open.map(({ opened }) => opened));
    await push.push([{ labels: `{app="${app}", host="h1"}`, entries }]);
    await checkQueries(t, scenario);
    await query.flush();
    await checkQueries(t, scenario);
    for (const [index, [pipeline, numbers]] of wanted.entries()) {
      const tail = open[index]!;
      while (tail.lines.length < numbers.length) await tail.frame();
      t.strictSame(tail.lines, numbers.map((number) => lines[number]!.line), `tail: ${pipeline}`);
      t.ok(tail.categorized.every(Boolean), "encoding_flags holds for every frame");
      tail.close();
    }
  },
});

async function checkQueries(t: Test, { query, app, now }: Scenario): Promise<void> {
  for (const [pipeline, numbers] of wanted) {
    for (const direction of ["forward", "backward"]) {
      const reply = await query.get("/loki/api/v1/query_range", {
        query: `{app="${app}"} ${pipeline}`,
        start: String(now),
        end: String(now + 10n),
        direction,
        encoding_flags: "categorize-labels",
      });
      t.equal(reply.status, 200, reply.body.slice(0, 200));
      const { data } = JSON.parse(reply.body) as { data: Frame & { result: Frame["streams"] } };
      t.strictSame(data.encodingFlags, ["categorize-labels"]);
      const order = direction === "forward" ? numbers : numbers.toReversed();
      t.strictSame(
        data.result.flatMap(({ values }) => values.map(([, line]) => line)),
        order.map((number) => lines[number]!.line),
        `${direction} ${pipeline}`,
      );
    }
  }
}

interface Frame {
  readonly streams: ReadonlyArray<{ readonly values: ReadonlyArray<readonly [string, string]> }>;
  readonly encodingFlags?: ReadonlyArray<string>;
}

/** A tail as a browser opens it: without any header of its own. */
function openTail(baseUrl: string, query: string) {
  const parameters = new URLSearchParams({ query, encoding_flags: "categorize-labels" });
  const socket = new WebSocket(`${baseUrl.replace("http", "ws")}/loki/api/v1/tail?${parameters}`);
  const lines: string[] = [];
  const categorized: boolean[] = [];
  socket.on("message", (data: Buffer) => {
    const { streams, encodingFlags } = JSON.parse(data.toString()) as Frame;
    for (const { values } of streams) lines.push(...values.map(([, line]) => line));
    categorized.push(encodingFlags?.[0] === "categorize-labels");
  });
  return {
    lines,
    categorized,
    opened: new Promise<void>((resolve, reject) => {
      socket.once("open", () => resolve());
      socket.once("error", reject);
    }),
    frame: () => new Promise((resolve) => socket.once("message", resolve)),
    close: () => socket.close(),
  };
}
