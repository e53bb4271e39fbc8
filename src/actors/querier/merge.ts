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
  #pinnedBytes = 0;

  constructor(limit: number, direction: Direction) {
    this.#limit = limit;
    this.#sign = direction === "backward" ? -1 : 1;
  }

  /** Rows in order, at most `limit`. */
  get rows(): ReadonlyArray<ResultRow> {
    return this.#rows;
  }

  /** Line and label bytes of the kept rows. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The memory that they take, with all of the scan results that they lie in. */
  get heldBytes(): number {
    return this.#pinnedBytes + this.#rows.length * rowObjectBytes;
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
          meta: setOf(result.meta, result.metaEnds, row),
          parsed: setOf(result.parsed, result.parsedEnds, row),
        });
      }
    }
    if (added.length === 0) return;
    this.#rows = this.#rows.concat(added).sort((a, b) => this.#compare(a, b));
    if (this.#rows.length > this.#limit) this.#rows.length = this.#limit;
    this.#measure();
    if (this.#pinnedBytes > 2 * this.#bytes + pinnedBytesMin) this.#copyRows();
  }

  #measure(): void {
    const buffers = new Set<ArrayBufferLike>();
    this.#bytes = 0;
    for (const { line, meta, parsed } of this.#rows) {
      this.#bytes += line.length + meta.length + parsed.length;
      for (const { buffer } of [line, meta, parsed]) buffers.add(buffer);
    }
    this.#pinnedBytes = 0;
    for (const { byteLength } of buffers) this.#pinnedBytes += byteLength;
  }

  /** Moves the kept rows out of results of which they are a small part. */
  #copyRows(): void {
    const bytes = new Uint8Array(this.#bytes);
    let at = 0;
    const moved = (part: Uint8Array): Uint8Array => {
      if (part.length === 0) return nothing;
      bytes.set(part, at);
      return bytes.subarray(at, at += part.length);
    };
    this.#rows = this.#rows.map((row) => ({
      ...row,
      line: moved(row.line),
      meta: moved(row.meta),
      parsed: moved(row.parsed),
    }));
    this.#pinnedBytes = bytes.length;
  }

  #compare(a: ResultRow, b: ResultRow): number {
    if (a.time !== b.time) return a.time < b.time ? -this.#sign : this.#sign;
    if (a.stream !== b.stream) return a.stream < b.stream ? -this.#sign : this.#sign;
    // Rows of one stream and time lie in one unit, whose rows already are in the query's direction.
    return a.place - b.place;
  }
}

/** A metadata set of a row; rows without one share what is empty. */
function setOf(sets: Uint8Array, ends: Uint32Array, row: number): Uint8Array {
  const start = row === 0 ? 0 : ends[row - 1]!;
  const end = ends[row]!;
  return start === end ? nothing : sets.subarray(start, end);
}

const nothing = new Uint8Array(0);
/** Results are worth copying out of from here on. */
const pinnedBytesMin = 1024 * 1024;
/** What a ResultRow takes besides the bytes of its line: three objects, and two or three views. */
export const rowObjectBytes = 500;
