/** Answers queries from the index's tables: matchers to streams by postings, time range to segments, both to chunks. Reads on a
 *  connection of its own, so it sees whole commits and nothing of one that is going on.
 *
 *  Matchers follow Prometheus: a missing label reads as "". A matcher that refuses "" gives the union of the postings of the
 *  values it accepts; one that accepts "" takes away the postings of the values it refuses. */
import type { DatabaseSync, StatementSync } from "../../platform/sqlite.ts";
import { parseLabels } from "../../streams/labels.ts";
import type { TimeRange } from "../../streams/record.ts";
import type { Matcher } from "../../streams/matcher.ts";
import { type ChunkRef, type IndexQuery, type IndexStats, staleQuestion } from "../Index.ts";

interface Segment {
  readonly id: number;
  readonly key: string;
  readonly logFrom: number;
  readonly streamCount: number;
}

/** The label values that decide a matcher: streams that have one of them are in, or out if `excludes`. */
interface Decision {
  readonly excludes: boolean;
  readonly valueIds: ReadonlyArray<number>;
  /** How many postings they have together. */
  readonly postingCount: number;
}

/** What of one partition a query concerns. */
interface Part {
  readonly partition: number;
  readonly tenantId: number;
  readonly segments: ReadonlyArray<Segment>;
  /** Undefined: all of the tenant. */
  readonly streamIds: ReadonlyArray<number> | undefined;
}

type Row = ReadonlyArray<number | bigint | string>;
type Parameters = ReadonlyArray<number | bigint | string>;
/** What integers are read as; numbers where none can be beyond 2^53. */
type Integers = "bigints" | "numbers";

/** Rows that are read at once. */
const sliceRows = 4000;
/** The last attempt to read chunks while segments are merged is made at once. */
const attemptsInSteps = 4;

const timeMax = 2n ** 63n - 1n;
const timeMin = -(2n ** 63n);

export class IndexReader {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** May be left between any two steps: what is committed or merged meanwhile changes nothing in its answer. */
  *findChunks(query: IndexQuery): Generator<void, ReadonlyArray<ChunkRef>> {
    for (let attempt = 1;; attempt++) {
      const version = this.#dataVersion();
      const parts = this.#parts(query);
      const found: ChunkRef[] = [];
      const labels = new Map<number, string>();
      for (const part of parts) {
        for (const slice of attempt < attemptsInSteps ? slicesOf(part) : [part]) {
          this.#addChunks(slice, query.range, labels, found);
          if (attempt < attemptsInSteps) yield;
        }
      }
      if (this.#dataVersion() === version || this.#hasAll(parts)) return found;
    }
  }

  /** `labels` are those of the streams that are known already. */
  #addChunks(
    part: Part,
    range: TimeRange,
    labels: Map<number, string>,
    found: ChunkRef[],
  ): void {
    const segments = new Map(part.segments.map((segment) => [segment.id, segment]));
    const rows = this.#chunks(
      part,
      range,
      "c.segment, c.stream, c.offset, c.length, c.row_count, c.raw_bytes, " +
        "c.min_time & 4294967295, c.min_time >> 32, c.max_time & 4294967295, c.max_time >> 32",
      "numbers",
    ) as ReadonlyArray<ReadonlyArray<number>>;
    const unknown = new Set<number>();
    for (const row of rows) if (!labels.has(row[1]!)) unknown.add(row[1]!);
    if (unknown.size > 0) { for (const [id, text] of this.#labels(unknown)) labels.set(id, text); }
    for (const row of rows) {
      const segment = segments.get(row[0]!) as Segment;
      found.push({
        segmentKey: segment.key,
        partition: part.partition,
        logFrom: segment.logFrom,
        labels: labels.get(row[1]!) as string,
        offset: row[2]!,
        length: row[3]!,
        rowCount: row[4]!,
        rawBytes: row[5]!,
        minTime: timeOf(row[6]!, row[7]!),
        maxTime: timeOf(row[8]!, row[9]!),
      });
    }
  }

  /** Changes when another connection has committed something. */
  #dataVersion(): number {
    return Number(this.#all("PRAGMA data_version")[0]![0]);
  }

  /** Whether the segments of all parts are there as they were: ids are given anew. */
  #hasAll(parts: ReadonlyArray<Part>): boolean {
    return parts.every(({ segments }) => {
      const rows = this.#all(
        "SELECT s.id, s.key FROM json_each(?) i CROSS JOIN segments s ON s.id = i.value",
        json(segments.map(({ id }) => id)),
      );
      const keys = new Map(rows.map(([id, key]) => [Number(id), String(key)]));
      return segments.every(({ id, key }) => keys.get(id) === key);
    });
  }

  findStreams(query: IndexQuery): ReadonlyArray<string> {
    return [...new Set(this.#labels(this.#activeStreams(query)).values())].sort();
  }

  labelNames(query: IndexQuery): ReadonlyArray<string> {
    if (this.#coversAll(query)) {
      const rows = this.#all(
        "SELECT DISTINCT v.name FROM label_values v JOIN tenants t ON t.id = v.tenant WHERE t.name = ?",
        query.tenant,
      );
      return rows.map((row) => String(row[0])).sort();
    }
    const names = new Set<string>();
    for (const labels of this.#labels(this.#activeStreams(query)).values()) {
      for (const [name] of parseLabels(labels)) names.add(name);
    }
    return [...names].sort();
  }

  labelValues(query: IndexQuery, name: string): ReadonlyArray<string> {
    if (this.#coversAll(query)) {
      const [row] = this.#all(
        `SELECT json_group_array(v.value) FROM label_values v JOIN tenants t ON t.id = v.tenant
         WHERE t.name = ? AND v.name = ?`,
        query.tenant,
        name,
      );
      return collected<string>(row).sort();
    }
    const values = new Set<string>();
    for (const labels of this.#labels(this.#activeStreams(query)).values()) {
      for (const [candidate, value] of parseLabels(labels)) {
        if (candidate === name) values.add(value);
      }
    }
    return [...values].sort();
  }

  stats(query: IndexQuery): IndexStats {
    const ids = new Set<number>();
    let [chunks, bytes, entries] = [0, 0, 0];
    for (const part of this.#parts(query)) {
      const [row] = this.#chunks(
        part,
        query.range,
        "json_group_array(DISTINCT c.stream), count(*), total(c.raw_bytes), total(c.row_count)",
      );
      for (const id of collected<number>(row)) ids.add(id);
      chunks += Number(row?.[1]);
      bytes += Number(row?.[2]);
      entries += Number(row?.[3]);
    }
    return { streams: new Set(this.#labels(ids).values()).size, chunks, bytes, entries };
  }

  /** Streams with a chunk that the query finds. */
  #activeStreams(query: IndexQuery): Set<number> {
    const ids = new Set<number>();
    for (const part of this.#parts(query)) {
      const [row] = this.#chunks(part, query.range, "json_group_array(DISTINCT c.stream)");
      for (const id of collected<number>(row)) ids.add(id);
    }
    return ids;
  }

  /** Whether the query finds every chunk of its tenant, so that the tables of labels are the answer. */
  #coversAll({ matchers, range, coveredTo }: IndexQuery): boolean {
    if (matchers.length > 0 || coveredTo.size > 0) return false;
    const [row] = this.#all(
      "SELECT count(*) FROM segments WHERE min_time <= max_time AND (min_time < ? OR max_time >= ?)",
      clampTime(range.start),
      clampTime(range.end),
    );
    return Number(row?.[0]) === 0;
  }

  /** `columns` of the chunks of a part. Looks up each stream in each segment, or reads the segments if that is less. */
  #chunks(
    part: Part,
    range: TimeRange,
    columns: string,
    integers: Integers = "bigints",
  ): ReadonlyArray<Row> {
    const { segments, streamIds, tenantId } = part;
    const segmentIds = json(segments.map((segment) => segment.id));
    const times = [clampTime(range.end), clampTime(range.start)];
    const inTime = "c.min_time < ? AND c.max_time >= ?";
    const inSegments = `FROM json_each(?) s CROSS JOIN chunks c ON c.segment = s.value`;
    if (streamIds === undefined) {
      return this.#rows(
        integers,
        `SELECT ${columns} ${inSegments} CROSS JOIN streams t ON t.id = c.stream
         WHERE ${inTime} AND t.tenant = ?`,
        segmentIds,
        ...times,
        tenantId,
      );
    }
    const rowCount = segments.reduce((sum, segment) => sum + segment.streamCount, 0);
    if (streamIds.length * segments.length * 4 < rowCount) {
      return this.#rows(
        integers,
        `SELECT ${columns} FROM json_each(?) s CROSS JOIN json_each(?) i
         CROSS JOIN chunks c ON c.segment = s.value AND c.stream = i.value WHERE ${inTime}`,
        segmentIds,
        json(streamIds),
        ...times,
      );
    }
    return this.#rows(
      integers,
      `SELECT ${columns} ${inSegments} WHERE c.stream IN (SELECT value FROM json_each(?)) AND ${inTime}`,
      segmentIds,
      json(streamIds),
      ...times,
    );
  }

  /** The partitions that have both a segment in the time range and a stream that matches. */
  #parts(query: IndexQuery): ReadonlyArray<Part> {
    const segments = this.#segments(query);
    const [tenant] = this.#all("SELECT id FROM tenants WHERE name = ?", query.tenant);
    if (segments.size === 0 || tenant === undefined) return [];
    const tenantId = Number(tenant[0]);
    const streams = this.#matchingStreams(tenantId, query.matchers);
    return [...segments].flatMap(([partition, found]) => {
      const streamIds = streams?.get(partition);
      if (streams !== undefined && streamIds === undefined) return [];
      return [{ partition, tenantId, streamIds, segments: found }];
    });
  }

  #segments({ range, coveredTo }: IndexQuery): Map<number, Segment[]> {
    const byPartition = new Map<number, Segment[]>();
    const rows = this.#all(
      "SELECT id, key, partition, log_from, log_to, stream_count FROM segments WHERE max_time >= ? AND min_time < ?",
      clampTime(range.start),
      clampTime(range.end),
    );
    for (const [id, key, partition, logFrom, logTo, streamCount] of rows) {
      const covered = coveredTo.get(Number(partition)) ?? Infinity;
      if (Number(logTo) > covered) {
        if (Number(logFrom) < covered) throw staleQuestion(String(key), covered);
        continue;
      }
      const segments = byPartition.get(Number(partition)) ?? [];
      byPartition.set(Number(partition), segments);
      segments.push({
        id: Number(id),
        key: String(key),
        logFrom: Number(logFrom),
        streamCount: Number(streamCount),
      });
    }
    return byPartition;
  }

  /** Ids of the streams that pass all matchers, by partition; undefined if there are no matchers. */
  #matchingStreams(
    tenantId: number,
    matchers: ReadonlyArray<Matcher>,
  ): Map<number, number[]> | undefined {
    if (matchers.length === 0) return undefined;
    const decisions = matchers.map((matcher) => this.#decide(tenantId, matcher));
    // The most selective first: what it leaves bounds the work of all others.
    decisions.sort((a, b) =>
      Number(a.excludes) - Number(b.excludes) || a.postingCount - b.postingCount
    );
    const [first, ...others] = decisions as [Decision, ...Decision[]];
    let ids = first.excludes
      ? this.#narrow(this.#allStreams(tenantId), first)
      : this.#postings(first.valueIds);
    for (const decision of others) {
      if (ids.length === 0) return new Map();
      ids = this.#narrow(ids, decision);
    }
    return this.#byPartition(ids);
  }

  /** Keeps of `ids` what the decision allows, by reading its postings or by looking up each id, whichever is less. */
  #narrow(ids: ReadonlyArray<number>, decision: Decision): ReadonlyArray<number> {
    const { excludes, valueIds, postingCount } = decision;
    if (ids.length * valueIds.length < postingCount) {
      const [row] = this.#all(
        `SELECT json_group_array(i.value) FROM json_each(?) i WHERE ${
          excludes ? "NOT" : ""
        } EXISTS (
           SELECT 1 FROM json_each(?) v CROSS JOIN postings p ON p.label_value = v.value AND p.stream = i.value)`,
        json(ids),
        json(valueIds),
      );
      return collected<number>(row);
    }
    const postings = new Set(this.#postings(valueIds));
    return ids.filter((id) => postings.has(id) !== excludes);
  }

  #decide(tenantId: number, matcher: Matcher): Decision {
    const { name, matchesEmpty, negated, setMatches } = matcher;
    const excludes = matchesEmpty;
    // Of the finite set of a matcher such as a="x" or a!~"x|y" the values that decide are at hand, unless "" turns it round.
    const canLookUp = setMatches !== null && negated === excludes;
    const [row] = canLookUp
      ? this.#all(
        `SELECT json_group_array(json_array(id, value, stream_count)) FROM label_values
         WHERE tenant = ? AND name = ? AND value IN (SELECT value FROM json_each(?))`,
        tenantId,
        name,
        JSON.stringify(setMatches),
      )
      : this.#all(
        `SELECT json_group_array(json_array(id, value, stream_count)) FROM label_values
         WHERE tenant = ? AND name = ?`,
        tenantId,
        name,
      );
    const values = collected<readonly [id: number, value: string, streamCount: number]>(row);
    const decisive = values.filter(([, value]) => matcher.matches(value) !== excludes);
    return {
      excludes,
      valueIds: decisive.map(([id]) => id),
      postingCount: decisive.reduce((sum, [, , streamCount]) => sum + streamCount, 0),
    };
  }

  #postings(valueIds: ReadonlyArray<number>): ReadonlyArray<number> {
    const [row] = this.#all(
      `SELECT json_group_array(p.stream) FROM json_each(?) v CROSS JOIN postings p ON p.label_value = v.value`,
      json(valueIds),
    );
    return collected<number>(row);
  }

  #allStreams(tenantId: number): ReadonlyArray<number> {
    const [row] = this.#all("SELECT json_group_array(id) FROM streams WHERE tenant = ?", tenantId);
    return collected<number>(row);
  }

  #byPartition(ids: ReadonlyArray<number>): Map<number, number[]> {
    const rows = this.#all(
      `SELECT s.partition, json_group_array(s.id) FROM json_each(?) i
       CROSS JOIN streams s ON s.id = i.value GROUP BY s.partition`,
      json(ids),
    );
    return new Map(rows.map((row) => [Number(row[0]), JSON.parse(String(row[1])) as number[]]));
  }

  #labels(ids: Iterable<number>): Map<number, string> {
    const rows = this.#all(
      "SELECT s.id, s.labels FROM json_each(?) i CROSS JOIN streams s ON s.id = i.value",
      json(ids),
    );
    return new Map(rows.map((row) => [Number(row[0]), String(row[1])]));
  }

  #all(sql: string, ...parameters: Parameters): ReadonlyArray<Row> {
    return this.#rows("bigints", sql, ...parameters);
  }

  #rows(integers: Integers, sql: string, ...parameters: Parameters): ReadonlyArray<Row> {
    const key = `${integers} ${sql}`;
    let statement = this.#statements.get(key);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      statement.setReadBigInts(integers === "bigints");
      statement.setReturnArrays(true);
      this.#statements.set(key, statement);
    }
    return statement.all(...parameters) as unknown as ReadonlyArray<Row>;
  }
}

/** The part in pieces whose rows are read in some milliseconds, unless one segment has more. */
function* slicesOf(part: Part): Generator<Part> {
  // Each piece looks through the streams that are wanted.
  const rowsMax = Math.max(sliceRows, 2 * (part.streamIds?.length ?? 0));
  let segments: Segment[] = [];
  let rows = 0;
  for (const segment of part.segments) {
    if (segments.length > 0 && rows + segment.streamCount > rowsMax) {
      yield { ...part, segments };
      [segments, rows] = [[], 0];
    }
    segments.push(segment);
    rows += segment.streamCount;
  }
  yield { ...part, segments };
}

/** The time of its two halves: a bigint of each column would take most of the time of a query for many chunks. */
function timeOf(low: number, high: number): bigint {
  words[0] = low;
  words[1] = high;
  return time[0]!;
}

const time = new BigInt64Array(1);
const words = new Int32Array(time.buffer);

function json(ids: Iterable<number>): string {
  return JSON.stringify(Array.isArray(ids) ? ids : [...ids]);
}

/** What json_group_array collected in a row's first column: far cheaper than a row for each, and texts come whole, which Deno
 *  ends at their first NUL when it reads them as a column. */
function collected<Item>(row: Row | undefined): Item[] {
  return row === undefined ? [] : JSON.parse(String(row[0])) as Item[];
}

function clampTime(time: bigint): bigint {
  return time > timeMax ? timeMax : time < timeMin ? timeMin : time;
}
