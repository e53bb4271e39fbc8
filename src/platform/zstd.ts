/** Zstandard, the one compression that files and the write log use. Owns the options that make both runtimes fast:
 *  without chunkSize Node's decompressor grows its output in 16 KB steps, four times slower. */
import {
  constants,
  zstdCompress as zstdCompressCallback,
  zstdCompressSync,
  zstdDecompressSync,
} from "node:zlib";
import { willDiscard } from "./externalMemory.ts";

/** Compresses `bytes` on the calling thread. `level` is zstd's, negative ones are faster and larger. */
export function zstdCompress(bytes: Uint8Array, level: number): Uint8Array {
  willDiscard(bytes.byteLength >> 1);
  return zstdCompressSync(bytes, compressOptions(bytes.byteLength, level));
}

/** One output buffer that logs usually fit in: with the default of 64 KB or less, output comes in many small steps. */
function compressOptions(rawBytes: number, level: number) {
  return {
    chunkSize: Math.max(1024, (rawBytes >> 1) + 512),
    params: { [constants.ZSTD_c_compressionLevel]: level },
  };
}

/** Compresses `bytes` on the runtime's thread pool. */
export function zstdCompressAsync(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    zstdCompressCallback(
      bytes,
      compressOptions(bytes.byteLength, level),
      (error, result) => error === null ? resolve(result) : reject(error),
    );
  });
}

/** Undoes zstdCompress. `rawBytes` is the expected length; a frame that yields any other length is corrupt and throws,
 *  so a forged frame cannot take more memory than its header promised. */
export function zstdDecompress(bytes: Uint8Array, rawBytes: number): Uint8Array {
  willDiscard(rawBytes);
  const raw = zstdDecompressSync(bytes, {
    chunkSize: Math.max(64, rawBytes + 1),
    maxOutputLength: Math.max(1, rawBytes),
  });
  if (raw.byteLength !== rawBytes) {
    throw new RangeError(`zstd frame holds ${raw.byteLength} bytes, expected ${rawBytes}`);
  }
  return raw;
}
