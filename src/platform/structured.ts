/** Structured clones as bytes: what can be sent between threads (typed arrays, bigints, maps; no
 *  shared memory) to be sent between processes of the same program. */
import { deserialize, serialize } from "node:v8";

export function encodeStructured(value: unknown): Uint8Array {
  return serialize(value);
}

/** Only for bytes of a peer that is trusted as much as this process. Throws on bytes that are none. */
export function decodeStructured(bytes: Uint8Array): unknown {
  // A copy: the runtime wants a buffer of its own kind, and results keep views of it.
  return deserialize(Buffer.from(bytes));
}
