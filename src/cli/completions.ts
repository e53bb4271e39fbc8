/** `tailrace completions`: prints the script that teaches a shell the commands and flags of this program, the settings that some
 *  commands take as flags among them. */
import { Console } from "effect";
import { Argument, Command, Completions } from "effect/cli";
import { catalogue } from "../platform/config/mod.ts";

/** The command for the program whose root `root` gives, this command included; `takesSettings` names those that take settings. */
export function completionsOf(
  root: () => Command.Command.Any,
  takesSettings: ReadonlySet<string>,
) {
  return Command.make(
    "completions",
    {
      shell: Argument.Literals("shell", ["bash", "zsh", "fish", "powershell"]).pipe(
        Argument.withDescription("The shell to print a script for"),
      ),
    },
    ({ shell }) => {
      const { subcommands, ...program } = Completions.fromCommand(root());
      const descriptor = {
        ...program,
        subcommands: subcommands.map((command) =>
          takesSettings.has(command.name) ? withSettings(command) : command
        ),
      };
      return Console.log(
        // The library's script tells to install it with a flag that is a command here.
        Completions.generate(descriptor.name, shell, descriptor)
          .replaceAll(`${descriptor.name} --completions `, `${descriptor.name} completions `),
      );
    },
  ).pipe(
    Command.withShortDescription("Print completions for a shell"),
    Command.withDescription("Print a script that completes commands and flags in a shell."),
    Command.withExamples([
      {
        command: "tailrace completions bash > /etc/bash_completion.d/tailrace",
        description: "For every user of bash",
      },
    ]),
  );
}

function withSettings(command: Completions.CommandDescriptor): Completions.CommandDescriptor {
  const settings = catalogue.map(({ flagName, description, byDefault }) => ({
    name: flagName.slice("--".length),
    aliases: [],
    description,
    type: typeof byDefault === "boolean"
      ? { _tag: "Choice", values: ["true", "false"] } as const
      : { _tag: "String" } as const,
  }));
  const file = {
    name: "config.file",
    aliases: [],
    description: "YAML file with settings",
    type: { _tag: "Path", pathType: "file" } as const,
  };
  const flags = [...command.flags, file, ...settings];
  return {
    ...command,
    flags,
    subcommands: command.subcommands.map((each) => ({
      ...each,
      flags: [...each.flags, file, ...settings],
    })),
  };
}
