/** `tailrace query`: prints the lines (or the samples) that a LogQL query finds. Owns paging: it asks for a batch at a time and
 *  goes on at the last timestamp, leaving out what it has shown of it, so that equal timestamps are never lost. */
import { Effect, Result, Schema } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { isLogQuery, parse } from "../logql/mod.ts";
import { writeOutput } from "../platform/terminal.ts";
import { ask, type Connection, connectionFlags, connectionOf } from "./connection.ts";
import { Boundary, categorizeLabels, type Entry, sortedEntries, Streams } from "./entries.ts";
import { entryPrinter, printerFlags } from "./entryPrinter.ts";
import { type QueryPage, streamQueryPage } from "./queryStream.ts";
import { timeRange } from "./times.ts";

export const query = Command.make(
  "query",
  {
    ...connectionFlags,
    ...printerFlags,
    since: Flag.String("since").pipe(
      Flag.withMetavar("DURATION"),
      Flag.withDescription("How far back to look, from --to or now (default 1h)"),
      Flag.withDefault("1h"),
    ),
    from: Flag.String("from").pipe(
      Flag.withMetavar("TIME"),
      Flag.withDescription(
        "Oldest time, instead of --since: 2024-05-31T12:00:00Z, or seconds since 1970",
      ),
      Flag.optional,
    ),
    to: Flag.String("to").pipe(
      Flag.withMetavar("TIME"),
      Flag.withDescription("Newest time, itself left out; now if not given"),
      Flag.optional,
    ),
    limit: Flag.Int("limit").pipe(
      Flag.withMetavar("N"),
      Flag.withDescription("Lines to print; 0 for all (default 100)"),
      Flag.withDefault(100),
    ),
    batch: Flag.Int("batch").pipe(
      Flag.withMetavar("N"),
      Flag.withDescription("Lines to ask the server for at once (default 4000)"),
      Flag.withDefault(4000),
    ),
    forward: Flag.Boolean("forward").pipe(
      Flag.withDescription("Oldest first"),
      Flag.withDefault(false),
    ),
    query: Argument.String("query").pipe(
      Argument.withDescription("LogQL: a selector in braces, then filters"),
    ),
  },
  Effect.fnUntraced(function* (options) {
    const connection = yield* connectionOf(options);
    const print = yield* entryPrinter(options);
    const range = yield* timeRange(options);
    yield* printPages(connection, {
      ...range,
      query: options.query,
      direction: options.forward ? "forward" : "backward",
      limit: options.limit <= 0 ? Infinity : options.limit,
      batch: Math.max(1, options.batch),
      print,
    });
  }),
).pipe(
  Command.withShortDescription("Print the lines a query finds"),
  Command.withDescription(
    "Print the lines that a LogQL query finds, newest first. Nothing found is a success.",
  ),
  Command.withExamples([
    {
      command: 'tailrace query \'{app="shop"} |= "error"\' --since=15m',
      description: "What went wrong in the last quarter of an hour",
    },
    {
      command: "tailrace query '{app=\"shop\"}' --limit=0 --forward --output=raw > shop.log",
      description: "Everything of the last hour, as it was written",
    },
    {
      command:
        "tailrace query '{app=\"shop\"}' --from=2024-05-31T12:00:00Z --output=jsonl | jq .line",
      description: "For another program",
    },
  ]),
);

interface PagedQuery {
  readonly query: string;
  readonly from: bigint;
  readonly to: bigint;
  readonly direction: "forward" | "backward";
  readonly limit: number;
  readonly batch: number;
  readonly print: (entry: Entry) => string;
}

const printPages = Effect.fnUntraced(function* (connection: Connection, paged: PagedQuery) {
  const boundary = new Boundary();
  let { from: start, to: end } = paged;
  let remaining = paged.limit;
  let freshCount = 0;
  const take = async (entries: ReadonlyArray<Entry>) => {
    const fresh = entries.filter((entry) => boundary.isNew(entry)).slice(0, remaining);
    remaining -= fresh.length;
    freshCount += fresh.length;
    await writeOutput(fresh.map(paged.print).join(""));
  };
  // Metric queries have one answer at the end; of a query with a mistake the server says what it is.
  const parsed = parse(paged.query);
  let canStream = Result.isSuccess(parsed) && isLogQuery(parsed.success);
  while (remaining > 0) {
    // Entries at the boundary come again, in front of the new ones.
    const limit = Math.min(remaining, paged.batch) + boundary.seenCount;
    const page: QueryPage = { query: paged.query, start, end, limit, direction: paged.direction };
    freshCount = 0;
    const streamed: number | "unsupported" = canStream
      ? yield* streamQueryPage(connection, page, take)
      : "unsupported";
    canStream = streamed !== "unsupported";
    const count = streamed === "unsupported" ? yield* askPage(connection, page, take) : streamed;
    if (count < limit || freshCount === 0 || boundary.timestamp === undefined) return;
    if (paged.direction === "forward") start = BigInt(boundary.timestamp);
    else end = BigInt(boundary.timestamp) + 1n;
  }
});

/** One page over HTTP; how many entries it had. Samples are printed as they came. */
const askPage = Effect.fnUntraced(function* (
  connection: Connection,
  { query, start, end, limit, direction }: QueryPage,
  take: (entries: ReadonlyArray<Entry>) => Promise<void>,
) {
  const { data } = yield* ask(connection, {
    path: "/loki/api/v1/query_range",
    parameters: [
      ["query", query],
      ["start", String(start)],
      ["end", String(end)],
      ["limit", String(limit)],
      ["direction", direction],
    ],
    answer: Answer,
    query,
    headers: categorizeLabels,
  });
  if (data.resultType !== "streams") {
    yield* Effect.promise(() => writeOutput(`${JSON.stringify(data.result, null, 2)}\n`));
    return 0;
  }
  const entries = sortedEntries(data.result, direction);
  yield* Effect.promise(() => take(entries));
  return entries.length;
});

/** Lines; or samples, which are printed as they came. */
const Answer = Schema.Struct({
  data: Schema.Union([
    Schema.Struct({ resultType: Schema.Literal("streams"), result: Streams }),
    Schema.Struct({
      resultType: Schema.Literals(["matrix", "vector", "scalar"]),
      result: Schema.Unknown,
    }),
  ]),
});
