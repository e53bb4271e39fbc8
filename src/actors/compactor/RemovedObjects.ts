/** Objects of segments that were replaced, until they can go: queries that had chosen them must still find them. Owns when; that
 *  nobody can need one any more is asked of the index right before. What a process leaves behind when it ends, sweepOrphans.ts
 *  finds. */
import { Effect } from "effect";
import type { Index } from "../../storage/Index.ts";
import type { ObjectStore } from "../../storage/ObjectStore.ts";

interface RemovedObject {
  readonly key: string;
  readonly bytes: number;
  readonly dueMs: number;
}

export class RemovedObjects {
  readonly #objectStore: ObjectStore["Service"];
  readonly #index: Index["Service"];
  readonly #delayMs: number;
  /** The first to go first. */
  #waiting: RemovedObject[] = [];

  constructor(objectStore: ObjectStore["Service"], index: Index["Service"], delayMs: number) {
    this.#objectStore = objectStore;
    this.#index = index;
    this.#delayMs = delayMs;
  }

  /** Bytes of objects that wait. */
  get bytes(): number {
    return this.#waiting.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  add(objects: ReadonlyArray<{ readonly key: string; readonly bytes: number }>): void {
    const dueMs = performance.now() + this.#delayMs;
    for (const { key, bytes } of objects) this.#waiting.push({ key, bytes, dueMs });
  }

  /** Removes those whose time has come. Those that fail wait for the next time; then it fails with the first one's error. */
  readonly removeDue = Effect.fnUntraced({ self: this }, function* (this: RemovedObjects) {
    const nowMs = performance.now();
    const due = this.#waiting.filter(({ dueMs }) => dueMs <= nowMs);
    const errors: Error[] = [];
    for (const object of due) {
      const error = yield* Effect.match(this.#remove(object.key), {
        onSuccess: () => undefined,
        onFailure: (error) => error,
      });
      if (error === undefined) this.#waiting = this.#waiting.filter((one) => one !== object);
      else errors.push(error);
    }
    if (errors.length === 0) return;
    const message = `${errors.length} replaced objects cannot be removed: ${errors[0]!.message}`;
    return yield* Effect.fail(new Error(message));
  });

  readonly #remove = Effect.fnUntraced(
    { self: this },
    function* (this: RemovedObjects, key: string) {
      if (yield* this.#index.discard(key)) yield* this.#objectStore.remove(key);
    },
  );
}
