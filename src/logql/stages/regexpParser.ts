/** `| regexp "(?P<method>\\w+) (?P<path>\\S+)"`: the named captures of the first match become labels.
 *  streams/regex.ts owns matching. Invariant: a line without a match gets no labels and no error; a
 *  capture that takes no part in the match is empty. */
import { compileCaptures, type LineCaptures } from "../../streams/regex.ts";
import type { NameTable } from "../nameTable.ts";
import { category, type Row } from "../row.ts";
import type { RowStage } from "./stage.ts";
import type { Wanted } from "./wanted.ts";

const checkpointBytes = 32 * 1024;

export class RegexpParser implements RowStage {
  readonly #regex: LineCaptures;
  /** By capture, from the first on: the slot of its name, or -1. */
  readonly #slots: ReadonlyArray<number>;
  readonly #wanted: Wanted;
  readonly #checkpoint: () => void;
  #unchecked = 0;

  /** Throws RegexInvalid. */
  constructor(pattern: string, wanted: Wanted, names: NameTable, checkpoint: () => void) {
    this.#regex = compileCaptures(pattern);
    this.#slots = this.#regex.names.map((name) => name === "" ? -1 : names.require(name));
    this.#wanted = wanted;
    this.#checkpoint = checkpoint;
  }

  apply(row: Row): boolean {
    if (this.#wanted.count(row) === 0) return true;
    const { line, lineStart, lineEnd } = row;
    this.#unchecked += lineEnd - lineStart;
    if (this.#unchecked > checkpointBytes) {
      this.#checkpoint();
      this.#unchecked = 0;
    }
    const places = this.#regex.find(line, lineStart, lineEnd);
    if (places === null) return true;
    for (let index = 0; index < this.#slots.length; index++) {
      const name = this.#slots[index]!;
      const slot = name < 0 ? -1 : row.parsedSlot(name, this.#wanted.mask);
      if (slot < 0) continue;
      // Places count from the start of the line; -1 where the capture took no part.
      const from = Math.max(0, places[2 * index + 2]!);
      const to = Math.max(from, places[2 * index + 3]!);
      row.set(slot, category.parsed, line, lineStart + from, lineStart + to);
    }
    return true;
  }
}
