/** The index in SQLite: <data directory>/index.sqlite. Owns the connections and commits; indexSchema.ts owns the tables,
 *  indexQuery.ts the answers. A commit is one transaction, written in slices between which the process does other work; queries
 *  use a second connection and see it only when it is complete. Invariant: segment, chunks and checkpoint change together. */
import { Effect, Layer } from "effect";
import { joinPath, nodeDisk } from "../../platform/files.ts";
import type { DatabaseSync, StatementSync } from "../../platform/sqlite.ts";
import { parseLabels } from "../../streams/labels.ts";
import type { SegmentRecord, StreamRecord } from "../../streams/record.ts";
import { Index, IndexError } from "../Index.ts";
import { DataDirectory } from "./DataDirectory.ts";
import { IndexReader } from "./indexQuery.ts";
import { damaged, indexFailure, openIndexDatabase } from "./indexSchema.ts";

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
    commit: (record) => attemptAsync(file, () => writer.add(record, true)),
    restore: (record) => attemptAsync(file, () => writer.add(record, false)),
    // No other process can have this file.
    claim: (partition) => attempt(() => readCheckpoint(reading, partition)),
    checkpoint: (partition) => attempt(() => readCheckpoint(reading, partition)),
    findChunks: (query) => attempt(() => reader.findChunks(query)),
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

/** Tenants whose ids are kept at hand. */
const tenantsMax = 10_000;

/** Streams written before other work gets its turn; about 10 ms. */
const sliceStreams = 500;

class IndexWriter {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #tenants = new Map<string, number>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = prepare(database);
  }

  /** Adds a segment in one transaction, after all that were asked for before. */
  add(record: SegmentRecord, isConditional: boolean): Promise<void> {
    const run = this.#last.then(() => this.#transaction(record, isConditional));
    this.#last = run.catch(() => {});
    return run;
  }

  /** Resolves when no transaction runs. */
  async idle(): Promise<void> {
    await this.#last;
  }

  async #transaction(record: SegmentRecord, isConditional: boolean): Promise<void> {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      if (this.#mayAdd(record, isConditional)) await this.#insert(record);
      this.#database.exec("COMMIT");
    } catch (error) {
      // Ids of tenants that this transaction made are void, and a full disk has ended it already.
      this.#tenants.clear();
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  /** False if the very same segment is there already. Throws Conflict. */
  #mayAdd(record: SegmentRecord, isConditional: boolean): boolean {
    const { key, partition, logFrom, logTo } = record;
    const known = this.#statements.findSegment.get(key);
    if (known !== undefined) {
      if (
        known.partition === partition && known.log_from === logFrom && known.log_to === logTo
      ) return false;
      const range = `[${known.log_from}, ${known.log_to}) of partition ${known.partition}`;
      throw conflict(record, `a segment of that key is committed with ${range}`);
    }
    const checkpoint = readCheckpoint(this.#database, partition);
    if (isConditional && checkpoint !== logFrom) {
      throw conflict(record, `the partition's checkpoint is ${checkpoint}`);
    }
    return true;
  }

  async #insert(record: SegmentRecord): Promise<void> {
    const { key, partition, logFrom, logTo, bytes, createdAt, streams } = record;
    const [minTime, maxTime] = timeRange(record);
    const inserted = this.#statements.addSegment.get(
      key,
      partition,
      logFrom,
      logTo,
      bytes,
      createdAt,
      streams.length,
      minTime,
      maxTime,
    );
    const segmentId = Number(inserted?.id);
    for (let start = 0; start < streams.length; start += sliceStreams) {
      if (start > 0) await new Promise((resolve) => setTimeout(resolve, 0));
      const slice = streams.slice(start, start + sliceStreams);
      for (const [tenant, ofTenant] of Map.groupBy(slice, (stream) => stream.tenant)) {
        this.#insertStreams(segmentId, partition, this.#tenantId(tenant), ofTenant);
      }
    }
    this.#statements.setCheckpoint.run(partition, logTo);
  }

  /** Adds the streams of one tenant that are new, and all chunks. Rows go in as JSON arrays, which costs less than a call for
   *  each. */
  #insertStreams(
    segmentId: number,
    partition: number,
    tenantId: number,
    streams: ReadonlyArray<StreamRecord>,
  ): void {
    const { addChunks, addStreams, findStreams } = this.#statements;
    const labels = JSON.stringify(streams.map((stream) => stream.labels));
    const ids = new Map<string, number>();
    for (const row of findStreams.all(labels, tenantId, partition)) {
      ids.set(String(row.labels), Number(row.id));
    }
    const unknown = streams.flatMap((stream) => ids.has(stream.labels) ? [] : [stream.labels]);
    if (unknown.length > 0) {
      const added = new Map<string, number>();
      for (const row of addStreams.all(tenantId, partition, JSON.stringify(unknown))) {
        added.set(String(row.labels), Number(row.id));
      }
      this.#insertPostings(tenantId, added);
      for (const [text, id] of added) ids.set(text, id);
    }
    const rows: string[] = [];
    for (const stream of streams) {
      const id = ids.get(stream.labels) as number;
      for (const { offset, length, rowCount, rawBytes, minTime, maxTime } of stream.chunks) {
        rows.push(`[${id},${offset},${length},${rowCount},${rawBytes},${minTime},${maxTime}]`);
      }
    }
    addChunks.run(segmentId, `[${rows.join(",")}]`);
  }

  /** Enters new streams, ids by label string, under each of their labels. */
  #insertPostings(tenantId: number, streams: ReadonlyMap<string, number>): void {
    const { addLabelValues, addPostings } = this.#statements;
    const streamsOf = new Map<string, Map<string, number[]>>();
    for (const [text, id] of streams) {
      for (const [name, value] of parseLabels(text)) {
        const values = streamsOf.get(name) ?? new Map<string, number[]>();
        streamsOf.set(name, values);
        const ids = values.get(value);
        if (ids === undefined) values.set(value, [id]);
        else ids.push(id);
      }
    }
    const counts = [...streamsOf].flatMap(([name, values]) =>
      [...values].map(([value, ids]) => [name, value, ids.length])
    );
    const postings: string[] = [];
    for (const { id, name, value } of addLabelValues.all(tenantId, JSON.stringify(counts))) {
      for (const stream of streamsOf.get(String(name))?.get(String(value)) ?? []) {
        postings.push(`[${id},${stream}]`);
      }
    }
    addPostings.run(`[${postings.join(",")}]`);
  }

  #tenantId(tenant: string): number {
    let id = this.#tenants.get(tenant);
    if (id === undefined) {
      if (this.#tenants.size >= tenantsMax) this.#tenants.clear();
      id = Number(this.#statements.addTenant.get(tenant)?.id);
      this.#tenants.set(tenant, id);
    }
    return id;
  }
}

function prepare(database: DatabaseSync) {
  const statement = (sql: string): StatementSync => database.prepare(sql);
  return {
    findSegment: statement("SELECT partition, log_from, log_to FROM segments WHERE key = ?"),
    addSegment: statement(
      `INSERT INTO segments (key, partition, log_from, log_to, bytes, created_at, stream_count,
         min_time, max_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
    ),
    // An update that changes nothing makes RETURNING give the id of a row that exists.
    addTenant: statement(
      "INSERT INTO tenants (name) VALUES (?) ON CONFLICT DO UPDATE SET name = name RETURNING id",
    ),
    findStreams: statement(
      `SELECT s.labels, s.id FROM json_each(?) j
       CROSS JOIN streams s ON s.tenant = ? AND s.labels = j.value AND s.partition = ?`,
    ),
    addStreams: statement(
      `INSERT INTO streams (tenant, partition, labels)
       SELECT ?, ?, value FROM json_each(?) RETURNING id, labels`,
    ),
    // WHERE TRUE tells the parser that ON belongs to the INSERT.
    addLabelValues: statement(
      `INSERT INTO label_values (tenant, name, value, stream_count)
       SELECT ?, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE TRUE
       ON CONFLICT DO UPDATE SET stream_count = stream_count + excluded.stream_count
       RETURNING id, name, value`,
    ),
    addPostings: statement(
      "INSERT INTO postings SELECT value ->> 0, value ->> 1 FROM json_each(?)",
    ),
    addChunks: statement(
      `INSERT INTO chunks SELECT ?, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
         value ->> 5, value ->> 6 FROM json_each(?)`,
    ),
    setCheckpoint: statement(
      `INSERT INTO checkpoints (partition, log_to) VALUES (?, ?)
       ON CONFLICT DO UPDATE SET log_to = max(log_to, excluded.log_to)`,
    ),
  };
}

function readCheckpoint(database: DatabaseSync, partition: number): number {
  const row = database.prepare("SELECT log_to FROM checkpoints WHERE partition = ?").get(partition);
  return row === undefined ? 1 : Number(row.log_to);
}

function readSegments(database: DatabaseSync): ReadonlyArray<Omit<SegmentRecord, "streams">> {
  const statement = database.prepare(
    "SELECT key, partition, log_from, log_to, bytes, created_at FROM segments ORDER BY partition, log_from",
  );
  statement.setReadBigInts(true);
  return statement.all().map((row) => ({
    key: String(row.key),
    partition: Number(row.partition),
    logFrom: Number(row.log_from),
    logTo: Number(row.log_to),
    bytes: Number(row.bytes),
    createdAt: row.created_at as bigint,
  }));
}

function conflict(record: SegmentRecord, what: string): IndexError {
  const { key, partition, logFrom, logTo } = record;
  return new IndexError({
    reason: "Conflict",
    message:
      `Cannot commit segment "${key}" with [${logFrom}, ${logTo}) of partition ${partition}: ${what}`,
  });
}

/** First and last time of all chunks. A segment without chunks is in no time range. */
function timeRange(record: SegmentRecord): readonly [bigint, bigint] {
  let [min, max] = [2n ** 63n - 1n, -(2n ** 63n)];
  for (const { chunks } of record.streams) {
    for (const chunk of chunks) {
      if (chunk.minTime < min) min = chunk.minTime;
      if (chunk.maxTime > max) max = chunk.maxTime;
    }
  }
  return [min, max];
}
