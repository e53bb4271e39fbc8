/** The tables of the index and their version. SqliteIndex.ts writes them, indexQuery.ts reads them.
 *
 *  Chunks are keyed by segment first: a commit then appends to one place of the tree, however many streams it has. A
 *  query finds the segments of its time range, then looks into each for its streams. A stream that lives in several
 *  partitions has a row for each, so that segments of other partitions need not be looked into; it goes with its last
 *  segment. Times are ns since 1970. */
import { type DatabaseSync, openDatabase, sqliteFailure } from "../../platform/sqlite.ts";
import { IndexError } from "../Index.ts";

/** "TRIX", so that no other program's database is taken for an index. */
const applicationId = 0x54524958;
const schemaVersion = 2;

const schema = `
  CREATE TABLE tenants (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE streams (
    id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, partition INTEGER NOT NULL, labels TEXT NOT NULL,
    segment_count INTEGER NOT NULL DEFAULT 0, UNIQUE (tenant, labels, partition)
  );
  CREATE TABLE label_values (
    id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    stream_count INTEGER NOT NULL, UNIQUE (tenant, name, value)
  );
  CREATE TABLE postings (
    label_value INTEGER NOT NULL, stream INTEGER NOT NULL, PRIMARY KEY (label_value, stream)
  ) WITHOUT ROWID;
  CREATE TABLE segments (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, partition INTEGER NOT NULL, log_from INTEGER NOT NULL,
    log_to INTEGER NOT NULL, bytes INTEGER NOT NULL, created_at INTEGER NOT NULL, stream_count INTEGER NOT NULL,
    min_time INTEGER NOT NULL, max_time INTEGER NOT NULL
  );
  CREATE INDEX segments_by_time ON segments (max_time, min_time);
  CREATE INDEX segments_by_log ON segments (partition, log_from);
  CREATE TABLE chunks (
    segment INTEGER NOT NULL, stream INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
    row_count INTEGER NOT NULL, raw_bytes INTEGER NOT NULL, min_time INTEGER NOT NULL, max_time INTEGER NOT NULL,
    PRIMARY KEY (segment, stream, offset)
  ) WITHOUT ROWID;
  CREATE TABLE checkpoints (partition INTEGER PRIMARY KEY, log_to INTEGER NOT NULL);
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${schemaVersion};
`;

/** Version 2 counts the segments of each stream, so that one without any can go. */
const upgradeFrom1 = `
  ALTER TABLE streams ADD COLUMN segment_count INTEGER NOT NULL DEFAULT 0;
  UPDATE streams SET segment_count = n.segments
    FROM (SELECT stream, count(DISTINCT segment) AS segments FROM chunks GROUP BY stream) n
    WHERE n.stream = streams.id;
  CREATE INDEX segments_by_log ON segments (partition, log_from);
  PRAGMA user_version = 2;
`;

/** Opens the index file, creating its tables if it is new. Throws IndexError. */
export function openIndexDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = openDatabase(path, { busyMs: 5000 });
    // The log is released after a commit, so a commit must be on the disk when it returns: FULL, not NORMAL.
    database.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768",
    );
    checkSchema(database, path);
    return database;
  } catch (error) {
    database?.close();
    throw indexFailure(path, error);
  }
}

/** The port's error for what SQLite said about the index at `path`. */
export function indexFailure(path: string, error: unknown): IndexError {
  if (error instanceof IndexError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const kind = sqliteFailure(error);
  if (kind === "Corrupt") return damaged(path, text);
  const advice = kind === "Full" ? "; free some room, then it works again" : "";
  return new IndexError({
    reason: kind === "Full" ? "Full" : "Io",
    message: `Index "${path}": ${text}${advice}`,
  });
}

/** An index that cannot be used, and the way out. */
export function damaged(path: string, what: string): IndexError {
  return new IndexError({
    reason: "Corrupt",
    message:
      `Cannot use the index "${path}": ${what}. Stop Tailrace and run \`tailrace rebuild-index\`, ` +
      `which makes it again from the segments; no lines are lost`,
  });
}

function checkSchema(database: DatabaseSync, path: string): void {
  const version = Number(Object.values(database.prepare("PRAGMA user_version").get() ?? {})[0]);
  const id = Number(Object.values(database.prepare("PRAGMA application_id").get() ?? {})[0]);
  const tables = database.prepare("SELECT count(*) FROM sqlite_schema").get() ?? {};
  if (version === 0 && id === 0 && Number(Object.values(tables)[0]) === 0) {
    database.exec(`BEGIN; ${schema} COMMIT`);
    return;
  }
  if (id !== applicationId) throw damaged(path, "it is a database, but not an index of Tailrace");
  if (version === 1) database.exec(`BEGIN IMMEDIATE; ${upgradeFrom1} COMMIT`);
  if (version > schemaVersion) {
    throw new IndexError({
      reason: "Corrupt",
      message:
        `Cannot use the index "${path}": it has schema version ${version}, this program knows ` +
        `${schemaVersion}. Run the newer Tailrace that wrote it, or stop Tailrace and run ` +
        `\`tailrace rebuild-index\` with this one`,
    });
  }
}
