/** SQLite, as both runtimes have it built in. Owns opening and telling errors apart; schemas and statements are their users'.
 *  Every database here has one writer, so waiting for locks is never useful beyond a moment. */
import { DatabaseSync } from "node:sqlite";

export type { DatabaseSync, StatementSync } from "node:sqlite";

export interface OpenDatabaseOptions {
  readonly readOnly?: boolean;
  /** How long to wait for another connection's lock. */
  readonly busyMs?: number;
}

/** Opens a database file, creating it unless readOnly. Throws what SQLite says. */
export function openDatabase(path: string, options: OpenDatabaseOptions = {}): DatabaseSync {
  return new DatabaseSync(path, {
    readOnly: options.readOnly ?? false,
    timeout: options.busyMs ?? 0,
  });
}

/** What kind of failure SQLite reported. By text, because Deno's errors lack SQLite's code. */
export function sqliteFailure(error: unknown): "Busy" | "Full" | "Corrupt" | "Other" {
  const text = error instanceof Error ? error.message : String(error);
  if (/database is locked|database table is locked/.test(text)) return "Busy";
  if (/database or disk is full/.test(text)) return "Full";
  if (/disk image is malformed|not a database|unsupported file format/.test(text)) return "Corrupt";
  return "Other";
}
