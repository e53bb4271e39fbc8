/** `tailrace labels` and `tailrace series`: what there is to select. Both print one thing a line. */
import { Effect, Option, Schema } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { writeOutput } from "../platform/terminal.ts";
import { ask, connectionFlags, connectionOf } from "./connection.ts";
import { formatLabels } from "./entryPrinter.ts";
import { timeRange } from "./times.ts";

const rangeFlags = {
  since: Flag.String("since").pipe(
    Flag.withMetavar("DURATION"),
    Flag.withDescription("How far back to look, from --to or now (default 6h)"),
    Flag.withDefault("6h"),
  ),
  from: Flag.String("from").pipe(
    Flag.withMetavar("TIME"),
    Flag.withDescription("Oldest time, instead of --since"),
    Flag.optional,
  ),
  to: Flag.String("to").pipe(
    Flag.withMetavar("TIME"),
    Flag.withDescription("Newest time; now if not given"),
    Flag.optional,
  ),
};

export const labels = Command.make(
  "labels",
  {
    ...connectionFlags,
    ...rangeFlags,
    name: Argument.String("name").pipe(
      Argument.withDescription("Print the values of this label"),
      Argument.optional,
    ),
  },
  Effect.fnUntraced(function* (options) {
    const connection = yield* connectionOf(options);
    const path = Option.match(options.name, {
      onNone: () => "/loki/api/v1/labels",
      onSome: (name) => `/loki/api/v1/label/${encodeURIComponent(name)}/values`,
    });
    const parameters = yield* rangeParameters(options);
    const { data } = yield* ask(connection, { path, parameters, answer: NameList });
    yield* Effect.promise(() => writeOutput((data ?? []).map((name) => `${name}\n`).join("")));
  }),
).pipe(
  Command.withShortDescription("Print the names of labels, or the values of one"),
  Command.withDescription("Print the names of all labels, or the values of one, each on a line."),
  Command.withExamples([
    { command: "tailrace labels", description: "All names" },
    {
      command: "tailrace labels app --since=7d",
      description: "The values of app in the last week",
    },
  ]),
);

export const series = Command.make(
  "series",
  {
    ...connectionFlags,
    ...rangeFlags,
    selector: Argument.String("selector").pipe(
      Argument.withDescription("Only streams that this selector matches"),
      Argument.withDefault("{}"),
    ),
  },
  Effect.fnUntraced(function* (options) {
    const connection = yield* connectionOf(options);
    const { data } = yield* ask(connection, {
      path: "/loki/api/v1/series",
      parameters: [["match[]", options.selector], ...yield* rangeParameters(options)],
      answer: LabelSets,
      query: options.selector,
    });
    const lines = (data ?? []).map((labels) => `${formatLabels(labels)}\n`).sort();
    yield* Effect.promise(() => writeOutput(lines.join("")));
  }),
).pipe(
  Command.withShortDescription("Print the streams there are"),
  Command.withDescription(
    "Print the label sets of all streams that a selector matches, each on a line.",
  ),
  Command.withExamples([
    { command: "tailrace series '{app=\"shop\"}'", description: "The streams of one app" },
  ]),
);

// Loki leaves data out when it is empty.
const NameList = Schema.Struct({
  data: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String))),
});
const LabelSets = Schema.Struct({
  data: Schema.optionalKey(
    Schema.NullOr(Schema.Array(Schema.Record(Schema.String, Schema.String))),
  ),
});

const rangeParameters = Effect.fnUntraced(function* (options: Parameters<typeof timeRange>[0]) {
  const { from, to } = yield* timeRange(options);
  return [["start", String(from)], ["end", String(to)]] as const;
});
