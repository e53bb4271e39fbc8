/** Keeps the first rows of a query over all streams while scan results arrive in any order. Pure.
 *  Invariant: the kept rows are the first `limit` of all rows added so far, in the query's
 *  direction; rows of one timestamp are ordered by stream, then by arrival, and exactly reversed
 *  when reading backward. */
import type { Direction, ScanResult } from "../protocol/scan.ts";
import type { PlannedUnit } from "../policy/scanPlan.ts";

/** One line of the answer. */
export interface ResultRow {
  readonly time: bigint;
  /** Canonical label string of its stream. */
  readonly stream: string;
  /** Canonical string of what the pipeline left of the stream's labels. */
  readonly labels: string;
  /** Place within its unit, in the query's direction. */
  readonly place: number;
  readonly line: Uint8Array;
  /** Structured metadata as a canonical set, see streams/metadata.ts. */
  readonly meta: Uint8Array;
  /** Parsed labels, in the same form. */
  readonly parsed: Uint8Array;
}

export class TopRows {
  readonly #limit: number;
  readonly #sign: number;
  #rows: ResultRow[] = [];
  #bytes = 0;

  constructor(limit: number, direction: Direction) {
    this.#limit = limit;
    this.#sign = direction === "backward" ? -1 : 1;
  }

  /** Rows in order, at most `limit`. */
  get rows(): ReadonlyArray<ResultRow> {
    return this.#rows;
  }

  /** Line and label bytes that the kept rows hold on to. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The time that a row must not be behind to be wanted; undefined while there is room. */
  get threshold(): bigint | undefined {
    return this.#rows.length < this.#limit ? undefined : this.#rows[this.#limit - 1]!.time;
  }

  /** Whether no row of a unit, hence of any unit after it in plan order, can be wanted. */
  isPast(unit: PlannedUnit): boolean {
    const threshold = this.threshold;
    if (threshold === undefined) return false;
    return this.#sign < 0 ? unit.maxTime < threshold : unit.minTime > threshold;
  }

  add(units: ReadonlyArray<PlannedUnit>, result: ScanResult): void {
    const threshold = this.threshold;
    const added: ResultRow[] = [];
    let row = 0;
    for (let index = 0; index < units.length; index++) {
      const stream = units[index]!.labels;
      const end = result.unitRowEnds[index]!;
      for (let place = 0; row < end; row++, place++) {
        const time = result.timestamps[row]!;
        if (threshold !== undefined && (this.#sign < 0 ? time < threshold : time > threshold)) {
          continue;
        }
        const streamId = result.streamIds[row]!;
        added.push({
          time,
          stream,
          labels: streamId === 0 ? stream : result.streams[streamId - 1]!,
          place,
          line: result.lines.subarray(
            row === 0 ? 0 : result.lineEnds[row - 1]!,
            result.lineEnds[row]!,
          ),
          meta: result.meta.subarray(
            row === 0 ? 0 : result.metaEnds[row - 1]!,
            result.metaEnds[row]!,
          ),
          parsed: result.parsed.subarray(
            row === 0 ? 0 : result.parsedEnds[row - 1]!,
            result.parsedEnds[row]!,
          ),
        });
      }
    }
    if (added.length === 0) return;
    this.#rows = this.#rows.concat(added).sort((a, b) => this.#compare(a, b));
    if (this.#rows.length > this.#limit) this.#rows.length = this.#limit;
    this.#bytes = 0;
    for (const { line, meta, parsed } of this.#rows) {
      this.#bytes += line.length + meta.length + parsed.length;
    }
  }

  #compare(a: ResultRow, b: ResultRow): number {
    if (a.time !== b.time) return a.time < b.time ? -this.#sign : this.#sign;
    if (a.stream !== b.stream) return a.stream < b.stream ? -this.#sign : this.#sign;
    // Rows of one stream and time lie in one unit, whose rows already are in the query's direction.
    return a.place - b.place;
  }
}
