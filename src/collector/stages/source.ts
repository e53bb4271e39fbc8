/** The key `source` that many stages have: which extracted value they work on, or the line. */
import { Schema } from "effect";
import { Text } from "../config/scalars.ts";
import type { StageEntry } from "./entry.ts";

const notEmpty = Schema.makeFilter((name: string) => name !== "" || "must not be empty");

/** A name that must be given. */
export const Name = Text.check(notEmpty);

/** A source that may be left out: then it is the line. */
export const OptionalSource = Schema.optional(Name);

/** The text a stage works on; undefined if its source was not extracted or is null. */
export function sourceText(entry: StageEntry, source: string | undefined): string | undefined {
  return source === undefined ? entry.text : entry.extracted.text(source);
}
