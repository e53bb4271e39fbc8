/** `tailrace query`: prints the lines that a LogQL query finds; samples.ts prints samples, explain.ts what was
 *  done. Owns paging: it asks for a batch at a time and goes on at the last timestamp, leaving out what it has
 *  shown of it, so that equal timestamps are never lost. */
import { Effect, Option, Result, Schema } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { isLogQuery, parse } from "../logql/mod.ts";
import { writeOutput } from "../platform/terminal.ts";
import { ask, type Connection, connectionFlags, connectionOf } from "./connection.ts";
import { Boundary, categorizeLabels, type Entry, sortedEntries, Streams } from "./entries.ts";
import { entryPrinter, printerFlags } from "./entryPrinter.ts";
import { printExplain } from "./explain.ts";
import { type QueryPage, streamQueryPage } from "./queryStream.ts";
import { allowPartialParameter, printWarnings, Warnings } from "./partial.ts";
import { printSamples, sampleRequest } from "./samples.ts";
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
    step: Flag.String("step").pipe(
      Flag.withMetavar("DURATION"),
      Flag.withDescription(
        "Time between the samples of a metric query (default: the server's choice)",
      ),
      Flag.optional,
    ),
    instant: Flag.Boolean("instant").pipe(
      Flag.withDescription("Evaluate a metric query once, at --to or now"),
      Flag.withDefault(false),
    ),
    explain: Flag.Boolean("explain").pipe(
      Flag.withDescription("Print what the server did for the query, and what it cost, instead"),
      Flag.withDefault(false),
    ),
    allowPartial: Flag.Boolean("allow-partial").pipe(
      Flag.withDescription(
        "Print what can be read when a part of the data cannot, with a warning, instead of failing",
      ),
      Flag.withDefault(false),
    ),
    query: Argument.String("query").pipe(
      Argument.withDescription("LogQL: a selector in braces and filters, or a metric query"),
    ),
  },
  Effect.fnUntraced(function* (options) {
    const connection = yield* connectionOf(options);
    const print = yield* entryPrinter(options);
    const range = yield* timeRange(options);
    const { query, instant } = options;
    const isJson = options.output === "jsonl";
    const paged: PagedQuery = {
      ...range,
      query,
      direction: options.forward ? "forward" : "backward",
      limit: options.limit <= 0 ? Infinity : options.limit,
      batch: Math.max(1, options.batch),
      allowPartial: options.allowPartial,
      print,
    };
    const parsed = parse(query);
    if (Result.isFailure(parsed) || isLogQuery(parsed.success)) {
      if (options.explain) {
        yield* printExplain(connection, query, pageRequest(firstPage(paged)), isJson);
      } else yield* printPages(connection, paged, Result.isSuccess(parsed));
      return;
    }
    const { allowPartial } = options;
    const step = Option.getOrUndefined(options.step);
    const sampled = { ...range, query, instant, step, allowPartial };
    if (options.explain) yield* printExplain(connection, query, sampleRequest(sampled), isJson);
    else yield* printSamples(connection, sampled, print, isJson);
  }),
).pipe(
  Command.withShortDescription("Print the lines or samples a query finds"),
  Command.withDescription(
    "Print the lines that a LogQL query finds, newest first, or the samples of a metric query, " +
      "series after series. Nothing found is a success.",
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
    {
      command: 'tailrace query \'sum by (app) (rate({env="prod"} |= "error" [5m]))\' --step=5m',
      description: "Errors a second of each application, every five minutes of the last hour",
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
  readonly allowPartial: boolean;
  readonly print: (entry: Entry) => string;
}

const printPages = Effect.fnUntraced(function* (
  connection: Connection,
  paged: PagedQuery,
  isReadable: boolean,
) {
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
  // Of a query with a mistake the server says what it is; and lines that were streamed cannot turn out to be a part.
  let canStream = isReadable && !paged.allowPartial;
  while (remaining > 0) {
    // Entries at the boundary come again, in front of the new ones.
    const limit = Math.min(remaining, paged.batch) + boundary.seenCount;
    const page: QueryPage = { query: paged.query, start, end, limit, direction: paged.direction };
    freshCount = 0;
    const streamed: number | "unsupported" = canStream
      ? yield* streamQueryPage(connection, page, take)
      : "unsupported";
    canStream = streamed !== "unsupported";
    const count = streamed === "unsupported"
      ? yield* askPage(connection, page, paged.allowPartial, take)
      : streamed;
    if (count < limit || freshCount === 0 || boundary.timestamp === undefined) return;
    if (paged.direction === "forward") start = BigInt(boundary.timestamp);
    else end = BigInt(boundary.timestamp) + 1n;
  }
});

function firstPage({ query, from, to, limit, direction, batch }: PagedQuery): QueryPage {
  return { query, start: from, end: to, limit: Math.min(limit, batch), direction };
}

function pageRequest({ query, start, end, limit, direction }: QueryPage) {
  return {
    path: "/loki/api/v1/query_range",
    parameters: [
      ["query", query],
      ["start", String(start)],
      ["end", String(end)],
      ["limit", String(limit)],
      ["direction", direction],
    ] as const,
  };
}

/** One page over HTTP; how many entries it had. */
const askPage = Effect.fnUntraced(function* (
  connection: Connection,
  page: QueryPage,
  allowPartial: boolean,
  take: (entries: ReadonlyArray<Entry>) => Promise<void>,
) {
  const { path, parameters } = pageRequest(page);
  const { data, warnings } = yield* ask(connection, {
    path,
    parameters: allowPartial ? [...parameters, allowPartialParameter] : parameters,
    answer: Answer,
    query: page.query,
    headers: categorizeLabels,
  });
  printWarnings(warnings);
  const entries = sortedEntries(data.result, page.direction);
  yield* Effect.promise(() => take(entries));
  return entries.length;
});

const Answer = Schema.Struct({ data: Schema.Struct({ result: Streams }), warnings: Warnings });
