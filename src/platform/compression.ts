/** What HTTP bodies are compressed with. Owns the bounds: no input makes more output than allowed. */
import {
  gunzip,
  gzip as gzipCallback,
  inflate,
  inflateRaw,
  type InputType,
  type ZlibOptions,
} from "node:zlib";
import { uncompress, uncompressSync } from "snappy";

/** The bytes are not what their encoding says, or are larger than allowed once decompressed. */
export class DecompressFailed extends Error {
  override readonly name = "DecompressFailed";
  readonly tooLarge: boolean;
  constructor(message: string, tooLarge: boolean) {
    super(message);
    this.tooLarge = tooLarge;
  }
}

/** Snappy cannot make more than about 21 bytes of one; a header that promises more is a lie told to allocate memory. */
const snappyRatioMax = 64;
/** Below this the trip to another thread costs more than decompressing. */
const syncBytesMax = 64 * 1024;

/** Undoes snappy's block format (https://github.com/google/snappy/blob/main/format_description.txt). */
export async function decompressSnappy(bytes: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  const rawBytes = snappyRawBytes(bytes);
  if (rawBytes > bytesMax) {
    throw new DecompressFailed(
      `the body has ${rawBytes} bytes when decompressed, the limit is ${bytesMax}`,
      true,
    );
  }
  if (rawBytes > bytes.length * snappyRatioMax + 64) {
    throw new DecompressFailed(
      `snappy: corrupt input: ${bytes.length} bytes cannot hold the ${rawBytes} that the header promises`,
      false,
    );
  }
  try {
    const raw = bytes.length <= syncBytesMax
      ? uncompressSync(bytes, { asBuffer: true })
      : await uncompress(bytes, { asBuffer: true });
    return raw as Uint8Array;
  } catch (error) {
    throw new DecompressFailed(`snappy: corrupt input: ${(error as Error).message}`, false);
  }
}

/** The uncompressed length, a varint at the start. */
function snappyRawBytes(bytes: Uint8Array): number {
  let length = 0;
  for (let at = 0; at < Math.min(5, bytes.length); at++) {
    length += (bytes[at]! & 0x7f) * 2 ** (7 * at);
    if (bytes[at]! < 0x80) return length;
  }
  throw new DecompressFailed("snappy: corrupt input: no length at the start", false);
}

export function decompressGzip(bytes: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  return unzip("gzip", gunzip, bytes, bytesMax);
}

/** Deflate with or without the zlib header: clients disagree on what the name means. */
export function decompressDeflate(bytes: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  const hasHeader = bytes.length >= 2 && (bytes[0]! & 0x0f) === 8 &&
    ((bytes[0]! << 8) | bytes[1]!) % 31 === 0;
  return unzip("deflate", hasHeader ? inflate : inflateRaw, bytes, bytesMax);
}

type Unzip = (
  input: InputType,
  options: ZlibOptions,
  callback: (error: Error | null, result: Uint8Array) => void,
) => void;

function unzip(
  name: string,
  method: Unzip,
  bytes: Uint8Array,
  bytesMax: number,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    method(bytes, { maxOutputLength: bytesMax, chunkSize: 256 * 1024 }, (error, result) => {
      if (error === null) return resolve(result);
      const tooLarge = (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE";
      reject(
        new DecompressFailed(
          tooLarge
            ? `the body has more than ${bytesMax} bytes when decompressed, which is the limit`
            : `${name}: corrupt input: ${error.message}`,
          tooLarge,
        ),
      );
    });
  });
}

/** Compresses a response, fast rather than small. */
export function gzip(text: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    gzipCallback(
      text,
      { level: 1 },
      (error, result) => error === null ? resolve(result) : reject(error),
    );
  });
}
