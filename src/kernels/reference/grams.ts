/** The bitmap of grams as docs/formats.md describes it, from a set of texts. Tests hold
 *  assembly/grams.ts to it. */
import { latin1 } from "./level.ts";

/** The bitmap of a block's lines, which lie one after the other. */
export function gramBitmap(lines: Uint8Array): Uint8Array {
  const text = latin1(lines).replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const hashes = new Set<number>();
  for (let at = 0; at + 4 <= text.length; at++) {
    let gram = 0;
    for (let byte = 3; byte >= 0; byte--) gram = gram * 256 + text.charCodeAt(at + byte);
    hashes.add(Number((BigInt(gram) * 0x9e3779b1n & 0xffffffffn) >> 16n));
  }
  let bits = Math.min(65536, Math.max(64, 2 ** Math.ceil(Math.log2(4 * lines.length))));
  const ones = (count: number) => new Set([...hashes].map((hash) => hash % count));
  while (bits > 64 && ones(bits / 2).size <= 0.8 * (bits / 2)) bits /= 2;
  const bitmap = new Uint8Array(bits / 8);
  for (const bit of ones(bits)) bitmap[bit >> 3]! |= 1 << (bit & 7);
  return bitmap;
}
