/** What HTTP bodies are compressed with. Owns the bounds: no input makes more output than allowed. */
import {
  createGzip,
  gunzip,
  inflate,
  inflateRaw,
  type InputType,
  type ZlibOptions,
  zstdDecompress,
} from "node:zlib";
import { Readable } from "node:stream";
import { decompressLz4Frames, Lz4Invalid, Lz4TooLarge } from "./lz4.ts";

/** The bytes are not what their encoding says, or are larger than allowed once decompressed. */
export class DecompressFailed extends Error {
  override readonly name = "DecompressFailed";
  readonly tooLarge: boolean;
  constructor(message: string, tooLarge: boolean) {
    super(message);
    this.tooLarge = tooLarge;
  }
}

export type ContentEncoding = "" | "gzip" | "deflate" | "zstd" | "lz4";

export function decompressGzip(bytes: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  return unzip("gzip", gunzip, bytes, bytesMax);
}

/** Deflate with or without the zlib header: clients disagree on what the name means. */
export function decompressDeflate(bytes: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  const hasHeader = bytes.length >= 2 && (bytes[0]! & 0x0f) === 8 &&
    ((bytes[0]! << 8) | bytes[1]!) % 31 === 0;
  return unzip("deflate", hasHeader ? inflate : inflateRaw, bytes, bytesMax);
}

export function decompressZstd(bytes: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  const method: Unzip = (input, options, callback) => zstdDecompress(input, options, callback);
  return unzip("zstd", method, bytes, bytesMax);
}

type Unzip = (
  input: InputType,
  options: Pick<ZlibOptions, "maxOutputLength" | "chunkSize">,
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
      const isTooLarge = (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE";
      reject(isTooLarge ? tooLarge(bytesMax) : corrupt(name, error));
    });
  });
}

/** Frames one after another. Throws DecompressFailed. */
export function decompressLz4(bytes: Uint8Array, bytesMax: number): Uint8Array {
  try {
    return decompressLz4Frames(bytes, bytesMax);
  } catch (error) {
    if (error instanceof Lz4TooLarge) throw tooLarge(bytesMax);
    if (error instanceof Lz4Invalid) throw corrupt("lz4", error);
    throw error;
  }
}

function tooLarge(bytesMax: number): DecompressFailed {
  return new DecompressFailed(
    `the body has more than ${bytesMax} bytes when decompressed, which is the limit`,
    true,
  );
}

function corrupt(name: string, { message }: Error): DecompressFailed {
  return new DecompressFailed(`${name}: corrupt input: ${message}`, false);
}

/** The body without its content encoding, at most `bytesMax` bytes. Throws DecompressFailed. */
export async function unzipBody(
  body: Uint8Array,
  encoding: ContentEncoding,
  bytesMax: number,
): Promise<Uint8Array> {
  switch (encoding) {
    case "gzip":
      return await decompressGzip(body, bytesMax);
    case "deflate":
      return await decompressDeflate(body, bytesMax);
    case "zstd":
      return await decompressZstd(body, bytesMax);
    case "lz4":
      return decompressLz4(body, bytesMax);
    default:
      if (body.length > bytesMax) {
        throw new DecompressFailed(
          `the body has ${body.length} bytes, the limit is ${bytesMax}`,
          true,
        );
      }
      return body;
  }
}

/** Compresses a text, given as pieces of UTF-8. */
export async function gzip(pieces: ReadonlyArray<Uint8Array>): Promise<Uint8Array[]> {
  const compressed: Uint8Array[] = [];
  for await (const part of Readable.from(pieces).pipe(createGzip({ level: 1 }))) {
    compressed.push(part as Uint8Array);
  }
  return compressed;
}
