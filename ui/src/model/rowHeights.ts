// Where each row of a list stands when rows wrap: estimated at first, measured once drawn. Sums are kept per block of rows,
// so that finding a row costs rows/512 and appending costs nothing but the new rows; a block of rows of which nothing is
// known takes the mean of the others, and no memory. Invariant: offsetOf(first) is 0 and offsetOf grows with the sequence
// number.

const blockRows = 512;

/** The sequence numbers of a list's rows. */
interface Rows {
  readonly first: number;
  readonly end: number;
}

interface Block {
  /** Height of all its rows. */
  total: number;
  size: number;
  /** Of each row; undefined when only their mean is assumed. */
  rows: Float32Array | undefined;
}

export class RowHeights {
  #first = 0;
  #end = 0;
  /** Sequence number of the first row of the first block; a multiple of blockRows. */
  #origin = 0;
  #blocks: Block[] = [];
  #knownRows = 0;
  #knownHeight = 0;

  /** Follows a buffer: forgets rows that left, adds those that came with the height `estimate` gives (pixels), which is
   *  undefined for rows that are not held. */
  follow(buffer: Rows, estimate: (sequence: number) => number | undefined): void {
    if (buffer.first > this.#end || buffer.end < this.#end) this.#reset(buffer.first);
    for (; this.#first < buffer.first; this.#first++) this.set(this.#first, 0);
    const assumed = new Set<Block>();
    while (this.#end < buffer.end) {
      const block = this.#openBlock();
      const height = estimate(this.#end);
      if (height === undefined && block.rows === undefined) {
        const count = Math.min(blockRows - block.size, buffer.end - this.#end);
        block.size += count;
        this.#end += count;
        assumed.add(block);
      } else this.#append(block, height ?? this.#mean);
    }
    for (const block of assumed) {
      if (block.rows === undefined) block.total = block.size * this.#mean;
    }
    const dead = Math.floor((this.#first - this.#origin) / blockRows);
    if (dead > 16 && dead * 2 > this.#blocks.length) {
      this.#blocks = this.#blocks.slice(dead);
      this.#origin += dead * blockRows;
    }
  }

  /** Notes a row's measured height; gives true when it was another. */
  set(sequence: number, height: number): boolean {
    const index = sequence - this.#origin;
    const block = this.#blocks[Math.floor(index / blockRows)];
    const place = index % blockRows;
    if (block === undefined || index < 0 || place >= block.size) return false;
    const before = heightIn(block, place);
    if (before === height) return false;
    rowsOf(block)[place] = height;
    block.total += height - before;
    return true;
  }

  /** Pixels from the top of the first row to the top of this one. */
  offsetOf(sequence: number): number {
    const index = Math.min(sequence, this.#end) - this.#origin;
    const number = Math.floor(index / blockRows);
    let offset = 0;
    for (let i = 0; i < number; i++) offset += this.#blocks[i]?.total ?? 0;
    const block = this.#blocks[number];
    const places = index % blockRows;
    if (block === undefined) return offset;
    if (block.rows === undefined) return offset + places * heightIn(block, 0);
    for (let place = 0; place < places; place++) offset += block.rows[place] ?? 0;
    return offset;
  }

  /** The row that covers a pixel; the last row when the pixel lies below all. */
  sequenceAt(offset: number): number {
    let number = 0;
    let top = 0;
    while (number < this.#blocks.length - 1 && top + (this.#blocks[number]?.total ?? 0) <= offset) {
      top += this.#blocks[number++]?.total ?? 0;
    }
    const block = this.#blocks[number];
    let sequence = this.#origin + number * blockRows;
    for (let place = 0; block !== undefined && sequence < this.#end - 1; place++, sequence++) {
      const height = heightIn(block, place);
      if (top + height > offset) break;
      top += height;
    }
    return Math.max(sequence, this.#first);
  }

  /** Height of all rows. */
  get total(): number {
    return this.offsetOf(this.#end);
  }

  get #mean(): number {
    return this.#knownRows === 0 ? 20 : Math.round(this.#knownHeight / this.#knownRows);
  }

  #openBlock(): Block {
    const last = this.#blocks.at(-1);
    if (last !== undefined && last.size < blockRows) return last;
    const block = { total: 0, size: 0, rows: undefined };
    this.#blocks.push(block);
    return block;
  }

  #append(block: Block, height: number): void {
    rowsOf(block)[block.size++] = height;
    block.total += height;
    this.#knownRows++;
    this.#knownHeight += height;
    this.#end++;
  }

  #reset(first: number): void {
    this.#origin = Math.floor(first / blockRows) * blockRows;
    this.#first = first;
    this.#end = first;
    this.#blocks = [];
    const gone = first - this.#origin;
    if (gone > 0) this.#blocks.push({ total: 0, size: gone, rows: new Float32Array(blockRows) });
  }
}

function heightIn(block: Block, place: number): number {
  return block.rows === undefined ? block.total / block.size : block.rows[place] ?? 0;
}

/** Room for each row's height of its own. */
function rowsOf(block: Block): Float32Array {
  if (block.rows !== undefined) return block.rows;
  block.rows = new Float32Array(blockRows);
  if (block.size > 0) block.rows.fill(block.total / block.size, 0, block.size);
  return block.rows;
}
