/** Undoes snappy's block format (github.com/google/snappy, format_description.txt). Everything the input says is checked before
 *  it is followed. Both memories have 64 readable bytes beyond their end (Kernels.reserve), and the output's may be overwritten:
 *  short copies move whole vectors. */

/** Decodes source[0..length) behind the length varint into target[0..rawLength). Returns 0, or 1 + the offset of the element that
 *  is malformed, or 1 + length if the input makes fewer than rawLength bytes. */
export function snappyDecode(source: usize, length: i32, target: usize, rawLength: i32): i32 {
  const sourceEnd = source + <usize> length;
  const targetEnd = target + <usize> rawLength;
  let at = source;
  let out = target;
  while (at < sourceEnd) {
    const element = at;
    const tag = <u32> load<u8>(at++);
    let count: usize;
    if ((tag & 3) == 0) {
      count = <usize> (tag >> 2) + 1;
      if (count > 60) {
        const lengthBytes = count - 60;
        if (sourceEnd - at < lengthBytes) return failAt(source, element);
        const mask: u32 = lengthBytes == 4 ? 0xffffffff : (1 << (<u32> lengthBytes * 8)) - 1;
        count = <usize> (load<u32>(at) & mask);
        // 2^32 - 1 + 1 does not fit.
        if (count == 0xffffffff) return failAt(source, element);
        count++;
        at += lengthBytes;
      }
      if (sourceEnd - at < count || targetEnd - out < count) return failAt(source, element);
      if (count <= 64) copyVectors(out, at, count);
      else memory.copy(out, at, count);
      at += count;
      out += count;
      continue;
    }
    let offset: usize;
    if ((tag & 3) == 1) {
      if (at >= sourceEnd) return failAt(source, element);
      count = <usize> ((tag >> 2) & 7) + 4;
      offset = (<usize> (tag >> 5) << 8) | <usize> load<u8>(at);
      at += 1;
    } else {
      const offsetBytes: usize = (tag & 3) == 2 ? 2 : 4;
      if (sourceEnd - at < offsetBytes) return failAt(source, element);
      count = <usize> (tag >> 2) + 1;
      offset = offsetBytes == 2 ? <usize> load<u16>(at) : <usize> load<u32>(at);
      at += offsetBytes;
    }
    if (offset == 0 || offset > out - target || targetEnd - out < count) {
      return failAt(source, element);
    }
    if (offset >= 16) copyVectors(out, out - offset, count);
    else copyOverlapping(out, offset, count);
    out += count;
  }
  return out == targetEnd ? 0 : length + 1;
}

function failAt(source: usize, element: usize): i32 {
  return <i32> (element - source) + 1;
}

/** Copies 16 bytes at a time, up to 15 beyond the end. Source and target are at least 16 apart. */
function copyVectors(target: usize, source: usize, count: usize): void {
  for (let at: usize = 0; at < count; at += 16) v128.store(target + at, v128.load(source + at));
}

/** Repeats the last `offset` bytes, fewer than 16. */
function copyOverlapping(target: usize, offset: usize, count: usize): void {
  const end = target + count;
  // Doubling the distance until vectors no longer overlap.
  let source = target - offset;
  while (target - source < 16 && target < end) {
    const distance = target - source;
    for (let at: usize = 0; at < distance; at++) store<u8>(target + at, load<u8>(source + at));
    target += distance;
  }
  if (target < end) copyVectors(target, source, end - target);
}
