// A list's rows apart by the value of one label, to be shown side by side. Follows the list as it grows and forgets.
// Invariant: a part names rows by their sequence numbers in the list, in the list's order; notices belong to every part.
import { type Entry, fieldOf, type Row } from "./row.ts";

/** What is split: RowGroups, or anything that numbers rows alike. */
export interface RowList {
  readonly first: number;
  readonly end: number;
  at(sequence: number): Row | undefined;
}

/** The rows of one value. */
export class RowPart {
  readonly value: string;
  #sequences: number[] = [];
  #head = 0;

  constructor(value: string) {
    this.value = value;
  }

  get size(): number {
    return this.#sequences.length - this.#head;
  }

  /** The list's sequence number of this part's row at a place, from 0; undefined beyond the end. */
  at(place: number): number | undefined {
    return place < 0 ? undefined : this.#sequences[this.#head + place];
  }

  /** The place of the first row whose sequence number is not below this one. */
  placeOf(sequence: number): number {
    let low = this.#head;
    let high = this.#sequences.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sequences[middle] ?? 0) < sequence) low = middle + 1;
      else high = middle;
    }
    return low - this.#head;
  }

  add(sequence: number): void {
    this.#sequences.push(sequence);
  }

  /** Lets go of rows that the list no longer has. */
  forget(first: number): void {
    while ((this.#sequences[this.#head] ?? first) < first) this.#head++;
    if (this.#head > 1024 && this.#head * 2 > this.#sequences.length) {
      this.#sequences = this.#sequences.slice(this.#head);
      this.#head = 0;
    }
  }
}

/** Parts side by side: more would be too narrow to read. */
export const partsMax = 8;

export class RowSplit {
  readonly #list: RowList;
  readonly #name: string;
  readonly #parts = new Map<string, RowPart>();
  readonly #others = new Set<string>();
  #notices: number[] = [];
  #followed: number;

  constructor(list: RowList, name: string) {
    this.#list = list;
    this.#name = name;
    this.#followed = list.first;
    this.follow();
  }

  /** By value. */
  get parts(): readonly RowPart[] {
    return [...this.#parts.values()].sort((a, b) => a.value < b.value ? -1 : 1);
  }

  /** Values that found no place beside the others. */
  get othersCount(): number {
    return this.#others.size;
  }

  /** Takes in what the list gained and lost since the last call. */
  follow(): void {
    const { first, end } = this.#list;
    this.#followed = Math.max(this.#followed, first);
    for (; this.#followed < end; this.#followed++) {
      const row = this.#list.at(this.#followed);
      if (row?.kind === "entry") this.#partOf(row)?.add(this.#followed);
      else if (row !== undefined) this.#addNotice(this.#followed);
    }
    for (const part of this.#parts.values()) part.forget(first);
    if ((this.#notices[0] ?? first) < first) {
      this.#notices = this.#notices.filter((sequence) => sequence >= first);
    }
  }

  #partOf(entry: Entry): RowPart | undefined {
    const value = fieldOf(entry, this.#name) ?? "";
    const known = this.#parts.get(value);
    if (known !== undefined) return known;
    if (this.#parts.size >= partsMax) {
      if (this.#others.size < othersMax) this.#others.add(value);
      return undefined;
    }
    const part = new RowPart(value);
    for (const sequence of this.#notices) part.add(sequence);
    this.#parts.set(value, part);
    return part;
  }

  #addNotice(sequence: number): void {
    this.#notices.push(sequence);
    for (const part of this.#parts.values()) part.add(sequence);
  }
}

const othersMax = 1000;
