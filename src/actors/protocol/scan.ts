/** What a scan thread is asked and what it answers. All of it crosses threads by structured clone: plain objects, typed arrays,
 *  and the shared memory of batches. */
import type { BatchMessage } from "../../streams/batch.ts";
import type { TimeRange } from "../../streams/record.ts";
import type { LabelFilterDescription } from "../../logql/labelFilter.ts";
import type { LineFilterDescription } from "../../logql/lineFilter.ts";

export type Direction = "backward" | "forward";

/** Where rows of one stream lie. */
export type ScanSource =
  | { readonly chunk: { readonly key: string; readonly offset: number; readonly length: number } }
  | {
    /** Index into ScanJob.batches, and the rows of that batch. */
    readonly batch: number;
    readonly rowStart: number;
    readonly rowEnd: number;
  };

/** Sources of one stream, in arrival order, that must be read together because their time ranges touch. */
export interface ScanUnit {
  /** Canonical label string of the stream. */
  readonly labels: string;
  readonly sources: ReadonlyArray<ScanSource>;
}

export interface ScanJob {
  readonly labelFilters: ReadonlyArray<LabelFilterDescription>;
  readonly filters: ReadonlyArray<LineFilterDescription>;
  readonly range: TimeRange;
  readonly direction: Direction;
  /** Most rows wanted of each unit. */
  readonly rowsMax: number;
  /** Line and metadata bytes at which the job fails with ResponseTooLarge. */
  readonly bytesMax: number;
  readonly units: ReadonlyArray<ScanUnit>;
  readonly batches: ReadonlyArray<BatchMessage>;
}

export interface ScanStats {
  /** Line bytes that the filters looked at. */
  readonly bytesScanned: number;
  readonly rowsScanned: number;
  /** Compressed chunk bytes read from the object store. */
  readonly bytesRead: number;
  readonly chunksRead: number;
}

/** Rows that matched, unit after unit, each unit's in the job's direction. */
export interface ScanResult {
  readonly unitRowEnds: Uint32Array<ArrayBuffer>;
  readonly timestamps: BigInt64Array<ArrayBuffer>;
  readonly lineEnds: Uint32Array<ArrayBuffer>;
  readonly lines: Uint8Array<ArrayBuffer>;
  /** Canonical metadata set of each row (see batch.ts), empty for none. */
  readonly metaEnds: Uint32Array<ArrayBuffer>;
  readonly meta: Uint8Array<ArrayBuffer>;
  readonly stats: ScanStats;
}
