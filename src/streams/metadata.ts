/** Structured metadata sets: the label pairs that a single row may carry. A set is pairs sorted by
 *  name, each: u16 name length, u32 value length, name, value (UTF-8, little-endian). Equal sets
 *  have equal bytes, so rows compare sets by bytes alone. push decoding (src/kernels/push.ts)
 *  writes the same form. */

/** Metadata of one row, sorted by name. */
export type Metadata = ReadonlyArray<readonly [name: string, value: string]>;

/** The bytes of a set. Sorts by the UTF-8 bytes of the names. Throws a RangeError for a name over
 *  65,535 bytes. */
export function encodeMetadata(pairs: Metadata): Uint8Array<ArrayBuffer> {
  const encoded = pairs.map(([name, value]) =>
    [encoder.encode(name), encoder.encode(value)] as const
  )
    .sort((a, b) => compareBytes(a[0], b[0]));
  let byteCount = 0;
  for (const [name, value] of encoded) byteCount += 6 + name.length + value.length;
  const bytes = new Uint8Array(byteCount);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [name, value] of encoded) {
    if (name.length > 0xffff) {
      throw new RangeError(`Metadata name of ${name.length} bytes: at most 65535 are possible`);
    }
    view.setUint16(at, name.length, true);
    view.setUint32(at + 2, value.length, true);
    bytes.set(name, at + 6);
    bytes.set(value, at + 6 + name.length);
    at += 6 + name.length + value.length;
  }
  return bytes;
}

/** The pairs of the set at meta[start..end). Expects a well-formed set. */
export function decodeMetadata(meta: Uint8Array, start: number, end: number): Metadata {
  const pairs: Array<readonly [string, string]> = [];
  for (let at = start; at < end;) {
    const nameEnd = at + 6 + u16(meta, at);
    const valueEnd = nameEnd + u32(meta, at + 2);
    pairs.push([
      decoder.decode(meta.subarray(at + 6, nameEnd)),
      decoder.decode(meta.subarray(nameEnd, valueEnd)),
    ]);
    at = valueEnd;
  }
  return pairs;
}

/** The index of the first set whose pairs do not fill its bytes exactly, or -1 if all are
 *  well-formed. */
export function findBadSet(setEnds: Uint32Array, meta: Uint8Array): number {
  let at = 0;
  for (let set = 0; set < setEnds.length; set++) {
    const end = setEnds[set]!;
    while (at < end) {
      if (end - at < 6) return set;
      at += 6 + u16(meta, at) + u32(meta, at + 2);
    }
    if (at !== end) return set;
  }
  return -1;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

function u32(bytes: Uint8Array, at: number): number {
  return (u16(bytes, at) | (u16(bytes, at + 2) << 16)) >>> 0;
}

/** Orders byte strings as memcmp does, the shorter first among equals. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    if (a[index] !== b[index]) return a[index]! - b[index]!;
  }
  return a.length - b.length;
}
