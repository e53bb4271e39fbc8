/** `tailrace collect`: the agent, with a configuration of Promtail's or none. Owns what is done with a configuration: checked,
 *  printed, run; collectConfig.ts finds it, src/collector does the work. */
import { Console, Effect, Option, Schema } from "effect";
import { Command, Flag } from "effect/cli";
import {
  type CollectorConfig,
  dryRunInput,
  EntryPrinter,
  permissionsOf,
  printConfig,
} from "../collector/mod.ts";
import { readInput, standardInput } from "../platform/inputs.ts";
import { writeOutput } from "../platform/terminal.ts";
import { ByteSize } from "../platform/config/units.ts";
import {
  configFlags,
  configName,
  type ConfigOptions,
  defaultDirectory,
  loadConfig,
} from "./collectConfig.ts";
import { failed, misused } from "./failure.ts";

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
      Flag.withDescription(
        "Collect standard input through the first job's pipeline, and nothing else",
      ),
      Flag.withDefault(false),
    ),
    printPermissions: Flag.Boolean("print-permissions").pipe(
      Flag.withDescription("Print what the collector must be allowed to do, as JSON, and end"),
      Flag.withDefault(false),
    ),
    ...runFlags,
  },
  Effect.fnUntraced(function* (options) {
    const config = yield* loadConfig(options);
    if (options.check) return yield* Console.log(`${configName(options)} is valid`);
    const readsInput = options.stdin || config.target_config.stdin;
    if (options.printPermissions) {
      const directory = options.dryRun ? undefined : directoryOf(config, options);
      return yield* Console.log(JSON.stringify(permissionsOf(config, directory)));
    }
    if (options.dryRun) return yield* dryRun(config, readsInput);
    yield* run(config, readsInput, options);
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
  const nothing = { dataDirectory: "", bufferBytesMax: 0, readsInput: false };
  yield* collect({ config, ...nothing, dryRun: printer }).pipe(
    Effect.mapError((error) => failed(`The collector cannot go on: ${error.message}`)),
  );
});

type RunOptions = ConfigOptions & {
  readonly dataDirectory: Option.Option<string>;
  readonly bufferSize: string;
};

function directoryOf(config: CollectorConfig, options: RunOptions): string {
  return Option.getOrElse(options.dataDirectory, () => defaultDirectory(options, config));
}

/** Collects until the process is told to stop, or standard input has ended. */
const run = Effect.fnUntraced(function* (
  config: CollectorConfig,
  readsInput: boolean,
  options: RunOptions,
) {
  if (config.clients.length === 0) {
    return yield* misused(
      "The configuration has no clients: name a server to send to, there or with --client.url",
    );
  }
  const bufferBytesMax = yield* Effect.fromResult(
    Schema.decodeUnknownResult(ByteSize)(options.bufferSize),
  ).pipe(Effect.mapError((error) => misused(`--buffer-size: ${error.message}`)));
  const dataDirectory = directoryOf(config, options);
  // Loaded here: it has native code, and other commands start faster without it.
  const { collect } = yield* Effect.promise(() => import("../collector/Collector.ts"));
  // Nothing else of the node is asked for: where Promtail's positions are there, nobody can know.
  const positions = options.kubernetes
    ? { ...config.positions, filename: `${dataDirectory}/positions.yaml` }
    : config.positions;
  yield* collect({ config: { ...config, positions }, dataDirectory, bufferBytesMax, readsInput })
    .pipe(
      Effect.mapError((error) => failed(`The collector cannot go on: ${error.message}`)),
    );
});
