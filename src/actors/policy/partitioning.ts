/** Decides which partition a stream belongs to. Pure, and the same in every process: changing it moves streams. */
import { streamFingerprint } from "../../streams/fingerprint.ts";

/** Partition of a tenant's stream: 0 <= result < partitionCount. Jump consistent hashing (Lamping, Veach 2014), so that a
 *  changed count moves only the streams it must. */
export function partitionOf(tenant: string, labels: string, partitionCount: number): number {
  if (partitionCount === 1) return 0;
  let key = streamFingerprint(tenant, labels);
  let [chosen, next] = [-1, 0];
  while (next < partitionCount) {
    chosen = next;
    key = BigInt.asUintN(64, key * 2862933555777941757n + 1n);
    next = Math.floor((chosen + 1) * (2 ** 31 / Number((key >> 33n) + 1n)));
  }
  return chosen;
}
