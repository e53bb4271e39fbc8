/** The command line. Owns which commands there are, how their failures are shown and the exit code: 0 done, 1 failed,
 *  2 the command line, the configuration or a file of rules is wrong. Each command's file owns its flags and its work. */
// Not from "@effect/platform-node", which would load all of it and cost each command half a second.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { Cause, Console, Effect, Exit, Layer } from "effect";
import { CliConfig, CliError, CliOutput, Command, GlobalFlag } from "effect/cli";
import { collect, withTwoDashes } from "./cli/collect.ts";
import { completionsOf } from "./cli/completions.ts";
import { cluster } from "./cli/cluster.ts";
import { decode } from "./cli/decode.ts";
import { config } from "./cli/config.ts";
import { CommandFailed } from "./cli/failure.ts";
import { importLogs } from "./cli/import.ts";
import { inspect } from "./cli/inspect.ts";
import { labels, series } from "./cli/labels.ts";
import { ProcessSettings } from "./cli/processSettings.ts";
import { push } from "./cli/push.ts";
import { query } from "./cli/query.ts";
import { rebuildIndex } from "./cli/rebuildIndex.ts";
import { rules } from "./cli/rules.ts";
import { serve } from "./cli/serve.ts";
import { tail } from "./cli/tail.ts";
import { loadSettings, parseSettingFlags, SettingsInvalid } from "./platform/config/mod.ts";
import {
  commandLine,
  endQuietlyWhenOutputCloses,
  environment,
  writeError,
} from "./platform/terminal.ts";
import { version } from "./platform/version.ts";

const root = Command.make("tailrace").pipe(
  Command.withDescription(
    "Like Prometheus, but for logs: the server, and commands to talk to it.\n" +
      "Exit codes: 0 done, 1 failed, 2 the command line, the configuration or a file of rules is wrong.",
  ),
);

const groups = [
  { group: "Server", commands: [serve, config, inspect, decode, rebuildIndex, cluster] },
  { group: "Logs", commands: [push, query, tail, labels, series, importLogs] },
  { group: "Rules", commands: [rules] },
  { group: "Agent", commands: [collect] },
] as const;

/** Commands whose command line may hold settings. */
const takesSettings = new Set(["serve", "config", "rebuild-index", "cluster"]);

const completions = completionsOf((): Command.Command.Any => tailrace, takesSettings);

const tailrace = root.pipe(
  Command.withSubcommands([...groups, { group: "Shell", commands: [completions] }]),
);

/** A wrong command line gets the error and where to read more, not the whole help. */
const presenter: CliOutput.Presenter = {
  present: Effect.fnUntraced(function* (event) {
    if (event._tag !== "InvalidInvocation") return yield* CliOutput.defaultPresenter.present(event);
    const formatter = yield* CliOutput.Formatter;
    yield* Console.error(formatter.formatErrors(event.errors).trim());
    yield* Console.error(`\n"${event.commandPath.join(" ")} --help" says what there is.`);
  }),
};

const program = Effect.gen(function* () {
  const commandName = commandLine.find((argument) => !argument.startsWith("-")) ?? "";
  const settingFlags = takesSettings.has(commandName)
    ? yield* Effect.fromResult(parseSettingFlags(commandLine)).pipe(
      Effect.mapError((problem) => new SettingsInvalid({ problems: [problem] })),
    )
    : undefined;
  const given = commandName === "collect" ? withTwoDashes(commandLine) : commandLine;
  yield* Command.runWith(tailrace, { version })(settingFlags?.rest ?? given).pipe(
    Effect.provideService(
      ProcessSettings,
      { load: loadSettings({ argv: commandLine, env: environment }) },
    ),
  );
}).pipe(
  Effect.provide(
    Layer.mergeAll(
      NodeServices.layer,
      CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] }),
      CliOutput.layerPresenter(presenter),
    ),
  ),
);

endQuietlyWhenOutputCloses();
NodeRuntime.runMain(program, {
  disableErrorReporting: true,
  teardown: (exit, onExit) => onExit(report(exit)),
});

/** Says why a command failed, if it did, and gives the exit code. */
function report(exit: Exit.Exit<unknown, unknown>): number {
  if (Exit.isSuccess(exit)) return 0;
  // Stopping on request is how serve and tail end.
  if (Cause.hasInterruptsOnly(exit.cause)) return 0;
  const error = Cause.squash(exit.cause);
  if (CliError.isCliError(error)) return 2;
  if (error instanceof SettingsInvalid) {
    writeError(`${error.message}\n`);
    return 2;
  }
  if (error instanceof CommandFailed) {
    writeError(`${error.message}\n`);
    return error.exitCode;
  }
  writeError(`tailrace failed in a way it should not:\n${Cause.pretty(exit.cause)}\n`);
  return 1;
}
