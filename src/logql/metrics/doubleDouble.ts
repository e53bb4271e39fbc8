/** Sums in twice the precision of a number: a pair high + low, where low holds what rounding took from
 *  high. A sum so kept does not depend, in any digit that is shown, on the order in which values were
 *  added, and so not on how rows were spread over chunks and threads.
 *
 *  Source: D. E. Knuth, The Art of Computer Programming, vol. 2, 4.2.2 (the error of one addition). */

/** What rounding took from `sum`, which is a + b as numbers add. */
export function additionError(a: number, b: number, sum: number): number {
  const ofB = sum - a;
  return (a - (sum - ofB)) + (b - ofB);
}

/** The number that high + low is nearest to. With an infinity or NaN in it, high alone is right. */
export function rounded(high: number, low: number): number {
  return Number.isFinite(low) ? high + low : high;
}
