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
  {
    ...configFlags,
    showSecrets: Flag.Boolean("show-secrets").pipe(
      Flag.withDescription(
        "Print passwords, tokens, keys and headers as they are, and not as <secret>",
      ),
      Flag.withDefault(false),
    ),
  },
  Effect.fnUntraced(function* (options) {
    const { config, warnings } = yield* loadConfig(options);
    yield* printWarnings(warnings);
    const { text, hidden } = printConfig(config, options);
    yield* Console.log(text.trimEnd());
    if (hidden === 0) return;
    yield* Console.error(
      `hidden as <secret>: ${hidden} of the values; --show-secrets prints them`,
    );
  }),
).pipe(
  Command.withShortDescription("Print the effective configuration"),
  Command.withDescription(
    "Print the configuration with every default filled in, after checking it. Passwords, tokens, keys and\n" +
      "the values of headers are hidden unless --show-secrets is given.",
  ),
);

const printWarnings = (warnings: ReadonlyArray<string>) =>
  Effect.forEach(warnings, (warning) => Console.error(`warning: ${warning}`), { discard: true });

export const collect = Command.make(
  "collect",
  {
    ...configFlags,
    check: Flag.Boolean("check").pipe(
      Flag.withDescription(
        "Print every mistake of the configuration; the exit code is 2 if any, warnings do not count",
      ),
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
    const { config, warnings } = yield* loadConfig(options);
    if (options.check) {
      yield* printWarnings(warnings);
      return yield* Console.log(`${configName(options)} is valid`);
    }
    const readsInput = options.stdin || config.target_config.stdin;
    if (options.printPermissions) {
      const directory = options.dryRun ? undefined : directoryOf(config, options);
      return yield* Console.log(JSON.stringify(permissionsOf(config, directory)));
    }
    if (options.dryRun) return yield* dryRun(config, warnings, readsInput);
    yield* run(config, warnings, readsInput, options);
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
const dryRun = Effect.fnUntraced(function* (
  config: CollectorConfig,
  warnings: ReadonlyArray<string>,
  readsInput: boolean,
) {
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
  yield* collect({ config, warnings, ...nothing, dryRun: printer }).pipe(
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
  warnings: ReadonlyArray<string>,
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
  const batchBytes = Math.max(...config.clients.map(({ batchsize }) => batchsize));
  if (bufferBytesMax < 2 * batchBytes) {
    return yield* misused(
      `--buffer-size: ${options.bufferSize} is too small, two batches (batchsize) have ${
        2 * batchBytes
      } bytes`,
    );
  }
  const dataDirectory = directoryOf(config, options);
  // Loaded here: it has native code, and other commands start faster without it.
  const { collect } = yield* Effect.promise(() => import("../collector/Collector.ts"));
  // Nothing else of the node is asked for: where Promtail's positions are there, nobody can know.
  const positions = options.kubernetes
    ? { ...config.positions, filename: `${dataDirectory}/positions.yaml` }
    : config.positions;
  const settings = { config: { ...config, positions }, dataDirectory, bufferBytesMax, readsInput };
  yield* collect({ ...settings, warnings }).pipe(
    Effect.mapError((error) => failed(`The collector cannot go on: ${error.message}`)),
  );
});
