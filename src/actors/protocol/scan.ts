/** What a scan thread is asked and what it answers. All of it crosses threads by structured clone:
 *  plain objects, typed arrays, and the shared memory of batches. */
import type { BatchMessage } from "../../streams/batch.ts";
import type { TimeRange } from "../../streams/record.ts";
import type { PipelineDescription } from "../../logql/pipelinePlan.ts";

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

/** Sources of one stream, in arrival order, that must be read together because their time ranges
 *  touch. */
export interface ScanUnit {
  /** Canonical label string of the stream. */
  readonly labels: string;
  readonly sources: ReadonlyArray<ScanSource>;
}

export interface ScanJob {
  readonly pipeline: PipelineDescription;
  readonly range: TimeRange;
  readonly direction: Direction;
  /** Most rows wanted of each unit. Those that the pipeline drops do not count. */
  readonly rowsMax: number;
  /** Line and label bytes at which the job fails with ResponseTooLarge. */
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

/** Rows as the pipeline left them. */
export interface PipelineRows {
  readonly timestamps: BigInt64Array<ArrayBuffer>;
  readonly lineEnds: Uint32Array<ArrayBuffer>;
  readonly lines: Uint8Array<ArrayBuffer>;
  /** Structured metadata of each row as a canonical set (see streams/metadata.ts), empty for none.
   */
  readonly metaEnds: Uint32Array<ArrayBuffer>;
  readonly meta: Uint8Array<ArrayBuffer>;
  /** Parsed labels and errors of each row, in the same form. */
  readonly parsedEnds: Uint32Array<ArrayBuffer>;
  readonly parsed: Uint8Array<ArrayBuffer>;
  /** What is left of each row's stream labels: 0 for all of them, else 1 + the index into `streams`
   *  of a canonical label string. */
  readonly streamIds: Uint32Array<ArrayBuffer>;
  readonly streams: ReadonlyArray<string>;
}

/** Rows that passed, unit after unit, each unit's in the job's direction. */
export interface ScanResult extends PipelineRows {
  readonly unitRowEnds: Uint32Array<ArrayBuffer>;
  readonly stats: ScanStats;
}
