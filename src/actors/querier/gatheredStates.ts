/** The states of one leaf of a metric query as its jobs return them: passes them on to threads, which put them together when
 *  there are many, and make windows of them in the end. Owns when that is worth a job. This thread looks at no state.
 *  Invariant: what waits to be put together is at most as large as what was, or smaller than a job's worth, plus the results of
 *  running jobs. */
import { absentLabels } from "../../logql/metrics/rangeResult.ts";
import {
  type AggregateResult,
  type AggregateStats,
  buffersOf,
  type CellStates,
} from "../protocol/aggregate.ts";
import type { MergeStatesJob, WindowsJob, WindowsResult } from "../protocol/evaluate.ts";
import type { Scanners } from "../Scanners.ts";
import type { LeafRequest } from "./runAggregate.ts";

/** Values and cells below which states wait for more of them. */
const mergeEntriesMin = 500_000;

export class GatheredStates {
  readonly #pool: Scanners["Service"];
  readonly #request: LeafRequest;
  #merged: CellStates | undefined;
  #waiting: CellStates[] = [];
  #waitingEntries = 0;
  readonly stats: { -readonly [Key in keyof AggregateStats]: number } = {
    bytesScanned: 0,
    rowsScanned: 0,
    bytesRead: 0,
    chunksRead: 0,
    rowsFolded: 0,
  };

  constructor(pool: Scanners["Service"], request: LeafRequest) {
    this.#pool = pool;
    this.#request = request;
  }

  add({ stats, ...states }: AggregateResult): void {
    for (const key of Object.keys(stats) as Array<keyof AggregateStats>) {
      this.stats[key] += stats[key];
    }
    if (states.series.length === 0) return;
    this.#waiting.push(states);
    this.#waitingEntries += entriesOf(states);
  }

  /** Whether `merge` should be called before more is added. */
  get isLarge(): boolean {
    const merged = this.#merged === undefined ? 0 : entriesOf(this.#merged);
    return this.#waitingEntries >= Math.max(mergeEntriesMin, merged);
  }

  /** Puts together what there is. Rejects with MetricLimitReached, or as the pool does. */
  async merge(signal: AbortSignal): Promise<void> {
    const job = this.#takeAll();
    this.#merged = await this.#pool.compute<CellStates>("mergeStates", job, {
      signal,
      transfer: transferOf(job),
    });
  }

  /** The leaf's matrix. Rejects with MetricLimitReached, or as the pool does. */
  windows(signal: AbortSignal): Promise<WindowsResult> {
    const { leaf, windows, limits } = this.#request;
    const job: WindowsJob = {
      ...this.#takeAll(),
      windows,
      samplesHeld: limits.samplesHeld,
      absentLabels: leaf.spec.op === "absent_over_time" ? absentLabels(leaf.range.selector) : null,
    };
    return this.#pool.compute("windows", job, { signal, transfer: transferOf(job) });
  }

  #takeAll(): MergeStatesJob {
    const { leaf, limits: { seriesMax, samplesMax } } = this.#request;
    const states = this.#merged === undefined ? this.#waiting : [this.#merged, ...this.#waiting];
    this.#merged = undefined;
    this.#waiting = [];
    this.#waitingEntries = 0;
    return { spec: leaf.spec, limits: { seriesMax, samplesMax }, states };
  }
}

/** Each buffer once, or the pool would refuse the job. */
function transferOf({ states }: MergeStatesJob): ReadonlyArray<ArrayBuffer> {
  return [...new Set(states.flatMap(buffersOf))];
}

/** Entries of the longest column: cells, or values of which a cell has many. */
function entriesOf({ series, states }: CellStates): number {
  return Math.max(series.length, ...states.map(({ length }) => length));
}
