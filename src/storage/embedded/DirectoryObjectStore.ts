/** Objects as files: <data directory>/objects/<key>. Owns their durability; what they hold belongs to src/streams. An object is
 *  written under another name, made durable, and only then renamed to its key. Invariant: a file with a key's name is whole
 *  and never changes. Worker threads read through objectReader.ts, which needs no lock because of that. */
import { Effect, Layer } from "effect";
import {
  type Disk,
  type DiskFile,
  errorCode,
  errorText,
  isNoSpace,
  joinPath,
  nodeDisk,
  parentPath,
} from "../../platform/files.ts";
import {
  attemptObject,
  notFound,
  ObjectStore,
  ObjectStoreError,
  objectStoreOf,
} from "../ObjectStore.ts";
import { OnePerKey } from "../OnePerKey.ts";
import { DataDirectory } from "./DataDirectory.ts";

export interface DirectoryObjectStoreOptions {
  readonly disk: Disk;
}

/** Objects in files of the data directory. What a crash left half written is removed at the start. */
export function directoryObjectStoreLayer(
  options: Partial<DirectoryObjectStoreOptions> = {},
): Layer.Layer<ObjectStore, ObjectStoreError, DataDirectory> {
  return Layer.effect(
    ObjectStore,
    Effect.gen(function* () {
      const { path } = yield* DataDirectory;
      const files = new ObjectFiles(options.disk ?? nodeDisk, joinPath(path, "objects"));
      yield* attemptObject("", () => files.sweep(), failureOf);
      return objectStoreOf(files, failureOf);
    }),
  );
}

/** Files being written lie here; no key contains "~". */
const unfinishedDirectory = "~unfinished";
const compareBytes = 1024 * 1024;

class ObjectFiles {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #puts = new OnePerKey();
  #unfinishedCount = 0;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  /** Removes what interrupted puts left. */
  async sweep(): Promise<void> {
    const directory = joinPath(this.#directory, unfinishedDirectory);
    for (const name of await this.#disk.list(directory)) {
      await this.#disk.remove(joinPath(directory, name));
    }
  }

  put(key: string, parts: ReadonlyArray<Uint8Array>): Promise<void> {
    return this.#puts.run(key, () => this.#putAlone(key, parts));
  }

  get(key: string): Promise<Uint8Array> {
    return this.#read(key, 0);
  }

  getRange(key: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#read(key, offset, length);
  }

  /** To the end if there is no `length`. */
  async #read(key: string, offset: number, length?: number): Promise<Uint8Array> {
    const problem = rangeProblem(key, offset, length ?? 0);
    if (problem !== undefined) throw problem;
    const file = await this.#disk.open(joinPath(this.#directory, key), "read");
    try {
      const wanted = length ?? await file.size();
      const bytes = await file.read(offset, wanted);
      if (bytes.byteLength < wanted) throw badRange(key, offset, wanted, bytes.byteLength);
      return bytes;
    } finally {
      await file.close();
    }
  }

  async list(
    prefix: string,
  ): Promise<ReadonlyArray<{ readonly key: string; readonly bytes: number }>> {
    // Only directories can be skipped, so the walk begins at the last whole one of the prefix.
    const parent = prefix.slice(0, prefix.lastIndexOf("/") + 1);
    const entries = await this.#disk.walk(joinPath(this.#directory, parent));
    return entries
      .map(({ path, bytes }) => ({ key: parent + path, bytes }))
      .filter(({ key }) => key.startsWith(prefix) && !key.startsWith(unfinishedDirectory));
  }

  async remove(key: string): Promise<void> {
    const path = joinPath(this.#directory, key);
    await this.#disk.remove(path);
    await this.#disk.syncDirectory(parentPath(path)).catch((error) => {
      if (errorCode(error) !== "ENOENT") throw error;
    });
  }

  async #putAlone(key: string, parts: ReadonlyArray<Uint8Array>): Promise<void> {
    const path = joinPath(this.#directory, key);
    const existing = await this.#disk.open(path, "read").catch((error) => {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    });
    if (existing !== undefined) {
      const isSame = await holds(existing, parts).finally(() => existing.close());
      // An earlier put may have failed between renaming and syncing, so a retry syncs again.
      if (isSame) return await this.#disk.syncDirectory(parentPath(path));
      throw new ObjectStoreError({
        reason: "Exists",
        key,
        message:
          `Cannot store object "${key}": there is one with other content, and objects are never changed`,
      });
    }
    const unfinished = joinPath(
      this.#directory,
      unfinishedDirectory,
      String(this.#unfinishedCount++),
    );
    try {
      await this.#disk.makeDirectory(parentPath(path));
      await this.#disk.makeDirectory(parentPath(unfinished));
      await this.#write(unfinished, parts);
      await this.#disk.rename(unfinished, path);
      await this.#disk.syncDirectory(parentPath(path));
    } catch (error) {
      await this.#disk.remove(unfinished).catch(() => {});
      throw error;
    }
  }

  async #write(path: string, parts: ReadonlyArray<Uint8Array>): Promise<void> {
    const file = await this.#disk.create(path);
    try {
      await file.write(parts, 0);
      await file.syncData();
    } finally {
      await file.close();
    }
  }
}

/** Whether a file is the concatenation of `parts`. */
async function holds(file: DiskFile, parts: ReadonlyArray<Uint8Array>): Promise<boolean> {
  const size = parts.reduce((sum, part) => sum + part.byteLength, 0);
  if (await file.size() !== size) return false;
  let position = 0;
  for (const part of parts) {
    for (let start = 0; start < part.byteLength; start += compareBytes) {
      const wanted = part.subarray(start, start + compareBytes);
      const found = await file.read(position, wanted.byteLength);
      if (found.byteLength !== wanted.byteLength || wanted.some((byte, at) => byte !== found[at])) {
        return false;
      }
      position += wanted.byteLength;
    }
  }
  return true;
}

/** Turns what the disk says into the port's error. */
function failureOf(key: string, error: unknown): ObjectStoreError {
  const code = errorCode(error);
  if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR") return notFound(key);
  if (isNoSpace(error)) {
    const message = `Cannot store object "${key}": ${
      errorText(error)
    }; free some room and it will be tried again`;
    return new ObjectStoreError({ reason: "Full", key, message });
  }
  return new ObjectStoreError({
    reason: "Io",
    key,
    message: `Object "${key}": ${errorText(error)}`,
  });
}

function rangeProblem(key: string, offset: number, length: number): ObjectStoreError | undefined {
  const isGood = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 &&
    length >= 0;
  return isGood ? undefined : badRange(key, offset, length, 0);
}

function badRange(key: string, offset: number, length: number, found: number): ObjectStoreError {
  return new ObjectStoreError({
    reason: "BadRange",
    key,
    message: `Cannot read ${length} bytes at ${offset} of object "${key}": it has ${found} of them`,
  });
}
