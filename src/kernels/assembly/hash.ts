/** CRC-32C and xxHash64 over linear memory. hash.ts outside feeds them through `hashBuffer` piece by piece, so hashing
 *  never touches the scratch memory of another kernel. */

/** Bytes of the buffer that JavaScript copies pieces into; small enough to stay in the second-level cache. */
const HASH_BUFFER_BYTES: i32 = 65536;
const buffer = memory.data(HASH_BUFFER_BYTES, 16);

export function hashBuffer(): usize {
  return buffer;
}

export function hashBufferBytes(): i32 {
  return HASH_BUFFER_BYTES;
}

// ---- CRC-32C: Castagnoli polynomial, reflected; slicing by 16 (Kounavis and Berry). ----

const CRC_POLYNOMIAL: u32 = 0x82f63b78;
/** crcTable[k][b]: the remainder of byte b followed by k zero bytes. */
const crcTable = memory.data(16 * 256 * 4, 64);

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
fillCrcTable();

function crcWord(word: u32, slice: usize): u32 {
  const table = crcTable + (slice << 10);
  return load<u32>(table + 3072 + (<usize> (word & 255) << 2)) ^
    load<u32>(table + 2048 + (<usize> ((word >>> 8) & 255) << 2)) ^
    load<u32>(table + 1024 + (<usize> ((word >>> 16) & 255) << 2)) ^
    load<u32>(table + (<usize> (word >>> 24) << 2));
}

/** Continues `crc`, the CRC of what came before (0 at the start), over `length` bytes. */
export function crc32c(pointer: usize, length: i32, crc: u32): u32 {
  crc = ~crc;
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
  return ~crc;
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

/** Takes in the whole 32-byte stripes of a piece; every piece but the last must consist of stripes. */
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
