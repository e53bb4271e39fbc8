/** Lets a kernel find a parser's fields for a whole block before its rows come one by one.
 *  kernels/fields.ts owns the search, the parser everything that the kernel leaves open. Invariant:
 *  a row gets the labels that the parser would give it, or none and the answer false. */
import { type FieldFormat, findFields, type FoundFields, isCurrent } from "../../kernels/fields.ts";
import type { LineBlock } from "../../streams/lineBlock.ts";
import { category, type Row } from "../row.ts";
import type { Wanted } from "./wanted.ts";

/** Fewer rows are not worth a copy of their block. */
const rowsMin = 8;

export class FieldSearch {
  readonly #format: FieldFormat;
  readonly #wanted: Wanted;
  /** Slots of the names to look for. */
  #names: ReadonlyArray<number> | null = null;
  /** The block that was begun and not searched yet: perhaps none of its rows comes. */
  #block: LineBlock | null = null;
  #mask: Uint8Array = new Uint8Array(0);
  #found: FoundFields | null = null;

  constructor(format: FieldFormat, wanted: Wanted) {
    this.#format = format;
    this.#wanted = wanted;
  }

  /** See RowStage.begin. */
  begin(block: LineBlock, mask: Uint8Array, row: Row): void {
    this.#found = null;
    this.#names = this.#wanted.namesToFind(row);
    this.#block = this.#names === null ? null : block;
    this.#mask = mask;
  }

  /** Gives the row its labels; false if its line has to be read. */
  take(row: Row): boolean {
    if (row.blockRow < 0) return false;
    if (this.#block !== null) this.#search(row, this.#block);
    const found = this.#found;
    if (found === null || found.rows[row.blockRow] !== 2 || !isCurrent(found)) return false;
    const names = this.#names!;
    let at = 2 * names.length * row.blockRow;
    for (let index = 0; index < names.length; index++, at += 2) {
      const end = found.places[at + 1]!;
      const slot = end === 0 ? -1 : row.parsedSlot(names[index]!, this.#wanted.mask);
      if (slot >= 0) row.set(slot, category.parsed, row.line, found.places[at]!, end);
    }
    return true;
  }

  #search(row: Row, block: LineBlock): void {
    this.#block = null;
    let rows = 0;
    for (let at = 0; at < this.#mask.length; at++) if (this.#mask[at] !== 0) rows++;
    if (rows < rowsMin) return;
    const names = this.#names!.map((slot) => row.names.bytes(slot));
    this.#found = findFields(this.#format, block, this.#mask, names);
  }
}
