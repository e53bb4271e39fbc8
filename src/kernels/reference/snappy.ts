/** Snappy's block format undone byte by byte, by the rules of assembly/snappy.ts. Tests hold the kernel to it. */

/** What `bytes`, elements without the length in front, decode to; undefined if they do not make exactly `rawLength` bytes. */
export function snappyDecode(bytes: Uint8Array, rawLength: number): Uint8Array | undefined {
  const out: number[] = [];
  const number = (at: number, count: number) => {
    let value = 0;
    for (let index = 0; index < count; index++) value += bytes[at + index]! * 2 ** (8 * index);
    return value;
  };
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at++]!;
    const kind = tag & 3;
    let count = (tag >> 2) + 1;
    if (kind === 0) {
      if (count > 60) {
        const lengthBytes = count - 60;
        if (at + lengthBytes > bytes.length) return undefined;
        count = number(at, lengthBytes) + 1;
        at += lengthBytes;
      }
      if (at + count > bytes.length || out.length + count > rawLength) return undefined;
      for (let index = 0; index < count; index++) out.push(bytes[at + index]!);
      at += count;
      continue;
    }
    const offsetBytes = kind === 1 ? 1 : kind === 2 ? 2 : 4;
    if (at + offsetBytes > bytes.length) return undefined;
    let offset = number(at, offsetBytes);
    if (kind === 1) {
      count = ((tag >> 2) & 7) + 4;
      offset += (tag >> 5) << 8;
    }
    at += offsetBytes;
    if (offset === 0 || offset > out.length || out.length + count > rawLength) return undefined;
    for (let index = 0; index < count; index++) out.push(out[out.length - offset]!);
  }
  return out.length === rawLength ? Uint8Array.from(out) : undefined;
}
