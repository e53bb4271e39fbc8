/** What a thread is asked to count, lines and their bytes by stream and bucket of time, and what it
 *  answers. All of it crosses threads by structured clone. */
import type { WindowSpec } from "../../logql/metrics/buckets.ts";
import type { BatchMessage } from "../../streams/batch.ts";
import type { TimeRange } from "../../streams/record.ts";
import type { AggregateSource } from "./aggregate.ts";

/** Sources of one stream that must be read together because their time ranges touch. */
export interface MeasureUnit {
  readonly labels: string;
  /** In arrival order. */
  readonly sources: ReadonlyArray<AggregateSource>;
}

export interface MeasureJob {
  /** Windows that follow each other without gaps: each is a bucket. */
  readonly windows: WindowSpec;
  /** The rows that count. */
  readonly range: TimeRange;
  readonly units: ReadonlyArray<MeasureUnit>;
  readonly batches: ReadonlyArray<BatchMessage>;
}

/** The buckets of units that have rows: cell c is of unit `units[c]` and bucket `buckets[c]`. */
export interface MeasureResult {
  readonly units: Uint32Array<ArrayBuffer>;
  readonly buckets: Uint32Array<ArrayBuffer>;
  /** Distinct rows, and the bytes of their lines. */
  readonly rows: Float64Array<ArrayBuffer>;
  readonly lineBytes: Float64Array<ArrayBuffer>;
}
