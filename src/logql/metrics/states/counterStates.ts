/** How much a counter grew: from each value to the next by time, a value that is less than the one before
 *  meaning that the counter began again at 0. Rows of one time are ordered as in edgeStates.ts. Values
 *  are kept, because rows of several streams may make up one series. */
import type { WindowBuckets } from "../buckets.ts";
import type { RangeStates, SeriesCells, StateColumns, WindowValues } from "./rangeStates.ts";
import { ValueLog } from "./valueLog.ts";

/** The columns of an entry. */
const [valueColumn, highColumn, lowColumn, rankColumn] = [0, 1, 2, 3] as const;

export class CounterStates implements RangeStates {
  readonly #log: ValueLog;

  constructor(valuesMax: number) {
    this.#log = new ValueLog(4, valuesMax);
  }

  add(cell: number, value: number, timeHigh: number, timeLow: number, rank: number): void {
    const at = this.#log.append(cell);
    this.#log.column(valueColumn)[at] = value;
    this.#log.column(highColumn)[at] = timeHigh;
    this.#log.column(lowColumn)[at] = timeLow >>> 0;
    this.#log.column(rankColumn)[at] = rank;
  }

  merge(columns: StateColumns, cellOf: Uint32Array): void {
    this.#log.merge(columns, cellOf);
  }

  columns(): StateColumns {
    return this.#log.toColumns();
  }

  windows({ cells, bucketOf }: SeriesCells, buckets: WindowBuckets, out: WindowValues): void {
    const { ordered, ends } = this.#inOrder(cells);
    // What was counted before each time the counter began again, added up.
    const resets = new Float64Array(ordered.length);
    for (let at = 1; at < ordered.length; at++) {
      const before = ordered[at - 1]!;
      resets[at] = resets[at - 1]! + (ordered[at]! < before ? before : 0);
    }
    let [left, right] = [0, 0];
    for (let step = 0; step < buckets.first.length; step++) {
      while (right < cells.length && bucketOf[cells[right]!]! < buckets.end[step]!) right++;
      while (left < right && bucketOf[cells[left]!]! < buckets.first[step]!) left++;
      if (left === right) continue;
      const first = left === 0 ? 0 : ends[left - 1]!;
      const last = ends[right - 1]! - 1;
      // One value alone says nothing of growth.
      out.values[step] = first === last
        ? 0
        : ordered[last]! - ordered[first]! + (resets[last]! - resets[first]!);
      out.present[step] = 1;
    }
  }

  /** The values of a series by time, and where those of each cell end. */
  #inOrder(cells: Uint32Array): { readonly ordered: Float64Array; readonly ends: Uint32Array } {
    // The log sorts its columns when it is first asked for entries.
    const ranges = Array.from(cells, (cell) => this.#log.entriesOf(cell));
    const values = this.#log.column(valueColumn);
    const keys = [highColumn, lowColumn, rankColumn].map((column) => this.#log.column(column));
    const ordered: number[] = [];
    const ends = new Uint32Array(cells.length);
    for (let cell = 0; cell < cells.length; cell++) {
      const [from, to] = ranges[cell]!;
      const entries = Array.from({ length: to - from }, (_, index) => from + index);
      // The sort is stable, so rows of one stream and time keep their order of arrival.
      entries.sort((a, b) => {
        for (const key of keys) if (key[a] !== key[b]) return key[a]! - key[b]!;
        return 0;
      });
      for (const entry of entries) ordered.push(values[entry]!);
      ends[cell] = ordered.length;
    }
    return { ordered: Float64Array.from(ordered), ends };
  }
}
