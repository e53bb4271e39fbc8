/** Numbers for the label sets that rows are grouped by: equal sets get equal numbers, counted from
 *  0, without a string being made. row.ts owns the labels. Invariant: two rows have one number
 *  exactly if the chosen labels that they have, empty ones left out, have the same names and
 *  values. */
import type { Labels } from "../streams/labels.ts";
import { compareBytes, decodeMetadata } from "../streams/metadata.ts";
import { category, type Row } from "./row.ts";

/** `by`: only these labels. `without`: all others. "all": every label. */
export type GroupChoice =
  | { readonly mode: "by" | "without"; readonly labels: ReadonlyArray<string> }
  | "all";

/** A group's labels as bytes, sorted by name: u16 name length, u32 value length, name, value, as
 *  streams/metadata.ts writes sets. Workers exchange groups in this form. */
export type GroupBytes = Uint8Array;

export class GroupKeys {
  readonly #row: Row;
  /** Slots in the order of their names; null for `without` and "all". */
  readonly #bySlots: ReadonlyArray<number> | null;
  readonly #leftOut: ReadonlySet<string>;
  /** Open addressing: group + 1, or 0. */
  #buckets = new Int32Array(256);
  #hashes = new Int32Array(128);
  #ends = new Uint32Array(128);
  #bytes = new Uint8Array(4096);
  /** The key of the present row. */
  #key = new Uint8Array(256);
  #order: number[] = [];
  #count = 0;

  /** `leftOut` names labels that are in no key, such as the unwrapped one. Labels of `by` must be
   *  among those that the pipeline's description needs. */
  constructor(row: Row, choice: GroupChoice, leftOut: ReadonlyArray<string> = []) {
    this.#row = row;
    const by = choice !== "all" && choice.mode === "by" ? [...new Set(choice.labels)].sort() : null;
    this.#bySlots = by === null ? null : by.map((name) => row.names.findText(name));
    const without = choice !== "all" && choice.mode === "without" ? choice.labels : [];
    this.#leftOut = new Set([...without, ...leftOut]);
  }

  /** Groups so far. */
  get count(): number {
    return this.#count;
  }

  /** The number of the row's group. */
  idOf(): number {
    const end = this.#bySlots === null ? this.#writeAll() : this.#writeSlots(this.#bySlots);
    const hash = hashOf(this.#key, end);
    const mask = this.#buckets.length - 1;
    for (let at = hash & mask;; at = (at + 1) & mask) {
      const group = this.#buckets[at]! - 1;
      if (group < 0) return this.#add(end, hash);
      if (this.#hashes[group] === hash && this.#isKeyOf(group, end)) return group;
    }
  }

  /** A group's labels as bytes; a view that is valid until the next group is added. */
  bytesOf(group: number): GroupBytes {
    return this.#bytes.subarray(group === 0 ? 0 : this.#ends[group - 1]!, this.#ends[group]!);
  }

  #writeAll(): number {
    const { members, memberCount, names } = this.#row;
    const order = this.#order;
    order.length = 0;
    for (let index = 0; index < memberCount; index++) {
      const slot = members[index]!;
      if (this.#row.has(slot) && !this.#leftOut.has(names.text(slot))) order.push(slot);
    }
    order.sort((a, b) => compareBytes(names.bytes(a), names.bytes(b)));
    return this.#writeSlots(order);
  }

  #writeSlots(slots: ReadonlyArray<number>): number {
    const row = this.#row;
    let at = 0;
    for (let index = 0; index < slots.length; index++) {
      const slot = slots[index]!;
      if (slot < 0 || row.categories[slot] === category.none) continue;
      const start = row.starts[slot]!;
      const valueBytes = row.ends[slot]! - start;
      if (valueBytes === 0) continue;
      const name = row.names.bytes(slot);
      const end = at + 6 + name.length + valueBytes;
      if (end > this.#key.length) this.#key = grown(this.#key, end);
      const key = this.#key;
      key[at] = name.length;
      key[at + 1] = name.length >>> 8;
      key[at + 2] = valueBytes;
      key[at + 3] = valueBytes >>> 8;
      key[at + 4] = valueBytes >>> 16;
      key[at + 5] = valueBytes >>> 24;
      at += 6;
      for (let byte = 0; byte < name.length; byte++) key[at++] = name[byte]!;
      const source = row.sources[slot]!;
      for (let byte = 0; byte < valueBytes; byte++) key[at++] = source[start + byte]!;
    }
    return at;
  }

  #isKeyOf(group: number, keyEnd: number): boolean {
    const start = group === 0 ? 0 : this.#ends[group - 1]!;
    if (this.#ends[group]! - start !== keyEnd) return false;
    for (let at = 0; at < keyEnd; at++) {
      if (this.#bytes[start + at] !== this.#key[at]) return false;
    }
    return true;
  }

  #add(keyEnd: number, hash: number): number {
    const group = this.#count++;
    if (group === this.#hashes.length) {
      const hashes = new Int32Array(2 * group);
      hashes.set(this.#hashes);
      this.#hashes = hashes;
      const ends = new Uint32Array(2 * group);
      ends.set(this.#ends);
      this.#ends = ends;
    }
    const start = group === 0 ? 0 : this.#ends[group - 1]!;
    if (start + keyEnd > this.#bytes.length) this.#bytes = grown(this.#bytes, start + keyEnd);
    this.#bytes.set(this.#key.subarray(0, keyEnd), start);
    this.#hashes[group] = hash;
    this.#ends[group] = start + keyEnd;
    if (2 * this.#count > this.#buckets.length) {
      this.#buckets = new Int32Array(2 * this.#buckets.length);
      for (let known = 0; known < this.#count; known++) this.#enter(known);
    } else this.#enter(group);
    return group;
  }

  #enter(group: number): void {
    const mask = this.#buckets.length - 1;
    let at = this.#hashes[group]! & mask;
    while (this.#buckets[at] !== 0) at = (at + 1) & mask;
    this.#buckets[at] = group + 1;
  }
}

/** The labels of a group. */
export function groupLabels(bytes: GroupBytes): Labels {
  return decodeMetadata(bytes, 0, bytes.length);
}

function hashOf(bytes: Uint8Array, end: number): number {
  let hash = end;
  for (let at = 0; at < end; at++) hash = Math.imul(hash, 31) + bytes[at]! | 0;
  return hash ^ hash >>> 15;
}

function grown(bytes: Uint8Array<ArrayBuffer>, least: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(bytes.length * 2, least));
  larger.set(bytes);
  return larger;
}
