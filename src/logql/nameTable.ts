/** Numbers for label names. row.ts keeps a row's labels in slots by these numbers, so that no stage
 *  compares strings. A closed table knows only the names that a query mentions and says -1 to all
 *  others; an open one gives every name that turns up a number, up to a limit.
 *  Invariant: a number stands for one name as long as `generation` does not change, and the names
 *  that were `require`d keep their numbers for ever. */

/** Names that one open table holds before it forgets those that no query mentions. */
const namesMax = 16_384;
const extractedSuffix = "_extracted";
const unknown = -2;

/** Slots of the two labels that every row can get. */
export const errorSlot = 0;
export const errorDetailsSlot = 1;

export class NameTable {
  readonly isOpen: boolean;
  /** Changes when numbers were taken back. */
  generation = 0;
  readonly #texts: string[] = [];
  readonly #bytes: Uint8Array[] = [];
  readonly #hashes: number[] = [];
  /** By slot: the slot of name_extracted, -1 if the table has none, or unknown. */
  readonly #extracted: number[] = [];
  /** Open addressing: slot + 1, or 0. */
  #buckets = new Int32Array(64);
  #required = 0;

  constructor(isOpen: boolean) {
    this.isOpen = isOpen;
    this.require("__error__");
    this.require("__error_details__");
  }

  get count(): number {
    return this.#texts.length;
  }

  /** The slot of a name, which then is permanent. Must be called before the first `find`. */
  require(name: string): number {
    const bytes = encoder.encode(name);
    const hash = hashOf(bytes, 0, bytes.length);
    const known = this.#lookUp(bytes, 0, bytes.length, hash);
    if (known >= 0) return known;
    if (this.#required !== this.count) throw new Error(`${name} is required after names were met`);
    this.#required++;
    return this.#add(name, bytes, hash);
  }

  /** The slot of the name at bytes[start..end); -1 if a closed table does not have it. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const hash = hashOf(bytes, start, end);
    const known = this.#lookUp(bytes, start, end, hash);
    if (known >= 0 || !this.isOpen) return known;
    const name = bytes.slice(start, end);
    return this.#add(decoder.decode(name), name, hash);
  }

  /** The slot of a name given as a string. */
  findText(name: string): number {
    const bytes = encoder.encode(name);
    return this.find(bytes, 0, bytes.length);
  }

  /** The slot of name_extracted; -1 if a closed table does not have it. */
  extractedOf(slot: number): number {
    let extracted = this.#extracted[slot]!;
    if (extracted === unknown) {
      extracted = this.findText(this.#texts[slot]! + extractedSuffix);
      this.#extracted[slot] = extracted;
    }
    return extracted;
  }

  text(slot: number): string {
    return this.#texts[slot]!;
  }

  /** UTF-8; not to be changed. */
  bytes(slot: number): Uint8Array {
    return this.#bytes[slot]!;
  }

  /** Whether so many names were met that `forget` is due. */
  get isFull(): boolean {
    return this.count > namesMax + this.#required;
  }

  /** Takes back the numbers of all names that were not required. */
  forget(): void {
    this.generation++;
    for (const list of [this.#texts, this.#bytes, this.#hashes, this.#extracted]) {
      list.length = this.#required;
    }
    this.#extracted.fill(unknown);
    this.#rehash(64);
  }

  #lookUp(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const mask = this.#buckets.length - 1;
    for (let at = hash & mask;; at = (at + 1) & mask) {
      const slot = this.#buckets[at]! - 1;
      if (slot < 0) return -1;
      if (this.#hashes[slot] === hash && sameBytes(this.#bytes[slot]!, bytes, start, end)) {
        return slot;
      }
    }
  }

  #add(name: string, bytes: Uint8Array, hash: number): number {
    const slot = this.#texts.push(name) - 1;
    this.#bytes.push(bytes);
    this.#hashes.push(hash);
    this.#extracted.push(unknown);
    if (2 * this.count > this.#buckets.length) this.#rehash(2 * this.#buckets.length);
    else this.#enter(slot);
    return slot;
  }

  #rehash(size: number): void {
    let least = size;
    while (least < 2 * this.count) least *= 2;
    this.#buckets = new Int32Array(least);
    for (let slot = 0; slot < this.count; slot++) this.#enter(slot);
  }

  #enter(slot: number): void {
    const mask = this.#buckets.length - 1;
    let at = this.#hashes[slot]! & mask;
    while (this.#buckets[at] !== 0) at = (at + 1) & mask;
    this.#buckets[at] = slot + 1;
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let at = start; at < end; at++) hash = Math.imul(hash, 31) + bytes[at]! | 0;
  return hash ^ hash >>> 15;
}

function sameBytes(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let index = 0; index < name.length; index++) {
    if (name[index] !== bytes[start + index]) return false;
  }
  return true;
}
