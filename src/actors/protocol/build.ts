/** What a thread is asked to turn into chunks and what it answers. Crosses threads by structured clone. */
import type { BatchMessage } from "../../streams/batch.ts";
import type { BuiltChunk, ChunkOptions } from "../../streams/chunkWriter.ts";

/** Rows of one stream, in arrival order. */
export interface BuildStream {
  /** Triples: index into BuildJob.batches, first row, end row. */
  readonly slices: Uint32Array;
}

export interface BuildJob {
  readonly options: ChunkOptions;
  readonly streams: ReadonlyArray<BuildStream>;
  readonly batches: ReadonlyArray<BatchMessage>;
}

/** The chunks of each stream of the job, in the job's order. */
export type BuildResult = ReadonlyArray<ReadonlyArray<BuiltChunk>>;
