/** One setting: its schema together with its default (as a configuration file would write it) and what it is for.
 *  Both travel as annotations of the schema, so that the schema alone describes the whole configuration. */
import { Schema } from "effect";

/** `codec` for a key of a section, with the value it has when nobody sets it. */
export function setting<Value>(
  codec: Schema.Codec<Value, string | number | boolean>,
  byDefault: string | number | boolean,
  description: string,
): Schema.Codec<Value, string | number | boolean> {
  return codec.annotate({ description, [defaultKey]: byDefault });
}

/** The annotation that holds a setting's default in its written form. */
export const defaultKey = "tailrace/default";
