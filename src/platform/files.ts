/** Files and directories for code that must know when its bytes are safe. Owns the calls to the runtime; the formats that are
 *  written with it, and what to do after a failure, belong to the callers (src/storage/embedded). Everything runs on the
 *  runtime's thread pool. `Disk` is an interface so that tests can take the disk's place (src/testing/simulatedDisk.ts). */
import * as fs from "node:fs";
import { clearTimeout, setTimeout } from "node:timers";
import { basename, dirname, join } from "node:path";
import { joinBytes } from "./joinBytes.ts";

/** An open file. Positions and lengths are in bytes; calls on one file must not overlap, except reads. */
export interface DiskFile {
  readonly path: string;
  /** Writes all of `parts` one after the other from `position` on, or throws; then any part of them may have been written. */
  readonly write: (parts: ReadonlyArray<Uint8Array>, position: number) => Promise<void>;
  /** Up to `length` bytes from `position`; fewer only at the end of the file. */
  readonly read: (position: number, length: number) => Promise<Uint8Array>;
  /** Makes the file's content durable (fdatasync). After a failure, bytes written since the last success may be lost even if
   *  a later call succeeds. */
  readonly syncData: () => Promise<void>;
  readonly truncate: (length: number) => Promise<void>;
  readonly size: () => Promise<number>;
  readonly close: () => Promise<void>;
}

export interface FileEntry {
  readonly path: string;
  readonly bytes: number;
}

/** A disk as the storage sees it. Every call throws the runtime's error, whose `code` is the errno's name. */
export interface Disk {
  /** Opens an existing file. */
  readonly open: (path: string, mode: "read" | "write") => Promise<DiskFile>;
  /** Creates a file, emptying one that exists; it is durable after syncData and syncDirectory of its parent. */
  readonly create: (path: string) => Promise<DiskFile>;
  /** Names in a directory, sorted; empty if there is no such directory. */
  readonly list: (path: string) => Promise<ReadonlyArray<string>>;
  /** All files below a directory, by path relative to it with "/" between names; none if there is no such directory. */
  readonly walk: (path: string) => Promise<ReadonlyArray<FileEntry>>;
  /** Creates a directory with its parents, durably. */
  readonly makeDirectory: (path: string) => Promise<void>;
  /** Makes created, renamed and removed names in a directory durable. */
  readonly syncDirectory: (path: string) => Promise<void>;
  /** Replaces `to` if it exists. */
  readonly rename: (from: string, to: string) => Promise<void>;
  /** Removing what is not there succeeds. */
  readonly remove: (path: string) => Promise<void>;
}

export const joinPath = join;
export const baseName = basename;
export const parentPath = dirname;

/** The disk of the machine. */
export const nodeDisk: Disk = {
  open: async (path, mode) =>
    new NodeFile(path, await openDescriptor(path, mode === "read" ? "r" : "r+")),
  create: async (path) => new NodeFile(path, await openDescriptor(path, "w+")),
  list: async (path) => {
    try {
      return (await fs.promises.readdir(path)).sort();
    } catch (error) {
      if (errorCode(error) === "ENOENT") return [];
      throw error;
    }
  },
  walk: async (path) => {
    const entries: FileEntry[] = [];
    await walkInto(path, "", entries);
    return entries.sort((a, b) => a.path < b.path ? -1 : 1);
  },
  makeDirectory: async (path) => {
    const first = await fs.promises.mkdir(path, { recursive: true });
    if (first === undefined) return;
    // Each new name lives in its parent, so all parents from the leaf up to the first that existed are synced.
    const top = dirname(first);
    for (let parent = dirname(path); parent.length >= top.length; parent = dirname(parent)) {
      await nodeDisk.syncDirectory(parent);
      if (parent === top || parent === dirname(parent)) break;
    }
  },
  syncDirectory: async (path) => {
    const descriptor = await openDescriptor(path, "r");
    try {
      await settled((done) => fs.fsync(descriptor, done));
    } finally {
      await settled((done) => fs.close(descriptor, done));
    }
  },
  rename: (from, to) => fs.promises.rename(from, to),
  remove: (path) => fs.promises.rm(path, { force: true }),
};

/** A whole file as UTF-8 text, for configurations. Throws the runtime's error. */
export function readTextFile(path: string): Promise<string> {
  return fs.promises.readFile(path, "utf8");
}

/** The text of a small file, on the calling thread. */
export function readTextFileNow(path: string): string {
  return fs.readFileSync(path, "utf8");
}

/** True if the error says that the disk, or the user's share of it, is full. */
export function isNoSpace(error: unknown): boolean {
  const code = errorCode(error);
  return code === "ENOSPC" || code === "EDQUOT";
}

/** The errno's name of a runtime's file error, "" if it has none. */
export function errorCode(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}

/** What the system said, for error messages. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // What Effect.tryPromise makes of an error says nothing but where it was caught.
  const isWrapped = "_tag" in error && error._tag === "UnknownError" && error.cause !== undefined;
  return isWrapped ? errorText(error.cause) : error.message;
}

/** The same for a message that names the file itself: without the call and the path at the end of what the runtime says. */
export function errorTextWithoutPath(error: unknown): string {
  return errorText(error).replace(/, \w+ '.*'$/s, "");
}

/** A file that a RangeReader has open, and when it was last read, ms of performance.now(). */
interface OpenFile {
  readonly descriptor: number;
  readMs: number;
}

/** Reads ranges of immutable files on the calling thread, keeping the most recently read ones open. For worker threads, whose
 *  jobs are synchronous anyway. A file that was not read for `idleMs` is closed: it may have been removed, and its room on the disk
 *  is free only then. */
export class RangeReader {
  readonly #openMax: number;
  readonly #idleMs: number;
  /** By path, least recently used first. */
  readonly #files = new Map<string, OpenFile>();
  /** Runs while files are open. */
  #timer: NodeJS.Timeout | undefined;

  constructor(openMax: number, idleMs: number) {
    this.#openMax = openMax;
    this.#idleMs = idleMs;
  }

  /** `length` bytes from `offset`, fewer at the end of the file. Throws the runtime's error. */
  read(path: string, offset: number, length: number): Uint8Array {
    const descriptor = this.#descriptor(path);
    const buffer = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const count = fs.readSync(descriptor, buffer, filled, length - filled, offset + filled);
      if (count === 0) break;
      filled += count;
    }
    return buffer.subarray(0, filled);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { descriptor } of this.#files.values()) fs.closeSync(descriptor);
    this.#files.clear();
  }

  #descriptor(path: string): number {
    const open = this.#files.get(path);
    if (open !== undefined) {
      open.readMs = performance.now();
      this.#files.delete(path);
      this.#files.set(path, open);
      return open.descriptor;
    }
    this.#closeOldest(() => this.#files.size >= this.#openMax);
    const descriptor = fs.openSync(path, "r");
    this.#files.set(path, { descriptor, readMs: performance.now() });
    this.#timer ??= this.#wait();
    return descriptor;
  }

  #closeOldest(isDue: (file: OpenFile) => boolean): void {
    for (const [path, file] of this.#files) {
      if (!isDue(file)) return;
      fs.closeSync(file.descriptor);
      this.#files.delete(path);
    }
  }

  /** A timer that keeps no process alive. */
  #wait(): NodeJS.Timeout {
    return setTimeout(() => {
      const sinceMs = performance.now() - this.#idleMs;
      this.#closeOldest(({ readMs }) => readMs <= sinceMs);
      this.#timer = this.#files.size === 0 ? undefined : this.#wait();
    }, this.#idleMs).unref();
  }
}

/** Parts shorter than this are written together with their neighbours, longer ones uncopied. */
const longBytes = 64 * 1024;
const joinedBytesMax = 256 * 1024;

/** The bytes of `parts` in fewer pieces. Instead of a vectored write: Deno's copies all of it twice,
 *  and shared memory slowly. */
function* gathered(parts: ReadonlyArray<Uint8Array>): Iterable<Uint8Array> {
  let short: Uint8Array[] = [];
  let shortBytes = 0;
  for (const part of parts) {
    const isLong = part.byteLength >= longBytes;
    if (shortBytes > 0 && (isLong || shortBytes + part.byteLength > joinedBytesMax)) {
      yield joinBytes(short);
      short = [];
      shortBytes = 0;
    }
    if (isLong) {
      yield part;
    } else {
      short.push(part);
      shortBytes += part.byteLength;
    }
  }
  if (shortBytes > 0) yield joinBytes(short);
}

class NodeFile implements DiskFile {
  readonly path: string;
  readonly #descriptor: number;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  async write(parts: ReadonlyArray<Uint8Array>, position: number): Promise<void> {
    let at = position;
    for (const piece of gathered(parts)) {
      for (let done = 0; done < piece.byteLength;) {
        const written = await this.#writeSome(piece.subarray(done), at);
        done += written;
        at += written;
      }
    }
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const buffer = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const count = await settled<number>((done) =>
        fs.read(this.#descriptor, buffer, filled, length - filled, position + filled, done)
      );
      if (count === 0) break;
      filled += count;
    }
    return buffer.subarray(0, filled);
  }

  syncData(): Promise<void> {
    return settled((done) => fs.fdatasync(this.#descriptor, done));
  }

  truncate(length: number): Promise<void> {
    return settled((done) => fs.ftruncate(this.#descriptor, length, done));
  }

  async size(): Promise<number> {
    return (await settled<fs.Stats>((done) => fs.fstat(this.#descriptor, done))).size;
  }

  close(): Promise<void> {
    return settled((done) => fs.close(this.#descriptor, done));
  }

  /** One write call; zero bytes would loop forever, so that is an error. */
  async #writeSome(bytes: Uint8Array, position: number): Promise<number> {
    const written = await settled<number>((done) =>
      fs.write(this.#descriptor, bytes, 0, bytes.byteLength, position, done)
    );
    if (written === 0) throw new Error(`Cannot write to "${this.path}": the system wrote 0 bytes`);
    return written;
  }
}

async function walkInto(root: string, relative: string, entries: FileEntry[]): Promise<void> {
  let found: ReadonlyArray<fs.Dirent>;
  try {
    found = await fs.promises.readdir(join(root, relative), { withFileTypes: true });
  } catch (error) {
    // A directory may be removed meanwhile.
    if (errorCode(error) === "ENOENT") return;
    throw error;
  }
  for (const entry of found) {
    const path = relative === "" ? entry.name : `${relative}/${entry.name}`;
    if (entry.isDirectory()) {
      await walkInto(root, path, entries);
      continue;
    }
    const stats = await fs.promises.stat(join(root, path)).catch((error) => {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    });
    if (stats !== undefined) entries.push({ path, bytes: stats.size });
  }
}

function openDescriptor(path: string, flags: string): Promise<number> {
  return settled((done) => fs.open(path, flags, done));
}

/** A promise for one of the runtime's callback functions: they cost less than its promise versions. */
function settled<Result = void>(
  start: (done: (error: Error | null, result?: Result) => void) => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    start((error, result) => error ? reject(error) : resolve(result as Result));
  });
}
