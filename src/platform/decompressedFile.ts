/** Compressed files as streams of what was compressed. Owns zlib and the sizes; the whole is never in memory. A file is
 *  open while it is read, again and again if need be: a name may lead to another one in between. */
import { pipeline, Readable } from "node:stream";
import { createGunzip, createInflate } from "node:zlib";
import type { OpenLogFile } from "./logFiles.ts";

export type CompressionFormat = "gz" | "z";

const chunkBytes = 128 * 1024;

/** The content of a compressed file, from its start. Throws when it is damaged or ends too soon, after what could be
 *  read. */
export async function* readDecompressed(
  file: OpenLogFile,
  format: CompressionFormat,
): AsyncGenerator<Uint8Array> {
  const source = Readable.from(partsOf(file));
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
export function gzipContentBytes(file: OpenLogFile): number | undefined {
  const { bytes } = file.status();
  if (bytes < 18) return undefined;
  const trailer = new Uint8Array(4);
  if (file.read(trailer, 4, bytes - 4) < 4) return undefined;
  return new DataView(trailer.buffer).getUint32(0, true);
}

function* partsOf(file: OpenLogFile): Generator<Uint8Array> {
  for (let position = 0;;) {
    const part = new Uint8Array(chunkBytes);
    const count = file.read(part, chunkBytes, position);
    if (count === 0) return;
    position += count;
    yield part.subarray(0, count);
  }
}
