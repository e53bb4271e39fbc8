/** When each file is looked at again: often while it grows, seldom while it does not. A wheel of slots, so
 *  that a pass touches only the files that are due. And when files are looked for. Owns times; Tailer.ts and
 *  FileTargets.ts own what happens then. */

/** Until when a file that was last active at a time is looked at how often. */
const ladder: ReadonlyArray<{ readonly idleMs: number; readonly periods: number }> = [
  { idleMs: 10_000, periods: 1 },
  { idleMs: 60_000, periods: 4 },
  { idleMs: Infinity, periods: 20 },
];

/** How soon after a change of names a look at all globs follows. */
const scanPauseMs = 1_000;
/** A look for files takes at most a fifth of the time, so that reading goes on where there are very many files or
 *  others need the processor. */
const restPerWork = 4;
/** It is put off for that reason by at most so long: nothing else finds compressed files. */
const restMsMax = 10_000;

/** How long after a look at all globs that took `tookMs` the next one follows; `isWanted` if names have changed. */
export function scanPause(isWanted: boolean, syncMs: number, tookMs: number): number {
  const pauseMs = isWanted ? Math.min(scanPauseMs, syncMs) : syncMs;
  return Math.max(pauseMs, Math.min(tookMs * restPerWork, restMsMax));
}

export class Schedule<Item> {
  readonly #periodMs: number;
  readonly #onWake: () => void;
  readonly #slots = new Map<number, Set<Item>>();
  readonly #slotOf = new Map<Item, number>();
  /** All slots before this one have been taken. */
  #nextSlot = 0;

  /** `periodMs`: how often a growing file is looked at. `onWake` is told that something is due before its time. */
  constructor(periodMs: number, onWake: () => void = () => {}) {
    this.#periodMs = periodMs;
    this.#onWake = onWake;
  }

  /** Sets when `item` is due, given how long it has been idle. */
  plan(item: Item, nowMs: number, idleMs: number): void {
    const { periods } = ladder.find((step) => idleMs < step.idleMs)!;
    this.#put(item, Math.floor(nowMs / this.#periodMs) + periods);
  }

  /** Makes `item` due at the next pass. */
  wake(item: Item): void {
    if (!this.#slotOf.has(item)) return;
    this.#put(item, this.#nextSlot - 1);
    this.#onWake();
  }

  remove(item: Item): void {
    const slot = this.#slotOf.get(item);
    if (slot === undefined) return;
    this.#slotOf.delete(item);
    const items = this.#slots.get(slot)!;
    items.delete(item);
    if (items.size === 0) this.#slots.delete(slot);
  }

  /** Takes out the items that are due; each has to be planned again. */
  due(nowMs: number): ReadonlyArray<Item> {
    const last = Math.floor(nowMs / this.#periodMs);
    const items: Item[] = [];
    // Where the clock was set back, what was planned before would wait until it has caught up.
    const isSetBack = last + 1 < this.#nextSlot;
    // After a pause the slots are fewer than the periods gone by.
    for (const slot of [...this.#slots.keys()].filter((slot) => isSetBack || slot <= last)) {
      for (const item of this.#slots.get(slot)!) {
        items.push(item);
        this.#slotOf.delete(item);
      }
      this.#slots.delete(slot);
    }
    this.#nextSlot = last + 1;
    return items;
  }

  #put(item: Item, slot: number): void {
    this.remove(item);
    const items = this.#slots.get(slot);
    if (items === undefined) this.#slots.set(slot, new Set([item]));
    else items.add(item);
    this.#slotOf.set(item, slot);
  }
}
