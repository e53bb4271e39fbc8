/** How far a scan is, and which rows of its answer are settled while it runs. runScan.ts feeds it. Pure.
 *  Invariant: no row that comes later is wanted before a settled one. */
import type { PlannedUnit } from "../policy/scanPlan.ts";
import type { Direction, ScanStats } from "../protocol/scan.ts";
import type { ResultRow } from "./merge.ts";

/** How far a scan for lines or for samples is. */
export interface WorkProgress {
  /** Units of the plan, and stored bytes of theirs: read so far, and of all. A scan that reached its limit ends with less. */
  readonly unitsDone: number;
  readonly unitsTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** Rows that passed all filters; of a log query those that the scan threads returned. */
  readonly rowsMatched: number;
  readonly stats: ScanStats;
}

export interface ScanProgress extends WorkProgress {
  /** The best rows so far, in the query's order. The first `settledCount` of them will not change. */
  readonly rows: ReadonlyArray<ResultRow>;
  readonly settledCount: number;
}

export class ProgressCount {
  readonly #units: ReadonlyArray<PlannedUnit>;
  readonly #backward: boolean;
  readonly #bytesTotal: number;
  readonly #running = new Set<ReadonlyArray<PlannedUnit>>();
  #startedCount = 0;
  #unitsDone = 0;
  #bytesDone = 0;
  #rowsMatched = 0;

  /** `units` in plan order: by the end of their range that the query wants first. */
  constructor(units: ReadonlyArray<PlannedUnit>, direction: Direction) {
    this.#units = units;
    this.#backward = direction === "backward";
    this.#bytesTotal = bytesOf(units);
  }

  /** The next units of the plan are being scanned. */
  started(units: ReadonlyArray<PlannedUnit>): void {
    this.#running.add(units);
    this.#startedCount += units.length;
  }

  /** Units given to `started`, the same array, have been scanned. */
  finished(units: ReadonlyArray<PlannedUnit>, rowsMatched: number): void {
    this.#running.delete(units);
    this.#unitsDone += units.length;
    this.#bytesDone += bytesOf(units);
    this.#rowsMatched += rowsMatched;
  }

  /** The state to report, given the best rows so far. */
  with(rows: ReadonlyArray<ResultRow>, stats: ScanStats): ScanProgress {
    return {
      unitsDone: this.#unitsDone,
      unitsTotal: this.#units.length,
      bytesDone: this.#bytesDone,
      bytesTotal: this.#bytesTotal,
      rowsMatched: this.#rowsMatched,
      stats: { ...stats },
      rows,
      settledCount: this.#settledCount(rows),
    };
  }

  /** Rows of a time that some unit not yet scanned may have as well are open: their order depends on its stream. */
  #settledCount(rows: ReadonlyArray<ResultRow>): number {
    const edge = this.#edge();
    if (edge === undefined) return rows.length;
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const time = rows[middle]!.time;
      if (this.#backward ? time > edge : time < edge) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first time, in the query's direction, that a unit not yet scanned may have; undefined if none is left. */
  #edge(): bigint | undefined {
    let edge: bigint | undefined;
    const consider = (unit: PlannedUnit | undefined) => {
      if (unit === undefined) return;
      const time = this.#backward ? unit.maxTime : unit.minTime;
      if (edge === undefined || (this.#backward ? time > edge : time < edge)) edge = time;
    };
    consider(this.#units[this.#startedCount]);
    // Within a job, too, units are in plan order.
    for (const units of this.#running) consider(units[0]);
    return edge;
  }
}

function bytesOf(units: ReadonlyArray<PlannedUnit>): number {
  return units.reduce((sum, { bytes }) => sum + bytes, 0);
}
