/** How a command fails: a message for the user and the process's exit code. main.ts prints it, nobody else does. */
import { Schema } from "effect";

/** Exit codes: 0 done, 1 failed, 2 the command line, the configuration or a file of rules is wrong: nothing was done. */
export class CommandFailed
  extends Schema.TaggedError<CommandFailed>("tailrace/cli/CommandFailed")("CommandFailed", {
    message: Schema.String,
    exitCode: Schema.Literals([1, 2]),
  }) {}

/** The work could not be done. */
export function failed(message: string): CommandFailed {
  return new CommandFailed({ message, exitCode: 1 });
}

/** The command was called in a way that has no meaning, or with a file that has none. */
export function misused(message: string): CommandFailed {
  return new CommandFailed({ message, exitCode: 2 });
}
