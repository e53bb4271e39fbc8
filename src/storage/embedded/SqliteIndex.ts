/** The index in SQLite: <data directory>/index.sqlite. Owns the connections; indexSchema.ts owns the tables, indexWriter.ts what
 *  changes them, indexQuery.ts the answers. Queries use a second connection and see a change only when it is complete. */
import { Effect, Layer } from "effect";
import { joinPath, nodeDisk } from "../../platform/files.ts";
import type { DatabaseSync } from "../../platform/sqlite.ts";
import { inTurns } from "../../platform/turns.ts";
import type { SegmentSummary } from "../../streams/record.ts";
import { Index, IndexError } from "../Index.ts";
import { DataDirectory } from "./DataDirectory.ts";
import { IndexReader } from "./indexQuery.ts";
import { damaged, indexFailure, openIndexDatabase } from "./indexSchema.ts";
import { IndexWriter, readCheckpoint } from "./indexWriter.ts";

export const indexFileName = "index.sqlite";

/** The index of the data directory. Fails with Corrupt if it cannot be read, or is missing although there are segments. */
export const sqliteIndexLayer: Layer.Layer<Index, IndexError, DataDirectory> = Layer.effect(
  Index,
  Effect.gen(function* () {
    const { path } = yield* DataDirectory;
    const file = joinPath(path, indexFileName);
    const names = yield* attemptAsync(file, () => nodeDisk.list(path));
    if (!names.includes(indexFileName)) {
      const segments = joinPath(path, "objects", "segments");
      const partitions = yield* attemptAsync(file, () => nodeDisk.list(segments));
      if (partitions.length > 0) {
        return yield* damaged(file, `it is missing, though there are segments in "${segments}"`);
      }
    }
    return yield* openSqliteIndex(file);
  }),
);

/** Opens the index at `file`, creating an empty one if there is none; it closes with the scope. */
export const openSqliteIndex = Effect.fnUntraced(function* (file: string) {
  const open = Effect.try({
    try: () => openIndexDatabase(file),
    catch: (error) => indexFailure(file, error),
  });
  const close = (database: DatabaseSync) => Effect.sync(() => database.close());
  const writing = yield* Effect.acquireRelease(open, close);
  const reading = yield* Effect.acquireRelease(open, close);
  const reader = new IndexReader(reading);
  const writer = yield* Effect.acquireRelease(
    Effect.sync(() => new IndexWriter(writing)),
    (writer) => Effect.promise(() => writer.idle()),
  );
  const attempt = <Result>(run: () => Result) =>
    Effect.try({ try: run, catch: (error) => indexFailure(file, error) });
  return Index.of({
    commit: (record) => attemptAsync(file, () => writer.commit(record)),
    replace: (keys, record) => attemptAsync(file, () => writer.replace(keys, record)),
    restore: (record) => attemptAsync(file, () => writer.restore(record)),
    // Only this process commits, and what it asked for before is decided first.
    discard: (key) => attemptAsync(file, async () => !await writer.has(key)),
    // No other process can have this file.
    claim: (partition) => attempt(() => readCheckpoint(reading, partition)),
    checkpoint: (partition) => attempt(() => readCheckpoint(reading, partition)),
    findChunks: (query) =>
      inTurns(() => reader.findChunks(query), (error) => indexFailure(file, error)),
    findStreams: (query) => attempt(() => reader.findStreams(query)),
    labelNames: (query) => attempt(() => reader.labelNames(query)),
    labelValues: (query, name) => attempt(() => reader.labelValues(query, name)),
    stats: (query) => attempt(() => reader.stats(query)),
    segments: () => attempt(() => readSegments(reading)),
  });
});

function attemptAsync<Result>(
  file: string,
  run: () => Promise<Result>,
): Effect.Effect<Result, IndexError> {
  return Effect.tryPromise({ try: run, catch: (error) => indexFailure(file, error) });
}

function readSegments(database: DatabaseSync): ReadonlyArray<SegmentSummary> {
  const statement = database.prepare(
    `SELECT key, partition, log_from, log_to, bytes, created_at, stream_count, min_time, max_time
     FROM segments ORDER BY partition, log_from`,
  );
  statement.setReadBigInts(true);
  return statement.all().map((row) => ({
    key: String(row.key),
    partition: Number(row.partition),
    logFrom: Number(row.log_from),
    logTo: Number(row.log_to),
    bytes: Number(row.bytes),
    createdAt: row.created_at as bigint,
    streamCount: Number(row.stream_count),
    minTime: row.min_time as bigint,
    maxTime: row.max_time as bigint,
  }));
}
