/** `tailrace completions`: prints the script that teaches a shell the commands and flags of this program. */
import { Console } from "effect";
import { Argument, Command, Completions } from "effect/cli";

/** The command for the program whose root is `root`. */
export function completionsOf(root: Command.Command.Any) {
  return Command.make(
    "completions",
    {
      shell: Argument.Literals("shell", ["bash", "zsh", "fish", "powershell"]).pipe(
        Argument.withDescription("The shell to print a script for"),
      ),
    },
    ({ shell }) => {
      const descriptor = Completions.fromCommand(root);
      return Console.log(Completions.generate(descriptor.name, shell, descriptor));
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
