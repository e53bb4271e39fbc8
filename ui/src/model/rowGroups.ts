// The rows of a buffer with neighbours that repeat each other folded into one. A group has the sequence number of its first
// row among groups, so that lists and selections work on groups as on rows. Invariant: with "none" groups are the rows
// themselves, at no cost; otherwise appending and evicting cost what the new and old rows cost.
import type { Row } from "./row.ts";

/** When two lines count as the same: equal; equal but for digits; equal in punctuation alone. */
export type Sameness = "none" | "exact" | "numbers" | "signature";

/** What is folded: RowBuffer or RowPages. */
interface Rows {
  readonly first: number;
  readonly end: number;
  at(sequence: number): Row | undefined;
}

export class RowGroups {
  readonly #buffer: Rows;
  readonly #sameness: Sameness;
  /** Per group, the sequence number of its first row in the buffer; `#starts[0]` is group `#first`. */
  #starts: number[] = [];
  #first = 0;
  #followed: number;
  #lastKey: string | undefined;

  constructor(buffer: Rows, sameness: Sameness) {
    this.#buffer = buffer;
    this.#sameness = sameness;
    this.#followed = buffer.first;
    this.follow();
  }

  /** Takes in what the buffer gained and lost since the last call. */
  follow(): void {
    if (this.#sameness === "none") return;
    const buffer = this.#buffer;
    this.#followed = Math.max(this.#followed, buffer.first);
    for (; this.#followed < buffer.end; this.#followed++) {
      const key = keyOf(buffer.at(this.#followed), this.#sameness);
      if (key === undefined || key !== this.#lastKey) this.#starts.push(this.#followed);
      this.#lastKey = key;
    }
    let gone = 0;
    while (gone + 1 < this.#starts.length && (this.#starts[gone + 1] ?? 0) <= buffer.first) gone++;
    if (gone > 0) this.#starts.splice(0, gone);
    this.#first += gone;
    const [start] = this.#starts;
    if (start !== undefined && start < buffer.first) this.#starts[0] = buffer.first;
  }

  get first(): number {
    return this.#sameness === "none" ? this.#buffer.first : this.#first;
  }

  get end(): number {
    return this.#sameness === "none" ? this.#buffer.end : this.#first + this.#starts.length;
  }

  get size(): number {
    return this.end - this.first;
  }

  /** The group's first row. */
  at(sequence: number): Row | undefined {
    return this.#buffer.at(this.rowOf(sequence));
  }

  /** The sequence number, among the rows, of the group's first; -1 when there is no such group. */
  rowOf(sequence: number): number {
    if (this.#sameness === "none") return sequence;
    return this.#starts[sequence - this.#first] ?? -1;
  }

  /** Rows in the group. */
  count(sequence: number): number {
    if (this.#sameness === "none") return 1;
    const index = sequence - this.#first;
    const start = this.#starts[index];
    return start === undefined ? 0 : (this.#starts[index + 1] ?? this.#followed) - start;
  }
}

/** Lines are compared by their start: what differs beyond it makes them no different to a reader. */
const comparedCharactersMax = 4000;

function keyOf(row: Row | undefined, sameness: Sameness): string | undefined {
  if (row?.kind !== "entry") return undefined;
  const line = row.line.slice(0, comparedCharactersMax);
  if (sameness === "exact") return line;
  if (sameness === "numbers") return line.replace(/\d+/g, "0");
  return line.replace(/[\p{L}\p{N}\s_]+/gu, "");
}
