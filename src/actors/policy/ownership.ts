/** Decides which ingester should own which partition. Pure: with the same members every process
 *  comes to the same answer. What it proposes takes effect only by a lease, and is safe only by
 *  the index's claims. */

/** An owner for each of `partitionCount` partitions, by rendezvous hashing: each partition takes
 *  its best member that does not have its share already. A member more or less moves few
 *  partitions. Empty if there are no members. */
export function proposeOwners(
  partitionCount: number,
  members: ReadonlyArray<string>,
): ReadonlyMap<number, string> {
  const owners = new Map<number, string>();
  const load = new Map(members.map((member) => [member, 0]));
  const share = Math.ceil(partitionCount / members.length);
  for (let partition = 0; partition < partitionCount; partition++) {
    let [best, bestWeight] = ["", -1];
    for (const [member, count] of load) {
      const weight = weightOf(member, partition);
      if (count < share && (weight > bestWeight || (weight === bestWeight && member < best))) {
        [best, bestWeight] = [member, weight];
      }
    }
    if (bestWeight < 0) continue;
    owners.set(partition, best);
    load.set(best, load.get(best)! + 1);
  }
  return owners;
}

/** The member with the highest weight for `key`; undefined if there are none. */
export function bestMember(members: ReadonlyArray<string>, key: string): string | undefined {
  let [best, bestWeight]: [string | undefined, number] = [undefined, -1];
  for (const member of members) {
    const weight = weightOf(member, key);
    if (weight > bestWeight || (weight === bestWeight && member < best!)) {
      [best, bestWeight] = [member, weight];
    }
  }
  return best;
}

/** FNV-1a with a final mix: the last bytes must change all bits. */
function weightOf(member: string, thing: string | number): number {
  let hash = 0x811c9dc5;
  const text = `${member}/${thing}`;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
