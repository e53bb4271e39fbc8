/** Which file is which, after names have moved: whether a file continues what a position says, and where the
 *  rest of a file went that was rotated away. Owns the rules; it only looks, Tailer.ts acts. A file is the
 *  one that was read if its first bytes and the bytes before the place read up to are the same; inode and
 *  name only say where to look first. */
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

/** Whether a rotation may have given the content of `original` to `candidate`, judged by their names: app.log
 *  becomes app.log.1, app.log-20260101.gz, app-2026-01-01.log. */
export function isRotatedName(original: string, candidate: string): boolean {
  if (original === candidate) return false;
  if (candidate.startsWith(original)) return true;
  const dot = original.lastIndexOf(".");
  if (dot <= 0) return false;
  const stem = original.slice(0, dot);
  const extension = original.slice(dot);
  return candidate.startsWith(stem) && candidate.replace(/\.(gz|z)$/, "").endsWith(extension);
}

export interface FoundFile {
  readonly path: string;
  readonly status: LogFileStatus;
}

/** The file with the position's inode in its directory, if that holds what was read. */
export function findByInode(position: FilePosition): FoundFile | undefined {
  return siblings(position.path).find(({ path, status }) =>
    status.inode === position.inode && pathHolds(path, status, position)
  );
}

/** A file beside the position's that holds the same content: what copytruncate left, or a file that was moved
 *  over from another disk. The one with the most of it. */
export function findCopy(position: FilePosition): FoundFile | undefined {
  return siblings(position.path)
    .filter(({ path, status }) =>
      isRotatedName(baseName(position.path), baseName(path)) && !isCompressed(path) &&
      pathHolds(path, status, position)
    )
    .sort((a, b) => b.status.bytes - a.status.bytes)[0];
}

/** Compressed files beside the position's that by their names can hold its content. */
export function compressedCandidates(position: FilePosition): ReadonlyArray<FoundFile> {
  return siblings(position.path).filter(({ path }) =>
    isCompressed(path) && isRotatedName(baseName(position.path), baseName(path))
  );
}

export function isCompressed(path: string): boolean {
  return /\.(gz|z)$/.test(path);
}

function pathHolds(path: string, status: LogFileStatus, position: FilePosition): boolean {
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

function siblings(path: string): ReadonlyArray<FoundFile> {
  const directory = parentPath(path);
  return directoryEntries(directory).flatMap((entry) => {
    if (entry.isDirectory) return [];
    const sibling = joinLogPath(directory, entry.name);
    const status = logFileStatus(sibling);
    return status?.isFile === true ? [{ path: sibling, status }] : [];
  });
}
