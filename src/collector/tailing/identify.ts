/** Which file is which, after names have moved: whether a file continues what was read, is a copy of it, or is
 *  new. Owns the rules; it only looks, Tailer.ts acts. A file is the one that was read if its first bytes and the
 *  bytes before the place read up to are the same; inode and name only say where to look.
 *
 *  - The inode's file that holds what was read continues it, whatever it is called now.
 *  - Another file that holds it, or that is a beginning of it, is a copy by the name that rotation gives to copies.
 *    While the original is there the copy waits: it may be half done. When the original is gone it is continued.
 *    The same holds for a copy of a log that nobody has looked at yet.
 *  - A file of another inode at the log's own path is new if what was read is elsewhere, or was finished. */
import { logFileStatus, OpenLogFile } from "../../platform/logFiles.ts";
import type { FilePosition } from "../positions/position.ts";
import { DirectoryLook } from "./DirectoryLook.ts";
import type { FilePositions } from "./FilePositions.ts";
import { checkBytesMax, hashBytes, headBytesMax } from "./fingerprint.ts";
import { compressionOf, logNameOf, mayBecome } from "./rotationNames.ts";
import type { TailedFile } from "./TailedFile.ts";

const scratch = new Uint8Array(headBytesMax);

/** A file that is to be told. */
export interface UnknownFile {
  readonly log: OpenLogFile;
  readonly job: string;
  /** Where it really is. */
  readonly path: string;
}

/** A position that it continues; or that it is new, that all of it has been read, or that it cannot be told yet. */
export type Identity = FilePosition | "new" | "read" | "later";

/** Tells what an open file is, given the files that are being read (of any job) and the positions of others. */
export function identify(
  file: UnknownFile,
  active: Iterable<TailedFile>,
  positions: FilePositions,
): Identity {
  const { log, job, path } = file;
  const { inode, bytes } = log.status();
  const candidates = positions.candidates(job, path, inode);
  const own = candidates.find((position) =>
    position.inode === inode && holds(log, bytes, position)
  );
  if (own !== undefined) return own;
  for (const other of active) {
    if (other.job === job && mayBecome(other, path) && isCopyOfActive(log, bytes, other)) {
      return "later";
    }
  }
  const look = new DirectoryLook();
  for (const position of candidates) {
    const identity = position.inode === inode ? undefined : asCopy(file, bytes, position, look);
    if (identity !== undefined) return identity;
  }
  return isCopyOfUnseen(file, bytes, inode) ? "later" : "new";
}

/** Whether the file is a copy, perhaps unfinished, of its log that no look for files has found yet. */
function isCopyOfUnseen({ log, path }: UnknownFile, bytes: number, inode: number): boolean {
  const original = logNameOf(path);
  if (original === path) return false;
  const status = logFileStatus(original);
  // A link may have the log's name and lead here.
  return status?.isFile === true && status.inode !== inode && pathBeginsAs(original, log, bytes);
}

/** Whether the file is a copy, perhaps unfinished, of one that is being read; also if that has been truncated and
 *  nobody has noticed yet. */
function isCopyOfActive(log: OpenLogFile, bytes: number, active: TailedFile): boolean {
  // A copy that has not begun.
  if (bytes === 0) return true;
  return active.withContent((content) =>
    isPrefix(log, bytes, content) ||
    !holdsIfAny(content, content.status().bytes, active.positionBefore())
  ) ?? true;
}

/** What a file with another inode than the position's is, if it has to do with it. */
function asCopy(
  { log, path }: UnknownFile,
  bytes: number,
  position: FilePosition,
  look: DirectoryLook,
): Identity | undefined {
  const isRotated = mayBecome(position, path);
  const isFinished = position.finishedMs !== undefined;
  const isAllRead = isFinished && position.offset === bytes;
  if (holds(log, bytes, position)) {
    if (findByInode(position, look) !== undefined) {
      if (!isRotated) return undefined;
      return isAllRead ? "read" : "later";
    }
    return isRotated || !isFinished ? position : undefined;
  }
  if (!isRotated || bytes >= position.checkOffset) return undefined;
  const { headBytes, headHash } = position;
  // Looking for the original costs a look at each file of the directory: not where this cannot be its beginning.
  const isBeginning = bytes >= headBytes && headOf(log, headBytes).headHash === headHash;
  if (!isBeginning && (isFinished || bytes >= headBytes)) return undefined;
  const original = findByInode(position, look);
  if (original !== undefined) {
    return !isFinished && pathBeginsAs(original, log, bytes) ? "later" : undefined;
  }
  // The copy was made before the last lines were written, which were read from the original all the same.
  return isBeginning && headBytes > 0 ? "read" : undefined;
}

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

function holdsIfAny(log: OpenLogFile, bytes: number, position: FilePosition): boolean {
  return position.headBytes === 0 || holds(log, bytes, position);
}

/** The hash of the first bytes of a file, as a position has it. */
export function headOf(log: OpenLogFile, bytesMax = headBytesMax): {
  readonly headBytes: number;
  readonly headHash: number;
} {
  const headBytes = log.read(scratch, Math.min(bytesMax, headBytesMax), 0);
  return { headBytes, headHash: hashBytes(scratch, 0, headBytes) };
}

/** The file with the position's inode in its directory, if that holds what was read. */
export function findByInode(
  position: FilePosition,
  look = new DirectoryLook(),
): string | undefined {
  // Its own path first: that spares looking at all the others.
  const path = logFileStatus(position.path)?.inode === position.inode
    ? position.path
    : look.withInode(position.path, position.inode);
  return path !== undefined && pathHolds(path, position) ? path : undefined;
}

/** A file beside the position's that holds the same content: what copytruncate left, or a file that was moved
 *  over from another disk. The one with the most of it. */
export function findCopy(
  position: FilePosition,
  look = new DirectoryLook(),
): string | undefined {
  return look.beside(position.path)
    .filter((path) =>
      mayBecome(position, path) && compressionOf(path) === undefined && pathHolds(path, position)
    )
    .sort((a, b) => (logFileStatus(b)?.bytes ?? 0) - (logFileStatus(a)?.bytes ?? 0))[0];
}

/** Whether the file at `path` holds what was read according to `position`. */
export function pathHolds(path: string, position: FilePosition): boolean {
  return withFile(path, (log) => holds(log, log.status().bytes, position)) ?? false;
}

/** Whether the first `bytes` bytes of the file at `path` are those of `log`. */
function pathBeginsAs(path: string, log: OpenLogFile, bytes: number): boolean {
  return withFile(path, (content) => isPrefix(log, bytes, content)) ?? false;
}

/** Whether the `bytes` bytes of a file are the first of another one, by the first and the last of them. */
function isPrefix(log: OpenLogFile, bytes: number, content: OpenLogFile): boolean {
  const head = headOf(log, bytes);
  const contentHead = headOf(content, bytes);
  if (head.headBytes !== contentHead.headBytes || head.headHash !== contentHead.headHash) {
    return false;
  }
  const check = Math.min(checkBytesMax, bytes);
  const hashOf = (file: OpenLogFile) => {
    const count = file.read(scratch, check, bytes - check);
    return count < check ? -1 : hashBytes(scratch, 0, check);
  };
  return hashOf(log) === hashOf(content);
}

/** Undefined if the file went away meanwhile, or may not be read. */
function withFile<Result>(path: string, use: (log: OpenLogFile) => Result): Result | undefined {
  let log: OpenLogFile;
  try {
    log = new OpenLogFile(path);
  } catch {
    return undefined;
  }
  try {
    return use(log);
  } catch {
    return undefined;
  } finally {
    log.close();
  }
}
