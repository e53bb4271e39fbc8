/** Checksums and fingerprints of bytes: CRC-32C for what is stored, xxHash64 for identity and
 *  placement. Data goes through a fixed buffer in the thread's kernel instance, so hashing never
 *  disturbs another kernel's scratch. */
import { type Kernels, kernels } from "./kernels.ts";

interface HashExports {
  hashBuffer(): number;
  hashBufferBytes(): number;
  crc32c(pointer: number, length: number, crc: number): number;
  xxh64Begin(): void;
  xxh64Stripes(pointer: number, length: number): void;
  xxh64End(pointer: number, total: bigint): bigint;
}

let instance: Kernels<HashExports> | undefined;
let buffer = 0;
let bufferBytes = 0;

/** CRC-32C (Castagnoli, as iSCSI and ext4 use it) as an unsigned integer. `seed` is the CRC of the
 *  bytes that come before, so crc32c(b, crc32c(a)) is the CRC of a followed by b. */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  const { exports, memory } = hashKernels();
  const length = bytes.byteLength;
  if (length <= bufferBytes) {
    memory.set(bytes, buffer);
    return exports.crc32c(buffer, length, seed) >>> 0;
  }
  let crc = seed;
  for (let start = 0; start < length; start += bufferBytes) {
    const piece = bytes.subarray(start, start + bufferBytes);
    memory.set(piece, buffer);
    crc = exports.crc32c(buffer, piece.byteLength, crc);
  }
  return crc >>> 0;
}

/** xxHash64 with seed 0, as an unsigned integer. */
export function fingerprint(bytes: Uint8Array): bigint {
  const { exports, memory } = hashKernels();
  const length = bytes.byteLength;
  exports.xxh64Begin();
  let lastBytes = 0;
  for (let start = 0; start < length; start += bufferBytes) {
    const piece = length <= bufferBytes ? bytes : bytes.subarray(start, start + bufferBytes);
    memory.set(piece, buffer);
    lastBytes = piece.byteLength;
    exports.xxh64Stripes(buffer, lastBytes);
  }
  const tail = buffer + lastBytes - lastBytes % 32;
  return BigInt.asUintN(64, exports.xxh64End(tail, BigInt(length)));
}

function hashKernels(): Kernels<HashExports> {
  if (instance === undefined) {
    instance = kernels<HashExports>();
    buffer = instance.exports.hashBuffer();
    bufferBytes = instance.exports.hashBufferBytes();
  }
  return instance;
}
