/** The grams of a block of lines: a set of all runs of four bytes in them, ASCII letters in lower
 *  case, as a bitmap of one hash function. streams/grams.ts asks it which blocks cannot hold a
 *  text; docs/formats.md has the bytes. Runs across the end of a row are in it too, which only makes
 *  it a little less telling. */

/** 2^32 divided by the golden ratio: multiplication spreads what differs over the upper bits. */
const HASH_FACTOR: u32 = 0x9e3779b1;
/** Of the largest table; bits of the largest bitmap. */
const SLOTS_MAX: u32 = 65536;
const SLOTS_MIN: u32 = 64;
/** Folded at a time, so that it stays in the nearest cache. */
const PIECE_BYTES: u32 = 4096;
/** A bitmap is halved while at most this many tenths of its bits are set. */
const FILL_TENTHS_MAX: u64 = 8;

/** Bytes of scratch memory that gramBitmap needs beside the bitmap's 8192. */
export function gramScratchBytes(): usize {
  return SLOTS_MAX + PIECE_BYTES + 64;
}

/** Writes the bitmap of `length` bytes at `lines` to `out` and returns its bytes, a power of two
 *  from 8 to 8192. Reads up to 15 bytes beyond the lines. */
export function gramBitmap(lines: usize, length: u32, scratch: usize, out: usize): u32 {
  let slots = SLOTS_MIN;
  while (slots < SLOTS_MAX && slots >>> 2 < length) slots <<= 1;
  memory.fill(scratch, 0, slots);
  const piece = scratch + SLOTS_MAX;
  const grams = max<i32>(<i32> length - 3, 0);
  for (let at: i32 = 0; at < grams; at += PIECE_BYTES) {
    const count = min<i32>(PIECE_BYTES, grams - at);
    foldCase(lines + at, piece, count + 3);
    mark(piece, count, scratch, slots - 1);
  }
  pack(scratch, slots, out);
  return halve(out, slots) >>> 3;
}

/** Copies `length` bytes, A-Z as a-z; writes up to 15 bytes more. */
function foldCase(from: usize, to: usize, length: u32): void {
  for (let at: u32 = 0; at < length; at += 16) {
    const bytes = v128.load(from + at);
    const isUpper = i8x16.lt_u(i8x16.sub(bytes, i8x16.splat(0x41)), i8x16.splat(26));
    v128.store(to + at, v128.or(bytes, v128.and(isUpper, i8x16.splat(0x20))));
  }
}

/** Sets the slot of each gram that begins in the `count` bytes at `from` to 255. */
function mark(from: usize, count: u32, slots: usize, mask: u32): void {
  const end = from + count;
  let at = from;
  for (; at + 4 <= end; at += 4) {
    store<u8>(slots + slotOf(load<u32>(at), mask), 0xff);
    store<u8>(slots + slotOf(load<u32>(at, 1), mask), 0xff);
    store<u8>(slots + slotOf(load<u32>(at, 2), mask), 0xff);
    store<u8>(slots + slotOf(load<u32>(at, 3), mask), 0xff);
  }
  for (; at < end; at++) store<u8>(slots + slotOf(load<u32>(at), mask), 0xff);
}

function slotOf(gram: u32, mask: u32): u32 {
  return ((gram * HASH_FACTOR) >>> 16) & mask;
}

/** A bit for each slot. */
function pack(slots: usize, count: u32, out: usize): void {
  for (let at: u32 = 0; at < count; at += 16) {
    store<u16>(out + (at >>> 3), <u16> i8x16.bitmask(v128.load(slots + at)));
  }
}

/** Lays the upper half over the lower one for as long as the result still tells something; returns
 *  how many bits are left. */
function halve(bitmap: usize, bits: u32): u32 {
  while (bits > SLOTS_MIN) {
    const half = bits >>> 1;
    const halfBytes = half >>> 3;
    let ones: u64 = 0;
    for (let at: u32 = 0; at < halfBytes; at += 8) {
      ones += popcnt(load<u64>(bitmap + at) | load<u64>(bitmap + halfBytes + at));
    }
    if (ones * 10 > half * FILL_TENTHS_MAX) break;
    for (let at: u32 = 0; at < halfBytes; at += 8) {
      store<u64>(bitmap + at, load<u64>(bitmap + at) | load<u64>(bitmap + halfBytes + at));
    }
    bits = half;
  }
  return bits;
}
