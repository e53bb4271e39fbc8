/** `tailrace config`: prints the effective configuration, or only checks it. */
import { Console, Effect } from "effect";
import { Command, Flag } from "effect/cli";
import { printSettings } from "../platform/config/mod.ts";
import { ProcessSettings, settingsHelp } from "./processSettings.ts";

export const config = Command.make(
  "config",
  {
    check: Flag.Boolean("check").pipe(
      Flag.withDescription("Print nothing but mistakes; the exit code is 2 if there are any"),
      Flag.withDefault(false),
    ),
    describe: Flag.Boolean("describe").pipe(
      Flag.withDescription("Say above each key what it is for"),
      Flag.withDefault(false),
    ),
  },
  Effect.fnUntraced(function* ({ check, describe }) {
    const { load } = yield* ProcessSettings;
    const loaded = yield* load;
    for (const warning of loaded.warnings) yield* Console.error(`warning: ${warning}`);
    if (!check) return yield* Console.log(printSettings(loaded, { describe }).trimEnd());
    // Loaded here and not above: what reads LogQL is large.
    const { checkSettings } = yield* Effect.promise(() => import("../checkSettings.ts"));
    yield* checkSettings(loaded.settings);
  }),
).pipe(
  Command.withShortDescription("Print the effective configuration"),
  Command.withDescription(
    "Print the effective configuration as YAML. A comment after a value says where it comes from;\n" +
      `values without one are defaults.\n\n${settingsHelp}`,
  ),
  Command.withExamples([
    { command: "tailrace config --describe > tailrace.yaml", description: "A file to start from" },
    {
      command: "tailrace config --check --config.file=tailrace.yaml",
      description: "Is this file valid?",
    },
  ]),
);
