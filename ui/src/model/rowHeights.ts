// Where each row of a list stands when rows wrap: estimated at first, measured once drawn. Sums are kept per block of rows,
// so that finding a row costs rows/128 and appending costs nothing but the new rows.
// Invariant: offsetOf(first) is 0 and offsetOf grows with the sequence number.

const blockRows = 128;

/** The sequence numbers of a list's rows. */
interface Rows {
  readonly first: number;
  readonly end: number;
}

export class RowHeights {
  #first = 0;
  #end = 0;
  /** Sequence number of heights[0]; a multiple of blockRows. */
  #origin = 0;
  #heights: number[] = [];
  #blocks: number[] = [];

  /** Follows a buffer: forgets rows that left, adds those that came with the height `estimate` gives (pixels). */
  follow(buffer: Rows, estimate: (sequence: number) => number): void {
    if (buffer.first > this.#end || buffer.end < this.#end) this.#reset(buffer.first);
    for (; this.#first < buffer.first; this.#first++) this.set(this.#first, 0);
    for (; this.#end < buffer.end; this.#end++) {
      const index = this.#end - this.#origin;
      const height = estimate(this.#end);
      this.#heights[index] = height;
      const block = Math.floor(index / blockRows);
      this.#blocks[block] = (this.#blocks[block] ?? 0) + height;
    }
    const dead = Math.floor((this.#first - this.#origin) / blockRows);
    if (dead > 16 && dead * 2 > this.#blocks.length) {
      this.#heights = this.#heights.slice(dead * blockRows);
      this.#blocks = this.#blocks.slice(dead);
      this.#origin += dead * blockRows;
    }
  }

  /** Notes a row's measured height; gives true when it was another. */
  set(sequence: number, height: number): boolean {
    const index = sequence - this.#origin;
    const known = this.#heights[index];
    if (known === undefined || known === height) return false;
    this.#heights[index] = height;
    const block = Math.floor(index / blockRows);
    this.#blocks[block] = (this.#blocks[block] ?? 0) + height - known;
    return true;
  }

  /** Pixels from the top of the first row to the top of this one. */
  offsetOf(sequence: number): number {
    const index = Math.min(sequence, this.#end) - this.#origin;
    const block = Math.floor(index / blockRows);
    let offset = 0;
    for (let i = 0; i < block; i++) offset += this.#blocks[i] ?? 0;
    for (let i = block * blockRows; i < index; i++) offset += this.#heights[i] ?? 0;
    return offset;
  }

  /** The row that covers a pixel; the last row when the pixel lies below all. */
  sequenceAt(offset: number): number {
    let block = 0;
    let top = 0;
    while (block < this.#blocks.length - 1 && top + (this.#blocks[block] ?? 0) <= offset) {
      top += this.#blocks[block++] ?? 0;
    }
    let sequence = this.#origin + block * blockRows;
    while (sequence < this.#end - 1) {
      const height = this.#heights[sequence - this.#origin] ?? 0;
      if (top + height > offset) break;
      top += height;
      sequence++;
    }
    return Math.max(sequence, this.#first);
  }

  /** Height of all rows. */
  get total(): number {
    return this.offsetOf(this.#end);
  }

  #reset(first: number): void {
    this.#origin = Math.floor(first / blockRows) * blockRows;
    this.#first = first;
    this.#end = first;
    this.#heights = new Array(first - this.#origin).fill(0);
    this.#blocks = [];
  }
}
