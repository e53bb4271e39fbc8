/** `tailrace push`: sends files or standard input to a server, line by line. Owns progress and the
 *  summary; pushRequest.ts owns lines and protobuf, sendPush.ts sending with retries. */
import { Effect, Option, Stream } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { NanosecondClock } from "../platform/clock.ts";
import { errorText } from "../platform/files.ts";
import { findInputs, type Input, readInput, standardInput } from "../platform/inputs.ts";
import { terminal, writeError, writeOutput } from "../platform/terminal.ts";
import { connectionFlags, connectionOf } from "./connection.ts";
import { type CommandFailed, failed, misused } from "./failure.ts";
import { formatLabels } from "./entryPrinter.ts";
import { type PushRequest, pushRequests } from "./pushRequest.ts";
import { sendPush } from "./sendPush.ts";

const requestBytes = 1 << 20;
/** A line longer than this is cut: it would not fit in memory, nor would a server take it. */
const lineBytesMax = 16 << 20;

export const push = Command.make(
  "push",
  {
    ...connectionFlags,
    label: Flag.String("label").pipe(
      Flag.withAlias("l"),
      Flag.withMetavar("NAME=VALUE"),
      Flag.withDescription("A label of the stream; may be repeated"),
      Flag.atLeast(0),
    ),
    labels: Flag.String("labels").pipe(
      Flag.withMetavar("SELECTOR"),
      Flag.withDescription('All labels at once: \'{app="shop", env="prod"}\''),
      Flag.optional,
    ),
    concurrency: Flag.Int("concurrency").pipe(
      Flag.withMetavar("N"),
      Flag.withDescription("Requests under way at once (default 4)"),
      Flag.withDefault(4),
    ),
    files: Argument.String("file").pipe(
      Argument.withDescription("Files (.gz too) or directories; standard input if there are none"),
      Argument.atLeast(0),
    ),
  },
  Effect.fnUntraced(function* (options) {
    const connection = yield* connectionOf(options);
    const labels = yield* streamLabels(options);
    const inputs = yield* openInputs(options.files);
    const progress = new Progress(inputs);
    const clock = new NanosecondClock();
    for (const input of inputs) {
      const requests = pushRequests(
        readInput(input, (bytes) => progress.bytesRead += bytes),
        { labels, requestBytes, lineBytesMax, clock },
      );
      yield* Stream.fromAsyncIterable(
        requests,
        (cause) => failed(cause instanceof Error ? cause.message : `${input.path}: ${cause}`),
      ).pipe(
        Stream.mapEffect(
          Effect.fnUntraced(function* (request: PushRequest) {
            const refusal = yield* sendPush(connection, request.bytes, progress.hasAnswer);
            progress.add(request, refusal);
          }),
          { concurrency: Math.max(1, options.concurrency) },
        ),
        Stream.runDrain,
      );
    }
    yield* Effect.promise(() => writeOutput(`${progress.summary()}\n`));
    if (progress.refusals.size > 0) {
      return yield* failed(
        `The server refused some lines:\n${[...progress.refusals].join("\n")}`,
      );
    }
  }),
).pipe(
  Command.withShortDescription("Send files or standard input to a server"),
  Command.withDescription(
    "Send the lines of files or of standard input to a server, as one stream. A line's timestamp is\n" +
      "the time of reading it. Requests that fail for a reason that can pass are sent again.",
  ),
  Command.withExamples([
    {
      command: "tailrace push --label app=shop --label env=prod /var/log/shop/*.log",
      description: "Some files",
    },
    {
      command: "journalctl -f | tailrace push -l job=journal",
      description: "Whatever another program prints",
    },
  ]),
);

interface LabelOptions {
  readonly label: ReadonlyArray<string>;
  readonly labels: Option.Option<string>;
}

/** The label string of the stream, as the API takes it. The server checks the selector form. */
const streamLabels = Effect.fnUntraced(function* (options: LabelOptions) {
  if (Option.isSome(options.labels)) {
    if (options.label.length > 0) return yield* misused("Give either --label or --labels");
    return options.labels.value;
  }
  const labels: Record<string, string> = {};
  for (const text of options.label) {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text) ?? [];
    if (name === undefined || value === undefined) {
      return yield* misused(
        `--label "${text}": write name=value, the name of letters, digits and _`,
      );
    }
    labels[name] = value;
  }
  if (Object.keys(labels).length === 0) {
    return yield* misused("A stream needs a label: add one, such as --label job=test");
  }
  return formatLabels(labels);
});

function openInputs(paths: ReadonlyArray<string>): Effect.Effect<Array<Input>, CommandFailed> {
  if (paths.length === 0) return Effect.succeed([standardInput]);
  return Effect.try({
    try: () => findInputs(paths),
    catch: (cause) => failed(`Cannot read the files to send: ${errorText(cause)}`),
  });
}

/** Counts what has been sent, and shows it on a terminal. */
class Progress {
  bytesRead = 0;
  readonly refusals = new Set<string>();
  #lineCount = 0;
  #lineBytes = 0;
  #shownAt = 0;
  readonly #totalBytes: number;
  readonly #startedAt = performance.now();

  constructor(inputs: ReadonlyArray<Input>) {
    this.#totalBytes = inputs.reduce((sum, input) => sum + input.bytes, 0);
  }

  /** Whether the server has answered any request. */
  get hasAnswer(): boolean {
    return this.#lineCount > 0;
  }

  /** Notes a request that is done with, and the server's words if it refused some of it. */
  add(request: PushRequest, refusal: string | undefined): void {
    this.#lineCount += request.lineCount;
    this.#lineBytes += request.lineBytes;
    if (refusal !== undefined && this.refusals.size < 5) this.refusals.add(refusal);
    const now = performance.now();
    if (!terminal.errorIsTerminal || now - this.#shownAt < 100) return;
    this.#shownAt = now;
    const share = this.#totalBytes > 0
      ? `${Math.floor(100 * this.bytesRead / this.#totalBytes)} % `
      : "";
    writeError(`\r\x1b[K${share}${this.#counts()}`);
  }

  summary(): string {
    if (terminal.errorIsTerminal) writeError("\r\x1b[K");
    return `Pushed ${this.#counts()}`;
  }

  #counts(): string {
    const seconds = Math.max(0.001, (performance.now() - this.#startedAt) / 1000);
    const megabytes = this.#lineBytes / 1e6;
    const rate = this.#lineCount / seconds;
    return `${this.#lineCount} lines, ${megabytes.toFixed(1)} MB in ${seconds.toFixed(1)} s ` +
      `(${(megabytes / seconds).toFixed(1)} MB/s, ${rate.toFixed(0)} lines/s)`;
  }
}
