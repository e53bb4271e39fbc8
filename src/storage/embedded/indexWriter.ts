/** Changes the index's tables: commits, replacements, restorations. A change is one transaction, written in slices between which
 *  the process does other work. SqliteIndex.ts owns the connections, indexSchema.ts the tables.
 *  Invariant: segments, chunks, checkpoint, and which streams and labels there are, change together. */
import type { DatabaseSync, StatementSync } from "../../platform/sqlite.ts";
import { parseLabels } from "../../streams/labels.ts";
import { type SegmentRecord, segmentSummary, type StreamRecord } from "../../streams/record.ts";
import { IndexError } from "../Index.ts";
import { coverProblem, type Place } from "../segmentChoice.ts";

/** Tenants whose ids are kept at hand. */
const tenantsMax = 10_000;

/** Streams written before other work gets its turn; about 10 ms. */
const sliceStreams = 500;

/** A segment that is there, and where it lies. */
interface StoredPlace extends Place {
  readonly id: number;
}

/** What a transaction does. */
interface Change {
  readonly removed: ReadonlyArray<StoredPlace>;
  readonly added: SegmentRecord;
}

export class IndexWriter {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #tenants = new Map<string, number>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = prepare(database);
  }

  /** Index.commit. Changes are made one after the other, in the order in which they were asked for. */
  commit(record: SegmentRecord): Promise<void> {
    return this.#inTurn(() => {
      if (this.#isThere(record)) return;
      const checkpoint = readCheckpoint(this.#database, record.partition);
      if (checkpoint !== record.logFrom) {
        throw conflict(record, `the partition's checkpoint is ${checkpoint}`);
      }
      return { removed: [], added: record };
    });
  }

  /** Index.replace. */
  replace(keys: ReadonlyArray<string>, record: SegmentRecord): Promise<void> {
    return this.#inTurn(() => {
      if (this.#isThere(record)) return;
      const removed = keys.map((key) => {
        const row = this.#statements.findSegment.get(key);
        if (row === undefined) throw conflict(record, `segment "${key}" is not there any more`);
        return placeOf(row);
      });
      const problem = coverProblem(removed, record);
      if (problem !== undefined) throw conflict(record, problem);
      return { removed, added: record };
    });
  }

  /** Index.restore. */
  restore(record: SegmentRecord): Promise<void> {
    return this.#inTurn(() => {
      if (this.#isThere(record)) return;
      const { partition, logFrom, logTo } = record;
      const overlapping = this.#statements.overlapping.all(partition, logTo, logFrom).map(placeOf);
      const isWithin = (inner: Place, outer: Place) =>
        outer.logFrom <= inner.logFrom && inner.logTo <= outer.logTo;
      if (overlapping.every((one) => isWithin(one, record))) {
        return { removed: overlapping, added: record };
      }
      if (overlapping.some((one) => isWithin(record, one))) return;
      throw conflict(record, "it overlaps one that is there");
    });
  }

  /** Whether there is a segment of that key, after all that was asked for before. */
  async has(key: string): Promise<boolean> {
    await this.#last;
    return this.#statements.findSegment.get(key) !== undefined;
  }

  /** Resolves when no transaction runs. */
  async idle(): Promise<void> {
    await this.#last;
  }

  #inTurn(plan: () => Change | undefined): Promise<void> {
    const run = this.#last.then(() => this.#transaction(plan));
    this.#last = run.catch(() => {});
    return run;
  }

  async #transaction(plan: () => Change | undefined): Promise<void> {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const change = plan();
      if (change !== undefined) {
        await this.#insert(change.added);
        await this.#remove(change.removed);
      }
      this.#database.exec("COMMIT");
    } catch (error) {
      // Ids of tenants that this transaction made are void, and a full disk has ended it already.
      this.#tenants.clear();
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  /** Whether the very same segment is there already. Throws Conflict if another of its key is. */
  #isThere(record: SegmentRecord): boolean {
    const row = this.#statements.findSegment.get(record.key);
    if (row === undefined) return false;
    const { partition, logFrom, logTo } = placeOf(row);
    if (partition === record.partition && logFrom === record.logFrom && logTo === record.logTo) {
      return true;
    }
    const range = `[${logFrom}, ${logTo}) of partition ${partition}`;
    throw conflict(record, `a segment of that key is committed with ${range}`);
  }

  async #insert(record: SegmentRecord): Promise<void> {
    const { key, partition, logFrom, logTo, bytes, createdAt, streams } = record;
    const { minTime, maxTime } = segmentSummary(record);
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
      if (start > 0) await otherWork();
      const slice = streams.slice(start, start + sliceStreams);
      for (const [tenant, ofTenant] of Map.groupBy(slice, (stream) => stream.tenant)) {
        this.#insertStreams(segmentId, partition, this.#tenantId(tenant), ofTenant);
      }
    }
    this.#statements.setCheckpoint.run(partition, logTo);
  }

  /** Removes segments with their chunks, then the streams that have none left, with their labels. */
  async #remove(segments: ReadonlyArray<StoredPlace>): Promise<void> {
    const { streamsOf, uncount, removeChunks, removeSegment, withoutSegments } = this.#statements;
    const streams = new Set<number>();
    for (const { id } of segments) {
      const ids = JSON.parse(String(streamsOf.get(id)?.ids)) as number[];
      for (let start = 0; start < ids.length; start += sliceStreams) {
        const slice = JSON.stringify(ids.slice(start, start + sliceStreams));
        uncount.run(slice);
        removeChunks.run(id, slice);
        await otherWork();
      }
      for (const stream of ids) streams.add(stream);
      removeSegment.run(id);
    }
    const dead = withoutSegments.all(JSON.stringify([...streams]));
    for (let start = 0; start < dead.length; start += sliceStreams) {
      if (start > 0) await otherWork();
      for (const { id, tenant, labels } of dead.slice(start, start + sliceStreams)) {
        this.#removeStream(Number(id), Number(tenant), String(labels));
      }
    }
  }

  #removeStream(id: number, tenant: number, labels: string): void {
    const { findLabelValues, removePosting, uncountValue, removeValue, removeStream } =
      this.#statements;
    for (const { id: value } of findLabelValues.all(JSON.stringify(parseLabels(labels)), tenant)) {
      removePosting.run(Number(value), id);
      uncountValue.run(Number(value));
      removeValue.run(Number(value));
    }
    removeStream.run(id);
  }

  /** Adds the streams of one tenant that are new, and all chunks. Rows go in as JSON arrays, which costs less than a call for
   *  each. */
  #insertStreams(
    segmentId: number,
    partition: number,
    tenantId: number,
    streams: ReadonlyArray<StreamRecord>,
  ): void {
    const { addChunks, addStreams, count, findStreams } = this.#statements;
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
    count.run(JSON.stringify([...ids.values()]));
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
      const text = JSON.parse(String(value)) as string;
      for (const stream of streamsOf.get(String(name))?.get(text) ?? []) {
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
    findSegment: statement("SELECT id, partition, log_from, log_to FROM segments WHERE key = ?"),
    overlapping: statement(
      `SELECT id, partition, log_from, log_to FROM segments
       WHERE partition = ? AND log_from < ? AND log_to > ? ORDER BY log_from`,
    ),
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
    // WHERE TRUE tells the parser that ON belongs to the INSERT. Values come as JSON, since Deno ends a text at its first NUL.
    addLabelValues: statement(
      `INSERT INTO label_values (tenant, name, value, stream_count)
       SELECT ?, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE TRUE
       ON CONFLICT DO UPDATE SET stream_count = stream_count + excluded.stream_count
       RETURNING id, name, json_quote(value) AS value`,
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
    count: statement(
      `UPDATE streams SET segment_count = segment_count + 1
       WHERE id IN (SELECT value FROM json_each(?))`,
    ),
    streamsOf: statement(
      "SELECT json_group_array(DISTINCT stream) AS ids FROM chunks WHERE segment = ?",
    ),
    uncount: statement(
      `UPDATE streams SET segment_count = segment_count - 1
       WHERE id IN (SELECT value FROM json_each(?))`,
    ),
    removeChunks: statement(
      "DELETE FROM chunks WHERE segment = ? AND stream IN (SELECT value FROM json_each(?))",
    ),
    removeSegment: statement("DELETE FROM segments WHERE id = ?"),
    withoutSegments: statement(
      `SELECT s.id, s.tenant, s.labels FROM json_each(?) j CROSS JOIN streams s ON s.id = j.value
       WHERE s.segment_count <= 0`,
    ),
    findLabelValues: statement(
      `SELECT v.id FROM json_each(?) j CROSS JOIN label_values v
       ON v.tenant = ? AND v.name = j.value ->> 0 AND v.value = j.value ->> 1`,
    ),
    removePosting: statement("DELETE FROM postings WHERE label_value = ? AND stream = ?"),
    uncountValue: statement(
      "UPDATE label_values SET stream_count = stream_count - 1 WHERE id = ?",
    ),
    removeValue: statement("DELETE FROM label_values WHERE id = ? AND stream_count <= 0"),
    removeStream: statement("DELETE FROM streams WHERE id = ?"),
  };
}

/** The first log offset that no segment covers. */
export function readCheckpoint(database: DatabaseSync, partition: number): number {
  const row = database.prepare("SELECT log_to FROM checkpoints WHERE partition = ?").get(partition);
  return row === undefined ? 1 : Number(row.log_to);
}

function placeOf(row: Record<string, unknown>): StoredPlace {
  return {
    id: Number(row["id"]),
    partition: Number(row["partition"]),
    logFrom: Number(row["log_from"]),
    logTo: Number(row["log_to"]),
  };
}

function otherWork(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

function conflict(record: SegmentRecord, what: string): IndexError {
  const { key, partition, logFrom, logTo } = record;
  return new IndexError({
    reason: "Conflict",
    message:
      `Cannot commit segment "${key}" with [${logFrom}, ${logTo}) of partition ${partition}: ${what}`,
  });
}
