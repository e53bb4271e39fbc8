/** CRC-32C and xxHash64 over linear memory. hash.ts outside feeds them through `hashBuffer` piece
 *  by piece, so hashing never touches the scratch memory of another kernel. */

/** Bytes of the buffer that JavaScript copies pieces into; small enough to stay in the second-level
 *  cache. */
const HASH_BUFFER_BYTES: i32 = 65536;
const buffer = memory.data(HASH_BUFFER_BYTES, 16);

export function hashBuffer(): usize {
  return buffer;
}

export function hashBufferBytes(): i32 {
  return HASH_BUFFER_BYTES;
}

// ---- CRC-32C: Castagnoli polynomial, reflected. Short inputs by slices of 16 bytes (Kounavis and
// Berry); long ones by folding: a block of 128 bytes is replaced by another that has the same
// remainder one block further on, and XORed into the next block. Lane i (of 32) is the word made of
// bytes i, 32+i, 64+i, 96+i of the block; every lane folds onto itself by the same linear map of 32
// bits, which becomes table lookups of 4-bit pieces, 16 at a time by a byte shuffle. (With lanes 16
// bytes apart the 32 bits of a lane are linearly dependent and no such map exists.) ----

const CRC_POLYNOMIAL: u32 = 0x82f63b78;
/** Shorter inputs are not worth the reduction of the last folded block. */
const CRC_FOLD_BYTES_MIN: i32 = 384;
/** crcTable[k][b]: the remainder of byte b followed by k zero bytes. */
const crcTable = memory.data(16 * 256 * 4, 64);
/** foldTable[piece][k]: for the 16 values of a 4-bit piece of the lane's word, byte k of what it
 *  folds to. */
const foldTable = memory.data(8 * 4 * 16, 64);
const foldBlock = memory.data(128, 64);
const FOLD_BYTES: i32 = 128;

function fillCrcTable(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (CRC_POLYNOMIAL & (0 - (crc & 1)));
    store<u32>(crcTable + ((<usize> byte) << 2), crc);
  }
  for (let byte: usize = 0; byte < 256; byte++) {
    let crc = load<u32>(crcTable + (byte << 2));
    for (let slice: usize = 1; slice < 16; slice++) {
      crc = (crc >>> 8) ^ load<u32>(crcTable + (<usize> (crc & 255) << 2));
      store<u32>(crcTable + (slice << 10) + (byte << 2), crc);
    }
  }
}

/** The remainder of `bit` (of 32) of the last lane's word, followed by `blocks` blocks of zeros. */
function laneRemainder(bit: i32, blocks: i32): u32 {
  memory.fill(foldBlock, 0, FOLD_BYTES);
  store<u8>(foldBlock + 32 * (bit >> 3) + 31, 1 << <u8> (bit & 7));
  let crc = crcRaw(foldBlock, FOLD_BYTES, 0);
  memory.fill(foldBlock, 0, FOLD_BYTES);
  while (blocks-- > 0) crc = crcRaw(foldBlock, FOLD_BYTES, crc);
  return crc;
}

/** Finds, for every bit of a lane's word, the word that has the same remainder one block later:
 *  Gaussian elimination over the remainders of the 32 bits, which are linearly independent for this
 *  polynomial and stride. */
function fillFoldTable(): void {
  const remainders = memory.data(128, 16);
  const words = memory.data(128, 16);
  for (let bit = 0; bit < 32; bit++) {
    let remainder = laneRemainder(bit, 0);
    let word: u32 = 1 << bit;
    for (let other = 0; other < 32; other++) {
      const pivot = load<u32>(remainders + (<usize> other << 2));
      if (pivot != 0 && ((remainder >>> other) & 1) != 0) {
        remainder ^= pivot;
        word ^= load<u32>(words + (<usize> other << 2));
      }
    }
    const row = <usize> ctz<u32>(remainder) << 2;
    store<u32>(remainders + row, remainder);
    store<u32>(words + row, word);
  }
  for (let piece = 0; piece < 8; piece++) {
    for (let value = 0; value < 16; value++) {
      let target: u32 = 0;
      for (let bit = 0; bit < 4; bit++) {
        if (((value >> bit) & 1) != 0) target ^= laneRemainder(piece * 4 + bit, 1);
      }
      let word: u32 = 0;
      for (let row = 0; row < 32; row++) {
        if (((target >>> row) & 1) == 0) continue;
        target ^= load<u32>(remainders + (<usize> row << 2));
        word ^= load<u32>(words + (<usize> row << 2));
      }
      for (let k = 0; k < 4; k++) {
        store<u8>(foldTable + (piece * 4 + k) * 16 + value, <u8> (word >>> (8 * k)));
      }
    }
  }
}

fillCrcTable();
fillFoldTable();

function crcWord(word: u32, slice: usize): u32 {
  const table = crcTable + (slice << 10);
  return load<u32>(table + 3072 + (<usize> (word & 255) << 2)) ^
    load<u32>(table + 2048 + (<usize> ((word >>> 8) & 255) << 2)) ^
    load<u32>(table + 1024 + (<usize> ((word >>> 16) & 255) << 2)) ^
    load<u32>(table + (<usize> (word >>> 24) << 2));
}

/** The remainder without the inversions at both ends. */
function crcRaw(pointer: usize, length: i32, crc: u32): u32 {
  const end = pointer + <usize> length;
  while (end - pointer >= 16) {
    const low = load<u64>(pointer) ^ <u64> crc;
    const high = load<u64>(pointer, 8);
    crc = crcWord(<u32> low, 12) ^ crcWord(<u32> (low >>> 32), 8) ^
      crcWord(<u32> high, 4) ^ crcWord(<u32> (high >>> 32), 0);
    pointer += 16;
  }
  while (pointer < end) {
    crc = (crc >>> 8) ^ load<u32>(crcTable + (<usize> ((crc ^ load<u8>(pointer)) & 255) << 2));
    pointer++;
  }
  return crc;
}

/** The byte k of what the eight pieces fold to, for 16 lanes. */

function foldByte(
  k: usize,
  p0: v128,
  p1: v128,
  p2: v128,
  p3: v128,
  p4: v128,
  p5: v128,
  p6: v128,
  p7: v128,
): v128 {
  const table = foldTable + (k << 4);
  const a = v128.xor(
    i8x16.relaxed_swizzle(v128.load(table), p0),
    i8x16.relaxed_swizzle(v128.load(table, 64), p1),
  );
  const b = v128.xor(
    i8x16.relaxed_swizzle(v128.load(table, 128), p2),
    i8x16.relaxed_swizzle(v128.load(table, 192), p3),
  );
  const c = v128.xor(
    i8x16.relaxed_swizzle(v128.load(table, 256), p4),
    i8x16.relaxed_swizzle(v128.load(table, 320), p5),
  );
  const d = v128.xor(
    i8x16.relaxed_swizzle(v128.load(table, 384), p6),
    i8x16.relaxed_swizzle(v128.load(table, 448), p7),
  );
  return v128.xor(v128.xor(a, b), v128.xor(c, d));
}

function lowNibbles(bytes: v128): v128 {
  return v128.and(bytes, i8x16.splat(15));
}

function highNibbles(bytes: v128): v128 {
  return v128.and(i16x8.shr_u(bytes, 4), i8x16.splat(15));
}

/** Continues `crc`, the CRC of what came before (0 at the start), over `length` bytes. */
export function crc32c(pointer: usize, length: i32, crc: u32): u32 {
  crc = ~crc;
  if (length < CRC_FOLD_BYTES_MIN) return ~crcRaw(pointer, length, crc);
  let a0 = v128.xor(v128.load(pointer), i32x4.replace_lane(i64x2.splat(0), 0, crc));
  let b0 = v128.load(pointer, 16);
  let a1 = v128.load(pointer, 32), b1 = v128.load(pointer, 48);
  let a2 = v128.load(pointer, 64), b2 = v128.load(pointer, 80);
  let a3 = v128.load(pointer, 96), b3 = v128.load(pointer, 112);
  const end = pointer + <usize> length;
  pointer += FOLD_BYTES;
  while (end - pointer >= <usize> FOLD_BYTES) {
    let p0 = lowNibbles(a0), p1 = highNibbles(a0), p2 = lowNibbles(a1), p3 = highNibbles(a1);
    let p4 = lowNibbles(a2), p5 = highNibbles(a2), p6 = lowNibbles(a3), p7 = highNibbles(a3);
    a0 = v128.xor(v128.load(pointer), foldByte(0, p0, p1, p2, p3, p4, p5, p6, p7));
    a1 = v128.xor(v128.load(pointer, 32), foldByte(1, p0, p1, p2, p3, p4, p5, p6, p7));
    a2 = v128.xor(v128.load(pointer, 64), foldByte(2, p0, p1, p2, p3, p4, p5, p6, p7));
    a3 = v128.xor(v128.load(pointer, 96), foldByte(3, p0, p1, p2, p3, p4, p5, p6, p7));
    p0 = lowNibbles(b0), p1 = highNibbles(b0), p2 = lowNibbles(b1), p3 = highNibbles(b1);
    p4 = lowNibbles(b2), p5 = highNibbles(b2), p6 = lowNibbles(b3), p7 = highNibbles(b3);
    b0 = v128.xor(v128.load(pointer, 16), foldByte(0, p0, p1, p2, p3, p4, p5, p6, p7));
    b1 = v128.xor(v128.load(pointer, 48), foldByte(1, p0, p1, p2, p3, p4, p5, p6, p7));
    b2 = v128.xor(v128.load(pointer, 80), foldByte(2, p0, p1, p2, p3, p4, p5, p6, p7));
    b3 = v128.xor(v128.load(pointer, 112), foldByte(3, p0, p1, p2, p3, p4, p5, p6, p7));
    pointer += FOLD_BYTES;
  }
  v128.store(foldBlock, a0);
  v128.store(foldBlock, b0, 16);
  v128.store(foldBlock, a1, 32);
  v128.store(foldBlock, b1, 48);
  v128.store(foldBlock, a2, 64);
  v128.store(foldBlock, b2, 80);
  v128.store(foldBlock, a3, 96);
  v128.store(foldBlock, b3, 112);
  return ~crcRaw(pointer, <i32> (end - pointer), crcRaw(foldBlock, FOLD_BYTES, 0));
}

// ---- xxHash64 with seed 0, as its specification (version 0.1.1) has it. ----

const PRIME_1: u64 = 0x9e3779b185ebca87;
const PRIME_2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME_3: u64 = 0x165667b19e3779f9;
const PRIME_4: u64 = 0x85ebca77c2b2ae63;
const PRIME_5: u64 = 0x27d4eb2f165667c5;

let lane1: u64 = 0;
let lane2: u64 = 0;
let lane3: u64 = 0;
let lane4: u64 = 0;

function mixLane(lane: u64, input: u64): u64 {
  return rotl<u64>(lane + input * PRIME_2, 31) * PRIME_1;
}

function mergeLane(hash: u64, lane: u64): u64 {
  return (hash ^ mixLane(0, lane)) * PRIME_1 + PRIME_4;
}

/** Starts a hash that will span several pieces. */
export function xxh64Begin(): void {
  lane1 = PRIME_1 + PRIME_2;
  lane2 = PRIME_2;
  lane3 = 0;
  lane4 = 0 - PRIME_1;
}

/** Takes in the whole 32-byte stripes of a piece; every piece but the last must consist of stripes.
 */
export function xxh64Stripes(pointer: usize, length: i32): void {
  const end = pointer + <usize> (length & ~31);
  let a = lane1, b = lane2, c = lane3, d = lane4;
  while (pointer < end) {
    a = mixLane(a, load<u64>(pointer));
    b = mixLane(b, load<u64>(pointer, 8));
    c = mixLane(c, load<u64>(pointer, 16));
    d = mixLane(d, load<u64>(pointer, 24));
    pointer += 32;
  }
  lane1 = a;
  lane2 = b;
  lane3 = c;
  lane4 = d;
}

/** Ends a hash of `total` bytes; the last total % 32 of them are at `pointer`. */
export function xxh64End(pointer: usize, total: u64): u64 {
  let hash: u64 = PRIME_5;
  if (total >= 32) {
    hash = rotl<u64>(lane1, 1) + rotl<u64>(lane2, 7) + rotl<u64>(lane3, 12) + rotl<u64>(lane4, 18);
    hash = mergeLane(hash, lane1);
    hash = mergeLane(hash, lane2);
    hash = mergeLane(hash, lane3);
    hash = mergeLane(hash, lane4);
  }
  hash += total;
  const end = pointer + <usize> (total & 31);
  while (end - pointer >= 8) {
    hash = rotl<u64>(hash ^ mixLane(0, load<u64>(pointer)), 27) * PRIME_1 + PRIME_4;
    pointer += 8;
  }
  if (end - pointer >= 4) {
    hash = rotl<u64>(hash ^ (<u64> load<u32>(pointer) * PRIME_1), 23) * PRIME_2 + PRIME_3;
    pointer += 4;
  }
  while (pointer < end) {
    hash = rotl<u64>(hash ^ (<u64> load<u8>(pointer) * PRIME_5), 11) * PRIME_1;
    pointer++;
  }
  hash = (hash ^ (hash >>> 33)) * PRIME_2;
  hash = (hash ^ (hash >>> 29)) * PRIME_3;
  return hash ^ (hash >>> 32);
}

/** xxHash64 of bytes that are all in memory, for other kernels. */
export function xxh64(pointer: usize, length: i32): u64 {
  xxh64Begin();
  xxh64Stripes(pointer, length);
  return xxh64End(pointer + <usize> (length & ~31), <u64> length);
}
