/** Which labels a parser has to find: those that anybody needs after it. Invariant: `left` counts
 *  the ones that the present row could still get; at 0 the rest of the line need not be read. */
import type { NameTable } from "../nameTable.ts";
import type { Needed } from "../pipelinePlan.ts";
import type { Row } from "../row.ts";

/** More names are not looked for one by one. */
const namesMax = 8;

export class Wanted {
  /** Null if all labels are. */
  readonly #slots: ReadonlyArray<number> | null;
  /** By slot, 1 for each wanted one; null if all are. */
  readonly mask: Uint8Array | null;
  /** Whether it matters if a line is malformed behind the last field that is wanted. */
  readonly readsOn: boolean;
  readonly #names: NameTable;

  constructor({ labels }: Needed, names: NameTable) {
    this.#names = names;
    this.#slots = labels === "all" ? null : labels.map((name) => names.require(name));
    this.readsOn = labels === "all" || labels.some((name) => name.startsWith("__error"));
    if (this.#slots === null) this.mask = null;
    else {
      this.mask = new Uint8Array(Math.max(0, ...this.#slots) + 1);
      for (const slot of this.#slots) this.mask[slot] = 1;
    }
  }

  /** How many labels the row can get from a parser; Infinity if it must read all of the line. */
  count(row: Row): number {
    if (this.#slots === null || this.readsOn) return Infinity;
    let count = 0;
    for (let index = 0; index < this.#slots.length; index++) {
      if (row.canGet(this.#slots[index]!)) count++;
    }
    return count;
  }

  /** The names to look for in rows of the stream in use, if a search for names alone is enough: not
   *  if all labels are wanted, or the rest of the line matters, or fields of two names may compete
   *  for one label. */
  namesToFind(row: Row): ReadonlyArray<number> | null {
    if (this.#slots === null || this.readsOn) return null;
    const found: number[] = [];
    for (const slot of this.#slots) {
      if (this.#names.text(slot).endsWith("_extracted")) return null;
      if (!row.isStreamName(slot)) found.push(slot);
    }
    return found.length === 0 || found.length > namesMax ? null : found;
  }

  /** Whether a wanted name may begin with these bytes and a `_`. */
  mayBegin(bytes: Uint8Array, end: number): boolean {
    if (this.#slots === null) return true;
    for (let index = 0; index < this.#slots.length; index++) {
      const name = this.#names.bytes(this.#slots[index]!);
      if (name.length <= end || name[end] !== 0x5f) continue;
      let at = 0;
      while (at < end && name[at] === bytes[at]) at++;
      if (at === end) return true;
    }
    return false;
  }
}
