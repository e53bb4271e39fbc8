/** What a thread is asked to aggregate and what it answers. All of it crosses threads by structured
 *  clone: plain objects, typed arrays, and the shared memory of batches. */
import type { MetricLimits } from "../../logql/metrics/cells.ts";
import type { WindowSpec } from "../../logql/metrics/buckets.ts";
import type { LabelGrouping } from "../../logql/metrics/grouping.ts";
import type { RangeFunctionSpec } from "../../logql/metrics/states/catalogue.ts";
import type { StateColumns } from "../../logql/metrics/states/rangeStates.ts";
import type { PipelineDescription } from "../../logql/pipelinePlan.ts";
import type { BatchMessage } from "../../streams/batch.ts";
import type { TimeRange } from "../../streams/record.ts";
import type { ScanSource, ScanStats } from "./scan.ts";

/** A source with its first timestamp, ns, so that it is opened no sooner than it is needed. */
export type AggregateSource = ScanSource & { readonly minTime: bigint };

/** Sources of one stream, in arrival order, that must be read together because their time ranges
 *  touch. */
export interface AggregateUnit {
  /** Canonical label string of the stream. */
  readonly labels: string;
  /** The place of the stream among all of the query: orders rows of one time. */
  readonly rank: number;
  readonly sources: ReadonlyArray<AggregateSource>;
}

export interface AggregateJob {
  readonly pipeline: PipelineDescription;
  readonly spec: RangeFunctionSpec;
  readonly windows: WindowSpec;
  /** The rows that count: no window holds others. */
  readonly range: TimeRange;
  readonly grouping: LabelGrouping;
  /** Whether rows with __error__ are wanted; otherwise the first one ends the query. */
  readonly keepsErrors: boolean;
  readonly limits: MetricLimits;
  readonly units: ReadonlyArray<AggregateUnit>;
  readonly batches: ReadonlyArray<BatchMessage>;
}

export interface AggregateStats extends ScanStats {
  /** Rows that passed the filters and stages. */
  readonly rowsFolded: number;
}

/** The states of the cells that have rows. Cell c is of series `series[c]` and bucket `buckets[c]`. */
export interface CellStates {
  /** Canonical label strings of the series, as packTexts makes one of them. */
  readonly keys: string;
  readonly series: Uint32Array<ArrayBuffer>;
  readonly buckets: Uint32Array<ArrayBuffer>;
  readonly states: StateColumns;
}

export interface AggregateResult extends CellStates {
  readonly stats: AggregateStats;
}

/** The buffers of states that can be handed to another thread instead of copied: those that nothing else is in. */
export function buffersOf({ series, buckets, states }: CellStates): ReadonlyArray<ArrayBuffer> {
  return [series, buckets, ...states].filter(({ byteLength, buffer }) =>
    byteLength === buffer.byteLength
  ).map(({ buffer }) => buffer);
}
