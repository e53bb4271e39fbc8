/** What a thread is asked to make of stored chunks when segments are merged, and what it answers. Crosses threads by structured
 *  clone. */
import type { BuiltChunk, ChunkOptions } from "../../streams/chunkWriter.ts";
import type { ScanSource } from "./scan.ts";

/** Chunks of one stream, in order of arrival, that become full ones. One alone is copied, unless rows of it must go. */
export interface MergeUnit {
  readonly labels: string;
  readonly sources: ReadonlyArray<Extract<ScanSource, { chunk: unknown }>>;
  /** Rows before it, ns, have expired. */
  readonly keptFrom: bigint;
}

export interface MergeJob {
  readonly options: ChunkOptions;
  readonly units: ReadonlyArray<MergeUnit>;
}

/** The chunks of each unit, in the job's order; or the source that is damaged, which no thread knows the segment of. */
export type MergeResult = ReadonlyArray<ReadonlyArray<BuiltChunk>> | DamagedSource;

export interface DamagedSource {
  readonly unit: number;
  readonly source: number;
  readonly message: string;
}
