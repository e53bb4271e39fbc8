/** Settings whose value is a list or a map: a file has them as YAML, the environment and flags as one text, in YAML or JSON.
 *  Owns the way between text and value; each such setting's own file says what it may hold. */
import { Result, Schema } from "effect";
import { parse } from "yaml";
import { type Scalar, scalar } from "./units.ts";

/** The annotation of settings that a file may write as a list or a map. */
export const structuredKey = "tailrace/structured";

/** `read` takes what the YAML says; its failure says what is wrong. `write` is its inverse. */
export function structured<Value>(
  to: Schema.Codec<Value>,
  read: (value: unknown) => Result.Result<Value, string>,
  write: (value: Value) => unknown = (value) => value,
): Schema.Codec<Value, Scalar> {
  const parseText = (text: string) => {
    let value: unknown;
    try {
      value = parse(text);
    } catch (error) {
      return Result.fail(`is not YAML: ${error instanceof Error ? error.message : error}`);
    }
    return read(value);
  };
  return scalar(to, parseText, (value) => JSON.stringify(write(value)))
    .annotate({ [structuredKey]: true });
}

/** The members of a map of which only some may be there; a text says what is wrong. */
export function membersOf<Key extends string>(
  value: unknown,
  known: ReadonlyArray<Key>,
): Partial<Record<Key, unknown>> | string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "is not a map";
  const unknown = Object.keys(value).find((key) => !known.some((name) => name === key));
  if (unknown === undefined) return value as Partial<Record<Key, unknown>>;
  return `has the key "${unknown}": ${known.slice(0, -1).join(", ")} and ${known.at(-1)} are known`;
}
