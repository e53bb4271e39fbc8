/** `tailrace collect`: the agent, with a configuration of Promtail's. Owns its flags and how a
 *  configuration is found, checked and printed; src/collector does the work. */
import { Console, Effect } from "effect";
import { Command, Flag } from "effect/cli";
import { type CollectorConfig, ConfigInvalid, parseConfig, printConfig } from "../collector/mod.ts";
import { environment } from "../platform/terminal.ts";
import { readTextFile } from "../platform/files.ts";
import { misused } from "./failure.ts";

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
  },
  Effect.fnUntraced(function* (options) {
    yield* loadConfig(options);
    if (!options.check) return yield* misused("Say --check, or collect convert");
    yield* Console.log(`${options.file} is valid`);
  }),
).pipe(
  Command.withSubcommands([convert]),
  Command.withShortDescription("Collect logs with a configuration of Promtail's"),
  Command.withDescription(
    "Read files, containers, the journal, syslog and pushes as a configuration of Promtail's says,\n" +
      "and send the lines to a server.",
  ),
);

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
