/** `tailrace collect`: the agent, with a configuration of Promtail's. Owns its flags and how a
 *  configuration is found, checked and printed; src/collector does the work. */
import { Console, Effect, Option, Schema } from "effect";
import { Command, Flag } from "effect/cli";
import {
  type CollectorConfig,
  ConfigInvalid,
  dryRunInput,
  EntryPrinter,
  parseConfig,
  printConfig,
} from "../collector/mod.ts";
import { unfinishedUses } from "../collector/sources/notYet.ts";
import { readInput, standardInput } from "../platform/inputs.ts";
import { environment, writeOutput } from "../platform/terminal.ts";
import { ByteSize } from "../platform/config/units.ts";
import { readTextFile } from "../platform/files.ts";
import { failed, misused } from "./failure.ts";

const configFlags = {
  file: Flag.String("config.file").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("The configuration, as Promtail's"),
  ),
  expandEnvironment: Flag.Boolean("config.expand-env").pipe(
    Flag.withDescription("Put ${VARIABLES} of the environment into the configuration"),
    Flag.withDefault(false),
  ),
};

const runFlags = {
  dataDirectory: Flag.String("data-dir").pipe(
    Flag.withMetavar("DIRECTORY"),
    Flag.withDescription(
      "Holds positions and the disk buffer (default: beside positions.filename, .d for .yaml)",
    ),
    Flag.optional,
  ),
  bufferSize: Flag.String("buffer-size").pipe(
    Flag.withMetavar("BYTES"),
    Flag.withDescription("What is kept on disk for servers that are away (default 1GB)"),
    Flag.withDefault("1GB"),
  ),
};

const convert = Command.make(
  "convert",
  configFlags,
  Effect.fnUntraced(function* (options) {
    const config = yield* loadConfig(options);
    yield* Console.log(printConfig(config).trimEnd());
  }),
).pipe(
  Command.withShortDescription("Print the effective configuration"),
  Command.withDescription(
    "Print the configuration with every default filled in, after checking it.",
  ),
);

export const collect = Command.make(
  "collect",
  {
    ...configFlags,
    check: Flag.Boolean("check").pipe(
      Flag.withDescription("Print every mistake of the configuration; the exit code is 2 if any"),
      Flag.withDefault(false),
    ),
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("Print what would be sent, from the files' start; changes nothing"),
      Flag.withDefault(false),
    ),
    stdin: Flag.Boolean("stdin").pipe(
      Flag.withDescription("With --dry-run: read standard input, for the first job's pipeline"),
      Flag.withDefault(false),
    ),
    ...runFlags,
  },
  Effect.fnUntraced(function* (options) {
    const config = yield* loadConfig(options);
    if (options.check) return yield* Console.log(`${options.file} is valid`);
    if (options.dryRun) return yield* dryRun(config, options.stdin);
    if (options.stdin) return yield* misused("--stdin needs --dry-run; to send, use tailrace push");
    yield* run(config, options);
  }),
).pipe(
  Command.withSubcommands([convert]),
  Command.withShortDescription("Collect logs with a configuration of Promtail's"),
  Command.withDescription(
    "Read files, containers, the journal, syslog and pushes as a configuration of Promtail's says,\n" +
      "and send the lines to a server.",
  ),
);

/** The command line with Promtail's flags as they are written for it: one dash will do. */
export function withTwoDashes(argv: ReadonlyArray<string>): ReadonlyArray<string> {
  return argv.map((argument) =>
    /^-[a-z]+(?:[.-][a-z]+)*(?:=|$)/.test(argument) && argument.length > 2
      ? `-${argument}`
      : argument
  );
}

/** Prints instead of sending, until the input ends or the process is told to stop. */
const dryRun = Effect.fnUntraced(function* (config: CollectorConfig, readsInput: boolean) {
  if (readsInput) {
    const input = readInput(standardInput, () => {});
    return yield* Effect.tryPromise({
      try: () => dryRunInput(config, input, writeOutput),
      catch: (error) => failed((error as Error).message),
    });
  }
  const { collect } = yield* Effect.promise(() => import("../collector/Collector.ts"));
  const printer = new EntryPrinter(writeOutput);
  yield* collect({ config, dataDirectory: "", bufferBytesMax: 0, dryRun: printer }).pipe(
    Effect.mapError((error) => failed(`The collector cannot go on: ${error.message}`)),
  );
});

/** Collects until the process is told to stop. */
const run = Effect.fnUntraced(function* (
  config: CollectorConfig,
  options: { readonly dataDirectory: Option.Option<string>; readonly bufferSize: string },
) {
  if (config.clients.length === 0) {
    return yield* misused("The configuration has no clients: name a server to send to");
  }
  const unfinished = unfinishedUses(config);
  if (unfinished.length > 0) {
    return yield* misused(`The collector cannot do this yet:\n${unfinished.join("\n")}`);
  }
  const bufferBytesMax = yield* Effect.fromResult(
    Schema.decodeUnknownResult(ByteSize)(options.bufferSize),
  ).pipe(Effect.mapError((error) => misused(`--buffer-size: ${error.message}`)));
  const dataDirectory = Option.getOrElse(
    options.dataDirectory,
    () => `${config.positions.filename.replace(/\.ya?ml$/, "")}.d`,
  );
  // Loaded here: it has native code, and other commands start faster without it.
  const { collect } = yield* Effect.promise(() => import("../collector/Collector.ts"));
  yield* collect({ config, dataDirectory, bufferBytesMax }).pipe(
    Effect.mapError((error) => failed(`The collector cannot go on: ${error.message}`)),
  );
});

const loadConfig = Effect.fnUntraced(function* (options: {
  readonly file: string;
  readonly expandEnvironment: boolean;
}): Effect.fn.Return<CollectorConfig, ReturnType<typeof misused>> {
  const { file } = options;
  const text = yield* Effect.tryPromise({
    try: () => readTextFile(file),
    catch: (cause) => misused(`Cannot read ${file}: ${(cause as Error).message}`),
  });
  const source = { file, text, environment: options.expandEnvironment ? environment : null };
  return yield* Effect.fromResult(parseConfig(source)).pipe(
    Effect.mapError((invalid: ConfigInvalid) => misused(invalid.message)),
  );
});
