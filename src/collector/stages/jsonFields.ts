/** Reads some members of a JSON object out of its bytes without making anything of the others. Owns the quick way
 *  alone: it checks all of the line, and whatever is unusual (an escape in a wanted member, an object or a list as its
 *  value, nesting without end, no JSON at all) it leaves to JSON.parse, which decides what a line means.
 *  Invariant: what it answers is what JSON.parse would have. */
import type { ExtractedValue } from "./entry.ts";

/** Objects and lists within one another that are followed. */
const depthMax = 32;
/** Values of a member that are remembered: most have few, and looking costs less than decoding. */
const knownMax = 8;
const knownBytesMax = 256;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

export class JsonFields {
  readonly #fields: ReadonlyArray<Field>;

  /** `names`: the members wanted, of the outermost object. */
  constructor(names: ReadonlyArray<string>) {
    this.#fields = names.map((name) => new Field(encoder.encode(name)));
  }

  /** Looks at bytes[start..end). False if JSON.parse has to. */
  find(bytes: Uint8Array, start: number, end: number): boolean {
    for (const field of this.#fields) field.value = null;
    let at = skipSpace(bytes, start, end);
    if (at >= end || bytes[at] !== openBrace) return false;
    at = skipSpace(bytes, at + 1, end);
    if (at < end && bytes[at] === closeBrace) return skipSpace(bytes, at + 1, end) === end;
    for (;;) {
      at = this.#member(bytes, at, end);
      if (at < 0) return false;
      at = skipSpace(bytes, at, end);
      if (at >= end) return false;
      if (bytes[at] === closeBrace) return skipSpace(bytes, at + 1, end) === end;
      if (bytes[at] !== comma) return false;
      at = skipSpace(bytes, at + 1, end);
    }
  }

  /** What `find` found for the name of that index; null if there is no such member. */
  value(index: number): ExtractedValue {
    return this.#fields[index]!.value;
  }

  /** Reads `"name": value`; returns where it ends, -1 if it is unusual. */
  #member(bytes: Uint8Array, at: number, end: number): number {
    const nameEnd = plainStringEnd(bytes, at, end);
    if (nameEnd < 0) return -1;
    const colonAt = skipSpace(bytes, nameEnd, end);
    if (colonAt >= end || bytes[colonAt] !== colon) return -1;
    const valueAt = skipSpace(bytes, colonAt + 1, end);
    const field = this.#fieldOf(bytes, at + 1, nameEnd - 1);
    return field === undefined ? valueEnd(bytes, valueAt, end, 0) : field.read(bytes, valueAt, end);
  }

  #fieldOf(bytes: Uint8Array, from: number, to: number): Field | undefined {
    const fields = this.#fields;
    for (let index = 0; index < fields.length; index++) {
      if (isAt(bytes, from, to, fields[index]!.name)) return fields[index];
    }
    return undefined;
  }
}

/** One wanted member. */
class Field {
  readonly name: Uint8Array;
  value: ExtractedValue = null;
  readonly #known: Array<{ readonly bytes: Uint8Array; readonly text: string }> = [];
  #next = 0;

  constructor(name: Uint8Array) {
    this.name = name;
  }

  /** Reads the value at `at`; returns where it ends, -1 if it is unusual. */
  read(bytes: Uint8Array, at: number, end: number): number {
    if (at >= end) return -1;
    const first = bytes[at]!;
    if (first === openBrace || first === openBracket) return -1;
    const to = first === quote ? plainStringEnd(bytes, at, end) : valueEnd(bytes, at, end, 0);
    if (to < 0) return -1;
    if (first === quote) this.value = this.#text(bytes, at + 1, to - 1);
    else if (first === 0x74) this.value = true;
    else if (first === 0x66) this.value = false;
    else if (first === 0x6e) this.value = null;
    else this.value = Number(decoder.decode(bytes.subarray(at, to)));
    return to;
  }

  #text(bytes: Uint8Array, from: number, to: number): string {
    for (const known of this.#known) {
      if (isAt(bytes, from, to, known.bytes)) return known.text;
    }
    const text = decoder.decode(bytes.subarray(from, to));
    if (to - from <= knownBytesMax) {
      this.#known[this.#next] = { bytes: bytes.slice(from, to), text };
      this.#next = (this.#next + 1) % knownMax;
    }
    return text;
  }
}

function isAt(bytes: Uint8Array, from: number, to: number, text: Uint8Array): boolean {
  const length = text.length;
  if (to - from !== length) return false;
  for (let index = 0; index < length; index++) {
    if (bytes[from + index] !== text[index]) return false;
  }
  return true;
}

function skipSpace(bytes: Uint8Array, at: number, end: number): number {
  while (at < end) {
    const byte = bytes[at]!;
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) break;
    at++;
  }
  return at;
}

/** Where the string that begins at `at` ends, behind its quote; -1 if there is none or it has an escape. */
function plainStringEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end || bytes[at] !== quote) return -1;
  for (let index = at + 1; index < end; index++) {
    const byte = bytes[index]!;
    if (byte === quote) return index + 1;
    if (byte === backslash || byte < 0x20) return -1;
  }
  return -1;
}

/** The same for a string that may have escapes. */
function stringEnd(bytes: Uint8Array, at: number, end: number): number {
  for (let index = at + 1; index < end; index++) {
    const byte = bytes[index]!;
    if (byte === quote) return index + 1;
    if (byte < 0x20) return -1;
    if (byte !== backslash) continue;
    // "\u" and four digits are rare enough to be left to JSON.parse.
    if (++index >= end || !isEscaped(bytes[index]!)) return -1;
  }
  return -1;
}

/** Whether it may stand behind a backslash: one of "\/bfnrt. */
function isEscaped(byte: number): boolean {
  return byte === quote || byte === backslash || byte === 0x2f || byte === 0x62 || byte === 0x66 ||
    byte === 0x6e || byte === 0x72 || byte === 0x74;
}

/** Where the value that begins at `at` ends; -1 if it is none, or nested too deeply. */
function valueEnd(bytes: Uint8Array, at: number, end: number, depth: number): number {
  if (at >= end || depth > depthMax) return -1;
  switch (bytes[at]) {
    case quote:
      return stringEnd(bytes, at, end);
    case openBrace:
      return objectEnd(bytes, at, end, depth);
    case openBracket:
      return listEnd(bytes, at, end, depth);
    case 0x74:
      return wordEnd(bytes, at, end, trueWord);
    case 0x66:
      return wordEnd(bytes, at, end, falseWord);
    case 0x6e:
      return wordEnd(bytes, at, end, nullWord);
    default:
      return numberEnd(bytes, at, end);
  }
}

function objectEnd(bytes: Uint8Array, start: number, end: number, depth: number): number {
  let at = skipSpace(bytes, start + 1, end);
  if (at < end && bytes[at] === closeBrace) return at + 1;
  for (;;) {
    if (at >= end || bytes[at] !== quote) return -1;
    at = stringEnd(bytes, at, end);
    if (at < 0) return -1;
    at = skipSpace(bytes, at, end);
    if (at >= end || bytes[at] !== colon) return -1;
    at = valueEnd(bytes, skipSpace(bytes, at + 1, end), end, depth + 1);
    if (at < 0) return -1;
    at = skipSpace(bytes, at, end);
    if (at >= end) return -1;
    if (bytes[at] === closeBrace) return at + 1;
    if (bytes[at] !== comma) return -1;
    at = skipSpace(bytes, at + 1, end);
  }
}

function listEnd(bytes: Uint8Array, start: number, end: number, depth: number): number {
  let at = skipSpace(bytes, start + 1, end);
  if (at < end && bytes[at] === closeBracket) return at + 1;
  for (;;) {
    at = valueEnd(bytes, at, end, depth + 1);
    if (at < 0) return -1;
    at = skipSpace(bytes, at, end);
    if (at >= end) return -1;
    if (bytes[at] === closeBracket) return at + 1;
    if (bytes[at] !== comma) return -1;
    at = skipSpace(bytes, at + 1, end);
  }
}

function wordEnd(bytes: Uint8Array, at: number, end: number, word: Uint8Array): number {
  const to = at + word.length;
  return to <= end && isAt(bytes, at, to, word) ? to : -1;
}

/** JSON's numbers: no plus, no leading zero, digits on both sides of a point. */
function numberEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = bytes[start] === minus ? start + 1 : start;
  const wholeAt = at;
  at = digitsEnd(bytes, at, end);
  if (at === wholeAt || (bytes[wholeAt] === zero && at > wholeAt + 1)) return -1;
  if (at < end && bytes[at] === point) {
    const fractionAt = at + 1;
    at = digitsEnd(bytes, fractionAt, end);
    if (at === fractionAt) return -1;
  }
  if (at >= end || (bytes[at]! | 0x20) !== 0x65) return at;
  at++;
  if (at < end && (bytes[at] === minus || bytes[at] === plus)) at++;
  const exponentAt = at;
  at = digitsEnd(bytes, exponentAt, end);
  return at === exponentAt ? -1 : at;
}

function digitsEnd(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at]! >= zero && bytes[at]! <= nine) at++;
  return at;
}

const quote = 0x22;
const plus = 0x2b;
const comma = 0x2c;
const minus = 0x2d;
const point = 0x2e;
const zero = 0x30;
const nine = 0x39;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const trueWord = encoder.encode("true");
const falseWord = encoder.encode("false");
const nullWord = encoder.encode("null");
