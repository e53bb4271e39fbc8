/** How far a source has been read, as it is kept on disk. Owns the shapes; positionsFile.ts owns the file.
 *  A position never goes beyond what the disk buffer or the servers hold, so that a restart reads again
 *  whatever they may not have. */
import { Schema } from "effect";

/** A file: which one (name, inode, hash of its first bytes) and how far. */
export const FilePosition = Schema.Struct({
  /** Names the file for as long as it is known, whatever its path becomes. */
  id: Schema.String,
  /** The scrape config that reads it: two of them may read one file, each at its pace. */
  job: Schema.String,
  /** Where it really is, symbolic links followed. */
  path: Schema.String,
  /** The path of the target that it was written under, whatever rotation has called it since. */
  log: Schema.String,
  /** Rotated files of that log are read if they were written since then, ms since 1970: older ones had
   *  been rotated before the log was first seen. */
  sinceMs: Schema.optional(Schema.Number),
  device: Schema.Number,
  inode: Schema.Number,
  /** The hash of the first `headBytes` bytes (tailing/fingerprint.ts). */
  headBytes: Schema.Number,
  headHash: Schema.Number,
  /** Reading goes on here: all lines before it are delivered or in the disk buffer. */
  offset: Schema.Number,
  /** Set while stages hold lines back: so are the lines from `offset` to here, but for those that begin at `held`. */
  doneUntil: Schema.optional(Schema.Number),
  held: Schema.optional(Schema.Array(Schema.Number)),
  /** The hash of the up to 64 bytes before `checkOffset`, which is at least `offset`: a file that
   *  has other bytes there is not the one that was read. -1 if it is not known. */
  checkOffset: Schema.Number,
  checkHash: Schema.Number,
  /** When lines were last found in it, ms since 1970. */
  readMs: Schema.Number,
  /** When it was read to its end and will not grow any more, ms since 1970. */
  finishedMs: Schema.optional(Schema.Number),
});

export type FilePosition = typeof FilePosition.Type;

/** A source that says itself where it was: the journal's cursor, a container's last timestamp. */
export const CursorPosition = Schema.Struct({
  id: Schema.String,
  cursor: Schema.String,
  /** When it was known that there will be nothing more, ms since 1970. */
  finishedMs: Schema.optional(Schema.Number),
});

export type CursorPosition = typeof CursorPosition.Type;

export const Position = Schema.Union([FilePosition, CursorPosition]);

export type Position = typeof Position.Type;

export function isFilePosition(position: Position): position is FilePosition {
  return "inode" in position;
}
