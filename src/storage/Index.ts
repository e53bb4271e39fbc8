/** The index: which chunks can hold rows of (tenant, matchers, time range), and which log offsets are safe in segments.
 *  Everything in it comes from segment footers. Contract suite: Index.contract.ts. */
import { Context, type Effect, Schema } from "effect";
import type { ChunkRecord, SegmentRecord, TimeRange } from "../streams/record.ts";
import type { Matcher } from "../streams/matcher.ts";

export class IndexError extends Schema.TaggedError<IndexError>()("IndexError", {
  /** Conflict: the partition's checkpoint is not the record's logFrom (another owner committed); nothing was changed. */
  reason: Schema.Literals(["Conflict", "Full", "Corrupt", "Io"]),
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
  /** Per partition, only segments with logTo <= the given offset count; a partition that is absent counts whole. */
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
  /** Adds a segment whatever the checkpoint is, which becomes at least its logTo. For rebuildIndex.ts alone. */
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
  readonly segments: () => Effect.Effect<ReadonlyArray<Omit<SegmentRecord, "streams">>, IndexError>;
}>()("tailrace/storage/Index") {}
