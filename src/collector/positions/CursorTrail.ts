/** Which cursor a source goes on from: that of the last entry, or while stages hold entries back, that of the last one before
 *  them. Owns the cursors since then, which are few: an entry that is held for long makes it forget every other one,
 *  at the price of reading a little again.
 *  Invariant: a cursor given out is never behind an entry that is held. */
import type { CursorPosition } from "./position.ts";

const marksMax = 4096;

export class CursorTrail {
  readonly id: string;
  /** Number of an entry and its cursor, in order. */
  #marks: Array<readonly [number: number, cursor: string]>;
  #next = 1;

  /** `cursor`: where the source was, if it was read before. */
  constructor(id: string, cursor: string | undefined) {
    this.id = id;
    this.#marks = cursor === undefined ? [] : [[0, cursor]];
  }

  /** The cursor of the last entry. */
  get last(): string | undefined {
    return this.#marks.at(-1)?.[1];
  }

  /** The number of the entry that comes next: its offset in this origin. */
  get next(): number {
    return this.#next;
  }

  /** Notes an entry that has been handed over. */
  add(cursor: string): void {
    if (this.#marks.length >= marksMax) {
      this.#marks = this.#marks.filter((_, index) => index % 2 === 0);
    }
    this.#marks.push([this.#next++, cursor]);
  }

  /** There is nothing to go on from: the cursor has no meaning any more. */
  forget(): void {
    this.#marks = [];
  }

  readonly positionBefore = (
    [heldFrom = Infinity]: ReadonlyArray<number> = [],
  ): CursorPosition | undefined => {
    const { id } = this;
    // What lies before the last mark that counts is not asked for any more.
    const first = this.#marks.findLastIndex(([number]) => number < heldFrom);
    if (first > 0) this.#marks.splice(0, first);
    const mark = this.#marks[0];
    if (mark === undefined || mark[0] >= heldFrom) return undefined;
    return { id, cursor: mark[1] };
  };
}
