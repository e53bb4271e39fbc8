// Entries by content: as a number, to know a line again that was let go of, and as a bag, to leave out those already given.
// Invariant: equal entries (stream, time, line and all labels, whatever the labels' order) have equal keys; different ones
// have different keys but for one pair in 2^53.
import type { Entry, Labels } from "./row.ts";

/** 53 bits of an entry's content. */
export function entryKey(entry: Entry): number {
  let of = labelKeys.get(entry.stream);
  if (of === undefined) labelKeys.set(entry.stream, of = keyOfLabels(entry.stream));
  const sum = { ...of };
  add(sum, keyOfLabels(entry.metadata));
  add(sum, keyOfLabels(entry.parsed));
  add(sum, keyOf(entry.nanoseconds, entry.line));
  return finish(sum.low) * 2 ** 21 + (finish(sum.high) >>> 11);
}

/** Entries that were given, each as often as it was. */
export class EntryBag {
  readonly #counts = new Map<number, number>();

  add(entry: Entry): void {
    const key = entryKey(entry);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** Takes one out; false when there is none. */
  take(entry: Entry): boolean {
    const key = entryKey(entry);
    const count = this.#counts.get(key) ?? 0;
    if (count > 0) this.#counts.set(key, count - 1);
    return count > 0;
  }

  copy(): EntryBag {
    const bag = new EntryBag();
    for (const [key, count] of this.#counts) bag.#counts.set(key, count);
    return bag;
  }
}

/** Two hashes of 32 bits; their sum over several labels does not depend on the order. */
interface Hashes {
  low: number;
  high: number;
}

const labelKeys = new WeakMap<Labels, Hashes>();

function keyOfLabels(labels: Labels | undefined): Hashes {
  const sum = { low: 0, high: 0 };
  for (const name in labels) add(sum, keyOf(name, labels[name] ?? ""));
  return sum;
}

function keyOf(name: string, text: string): Hashes {
  let low = 0x811c9dc5;
  let high = name.length;
  for (const part of [name, text]) {
    for (let i = 0; i < part.length; i++) {
      const code = part.charCodeAt(i);
      low = Math.imul(low ^ code, 0x01000193);
      high = Math.imul(high + code, 0x2c1b3c6d) ^ (high >>> 15);
    }
    low = Math.imul(low ^ 0x10000, 0x01000193);
  }
  return { low: finish(low), high: finish(high) };
}

function add(sum: Hashes, hashes: Hashes): void {
  sum.low = (sum.low + hashes.low) | 0;
  sum.high = (sum.high + hashes.high) | 0;
}

/** Lets every bit change every other. */
function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
