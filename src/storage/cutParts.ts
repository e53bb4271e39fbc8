/** Cuts a list of byte strings into pieces of one size. Pure. */
import { joinBytes } from "../platform/joinBytes.ts";

/** The concatenation of `parts` in pieces of `size` bytes, the last one shorter; none if there are no bytes. A piece that lies
 *  within one part is a view of it. */
export function cutParts(
  parts: ReadonlyArray<Uint8Array>,
  size: number,
): ReadonlyArray<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let open: Uint8Array[] = [];
  let openBytes = 0;
  for (const part of parts) {
    for (let at = 0; at < part.byteLength;) {
      const taken = part.subarray(at, at + size - openBytes);
      at += taken.byteLength;
      open.push(taken);
      openBytes += taken.byteLength;
      if (openBytes < size) continue;
      pieces.push(joinBytes(open));
      open = [];
      openBytes = 0;
    }
  }
  if (openBytes > 0) pieces.push(joinBytes(open));
  return pieces;
}
