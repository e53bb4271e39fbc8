/** The command line. Owns which commands there are, how their failures are shown and the exit code: 0 done, 1 failed,
 *  2 the command line or the configuration is wrong. Each command's file owns its flags and its work. */
import { NodeRuntime, NodeServices } from "@effect/platform-node";
import { Cause, Effect, Exit, Layer } from "effect";
import { CliConfig, CliError, Command, GlobalFlag } from "effect/cli";
import { config } from "./cli/config.ts";
import { CommandFailed } from "./cli/failure.ts";
import { ProcessSettings } from "./cli/processSettings.ts";
import { serve } from "./cli/serve.ts";
import { loadSettings, parseSettingFlags, SettingsInvalid } from "./platform/config/mod.ts";
import {
  commandLine,
  endQuietlyWhenOutputCloses,
  environment,
  writeError,
} from "./platform/terminal.ts";
import { version } from "./platform/version.ts";

const tailrace = Command.make("tailrace").pipe(
  Command.withDescription("Like Prometheus, but for logs: the server, and commands to talk to it"),
  Command.withSubcommands([
    { group: "Server", commands: [serve, config] },
  ]),
);

const program = Effect.gen(function* () {
  const commandName = commandLine.find((argument) => !argument.startsWith("-")) ?? "";
  const settingFlags = takesSettings.has(commandName)
    ? yield* Effect.fromResult(parseSettingFlags(commandLine)).pipe(
      Effect.mapError((problem) => new SettingsInvalid({ problems: [problem] })),
    )
    : undefined;
  yield* Command.runWith(tailrace, { version })(settingFlags?.rest ?? commandLine).pipe(
    Effect.provideService(
      ProcessSettings,
      { load: loadSettings({ argv: commandLine, env: environment }) },
    ),
  );
}).pipe(
  Effect.provide(
    Layer.mergeAll(
      NodeServices.layer,
      CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
    ),
  ),
);

/** Commands whose command line may hold settings. */
const takesSettings = new Set(["serve", "config", "inspect", "rebuild-index"]);

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
