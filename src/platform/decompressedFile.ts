/** Compressed files as streams of what was compressed. Owns zlib and the sizes; the whole is never in memory. */
import { createReadStream } from "node:fs";
import * as fs from "node:fs";
import { pipeline } from "node:stream";
import { createGunzip, createInflate } from "node:zlib";

export type CompressionFormat = "gz" | "z";

const chunkBytes = 128 * 1024;

/** The content of a compressed file. Throws when it is damaged or ends too soon, after what could be read. Ending
 *  the iteration early closes the file. */
export async function* readDecompressed(
  path: string,
  format: CompressionFormat,
): AsyncGenerator<Uint8Array> {
  const source = createReadStream(path, { highWaterMark: chunkBytes });
  const plain = (format === "gz" ? createGunzip : createInflate)({ chunkSize: chunkBytes });
  // The callback keeps an error that comes before the first read from being nobody's.
  pipeline(source, plain, () => {});
  try {
    yield* plain;
  } finally {
    source.destroy();
    plain.destroy();
  }
}

/** The size that a gzip file says its content has, modulo 2^32 (RFC 1952, ISIZE); undefined if it is too short. */
export function gzipContentBytes(path: string): number | undefined {
  const descriptor = fs.openSync(path, "r");
  try {
    const { size } = fs.fstatSync(descriptor);
    if (size < 18) return undefined;
    const trailer = new Uint8Array(4);
    fs.readSync(descriptor, trailer, 0, 4, size - 4);
    return new DataView(trailer.buffer).getUint32(0, true);
  } finally {
    fs.closeSync(descriptor);
  }
}
