/** Input of command line programs: standard input, files, compressed files, all files below a directory. Owns opening and
 *  decompressing; bytes are passed on as they are read. */
import { createReadStream, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";

/** A file to read. `bytes` is its size on disk, 0 for standard input. */
export interface Input {
  readonly path: string;
  readonly bytes: number;
}

export const standardInput: Input = { path: "-", bytes: 0 };

/** The files that `paths` name, those below directories in order of their names; "-" is standard input. Throws if a path does not
 *  exist. */
export function findInputs(paths: ReadonlyArray<string>): Array<Input> {
  return paths.flatMap((path) => {
    if (path === "-") return [standardInput];
    const status = statSync(path);
    if (!status.isDirectory()) return [{ path, bytes: status.size }];
    return findInputs(readdirSync(path).sort().map((name) => join(path, name)));
  });
}

/** The input's bytes, decompressed if its name ends in .gz. `onRead` is told the bytes read from disk. */
export function readInput(
  input: Input,
  onRead: (bytes: number) => void,
): AsyncIterable<Uint8Array> {
  const stream = counted(
    input.path === "-" ? process.stdin : createReadStream(input.path, { highWaterMark: 1 << 20 }),
    onRead,
  );
  if (!input.path.endsWith(".gz")) return stream;
  return unzipped(input.path, stream);
}

/** Throws, naming the file, if it is not intact gzip. */
async function* unzipped(
  path: string,
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const plain = createGunzip({ chunkSize: 1 << 20 });
  // The callback keeps an error that comes before the first read from being nobody's.
  pipeline(Readable.from(stream, { objectMode: false }), plain, () => {});
  try {
    yield* plain;
  } catch (error) {
    throw new Error(
      `"${path}" ends in .gz but cannot be decompressed: ${
        (error as Error).message
      }; what was read before that has been sent`,
    );
  }
}

async function* counted(
  stream: AsyncIterable<Uint8Array>,
  onRead: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const part of stream) {
    onRead(part.byteLength);
    yield part;
  }
}
