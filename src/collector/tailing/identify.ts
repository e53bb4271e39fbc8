/** Which file is which, after names have moved: whether a file continues what a position says, and where the
 *  rest of a file went that was rotated away. Owns the rules; it only looks, Tailer.ts acts. A file is the
 *  one that was read if its first bytes and the bytes before the place read up to are the same; inode and
 *  name only say where to look first. */
import type { CompressionFormat } from "../../platform/decompressedFile.ts";
import { baseName, parentPath } from "../../platform/files.ts";
import {
  directoryEntries,
  joinLogPath,
  type LogFileStatus,
  logFileStatus,
  OpenLogFile,
} from "../../platform/logFiles.ts";
import type { FilePosition } from "../positions/position.ts";
import { checkBytesMax, hashBytes, headBytesMax } from "./fingerprint.ts";

const scratch = new Uint8Array(headBytesMax);

/** Whether the open file holds what was read according to `position`, and perhaps more. False for positions
 *  without content. */
export function holds(log: OpenLogFile, bytes: number, position: FilePosition): boolean {
  const { headBytes, headHash, checkOffset, checkHash } = position;
  if (headBytes === 0 || bytes < headBytes || bytes < checkOffset) return false;
  if (log.read(scratch, headBytes, 0) < headBytes) return false;
  if (hashBytes(scratch, 0, headBytes) !== headHash) return false;
  if (checkHash < 0) return true;
  const check = Math.min(checkBytesMax, checkOffset);
  return log.read(scratch, check, checkOffset - check) === check &&
    hashBytes(scratch, 0, check) === checkHash;
}

/** The hash of the first bytes of a file, as a position has it. */
export function headOf(log: OpenLogFile, bytesMax = headBytesMax): {
  readonly headBytes: number;
  readonly headHash: number;
} {
  const headBytes = log.read(scratch, Math.min(bytesMax, headBytesMax), 0);
  return { headBytes, headHash: hashBytes(scratch, 0, headBytes) };
}

/** The first part of the names that a rotation may give to `original`. */
export function rotatedStem(original: string): string {
  const dot = original.lastIndexOf(".");
  return dot <= 0 ? original : original.slice(0, dot);
}

/** Whether a rotation may have given the content of `original` to `candidate`, judged by their names: app.log
 *  becomes app.log.1, app.log-20260101.gz, app-2026-01-01.log. */
export function isRotatedName(original: string, candidate: string): boolean {
  if (original === candidate) return false;
  if (candidate.startsWith(original)) return true;
  const stem = rotatedStem(original);
  if (stem === original) return false;
  const extension = original.slice(stem.length);
  return candidate.startsWith(stem) && candidate.replace(/\.(gz|z)$/, "").endsWith(extension);
}

/** Whether a rotation may have given a file's content to `path`. */
export function mayBecome(
  file: { readonly path: string; readonly log: string },
  path: string,
): boolean {
  const name = baseName(path);
  return isRotatedName(baseName(file.path), name) || isRotatedName(baseName(file.log), name);
}

export interface FoundFile {
  readonly path: string;
  readonly status: LogFileStatus;
}

/** The file with the position's inode in its directory, if that holds what was read. */
export function findByInode(position: FilePosition): FoundFile | undefined {
  return siblings(position, () => true).find(({ path, status }) =>
    status.inode === position.inode && pathHolds(path, status, position)
  );
}

/** A file beside the position's that holds the same content: what copytruncate left, or a file that was moved
 *  over from another disk. The one with the most of it. */
export function findCopy(position: FilePosition): FoundFile | undefined {
  return siblings(position, mayBecome)
    .filter(({ path, status }) =>
      compressionOf(path) === undefined && pathHolds(path, status, position)
    )
    .sort((a, b) => b.status.bytes - a.status.bytes)[0];
}

/** Names in directories, sorted, for the time of one look. */
export type DirectoryListings = Map<string, ReadonlyArray<string>>;

/** Files beside `path` that by their names a rotation made of it, and that have been written to since a time. */
export function rotatedSince(
  path: string,
  sinceMs: number,
  listings: DirectoryListings,
): ReadonlyArray<FoundFile> {
  const directory = parentPath(path);
  const name = baseName(path);
  let names = listings.get(directory);
  if (names === undefined) {
    names = directoryEntries(directory).filter((entry) => !entry.isDirectory)
      .map((entry) => entry.name).sort();
    listings.set(directory, names);
  }
  const stem = rotatedStem(name);
  const found: FoundFile[] = [];
  for (let index = firstAtLeast(names, stem); names[index]?.startsWith(stem); index++) {
    if (!isRotatedName(name, names[index]!)) continue;
    const sibling = joinLogPath(directory, names[index]!);
    const status = logFileStatus(sibling);
    if (status?.isFile === true && status.modifiedMs >= sinceMs) {
      found.push({ path: sibling, status });
    }
  }
  return found;
}

function firstAtLeast(names: ReadonlyArray<string>, wanted: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (names[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Compressed files beside the position's that by their names can hold its content. */
export function compressedCandidates(position: FilePosition): ReadonlyArray<FoundFile> {
  return siblings(position, mayBecome).filter(({ path }) => compressionOf(path) !== undefined);
}

/** How a file is compressed, by its name. */
export function compressionOf(path: string): CompressionFormat | undefined {
  if (path.endsWith(".gz")) return "gz";
  return path.endsWith(".z") ? "z" : undefined;
}

/** Whether the file at `path` holds what was read according to `position`. */
export function pathHolds(path: string, status: LogFileStatus, position: FilePosition): boolean {
  try {
    const log = new OpenLogFile(path);
    try {
      return holds(log, status.bytes, position);
    } finally {
      log.close();
    }
  } catch {
    // It went away meanwhile, or may not be read.
    return false;
  }
}

/** Files in the directory of a position's file that may be related to it as wanted. */
function siblings(
  position: FilePosition,
  isRelated: (position: FilePosition, path: string) => boolean,
): ReadonlyArray<FoundFile> {
  const directory = parentPath(position.path);
  return directoryEntries(directory).flatMap((entry) => {
    const sibling = joinLogPath(directory, entry.name);
    if (entry.isDirectory || !isRelated(position, sibling)) return [];
    const status = logFileStatus(sibling);
    return status?.isFile === true ? [{ path: sibling, status }] : [];
  });
}

/** Whether the open file's `bytes` bytes are the first of the file at `path`. True also if that is gone: what became
 *  of it is found out before the copy is judged. */
export function isPrefix(log: OpenLogFile, bytes: number, path: string): boolean {
  const head = headOf(log, bytes);
  try {
    const other = new OpenLogFile(path);
    try {
      const same = headOf(other, bytes);
      return head.headBytes === same.headBytes && head.headHash === same.headHash;
    } finally {
      other.close();
    }
  } catch {
    return true;
  }
}
