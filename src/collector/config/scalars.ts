/** The values of a Promtail configuration as schemas, beyond those of platform/config: truth values
 *  as Go's YAML reads them, numbers, label sets, keys with defaults, and keys that are known but not
 *  supported. document.ts hands over every scalar as it was written. */
import { Effect, Result, Schema } from "effect";
import { type Scalar, scalar, Text } from "../../platform/config/units.ts";
import { isLabelName } from "../../streams/labels.ts";

export { ByteSize, DurationMs, Text, wholeNumber } from "../../platform/config/units.ts";

/** A key that may be left out, and what it is then, as a file would have it. */
export function withDefault<A, I>(schema: Schema.Codec<A, I>, byDefault: NoInfer<I>) {
  // By the decoded value: with an encoded default, a section's values would be looked at only when
  // no key in it is unknown, and not all mistakes would be told at once.
  const decoded = Schema.decodeSync(schema)(byDefault);
  return schema.pipe(Schema.withDecodingDefaultType(Effect.succeed(decoded)));
}

/** true or false, also as yes, no, on and off. */
export const Toggle: Schema.Codec<boolean, Scalar> = fromText(Schema.Boolean, (text) => {
  if (/^(?:true|yes|on|y)$/i.test(text)) return Result.succeed(true);
  if (/^(?:false|no|off|n)$/i.test(text)) return Result.succeed(false);
  return Result.fail(`"${text}" is neither true nor false`);
});

/** Any finite number. */
export const Float: Schema.Codec<number, Scalar> = fromText(Schema.Number, (text) => {
  const value = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : NaN;
  return Number.isFinite(value) ? Result.succeed(value) : Result.fail(`"${text}" is not a number`);
});

/** One of the words, in any case; decoded as it stands in the list. */
export function word<const Word extends string>(
  ...words: ReadonlyArray<Word>
): Schema.Codec<Word, Scalar> {
  return fromText<Word>(Schema.Literals(words), (text) => {
    const found = words.find((candidate) => candidate.toLowerCase() === text.toLowerCase());
    return found !== undefined
      ? Result.succeed(found)
      : Result.fail(`"${text}" is not one of ${words.join(", ")}`);
  });
}

const haveLabelNames = Schema.makeFilter((labels: object) => {
  const bad = Object.keys(labels).find((name) => !isLabelName(name));
  return bad === undefined ||
    `${JSON.stringify(bad)} is not a label name: letters, digits and _, no digit first`;
});

/** Label names and values. */
export const LabelMap = Schema.Record(Schema.String, Text).check(haveLabelNames);

/** Label names, each with a text or with nothing. */
export const OptionalLabelMap = Schema.Record(Schema.String, Schema.UndefinedOr(Text)).check(
  haveLabelNames,
);

/** A key that Promtail knows and the collector does not offer; `instead` says what to do. */
export function unsupported(what: string, instead: string) {
  return Schema.optional(
    Schema.Unknown.check(
      Schema.makeFilter((value) => value === undefined || `${what} is not supported; ${instead}`),
    ),
  );
}

/** A schema over text; what is printed is the value itself. */
export function fromText<A extends string | number | boolean>(
  to: Schema.Codec<A>,
  parse: (text: string) => Result.Result<A, string>,
): Schema.Codec<A, Scalar> {
  return scalar(to, parse, (value) => value);
}
