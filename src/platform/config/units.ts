/** The scalar values of a configuration ("1h30m", "7d", "256KB", 3100, true) as Effect schemas that also
 *  take them as text, since the environment and flags have nothing else. Durations become milliseconds,
 *  sizes bytes; as in Loki, KB, MB, ... are powers of 1024. settings.ts says which key is which. */
import { Effect, Result, Schema, SchemaIssue, SchemaTransformation } from "effect";

/** What a YAML scalar, an environment variable or a flag can hold. */
export type Scalar = string | number | boolean;

const millisecondsOf = {
  ns: 1e-6,
  us: 1e-3,
  "µs": 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  y: 365 * 86_400_000,
};

/** Text such as "1h30m" or "500ms" to milliseconds; printing is exact to the microsecond. */
export const DurationMs = scalar(Schema.Number, parseDuration, formatDuration);

/** The same where zero would mean without a pause, or no time at all. */
export const PositiveDurationMs = scalar(
  Schema.Number,
  (text) =>
    Result.flatMap(
      parseDuration(text),
      (milliseconds) =>
        milliseconds > 0
          ? Result.succeed(milliseconds)
          : Result.fail(`"${text}" is no time at all: it must be more`),
    ),
  formatDuration,
);

/** Text such as "256KB", or a plain number of bytes, to bytes. */
export const ByteSize = scalar(Schema.Number, parseByteSize, formatByteSize);

/** true or false. */
export const Toggle = scalar(
  Schema.Boolean,
  (text) =>
    text === "true" || text === "false"
      ? Result.succeed(text === "true")
      : Result.fail(`"${text}" is neither true nor false`),
  (value) => value,
);

/** Any text; a number or boolean of YAML is taken as it was written. */
export const Text = scalar(Schema.String, (text) => Result.succeed(text), (value) => value);

/** A whole number from `minimum` to `maximum`. */
export function wholeNumber(
  minimum: number,
  maximum: number = Number.MAX_SAFE_INTEGER,
): Schema.Codec<number, Scalar> {
  const range = maximum === Number.MAX_SAFE_INTEGER
    ? `of at least ${minimum}`
    : `from ${minimum} to ${maximum}`;
  return scalar(
    Schema.Number,
    (text) => {
      const value = /^-?\d+$/.test(text) ? Number(text) : NaN;
      return value >= minimum && value <= maximum
        ? Result.succeed(value)
        : Result.fail(`"${text}" is not a whole number ${range}`);
    },
    (value) => value,
  );
}

/** A number that is positive, with or without a fraction. */
export const PositiveNumber = scalar(
  Schema.Number,
  (text) => {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
    return value > 0 ? Result.succeed(value) : Result.fail(`"${text}" is not a positive number`);
  },
  (value) => value,
);

/** One of the given words. */
export function oneOf<const Word extends string>(
  words: ReadonlyArray<Word>,
): Schema.Codec<Word, Scalar> {
  return scalar<Word>(
    Schema.Literals(words),
    (text) => {
      const word = words.find((candidate) => candidate === text);
      return word !== undefined
        ? Result.succeed(word)
        : Result.fail(`"${text}" is not one of ${words.join(", ")}`);
    },
    (value) => value,
  );
}

/** Milliseconds of a Go or Prometheus duration: numbers with units, largest unit first or not ("1h30m", "1.5h",
 *  "7d"). Units: ns, us, ms, s, m, h, d, w, y. "0" needs none. */
export function parseDuration(text: string): Result.Result<number, string> {
  const trimmed = text.trim();
  if (trimmed === "0") return Result.succeed(0);
  const problem = `"${text}" is not a duration: write numbers with units ` +
    `(ns, us, ms, s, m, h, d, w, y), such as 1h30m or 7d`;
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d|w|y))+$/.test(trimmed)) return Result.fail(problem);
  let milliseconds = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w|y)/g)) {
    milliseconds += Number(amount) * millisecondsOf[unit as keyof typeof millisecondsOf];
  }
  return Number.isSafeInteger(Math.round(milliseconds))
    ? Result.succeed(milliseconds)
    : Result.fail(`"${text}" is too long for a duration`);
}

/** The shortest exact text for a number of milliseconds: 5400000 is "1h30m". */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return "0s";
  let rest = milliseconds;
  let text = "";
  for (const unit of ["d", "h", "m", "s", "ms"] as const) {
    const count = Math.floor(rest / millisecondsOf[unit]);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * millisecondsOf[unit];
  }
  const microseconds = Math.round(rest * 1000);
  return microseconds > 0 ? `${text}${microseconds}us` : text;
}

/** Bytes of "1234", "256KB", "1.5 MB", "1GiB"; units to the power of 1024, in either case, the B optional. */
export function parseByteSize(text: string): Result.Result<number, string> {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?b)?\s*$/i.exec(text);
  const bytes = match === null
    ? NaN
    : Number(match[1]) * 1024 ** " kmgtp".indexOf(match[2]?.toLowerCase() || " ");
  if (Number.isNaN(bytes)) {
    return Result.fail(`"${text}" is not a size: write bytes, or a number with KB, MB, GB or TB`);
  }
  return Number.isSafeInteger(bytes)
    ? Result.succeed(bytes)
    : Result.fail(`"${text}" is not a whole number of bytes`);
}

/** The shortest exact text for a number of bytes: 1572864 is "1536KB". */
export function formatByteSize(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  let amount = bytes;
  while (amount !== 0 && amount % 1024 === 0 && unit < units.length - 1) {
    amount /= 1024;
    unit++;
  }
  return `${amount}${units[unit]}`;
}

/** A schema over parse and format; YAML gives numbers and booleans where the environment gives text. */
export function scalar<A>(
  to: Schema.Codec<A>,
  parse: (text: string) => Result.Result<A, string>,
  format: (value: A) => Scalar,
): Schema.Codec<A, Scalar> {
  return Schema.Union([Schema.String, Schema.Number, Schema.Boolean]).pipe(
    Schema.decodeTo(
      to,
      SchemaTransformation.transformEffect({
        decode: (input: Scalar, options) =>
          Effect.fromResult(
            Result.mapError(
              parse(String(input)),
              (message) => new SchemaIssue.InvalidValue({ message }, input, options),
            ),
          ),
        encode: (value: A) => Effect.succeed(format(value)),
      }),
    ),
  );
}
