/** Exclusive use of a directory by one process. The lock is SQLite's exclusive lock on a small database file: the system
 *  drops it however the process ends, so there are no stale locks, and both runtimes can take it. Beside it a text file names
 *  the owner; only messages use that. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openDatabase, sqliteFailure } from "./sqlite.ts";

export interface DirectoryLock {
  readonly release: () => void;
}

/** Takes the directory, creating it if needed. Throws if another process (or another lock of this one) has it, naming its
 *  process id, or if the directory cannot be written. */
export function lockDirectory(path: string): DirectoryLock {
  const ownerPath = join(path, "lock.owner");
  try {
    mkdirSync(path, { recursive: true });
    const database = openDatabase(join(path, "lock.sqlite"));
    try {
      database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE");
      database.exec("BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS lock (taken INTEGER)");
      database.exec("DELETE FROM lock; INSERT INTO lock VALUES (1); COMMIT");
      writeFileSync(ownerPath, `${process.pid}\n`);
    } catch (error) {
      database.close();
      throw error;
    }
    return { release: () => database.close() };
  } catch (cause) {
    if (sqliteFailure(cause) === "Busy") {
      throw new Error(
        `Cannot use the data directory "${path}": process ${ownerOf(ownerPath)} is using it. ` +
          `Stop that process, or give this one a directory of its own`,
        { cause },
      );
    }
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `Cannot use the data directory "${path}": ${text}. It must exist or be creatable, be ` +
        `writable for this user, and lie on a disk with room`,
      { cause },
    );
  }
}

function ownerOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trim() || "(unknown)";
  } catch {
    return "(unknown)";
  }
}
