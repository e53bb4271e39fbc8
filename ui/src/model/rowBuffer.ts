// The rows a list holds, in the order it shows them, bounded by bytes. Rows are named by a sequence number that never
// changes while others leave at the front. Invariant: `bytes` <= `bytesMax` unless a single row is larger by itself.
import { type Row, rowBytes } from "./row.ts";

export class RowBuffer {
  readonly bytesMax: number;
  /** Sequence number of the oldest row still held. */
  first = 0;
  /** Sequence number that the next row will get. */
  end = 0;
  bytes = 0;
  #rows: (Row | undefined)[] = [];
  #head = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get size(): number {
    return this.end - this.first;
  }

  /** Rows in memory: all of them. */
  get held(): number {
    return this.size;
  }

  /** True when the next row would push another out. */
  get full(): boolean {
    return this.bytes >= this.bytesMax;
  }

  /** The row of a sequence number, or undefined when it has left or not come. */
  at(sequence: number): Row | undefined {
    if (sequence < this.first || sequence >= this.end) return undefined;
    return this.#rows[this.#head + sequence - this.first];
  }

  /** Appends a row; the oldest leave, each through `onEvict`, until the bound holds. */
  push(row: Row, onEvict?: (row: Row) => void): void {
    this.#rows.push(row);
    this.end++;
    this.bytes += rowBytes(row);
    while (this.bytes > this.bytesMax && this.size > 1) {
      const oldest = this.shift();
      if (oldest !== undefined) onEvict?.(oldest);
    }
  }

  /** Removes and gives the oldest row. */
  shift(): Row | undefined {
    if (this.size === 0) return undefined;
    const oldest = this.#rows[this.#head];
    this.#rows[this.#head] = undefined;
    this.#head++;
    this.first++;
    if (oldest !== undefined) this.bytes -= rowBytes(oldest);
    // Half the array being dead pays for the copy: constant cost per row over time.
    if (this.#head > 1024 && this.#head * 2 > this.#rows.length) {
      this.#rows = this.#rows.slice(this.#head);
      this.#head = 0;
    }
    return oldest;
  }
}
