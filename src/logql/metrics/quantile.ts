/** The quantile of a window's values, as Prometheus defines it. */

/** The φ-quantile of `count` values, of which `valueAt(k)` is the k-th smallest, from 0: between two
 *  values it is interpolated. -Inf for φ < 0, +Inf for φ > 1, NaN for no φ. */
export function quantileOf(phi: number, count: number, valueAt: (rank: number) => number): number {
  if (Number.isNaN(phi) || count === 0) return NaN;
  if (phi < 0) return -Infinity;
  if (phi > 1) return Infinity;
  const rank = phi * (count - 1);
  const lower = Math.floor(rank);
  const upper = Math.min(count - 1, lower + 1);
  const weight = rank - lower;
  // Both sides count even with weight 0, so that 0 * Inf is NaN here as it is there.
  return valueAt(lower) * (1 - weight) + valueAt(upper) * weight;
}
