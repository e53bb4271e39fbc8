/** Byte strings that follow each other, as one. */
import { copyBytes } from "./copyBytes.ts";

/** The concatenation of `parts` in plain memory, which sockets and decoders take: the only part
 *  itself if there is one that is in plain memory, a copy otherwise. */
export function joinBytes(parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined && isPlain(only)) return only;
  const joined = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    copyBytes(part, 0, part.byteLength, joined, at);
    at += part.byteLength;
  }
  return joined;
}

function isPlain(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return !(bytes.buffer instanceof SharedArrayBuffer);
}
