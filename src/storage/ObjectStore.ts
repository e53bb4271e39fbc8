/** The object store: immutable named byte strings, which is what segments are. Keys are slash-separated path segments of
 *  [A-Za-z0-9._=-], at most 200 characters each, never "." or ".."; at most 1000 in all. Contract suite: ObjectStore.contract.ts. */
import { Context, type Effect, Schema } from "effect";
import { isObjectKey } from "./objectKey.ts";

export class ObjectStoreError extends Schema.TaggedError<ObjectStoreError>()("ObjectStoreError", {
  reason: Schema.Literals(["NotFound", "Exists", "BadKey", "BadRange", "Full", "Io"]),
  key: Schema.String,
  message: Schema.String,
}) {}

export interface ObjectInfo {
  readonly key: string;
  readonly bytes: number;
}

export class ObjectStore extends Context.Service<ObjectStore, {
  /** Stores the concatenation of `parts` under `key`, all or nothing, durable on return. A key is written once: a second put
   *  of the same length and content succeeds (a retry), another content fails with Exists. */
  readonly put: (
    key: string,
    parts: ReadonlyArray<Uint8Array>,
  ) => Effect.Effect<void, ObjectStoreError>;
  readonly get: (key: string) => Effect.Effect<Uint8Array, ObjectStoreError>;
  /** Exactly `length` bytes from `offset`; BadRange if the object does not have them. */
  readonly getRange: (
    key: string,
    offset: number,
    length: number,
  ) => Effect.Effect<Uint8Array, ObjectStoreError>;
  /** Objects whose key starts with `prefix`, by key. */
  readonly list: (prefix: string) => Effect.Effect<ReadonlyArray<ObjectInfo>, ObjectStoreError>;
  /** Deleting what is not there succeeds. */
  readonly remove: (key: string) => Effect.Effect<void, ObjectStoreError>;
}>()("tailrace/storage/ObjectStore") {}

/** What is wrong with a key, if anything. */
export function keyProblem(key: string): ObjectStoreError | undefined {
  if (isObjectKey(key)) return undefined;
  return new ObjectStoreError({
    reason: "BadKey",
    key,
    message: `"${key}" is not an object key: parts of A-Z a-z 0-9 . _ = - with "/" between them`,
  });
}
