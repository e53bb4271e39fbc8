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

  /** Removes those whose time has come; how many. One that fails is tried again the next time. */
  readonly removeDue = Effect.fnUntraced({ self: this }, function* (this: RemovedObjects) {
    let removed = 0;
    while (this.#waiting[0] !== undefined && this.#waiting[0].dueMs <= performance.now()) {
      const { key } = this.#waiting[0];
      if (yield* this.#index.discard(key)) {
        yield* this.#objectStore.remove(key);
        removed++;
      }
      this.#waiting = this.#waiting.slice(1);
    }
    return removed;
  });
}
