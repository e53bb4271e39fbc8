/** Files that other programs write and rotate, as one who reads along sees them. Owns the calls to the
 *  runtime for status, reads, directories and change notices; what a change means is src/collector/tailing's.
 *  Reads are synchronous: new lines are in the page cache, where a read takes about a microsecond, a fiftieth
 *  of what its promise would cost. */
import * as fs from "node:fs";
import { join } from "node:path";
import { errorCode, errorText } from "./files.ts";

/** What identifies a file and how far it has grown. Inodes beyond 2^53 lose their lowest bits. */
export interface LogFileStatus {
  readonly device: number;
  readonly inode: number;
  readonly bytes: number;
  /** Names that the file has; 0 once it is deleted. */
  readonly links: number;
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly modifiedMs: number;
  /** When it was made, as far as the file system knows. */
  readonly bornMs: number;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly isDirectory: boolean;
  readonly isLink: boolean;
}

/** The status of what `path` leads to, symbolic links followed; undefined if there is nothing or nothing that may be seen. */
export function logFileStatus(path: string): LogFileStatus | undefined {
  try {
    const stats = fs.statSync(path, { throwIfNoEntry: false });
    return stats === undefined ? undefined : statusOf(stats);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

/** An open file. It stays readable when its name is taken away. */
export class OpenLogFile {
  readonly #descriptor: number;

  /** Throws the runtime's error. */
  constructor(path: string) {
    this.#descriptor = fs.openSync(path, "r");
  }

  /** Reads into buffer[0..length) from `position` and returns the number of bytes; fewer only at the end of the file. */
  read(buffer: Uint8Array, length: number, position: number): number {
    let filled = 0;
    while (filled < length) {
      const count = fs.readSync(
        this.#descriptor,
        buffer,
        filled,
        length - filled,
        position + filled,
      );
      if (count === 0) break;
      filled += count;
    }
    return filled;
  }

  status(): LogFileStatus {
    return statusOf(fs.fstatSync(this.#descriptor));
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }
}

/** What is in a directory, in no order; nothing if it cannot be read. */
export function directoryEntries(path: string): ReadonlyArray<DirectoryEntry> {
  try {
    return fs.readdirSync(path, { withFileTypes: true }).map((entry) => ({
      name: entry.name,
      isDirectory: entry.isDirectory(),
      isLink: entry.isSymbolicLink(),
    }));
  } catch (error) {
    if (isAbsence(error)) return [];
    throw error;
  }
}

/** The path without symbolic links; undefined if it leads nowhere. */
export function realPath(path: string): string | undefined {
  try {
    return fs.realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Calls `onChange` with the name of what changed in a directory ("" if the system does not say) until
 *  `close`. Undefined if the directory is gone or the system does not watch it, which `onRefused` is told, then or
 *  later: the caller polls anyway, a watch only makes it faster. */
export function watchDirectory(
  path: string,
  onChange: (name: string, isNameChange: boolean) => void,
  onRefused: (reason: string) => void = () => {},
): { readonly close: () => void } | undefined {
  try {
    const watcher = fs.watch(path, { persistent: false }, (event, name) => {
      onChange(name ?? "", event === "rename");
    });
    watcher.on("error", (error) => {
      watcher.close();
      if (!isAbsence(error)) onRefused(errorText(error));
    });
    return { close: () => watcher.close() };
  } catch (error) {
    if (!isAbsence(error)) onRefused(errorText(error));
    return undefined;
  }
}

export const joinLogPath = join;

function statusOf(stats: fs.Stats): LogFileStatus {
  return {
    device: stats.dev,
    inode: stats.ino,
    bytes: stats.size,
    links: stats.nlink,
    isFile: stats.isFile(),
    isDirectory: stats.isDirectory(),
    modifiedMs: stats.mtimeMs,
    bornMs: stats.birthtimeMs || 0,
  };
}

function isAbsence(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "EACCES", "EPERM", "ELOOP", "ESTALE"].includes(errorCode(error));
}
