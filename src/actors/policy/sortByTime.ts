/** Sorts many things by their times: digit by digit in typed arrays, since comparing bigints two and two takes ten times as long.
 *  Pure. Stable. */
import type { Direction } from "../protocol/scan.ts";

const digitBits = 16;
const digitMax = (1 << digitBits) - 1;

/** The items by their times, oldest first when reading forward, else newest first. May be left between any two steps. */
export function* sortByTime<Item>(
  items: ReadonlyArray<Item>,
  timeOf: (item: Item) => bigint,
  direction: Direction,
): Generator<void, ReadonlyArray<Item>> {
  const times = new BigInt64Array(items.length);
  for (let at = 0; at < items.length; at++) times[at] = timeOf(items[at]!);
  yield;
  const words = new Uint32Array(times.buffer);
  const flip = direction === "backward" ? 0xffffffff : 0;
  let order = new Uint32Array(items.length);
  for (let at = 0; at < items.length; at++) order[at] = at;
  let next = new Uint32Array(items.length);
  const counts = new Uint32Array(digitMax + 1);
  // The lowest digit first; the highest bit, which says less than nothing, counts the other way round.
  for (let digit = 0; digit < 4; digit++) {
    const [word, shift] = [digit >> 1, (digit & 1) * digitBits];
    const mask = digit === 3 ? flip ^ 0x80000000 : flip;
    const digitOf = (at: number) => ((words[2 * at + word]! ^ mask) >>> shift) & digitMax;
    counts.fill(0);
    for (let at = 0; at < items.length; at++) counts[digitOf(at)]!++;
    // Days share their highest digits.
    if (items.length > 0 && counts[digitOf(0)] === items.length) continue;
    let start = 0;
    for (let value = 0; value <= digitMax; value++) {
      const count = counts[value]!;
      counts[value] = start;
      start += count;
    }
    for (let at = 0; at < items.length; at++) {
      const item = order[at]!;
      next[counts[digitOf(item)]!++] = item;
    }
    [order, next] = [next, order];
    yield;
  }
  const sorted = new Array<Item>(items.length);
  for (let at = 0; at < items.length; at++) sorted[at] = items[order[at]!]!;
  return sorted;
}
