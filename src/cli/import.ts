/** `tailrace import`: copies logs out of a Loki (or another Tailrace) over its HTTP API. Owns paging: each stream by itself, day
 *  by day, oldest first, so that a page's last timestamp says where the next one starts. Lines that are there already are stored
 *  once, so an import that was interrupted is simply run again. */
import { Effect, Schema } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { terminal, writeError, writeOutput } from "../platform/terminal.ts";
import { encodePushRequest, EntryBuffer } from "../streams/pushEncoder.ts";
import { ask, type Connection, connectionFlags, connectionOf, send } from "./connection.ts";
import { Boundary, categorizeLabels, type Entry, sortedEntries, Streams } from "./entries.ts";
import { formatLabels } from "./entryPrinter.ts";
import { failed } from "./failure.ts";
import { sendPush } from "./sendPush.ts";
import { timeRange } from "./times.ts";

/** Loki's limits on a query's time range and answer are larger, by default. */
const windowNs = 24n * 3_600_000_000_000n;
/** Lines of one timestamp that a stream may have: pages grow up to this to get past them. */
const pageLinesMax = 50_000;

export const importLogs = Command.make(
  "import",
  {
    ...connectionFlags,
    source: Flag.String("source").pipe(
      Flag.withMetavar("URL"),
      Flag.withDescription("The Loki to read from, such as http://loki:3100"),
    ),
    sourceTenant: Flag.String("source-tenant").pipe(
      Flag.withMetavar("NAME"),
      Flag.withDescription("The tenant to read, sent as X-Scope-OrgID"),
      Flag.optional,
    ),
    sourceHeader: Flag.String("source-header").pipe(
      Flag.withMetavar("NAME: VALUE"),
      Flag.withDescription("A further header for the source; may be repeated"),
      Flag.atLeast(0),
    ),
    since: Flag.String("since").pipe(
      Flag.withMetavar("DURATION"),
      Flag.withDescription("How far back to begin, from --to or now (default 24h)"),
      Flag.withDefault("24h"),
    ),
    from: Flag.String("from").pipe(
      Flag.withMetavar("TIME"),
      Flag.withDescription("Oldest time, instead of --since"),
      Flag.optional,
    ),
    to: Flag.String("to").pipe(
      Flag.withMetavar("TIME"),
      Flag.withDescription("Newest time, itself left out; now if not given"),
      Flag.optional,
    ),
    batch: Flag.Int("batch").pipe(
      Flag.withMetavar("N"),
      Flag.withDescription("Lines to ask the source for at once (default 5000, Loki's limit)"),
      Flag.withDefault(5000),
    ),
    selector: Argument.String("selector").pipe(
      Argument.withDescription("Only streams that this selector matches"),
      Argument.withDefault("{}"),
    ),
  },
  Effect.fnUntraced(function* (options) {
    const target = yield* connectionOf(options);
    const source = yield* connectionOf({
      addr: options.source,
      tenant: options.sourceTenant,
      header: options.sourceHeader,
    });
    const { from, to } = yield* timeRange(options);
    yield* refuseIgnoredTenant(source, "--source-tenant");
    yield* refuseIgnoredTenant(target, "--tenant");
    const copy = new Copy(source, target, Math.max(1, options.batch));
    for (let start = from; start < to; start += windowNs) {
      const end = start + windowNs < to ? start + windowNs : to;
      yield* copy.window(options.selector, start, end);
    }
    yield* Effect.promise(() => writeOutput(`${copy.summary()}\n`));
  }),
).pipe(
  Command.withShortDescription("Copy logs from a Loki"),
  Command.withDescription(
    "Copy logs out of a Loki over its API: streams, timestamps, lines and structured metadata as they are.\n" +
      "Lines that are there already are stored once: run it again after an interruption, or for what came since.",
  ),
  Command.withExamples([
    {
      command: "tailrace import --source http://loki:3100 --since=7d",
      description: "Everything of the last week",
    },
    {
      command:
        "tailrace import --source http://loki:3100 --source-tenant=team-a --tenant=team-a '{namespace=\"shop\"}'",
      description: "One namespace of one tenant",
    },
  ]),
);

/** Without auth_enabled a server takes every tenant for the same one: tenants that are copied one after the other would be mixed,
 *  or be copied as often as there are. Fails if the server says that it is so; one that does not say may be behind a proxy. */
const refuseIgnoredTenant = Effect.fnUntraced(function* (connection: Connection, flag: string) {
  const tenant = connection.headers["x-scope-orgid"];
  if (tenant === undefined) return;
  const { status, text } = yield* send(connection, "/config");
  if (status !== 200 || !/^auth_enabled: false\b/m.test(text)) return;
  return yield* failed(
    `${flag} ${tenant} means nothing to ${connection.url}: it has auth_enabled: false and so one tenant for ` +
      `everything. Leave ${flag} out, or set auth_enabled: true there.`,
  );
});

/** A run of the command: where from, where to, and how far it is. */
class Copy {
  readonly #source: Connection;
  readonly #target: Connection;
  readonly #batch: number;
  readonly #streams = new Set<string>();
  readonly #startedAt = performance.now();
  #lineCount = 0;

  constructor(source: Connection, target: Connection, batch: number) {
    this.#source = source;
    this.#target = target;
    this.#batch = batch;
  }

  /** Copies what lies in [start, end). */
  window(selector: string, start: bigint, end: bigint) {
    return Effect.gen({ self: this }, function* (this: Copy) {
      const { data } = yield* ask(this.#source, {
        path: "/loki/api/v1/series",
        parameters: [["match[]", selector], ["start", String(start)], ["end", String(end)]],
        answer: LabelSets,
        query: selector,
      });
      const names = new Set((data ?? []).flatMap((labels) => Object.keys(labels)));
      for (const labels of data ?? []) yield* this.#stream(onlyThis(labels, names), start, end);
    });
  }

  summary(): string {
    if (terminal.errorIsTerminal) writeError("\r\x1b[K");
    return `Imported ${this.#counts()}`;
  }

  #stream(query: string, from: bigint, end: bigint) {
    return Effect.gen({ self: this }, function* (this: Copy) {
      const boundary = new Boundary();
      let [start, limit] = [from, this.#batch];
      for (;;) {
        const { data } = yield* ask(this.#source, {
          path: "/loki/api/v1/query_range",
          parameters: [
            ["query", query],
            ["start", String(start)],
            ["end", String(end)],
            ["limit", String(limit)],
            ["direction", "forward"],
          ],
          answer: Page,
          query,
          headers: categorizeLabels,
        });
        const entries = sortedEntries(data.result, "forward");
        const fresh = entries.filter((entry) => boundary.isNew(entry));
        if (fresh.length > 0) yield* this.#send(fresh);
        if (entries.length < limit || boundary.timestamp === undefined) return;
        start = BigInt(boundary.timestamp);
        // A page of nothing but one timestamp: only a longer one gets beyond it.
        if (fresh.length > 0 && boundary.seenCount < limit) continue;
        if (limit >= pageLinesMax) {
          return yield* failed(
            `${query} has more than ${limit} lines at ${start} ns: the source's API cannot page through them`,
          );
        }
        limit = Math.min(2 * limit, pageLinesMax);
      }
    });
  }

  /** Sends a page's entries, by their streams. */
  #send(entries: ReadonlyArray<Entry>) {
    return Effect.gen({ self: this }, function* (this: Copy) {
      const streams = new Map<string, EntryBuffer>();
      for (const { labels, timestamp, line, structuredMetadata } of entries) {
        const name = formatLabels(labels);
        let buffer = streams.get(name);
        if (buffer === undefined) streams.set(name, buffer = new EntryBuffer());
        const bytes = encoder.encode(line);
        const time = BigInt(timestamp);
        const [seconds, nanos] = [Number(time / second), Number(time % second)];
        const metadata = Object.entries(structuredMetadata);
        buffer.add(bytes, 0, bytes.length, seconds, nanos, metadata);
        this.#streams.add(name);
      }
      const request = encodePushRequest(streams);
      const refusal = yield* sendPush(this.#target, request, this.#lineCount > 0);
      if (refusal !== undefined) {
        return yield* failed(`${this.#target.url} refuses what the source has: ${refusal}`);
      }
      this.#lineCount += entries.length;
      if (terminal.errorIsTerminal) writeError(`\r\x1b[K${this.#counts()}`);
    });
  }

  #counts(): string {
    const seconds = Math.max(0.001, (performance.now() - this.#startedAt) / 1000);
    const rate = (this.#lineCount / seconds).toFixed(0);
    return `${this.#lineCount} lines of ${this.#streams.size} streams in ${seconds.toFixed(1)} s ` +
      `(${rate} lines/s)`;
  }
}

/** A selector of the one stream with these labels: other names that streams have must be absent. */
function onlyThis(labels: Readonly<Record<string, string>>, names: ReadonlySet<string>): string {
  const absent = [...names].filter((name) => labels[name] === undefined);
  return formatLabels({ ...labels, ...Object.fromEntries(absent.map((name) => [name, ""])) });
}

const encoder = new TextEncoder();
const second = 1_000_000_000n;

const Page = Schema.Struct({
  data: Schema.Struct({ resultType: Schema.Literal("streams"), result: Streams }),
});

// Loki leaves data out when it is empty.
const LabelSets = Schema.Struct({
  data: Schema.optionalKey(
    Schema.NullOr(Schema.Array(Schema.Record(Schema.String, Schema.String))),
  ),
});
