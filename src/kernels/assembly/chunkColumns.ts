/** Packs the integer columns of chunks and unpacks them. docs/formats.md ("Packed columns") has the
 *  bytes; ../chunkColumns.ts lays out the memory; chunkRows.ts brings rows into order first.
 *  Everything that reads stored bytes checks its bounds and returns 0 for bytes that no packer
 *  wrote; nothing reads more than 8 bytes past what it was given. */
// ---- Groups of up to 128 integers: base, width, packed low bits, exceptions. ----

const GROUP_ROWS: i32 = 128;
const groupValues = memory.data(128 * 8, 64);
const groupDifferences = memory.data(128 * 8, 64);
const bitLengths = memory.data(65 * 4, 64);

/** What bestWidth found, besides the cost it returns. */
let bestBase: u64 = 0;
let bestWidthBits: i32 = 0;
let bestExceptions: i32 = 0;

function varintBytes(value: u64): i32 {
  return value == 0 ? 1 : (70 - <i32> clz<u64>(value)) / 7;
}

function storeVarint(out: usize, value: u64): usize {
  while (value >= 128) {
    store<u8>(out++, <u8> value | 128);
    value >>>= 7;
  }
  store<u8>(out++, <u8> value);
  return out;
}

/** The least bytes that a group of these values takes after its two-byte head; ties go to the
 *  larger width. */
function bestWidth(values: usize, count: i32): i32 {
  let least: u64 = load<u64>(values);
  let greatest = least;
  for (let index = 1; index < count; index++) {
    const value = load<u64>(values + (<usize> index << 3));
    least = min<u64>(least, value);
    greatest = max<u64>(greatest, value);
  }
  bestBase = least;
  bestWidthBits = 0;
  bestExceptions = 0;
  const baseBytes = varintBytes(least);
  if (least == greatest) return baseBytes;
  memory.fill(bitLengths, 0, 65 * 4);
  for (let index = 0; index < count; index++) {
    const slot = bitLengths +
      (<usize> (64 - clz<u64>(load<u64>(values + (<usize> index << 3)) - least)) << 2);
    store<u32>(slot, load<u32>(slot) + 1);
  }
  const widest = 64 - <i32> clz<u64>(greatest - least);
  let bestBytes = i32.MAX_VALUE;
  for (let width = widest; width >= 0; width--) {
    let bytes = (count * width + 7) >> 3;
    if (bytes >= bestBytes) continue;
    let exceptions = 0;
    for (let bits = width + 1; bits <= widest; bits++) {
      const there = <i32> load<u32>(bitLengths + (<usize> bits << 2));
      exceptions += there;
      bytes += there * (1 + (bits - width + 6) / 7);
    }
    if (bytes >= bestBytes) continue;
    bestBytes = bytes;
    bestWidthBits = width;
    bestExceptions = exceptions;
  }
  return baseBytes + bestBytes;
}

/** Writes one group and returns the address after it. `previous` is the value before the group, 0
 *  at the start. */
function packGroup(values: usize, count: i32, previous: u64, out: usize): usize {
  for (let index = 0; index < count; index++) {
    const value = load<u64>(values + (<usize> index << 3));
    const difference = <i64> (value - previous);
    store<u64>(
      groupDifferences + (<usize> index << 3),
      <u64> ((difference << 1) ^ (difference >> 63)),
    );
    previous = value;
  }
  const differenceBytes = bestWidth(groupDifferences, count);
  let base = bestBase;
  let width = bestWidthBits;
  let exceptions = bestExceptions;
  let kind: u8 = 128;
  let source = groupDifferences;
  if (bestWidth(values, count) <= differenceBytes) {
    base = bestBase;
    width = bestWidthBits;
    exceptions = bestExceptions;
    kind = 0;
    source = values;
  }
  store<u8>(out, kind | <u8> width);
  store<u8>(out, <u8> exceptions, 1);
  out = storeVarint(out + 2, base);
  out = packBits(source, count, base, width, out);
  return exceptions == 0 ? out : packExceptions(source, count, base, width, out);
}

function packBits(values: usize, count: i32, base: u64, width: i32, out: usize): usize {
  if (width == 0) return out;
  const end = out + <usize> ((count * width + 7) >> 3);
  const mask: u64 = width == 64 ? <u64> -1 : ((<u64> 1) << width) - 1;
  let word: u64 = 0;
  let filled: i32 = 0;
  for (let index = 0; index < count; index++) {
    const value = (load<u64>(values + (<usize> index << 3)) - base) & mask;
    word |= value << filled;
    filled += width;
    if (filled >= 64) {
      store<u64>(out, word);
      out += 8;
      filled -= 64;
      word = filled == 0 ? 0 : value >>> (width - filled);
    }
  }
  // May write up to 8 bytes past the end; whoever reserved the output left room for that.
  store<u64>(out, word);
  return end;
}

function packExceptions(values: usize, count: i32, base: u64, width: i32, out: usize): usize {
  for (let index = 0; index < count; index++) {
    const high = (load<u64>(values + (<usize> index << 3)) - base) >>> width;
    if (high == 0) continue;
    store<u8>(out, <u8> index);
    out = storeVarint(out + 1, high);
  }
  return out;
}

/** Where the next unread byte is, and where the bytes end. */
let cursor: usize = 0;
let cursorEnd: usize = 0;
let corrupt: bool = false;

function loadVarint(): u64 {
  let value: u64 = 0;
  for (let shift = 0; shift < 64; shift += 7) {
    if (cursor >= cursorEnd) break;
    const byte = <u64> load<u8>(cursor++);
    value |= (byte & 127) << shift;
    if (byte < 128) {
      if (shift == 63 && byte > 1) break;
      return value;
    }
  }
  corrupt = true;
  return 0;
}

/** Reads one group at the cursor into groupValues. */
function unpackGroup(count: i32, previous: u64): void {
  if (cursorEnd - cursor < 2) {
    corrupt = true;
    return;
  }
  const head = load<u8>(cursor);
  const exceptions = <i32> load<u8>(cursor, 1);
  cursor += 2;
  const width = <i32> (head & 127);
  const base = loadVarint();
  const packedBytes = <usize> ((count * width + 7) >> 3);
  if (corrupt || width > 64 || exceptions > count || cursorEnd - cursor < packedBytes) {
    corrupt = true;
    return;
  }
  unpackBits(count, base, width);
  cursor += packedBytes;
  for (let done = 0; done < exceptions; done++) {
    if (cursor >= cursorEnd || width == 64) {
      corrupt = true;
      return;
    }
    const index = <i32> load<u8>(cursor++);
    const high = loadVarint();
    if (corrupt || index >= count) {
      corrupt = true;
      return;
    }
    const slot = groupValues + (<usize> index << 3);
    store<u64>(slot, load<u64>(slot) + (high << width));
  }
  if ((head & 128) == 0) return;
  for (let index = 0; index < count; index++) {
    const slot = groupValues + (<usize> index << 3);
    const coded = load<u64>(slot);
    previous += (coded >>> 1) ^ (0 - (coded & 1));
    store<u64>(slot, previous);
  }
}

function unpackBits(count: i32, base: u64, width: i32): void {
  if (width == 0) {
    for (let index = 0; index < count; index++) {
      store<u64>(groupValues + (<usize> index << 3), base);
    }
    return;
  }
  const mask: u64 = width == 64 ? <u64> -1 : ((<u64> 1) << width) - 1;
  let bit: usize = 0;
  if (width <= 57) {
    for (let index = 0; index < count; index++) {
      const word = load<u64>(cursor + (bit >>> 3)) >>> (bit & 7);
      store<u64>(groupValues + (<usize> index << 3), base + (word & mask));
      bit += width;
    }
    return;
  }
  for (let index = 0; index < count; index++) {
    const at = cursor + (bit >>> 3);
    const shift = <u64> (bit & 7);
    let word = load<u64>(at) >>> shift;
    if (shift != 0) word |= <u64> load<u8>(at, 8) << (64 - shift);
    store<u64>(groupValues + (<usize> index << 3), base + (word & mask));
    bit += width;
  }
}

function beginUnpack(pointer: usize, length: i32): void {
  cursor = pointer;
  cursorEnd = pointer + <usize> length;
  corrupt = false;
}

// ---- Columns. ----

/** Packs ascending times as multiples of `unit` from one to the next; the first counts as 0.
 *  Returns the bytes written. */
export function packTimes(times: usize, count: i32, unit: u64, out: usize): i32 {
  const start = out;
  let previousTime = load<u64>(times);
  let previous: u64 = 0;
  for (let row = 0; row < count;) {
    const rows = min(GROUP_ROWS, count - row);
    for (let index = 0; index < rows; index++, row++) {
      const time = load<u64>(times + (<usize> row << 3));
      let delta = time - previousTime;
      if (unit != 1) delta /= unit;
      store<u64>(groupValues + (<usize> index << 3), delta);
      previousTime = time;
    }
    out = packGroup(groupValues, rows, previous, out);
    previous = load<u64>(groupValues + (<usize> (rows - 1) << 3));
  }
  return <i32> (out - start);
}

/** Undoes packTimes; `first` is the first time. Returns 1, or 0 if the bytes are not `count`
 *  ascending times. */
export function unpackTimes(
  packed: usize,
  length: i32,
  count: i32,
  first: i64,
  unit: u64,
  times: usize,
): i32 {
  beginUnpack(packed, length);
  let time = first;
  let previous: u64 = 0;
  for (let row = 0; row < count;) {
    const rows = min(GROUP_ROWS, count - row);
    unpackGroup(rows, previous);
    if (corrupt) return 0;
    let wrapped: bool = false;
    for (let index = 0; index < rows; index++, row++) {
      const next = time + <i64> (load<u64>(groupValues + (<usize> index << 3)) * unit);
      wrapped = wrapped || next < time;
      time = next;
      store<i64>(times + (<usize> row << 3), time);
    }
    if (wrapped) return 0;
    previous = load<u64>(groupValues + (<usize> (rows - 1) << 3));
  }
  return cursor == cursorEnd ? 1 : 0;
}

/** Packs 32-bit integers. Returns the bytes written. */
export function packIntegers(values: usize, count: i32, out: usize): i32 {
  const start = out;
  let previous: u64 = 0;
  for (let row = 0; row < count;) {
    const rows = min(GROUP_ROWS, count - row);
    for (let index = 0; index < rows; index++, row++) {
      store<u64>(groupValues + (<usize> index << 3), load<u32>(values + (<usize> row << 2)));
    }
    out = packGroup(groupValues, rows, previous, out);
    previous = load<u64>(groupValues + (<usize> (rows - 1) << 3));
  }
  return <i32> (out - start);
}

/** Undoes packIntegers. Returns 1, or 0 if the bytes are not `count` integers of 32 bits. */
export function unpackIntegers(packed: usize, length: i32, count: i32, values: usize): i32 {
  beginUnpack(packed, length);
  let previous: u64 = 0;
  for (let row = 0; row < count;) {
    const rows = min(GROUP_ROWS, count - row);
    unpackGroup(rows, previous);
    if (corrupt) return 0;
    let all: u64 = 0;
    for (let index = 0; index < rows; index++, row++) {
      const value = load<u64>(groupValues + (<usize> index << 3));
      all |= value;
      store<u32>(values + (<usize> row << 2), <u32> value);
    }
    if (all > 0xffffffff) return 0;
    previous = load<u64>(groupValues + (<usize> (rows - 1) << 3));
  }
  return cursor == cursorEnd ? 1 : 0;
}

/** As unpackIntegers, but stores the running sums: lengths become ends. Returns 0 also if a sum
 *  exceeds 32 bits. */
export function unpackEnds(packed: usize, length: i32, count: i32, ends: usize): i32 {
  beginUnpack(packed, length);
  let previous: u64 = 0;
  let end: u64 = 0;
  for (let row = 0; row < count;) {
    const rows = min(GROUP_ROWS, count - row);
    unpackGroup(rows, previous);
    if (corrupt) return 0;
    let all: u64 = 0;
    for (let index = 0; index < rows; index++, row++) {
      const value = load<u64>(groupValues + (<usize> index << 3));
      all |= value;
      end += value;
      store<u32>(ends + (<usize> row << 2), <u32> end);
    }
    if (all > 0xffffffff || end > 0xffffffff) return 0;
    previous = load<u64>(groupValues + (<usize> (rows - 1) << 3));
  }
  return cursor == cursorEnd ? 1 : 0;
}

/** The greatest common divisor of all steps between ascending times; 1 if there is none. Most logs
 *  count in ms or us. */
export function timeUnit(times: usize, count: i32): u64 {
  let unit: u64 = 0;
  for (let row = 1; row < count; row++) {
    const at = times + (<usize> row << 3);
    let step = load<u64>(at) - load<u64>(at - 8);
    if (step == 0 || (unit != 0 && step % unit == 0)) continue;
    while (step != 0) {
      const rest = unit % step;
      unit = step;
      step = rest;
    }
    if (unit == 1) break;
  }
  return unit == 0 ? 1 : unit;
}
