/** The process as a command line program sees it: arguments, environment, standard streams. Owns writing to standard output
 *  without piling up what a slow reader has not taken, and ending quietly when the reader has gone. */
import process from "node:process";

export const commandLine: ReadonlyArray<string> = process.argv.slice(2);

export const environment: Readonly<Record<string, string | undefined>> = process.env;

export const terminal = {
  outputIsTerminal: process.stdout.isTTY === true,
  errorIsTerminal: process.stderr.isTTY === true,
  inputIsTerminal: process.stdin.isTTY === true,
};

/** Colour on a terminal, unless NO_COLOR asks for none. */
export const outputHasColour = terminal.outputIsTerminal && !process.env["NO_COLOR"];

/** Writes to standard output; resolves when more may be written. */
export function writeOutput(text: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (process.stdout.write(text)) resolve();
    else process.stdout.once("drain", resolve);
  });
}

/** Writes to standard error, for messages and progress. */
export function writeError(text: string): void {
  process.stderr.write(text);
}

/** Ends the process with code 0 when the reader of its output has closed it, as `head` does. */
export function endQuietlyWhenOutputCloses(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}
