/** xxHash with 32 bits and the seed 0 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md), which LZ4's frames are
 *  checked with. */

const primes = [0, 0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1] as const;

/** The hash as an unsigned number. */
export function xxHash32(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let hash: number = primes[5];
  if (bytes.length >= 16) {
    let [a, b, c, d] = [(primes[1] + primes[2]) | 0, primes[2] | 0, 0, -primes[1] | 0];
    for (; at + 16 <= bytes.length; at += 16) {
      a = round(a, view.getInt32(at, true));
      b = round(b, view.getInt32(at + 4, true));
      c = round(c, view.getInt32(at + 8, true));
      d = round(d, view.getInt32(at + 12, true));
    }
    hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
  }
  hash = (hash + bytes.length) | 0;
  for (; at + 4 <= bytes.length; at += 4) {
    hash = Math.imul(rotate(hash + Math.imul(view.getInt32(at, true), primes[3]), 17), primes[4]);
  }
  for (; at < bytes.length; at++) {
    hash = Math.imul(rotate(hash + Math.imul(bytes[at]!, primes[5]), 11), primes[1]);
  }
  hash = Math.imul(hash ^ hash >>> 15, primes[2]);
  hash = Math.imul(hash ^ hash >>> 13, primes[3]);
  return (hash ^ hash >>> 16) >>> 0;
}

function round(lane: number, word: number): number {
  return Math.imul(rotate(lane + Math.imul(word, primes[2]), 13), primes[1]);
}

function rotate(value: number, bits: number): number {
  return value << bits | value >>> (32 - bits);
}
