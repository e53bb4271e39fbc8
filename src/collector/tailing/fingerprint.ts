/** Tells file contents apart by a hash of a few of their bytes: the first ones, and those before the place
 *  that has been read up to. An inode can be used again and a name always is; these bytes, which hold times
 *  as a rule, are not. */

/** How many of the first bytes identify a file, once it has as many. */
export const headBytesMax = 1024;
/** How many bytes before the place read up to are looked at again with each read. */
export const checkBytesMax = 64;

/** A 53-bit hash of bytes[start..end): two rounds of multiply and mix, as in MurmurHash3. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let high = 0xdeadbeef ^ (end - start);
  let low = 0x41c6ce57 ^ (end - start);
  for (let index = start; index < end; index++) {
    high = Math.imul(high ^ bytes[index]!, 0x85ebca77);
    low = Math.imul(low ^ bytes[index]!, 0xc2b2ae3d);
    high ^= high >>> 15;
    low ^= low >>> 13;
  }
  high = Math.imul(high ^ (high >>> 16), 0x85ebca77) ^ Math.imul(low ^ (low >>> 15), 0xc2b2ae3d);
  low = Math.imul(low ^ (low >>> 16), 0x85ebca77) ^ Math.imul(high ^ (high >>> 15), 0xc2b2ae3d);
  return (high & 0x1fffff) * 0x1_0000_0000 + (low >>> 0);
}

/** Whether a file of which `head` are the first bytes begins with what was read; false if nothing was. */
export function beginsAs(
  { headBytes, headHash }: { readonly headBytes: number; readonly headHash: number },
  head: Uint8Array,
): boolean {
  return headBytes > 0 && headBytes <= head.byteLength &&
    hashBytes(head, 0, headBytes) === headHash;
}
