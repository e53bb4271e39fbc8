/** The object store: immutable named byte strings, which is what segments are. Keys are slash-separated path segments of
 *  [A-Za-z0-9._=-], at most 200 characters each, never "." or ".."; at most 1000 in all. Contract suite: ObjectStore.contract.ts. */
import { Context, Effect, Schema } from "effect";
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
  /** Exactly `length` bytes from `offset`; BadRange if the object does not have them. Interrupted, it reads no further. */
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

export function notFound(key: string): ObjectStoreError {
  return new ObjectStoreError({
    reason: "NotFound",
    key,
    message: `There is no object "${key}"`,
  });
}

/** What an object store does, with promises, for keys that are ones. */
export interface PromisedObjects {
  readonly put: (key: string, parts: ReadonlyArray<Uint8Array>) => Promise<void>;
  readonly get: (key: string) => Promise<Uint8Array>;
  readonly getRange: (
    key: string,
    offset: number,
    length: number,
    signal: AbortSignal,
  ) => Promise<Uint8Array>;
  readonly list: (prefix: string) => Promise<ReadonlyArray<ObjectInfo>>;
  readonly remove: (key: string) => Promise<void>;
}

/** The port over `objects`; `failureOf` tells what was thrown in the port's words. */
export function objectStoreOf(
  objects: PromisedObjects,
  failureOf: (key: string, error: unknown) => ObjectStoreError,
): ObjectStore["Service"] {
  const attempt = <Result>(key: string, work: (signal: AbortSignal) => Promise<Result>) =>
    attemptObject(key, work, failureOf);
  const withKey = <Result>(key: string, work: (signal: AbortSignal) => Promise<Result>) =>
    Effect.suspend(() => {
      const problem = keyProblem(key);
      return problem === undefined ? attempt(key, work) : Effect.fail(problem);
    });
  return ObjectStore.of({
    put: (key, parts) => withKey(key, () => objects.put(key, parts)),
    get: (key) => withKey(key, () => objects.get(key)),
    getRange: (key, offset, length) =>
      withKey(key, (signal) => objects.getRange(key, offset, length, signal)),
    list: (prefix) => attempt(prefix, () => objects.list(prefix)),
    remove: (key) => withKey(key, () => objects.remove(key)),
  });
}

/** Runs `work`, which is about `key`, with what it throws in the port's words. */
export function attemptObject<Result>(
  key: string,
  work: (signal: AbortSignal) => Promise<Result>,
  failureOf: (key: string, error: unknown) => ObjectStoreError,
): Effect.Effect<Result, ObjectStoreError> {
  return Effect.tryPromise({
    try: work,
    catch: (error) => error instanceof ObjectStoreError ? error : failureOf(key, error),
  });
}
