/** The index: which chunks can hold rows of (tenant, matchers, time range), and which log offsets are safe in segments.
 *  Everything in it comes from segment footers. Contract suite: Index.contract.ts.
 *  Invariant: a partition's segments lie side by side, without gaps or overlaps, from its first log offset to its checkpoint.
 *  Commits add one at the end; a replacement puts one in the place of neighbours, with exactly their offsets, also when rows were
 *  left out because they expired. So each row is in one segment at any moment. */
import { Context, type Effect, Schema } from "effect";
import type { ChunkRecord, SegmentRecord, SegmentSummary, TimeRange } from "../streams/record.ts";
import type { Matcher } from "../streams/matcher.ts";

export class IndexError extends Schema.TaggedError<IndexError>()("IndexError", {
  /** Conflict: the partition's checkpoint is not the record's logFrom (another owner committed), or a segment that was to be
   *  replaced is not there; nothing was changed. Stale: what the question covers elsewhere was merged with what it does not;
   *  find out anew what is covered, and ask again. */
  reason: Schema.Literals(["Conflict", "Stale", "Full", "Corrupt", "Io"]),
  message: Schema.String,
}) {}

/** One chunk that may hold matching rows. */
export interface ChunkRef extends ChunkRecord {
  readonly segmentKey: string;
  readonly partition: number;
  /** Log offset of the segment's start: orders rows of equal timestamp across segments. */
  readonly logFrom: number;
  readonly labels: string;
}

export interface IndexQuery {
  readonly tenant: string;
  /** All must match; empty means every stream. */
  readonly matchers: ReadonlyArray<Matcher>;
  readonly range: TimeRange;
  /** Per partition, only segments with logTo <= the given offset count; a partition that is absent counts whole. A segment in the
   *  time range with offsets on both sides makes the question fail with Stale. */
  readonly coveredTo: ReadonlyMap<number, number>;
}

export interface IndexStats {
  readonly streams: number;
  readonly chunks: number;
  /** Line bytes before compression. */
  readonly bytes: number;
  readonly entries: number;
}

export class Index extends Context.Service<Index, {
  /** Takes a partition for this process and returns its checkpoint. From here on commits of whoever took it before are refused,
   *  however late they come. */
  readonly claim: (partition: number) => Effect.Effect<number, IndexError>;
  /** Adds a segment if, and only if, the partition's checkpoint equals record.logFrom; the checkpoint becomes record.logTo.
   *  One durable transaction. Committing the same key again with the same range succeeds and changes nothing. */
  readonly commit: (record: SegmentRecord) => Effect.Effect<void, IndexError>;
  /** The first log offset of `partition` that no committed segment covers; 1 at the start. */
  readonly checkpoint: (partition: number) => Effect.Effect<number, IndexError>;
  /** Puts `record` in the place of the segments with these keys, in one durable transaction, if, and only if, all of them are
   *  there, are neighbours in one partition, and have together exactly its offsets; else fails with Conflict. Done once, it
   *  succeeds again and changes nothing. The checkpoint stays. */
  readonly replace: (
    keys: ReadonlyArray<string>,
    record: SegmentRecord,
  ) => Effect.Effect<void, IndexError>;
  /** Whether the object of that key can be removed: no segment of that key is there, and none will be, however late a commit or
   *  replacement that is on its way arrives. */
  readonly discard: (key: string) => Effect.Effect<boolean, IndexError>;
  /** Adds a segment whatever the checkpoint is, which becomes at least its logTo. Segments within its offsets go; it is ignored
   *  if one that is there has its offsets and more. For rebuildIndex.ts and copies of an index. */
  readonly restore: (record: SegmentRecord) => Effect.Effect<void, IndexError>;
  /** In no particular order. */
  readonly findChunks: (query: IndexQuery) => Effect.Effect<ReadonlyArray<ChunkRef>, IndexError>;
  /** Canonical label strings of streams with a chunk that overlaps the range, sorted. */
  readonly findStreams: (query: IndexQuery) => Effect.Effect<ReadonlyArray<string>, IndexError>;
  /** Names of the labels of those streams, sorted. */
  readonly labelNames: (query: IndexQuery) => Effect.Effect<ReadonlyArray<string>, IndexError>;
  /** Values of one label of those streams, sorted. */
  readonly labelValues: (
    query: IndexQuery,
    name: string,
  ) => Effect.Effect<ReadonlyArray<string>, IndexError>;
  /** Sums over the same chunks that findChunks returns. */
  readonly stats: (query: IndexQuery) => Effect.Effect<IndexStats, IndexError>;
  /** By partition, then logFrom. */
  readonly segments: () => Effect.Effect<ReadonlyArray<SegmentSummary>, IndexError>;
}>()("tailrace/storage/Index") {}

/** Which answer a question gets when a segment has offsets on both sides of what it covers. */
export function staleQuestion(key: string, coveredTo: number): IndexError {
  return new IndexError({
    reason: "Stale",
    message:
      `Segment "${key}" was merged over log offset ${coveredTo}, up to which the question covers`,
  });
}
