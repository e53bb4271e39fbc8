/** Rules that were given to the API, and what their evaluations have come to: small durable records by key. A key is parts of
 *  [A-Za-z0-9_=-] with dots between. Contract suite: RuleStore.contract.ts. */
import { Context, type Effect, Schema } from "effect";

export class RuleStoreError extends Schema.TaggedError<RuleStoreError>()("RuleStoreError", {
  message: Schema.String,
}) {}

export interface StoredRecord {
  readonly key: string;
  readonly value: Uint8Array;
  /** Another one after each write of the key; never 0. */
  readonly revision: number;
}

export class RuleStore extends Context.Service<RuleStore, {
  /** Records whose key begins with `prefix`, by key. In a cluster what other processes wrote may be missing for a moment. */
  readonly list: (prefix: string) => Effect.Effect<ReadonlyArray<StoredRecord>, RuleStoreError>;
  /** Writes whatever is there; durable on return. The result is the revision. */
  readonly put: (key: string, value: Uint8Array) => Effect.Effect<number, RuleStoreError>;
  /** Writes if the record's revision is `revision`, 0 for no record; undefined if it is not. */
  readonly replace: (
    key: string,
    value: Uint8Array,
    revision: number,
  ) => Effect.Effect<number | undefined, RuleStoreError>;
  /** Whether there was one. */
  readonly remove: (key: string) => Effect.Effect<boolean, RuleStoreError>;
}>()("tailrace/storage/RuleStore") {}

/** One part of a key: what a key cannot hold is "=" and two hex digits for each byte. */
export function keyPart(text: string): string {
  if (text === "") return "=";
  return text.replace(
    /[^A-Za-z0-9_-]/gu,
    (character) =>
      Array.from(
        new TextEncoder().encode(character),
        (byte) => `=${byte.toString(16).padStart(2, "0")}`,
      ).join(""),
  );
}

/** Undoes keyPart. */
export function partText(part: string): string {
  if (part === "=") return "";
  const bytes: number[] = [];
  for (let at = 0; at < part.length; at++) {
    if (part[at] !== "=") bytes.push(part.charCodeAt(at));
    else {
      bytes.push(Number.parseInt(part.slice(at + 1, at + 3), 16));
      at += 2;
    }
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}
