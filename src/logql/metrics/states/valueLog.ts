/** Every value of every cell, for the functions that no state of fixed size answers exactly. Values are
 *  appended to columns as they come and put in order of cells once, when windows are read. Owns the
 *  limit on how many are kept. */
import { tooManySamples } from "../cells.ts";
import { roomFor, type StateColumns } from "./rangeStates.ts";

export class ValueLog {
  /** One entry for each value: its cell, itself, and what orders it. */
  #cells = new Float64Array(256);
  #columns: Float64Array<ArrayBuffer>[];
  #count = 0;
  readonly #valuesMax: number;
  /** Entries of cell c, once sorted: ends[c - 1]..ends[c]. */
  #ends: Uint32Array | undefined;

  /** `width`: columns of an entry besides its cell. */
  constructor(width: number, valuesMax: number) {
    this.#columns = Array.from({ length: width }, () => new Float64Array(256));
    this.#valuesMax = valuesMax;
  }

  get columnCount(): number {
    return this.#columns.length;
  }

  /** Appends an entry; the caller writes its columns at the returned place. */
  append(cell: number): number {
    const at = this.#count;
    if (at >= this.#valuesMax) throw tooManySamples(this.#valuesMax);
    if (at === this.#cells.length) {
      this.#cells = roomFor(this.#cells, at + 1);
      this.#columns = this.#columns.map((column) => roomFor(column, at + 1));
    }
    this.#count++;
    this.#cells[at] = cell;
    return at;
  }

  column(index: number): Float64Array {
    return this.#columns[index]!;
  }

  toColumns(): StateColumns {
    return [this.#cells, ...this.#columns].map((column) => column.slice(0, this.#count));
  }

  merge([cells, ...columns]: StateColumns, cellOf: Uint32Array): void {
    for (let entry = 0; entry < cells!.length; entry++) {
      const at = this.append(cellOf[cells![entry]!]!);
      for (let index = 0; index < columns.length; index++) {
        this.#columns[index]![at] = columns[index]![entry]!;
      }
    }
  }

  /** Where the entries of a cell lie: [start, end). The first call puts all entries in order of cells,
   *  keeping the order of each cell's. */
  entriesOf(cell: number): readonly [start: number, end: number] {
    const ends = this.#ends ??= this.#sort();
    if (cell >= ends.length) return [0, 0];
    return [cell === 0 ? 0 : ends[cell - 1]!, ends[cell]!];
  }

  #sort(): Uint32Array {
    let cellCount = 0;
    for (let at = 0; at < this.#count; at++) {
      if (this.#cells[at]! >= cellCount) cellCount = this.#cells[at]! + 1;
    }
    const ends = new Uint32Array(cellCount);
    for (let at = 0; at < this.#count; at++) ends[this.#cells[at]!]!++;
    for (let cell = 1; cell < cellCount; cell++) ends[cell]! += ends[cell - 1]!;
    const next = new Uint32Array(cellCount);
    for (let cell = 1; cell < cellCount; cell++) next[cell] = ends[cell - 1]!;
    const place = new Uint32Array(this.#count);
    for (let at = 0; at < this.#count; at++) place[at] = next[this.#cells[at]!]!++;
    this.#columns = this.#columns.map((column) => {
      const sorted = new Float64Array(this.#count);
      for (let at = 0; at < this.#count; at++) sorted[place[at]!] = column[at]!;
      return sorted;
    });
    return ends;
  }
}
