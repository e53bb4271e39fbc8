/** CRC-32C and xxHash64 written for plainness: a bit at a time, and in bigints. The truth that
 *  tests hold hash.ts to. */

export function crc32c(bytes: Uint8Array, seed = 0): number {
  let crc = ~seed;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

const prime1 = 0x9e3779b185ebca87n;
const prime2 = 0xc2b2ae3d27d4eb4fn;
const prime3 = 0x165667b19e3779f9n;
const prime4 = 0x85ebca77c2b2ae63n;
const prime5 = 0x27d4eb2f165667c5n;

/** xxHash64 with seed 0. */
export function fingerprint(bytes: Uint8Array): bigint {
  let offset = 0;
  const take = (count: number): bigint => {
    let value = 0n;
    for (let index = count - 1; index >= 0; index--) {
      value = value << 8n | BigInt(bytes[offset + index] ?? 0);
    }
    offset += count;
    return value;
  };
  let hash = prime5;
  if (bytes.length >= 32) {
    let lanes = [u64(prime1 + prime2), prime2, 0n, u64(-prime1)];
    while (bytes.length - offset >= 32) lanes = lanes.map((lane) => mixLane(lane, take(8)));
    hash = u64(
      [1n, 7n, 12n, 18n].reduce((sum, bits, index) => sum + rotate(lanes[index] ?? 0n, bits), 0n),
    );
    for (const lane of lanes) hash = u64((hash ^ mixLane(0n, lane)) * prime1 + prime4);
  }
  hash = u64(hash + BigInt(bytes.length));
  while (bytes.length - offset >= 8) {
    hash = u64(rotate(hash ^ mixLane(0n, take(8)), 27n) * prime1 + prime4);
  }
  if (bytes.length - offset >= 4) {
    hash = u64(rotate(hash ^ u64(take(4) * prime1), 23n) * prime2 + prime3);
  }
  while (offset < bytes.length) {
    hash = u64(rotate(hash ^ u64(take(1) * prime5), 11n) * prime1);
  }
  hash = u64((hash ^ hash >> 33n) * prime2);
  hash = u64((hash ^ hash >> 29n) * prime3);
  return hash ^ hash >> 32n;
}

function u64(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

function rotate(value: bigint, bits: bigint): bigint {
  return u64(value << bits) | value >> (64n - bits);
}

function mixLane(lane: bigint, input: bigint): bigint {
  return u64(rotate(u64(lane + input * prime2), 31n) * prime1);
}
