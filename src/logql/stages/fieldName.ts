/** The label name that a field of a line gets: characters that names do not have become `_`, blanks
 *  at the ends go, a leading digit gets a `_` in front; keys of nested objects are joined with `_`.
 *  Invariant: a name is at most nameBytesMax long; what would be longer has no name. */
import type { Row } from "../row.ts";

/** Longer names are nobody's, and nesting without end would make names of ever more bytes. */
export const nameBytesMax = 2048;

/** Answers for names that are too long, and for those that a closed table does not have. */
export const noName = -1;

export class FieldName {
  readonly #bytes = new Uint8Array(nameBytesMax);
  readonly #row: Row;

  constructor(row: Row) {
    this.#row = row;
  }

  /** The bytes of the name written last. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** The slot of a key that stands alone. */
  slotOf(key: Uint8Array, start: number, end: number): number {
    if (isPlain(key, start, end)) return this.#row.names.find(key, start, end);
    const nameEnd = this.append(0, key, start, end);
    return nameEnd <= 0 ? noName : this.#row.names.find(this.#bytes, 0, nameEnd);
  }

  /** The slot of the name that lies in `bytes` up to `end`. */
  slotOfWritten(end: number): number {
    return this.#row.names.find(this.#bytes, 0, end);
  }

  /** Writes a key behind the `prefixEnd` bytes of those of the objects around it; returns where the
   *  name ends, 0 for a name without a character, or -1 if it is too long. */
  append(prefixEnd: number, key: Uint8Array, start: number, end: number): number {
    const bytes = this.#bytes;
    let at = prefixEnd;
    if (at + 2 + end - start > nameBytesMax) return -1;
    if (prefixEnd > 0) bytes[at++] = underscore;
    if (isPlain(key, start, end) || (prefixEnd > 0 && isPlainRest(key, start, end))) {
      for (let place = start; place < end; place++) bytes[at++] = key[place]!;
      return at;
    }
    const name = sanitize(decoder.decode(key.subarray(start, end)));
    if (prefixEnd === 0 && /^\d/.test(name)) bytes[at++] = underscore;
    for (let place = 0; place < name.length; place++) bytes[at++] = name.charCodeAt(place);
    return at;
  }
}

const underscore = 0x5f;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function sanitize(key: string): string {
  return key.trim().replace(/[^A-Za-z0-9_]/gu, "_");
}

/** 1 for what a name may start with, 2 for digits. */
const kinds = new Uint8Array(256);
for (let byte = 0x30; byte <= 0x39; byte++) kinds[byte] = 2;
for (let byte = 0x41; byte <= 0x5a; byte++) kinds[byte] = kinds[byte + 32] = 1;
kinds[underscore] = 1;

function isPlain(key: Uint8Array, start: number, end: number): boolean {
  return start < end && kinds[key[start]!] === 1 && isPlainRest(key, start + 1, end);
}

function isPlainRest(key: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (kinds[key[at]!] === 0) return false;
  return true;
}
