/** Reads ranges of stored objects on the calling thread: what worker threads scan with. DirectoryObjectStore.ts owns the files;
 *  a file with a key's name is whole and never changes, so no lock is needed. Imports no Effect, so that threads start fast. */
import { isObjectKey } from "../objectKey.ts";
import { errorCode, errorText, joinPath, RangeReader } from "../../platform/files.ts";
import { willDiscard } from "../../platform/externalMemory.ts";

export interface ObjectReader {
  /** Exactly `length` bytes from `offset`. Throws ObjectReadFailed. */
  readonly getRange: (key: string, offset: number, length: number) => Uint8Array;
  readonly close: () => void;
}

/** The port's reasons, as a plain error. Of it only name and message cross threads, so that NotFound has a name of its own. */
export class ObjectReadFailed extends Error {
  override readonly name: "ObjectReadFailed" | "ObjectMissing";
  readonly reason: "NotFound" | "BadKey" | "BadRange" | "Io";
  readonly key: string;

  constructor(reason: ObjectReadFailed["reason"], key: string, message: string) {
    super(message);
    this.name = reason === "NotFound" ? "ObjectMissing" : "ObjectReadFailed";
    this.reason = reason;
    this.key = key;
  }
}

/** Files that a reader keeps open. */
const openFilesMax = 64;
/** How long it keeps one open that is not read, ms. */
const idleMsDefault = 30_000;

/** A reader of the objects below `directory`. Keys are those of committed segments. */
export function openObjectReader(directory: string, idleMs = idleMsDefault): ObjectReader {
  const reader = new RangeReader(openFilesMax, idleMs);
  return {
    getRange: (key, offset, length) => {
      if (!isObjectKey(key)) {
        throw new ObjectReadFailed(
          "BadKey",
          key,
          `Cannot read object "${key}": not an object's key`,
        );
      }
      if (!(offset >= 0 && length >= 0)) throw badRange(key, offset, length, 0);
      let bytes: Uint8Array;
      willDiscard(length);
      try {
        bytes = reader.read(joinPath(directory, key), offset, length);
      } catch (error) {
        const reason = errorCode(error) === "ENOENT" ? "NotFound" : "Io";
        throw new ObjectReadFailed(reason, key, `Cannot read object "${key}": ${errorText(error)}`);
      }
      if (bytes.byteLength === length) return bytes;
      throw badRange(key, offset, length, bytes.byteLength);
    },
    close: () => reader.close(),
  };
}

function badRange(key: string, offset: number, length: number, found: number): ObjectReadFailed {
  const message =
    `Cannot read ${length} bytes at ${offset} of object "${key}": it has ${found} of them`;
  return new ObjectReadFailed("BadRange", key, message);
}
