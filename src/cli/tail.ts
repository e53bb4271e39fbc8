/** `tailrace tail`: prints lines as they arrive, until interrupted. Owns the WebSocket, and going on after a lost connection at
 *  the last timestamp seen, leaving out what was printed of it. */
import { Clock, Effect, Result, Schedule, Schema } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import WebSocket from "ws";
import { joinBytes } from "../platform/joinBytes.ts";
import { writeError, writeOutput } from "../platform/terminal.ts";
import {
  type Connection,
  connectionFlags,
  connectionOf,
  noAnswerMessage,
  refusalMessage,
} from "./connection.ts";
import {
  Boundary,
  categorizeLabels,
  compareTimestamps,
  type Entry,
  sortedEntries,
  Streams,
} from "./entries.ts";
import { entryPrinter, printerFlags } from "./entryPrinter.ts";
import { failed } from "./failure.ts";
import { durationNs } from "./times.ts";

export const tail = Command.make(
  "tail",
  {
    ...connectionFlags,
    ...printerFlags,
    since: Flag.String("since").pipe(
      Flag.withMetavar("DURATION"),
      Flag.withDescription("First print what came in this long before (default 0s)"),
      Flag.withDefault("0s"),
    ),
    limit: Flag.Int("limit").pipe(
      Flag.withMetavar("N"),
      Flag.withDescription("Earlier lines to print at most (default 100)"),
      Flag.withDefault(100),
    ),
    query: Argument.String("query").pipe(
      Argument.withDescription("LogQL: a selector in braces, then filters"),
    ),
  },
  Effect.fnUntraced(function* (options) {
    const connection = yield* connectionOf(options);
    const print = yield* entryPrinter(options);
    const since = yield* durationNs("--since", options.since);
    const now = BigInt(yield* Clock.currentTimeMillis) * 1_000_000n;
    const position: Position = { boundary: new Boundary(), start: String(now - since) };
    yield* follow(connection, { query: options.query, limit: options.limit, print }, position).pipe(
      Effect.tapError((error) =>
        error instanceof Disconnected
          ? Effect.sync(() => writeError(`${error.reason}; connecting again\n`))
          : Effect.void
      ),
      Effect.retry({ while: (error) => error instanceof Disconnected, schedule: reconnectDelays }),
      Effect.catchTag("Disconnected", (error) => Effect.fail(failed(error.reason))),
    );
  }),
).pipe(
  Command.withShortDescription("Print lines as they arrive"),
  Command.withDescription(
    "Print lines that a LogQL query finds as they arrive, until interrupted. When the connection is\n" +
      "lost it is made again, and what came meanwhile is printed.",
  ),
  Command.withExamples([
    {
      command: 'tailrace tail \'{app="shop"} |= "error"\'',
      description: "Errors of one app, live",
    },
    {
      command: "tailrace tail '{app=~\".+\"}' --since=5m -o jsonl",
      description: "For another program",
    },
  ]),
);

/** Half a second, doubling up to ten. */
const reconnectDelays = Schedule.min([
  Schedule.exponential("500 millis"),
  Schedule.spaced("10 seconds"),
]);

/** The connection was made and then lost, so that it is worth making again. */
class Disconnected extends Schema.TaggedError<Disconnected>("tailrace/cli/Disconnected")(
  "Disconnected",
  { reason: Schema.String },
) {}

/** How far printing has got; outlives a connection. */
interface Position {
  readonly boundary: Boundary;
  readonly start: string;
}

interface Tail {
  readonly query: string;
  readonly limit: number;
  readonly print: (entry: Entry) => string;
}

/** One connection, from opening to its end, which is always a failure. */
function follow(connection: Connection, tail: Tail, position: Position) {
  return Effect.callback<never, Disconnected | ReturnType<typeof failed>>((resume) => {
    const parameters = new URLSearchParams({
      query: tail.query,
      limit: String(tail.limit),
      start: position.boundary.timestamp ?? position.start,
    });
    const socket = new WebSocket(
      `${connection.url.replace(/^http/, "ws")}/loki/api/v1/tail?${parameters}`,
      { headers: { ...connection.headers, ...categorizeLabels } },
    );
    // Reached once at least: a first connection that fails is a mistake to report, a later one may recover.
    const wasConnected = position.boundary.timestamp !== undefined;
    let opened = false;
    let printing = Promise.resolve();
    socket.on("open", () => opened = true);
    socket.on("message", (data) => {
      // Reading stops while the output is full, so that nothing piles up here.
      socket.pause();
      printing = printing.then(() => printFrame(String(data), tail, position))
        .then(() => socket.resume());
    });
    socket.on("unexpected-response", (_request, response) => {
      const parts: Array<Uint8Array> = [];
      response.on("data", (part: Uint8Array) => parts.push(part));
      response.on("end", () => {
        const text = new TextDecoder().decode(joinBytes(parts));
        const message = refusalMessage(response.statusCode ?? 0, text, tail.query);
        resume(Effect.fail(
          wasConnected && (response.statusCode ?? 0) >= 500
            ? new Disconnected({ reason: message })
            : failed(message),
        ));
      });
    });
    socket.on("error", (error) => {
      const message = noAnswerMessage(connection.url, error);
      resume(Effect.fail(
        opened || wasConnected ? new Disconnected({ reason: message }) : failed(message),
      ));
    });
    socket.on("close", (code, reason) => {
      const text = reason.toString();
      const message = `${connection.url} closed the connection (${code}${text ? `: ${text}` : ""})`;
      const isFinal = code === 1008 || /only log selector|limit exceeded/.test(text);
      resume(Effect.fail(isFinal ? failed(text) : new Disconnected({ reason: message })));
    });
    return Effect.sync(() => {
      socket.removeAllListeners();
      socket.on("error", () => {});
      socket.terminate();
    });
  });
}

const Frame = Schema.fromJsonString(Schema.Struct({
  streams: Schema.optionalKey(Schema.NullOr(Streams)),
  dropped_entries: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.Unknown))),
  // Tailrace alone counts those it does not name.
  dropped: Schema.optionalKey(
    Schema.Struct({ count: Schema.Int, unexamined: Schema.optionalKey(Schema.Int) }),
  ),
}));

async function printFrame(text: string, tail: Tail, position: Position): Promise<void> {
  const frame = Schema.decodeUnknownResult(Frame)(text);
  if (Result.isFailure(frame)) {
    writeError(
      `A message of the server is not Loki's and was left out: ${frame.failure.message}\n`,
    );
    return;
  }
  const { streams, dropped_entries: named, dropped } = frame.success;
  const entries = sortedEntries(streams ?? [], "forward")
    .filter((entry) => isUnseen(entry, position.boundary));
  await writeOutput(entries.map(tail.print).join(""));
  const leftOut = dropped?.count ?? named?.length ?? 0;
  if (leftOut > 0) {
    const unexamined = dropped?.unexamined ?? 0;
    writeError(
      unexamined === 0
        ? `The server left out ${leftOut} lines: this reader is too slow for them\n`
        : `The server left out ${
          leftOut - unexamined
        } to ${leftOut} lines: the filter takes too long to look at all\n`,
    );
  }
}

/** Streams are not ordered among each other: an older entry is new, one at the boundary may not be. */
function isUnseen(entry: Entry, boundary: Boundary): boolean {
  const newest = boundary.timestamp;
  return newest !== undefined && compareTimestamps(entry.timestamp, newest) < 0
    ? true
    : boundary.isNew(entry);
}
