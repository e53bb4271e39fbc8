/** Reads JSON where it lies, in the bytes of a line: where strings, words and blocks end, and what
 *  an escaped string says. The parsers json and unpack walk with it. As lenient as Loki's: raw
 *  control characters in strings, digits and signs in any order in a number, and within a block that
 *  is skipped only strings and brackets count.
 *  Invariant: every function returns a place at or before `end`, or -1 for malformed text. */
import type { Row } from "../row.ts";

export const quoteMark = 0x22;
export const comma = 0x2c;
export const colon = 0x3a;
export const braceOpen = 0x7b;
export const braceClose = 0x7d;
export const bracketOpen = 0x5b;
export const bracketClose = 0x5d;
const backslash = 0x5c;

/** The first place from `at` on that is no blank; `end` if there is none. */
export function skipBlanks(bytes: Uint8Array, at: number, end: number): number {
  while (at < end) {
    const byte = bytes[at]!;
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) break;
    at++;
  }
  return at;
}

/** Whether the string that stringEnd passed last has a backslash. */
export let stringHasEscape = false;

/** Where the string that opens at `at` ends: behind its closing quote. */
export function stringEnd(bytes: Uint8Array, at: number, end: number): number {
  stringHasEscape = false;
  for (let place = at + 1; place < end; place++) {
    const byte = bytes[place]!;
    if (byte === quoteMark) return place + 1;
    if (byte === backslash) {
      stringHasEscape = true;
      place++;
    }
  }
  return -1;
}

/** Where the object or array that opens at `at` ends. */
export function blockEnd(bytes: Uint8Array, at: number, end: number): number {
  let depth = 0;
  for (let place = at; place < end; place++) {
    const byte = bytes[place]!;
    if (byte === quoteMark) {
      place = stringEnd(bytes, place, end) - 1;
      if (place < 0) return -1;
    } else if (byte === braceOpen || byte === bracketOpen) depth++;
    else if ((byte === braceClose || byte === bracketClose) && --depth === 0) return place + 1;
  }
  return -1;
}

/** Where the number, true, false or null at `at` ends; a blank, a comma, a closing bracket or the
 *  end of the text must follow. */
export function wordEnd(bytes: Uint8Array, at: number, end: number): number {
  let place = at;
  while (place < end && wordCharacters[bytes[place]!] === 1) place++;
  if (place === at || (place < end && wordFollowers[bytes[place]!] === 0)) return -1;
  const first = bytes[at]!;
  if (first === 0x2d || (first >= 0x30 && first <= 0x39)) {
    return isNumber(bytes, first === 0x2d ? at + 1 : at, place) ? place : -1;
  }
  const word = first === 0x74 ? wordTrue : first === 0x66 ? wordFalse : wordNull;
  if (word.length !== place - at) return -1;
  for (let index = 0; index < word.length; index++) {
    if (bytes[at + index] !== word[index]) return -1;
  }
  return place;
}

/** Where any value ends. */
export function valueEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  const first = bytes[at]!;
  if (first === quoteMark) return stringEnd(bytes, at, end);
  if (first === braceOpen || first === bracketOpen) return blockEnd(bytes, at, end);
  return wordEnd(bytes, at, end);
}

/** Where the text after the present field goes on: behind the comma, or at the closing bracket. */
export function nextField(bytes: Uint8Array, at: number, end: number, close: number): number {
  const place = skipBlanks(bytes, at, end);
  if (place >= end) return -1;
  if (bytes[place] === close) return place;
  return bytes[place] === comma ? skipBlanks(bytes, place + 1, end) : -1;
}

/** Where the value of a field starts, given where its key ends. */
export function valueStart(bytes: Uint8Array, keyEnd: number, end: number): number {
  const place = skipBlanks(bytes, keyEnd, end);
  return place < end && bytes[place] === colon ? skipBlanks(bytes, place + 1, end) : -1;
}

/** Writes what the characters bytes[start..end) between quotes say to the row's scratch memory;
 *  returns where it starts there (it ends at row.scratchEnd), or -1 for an escape that JSON does not
 *  have. A half surrogate becomes U+FFFD. */
export function unescape(row: Row, bytes: Uint8Array, start: number, end: number): number {
  // No escape is shorter than what it stands for.
  const from = row.take(end - start);
  const to = row.scratch;
  let out = from;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte !== backslash) {
      to[out++] = byte;
      continue;
    }
    const kind = bytes[++at]!;
    if (at < end && kind === 0x75) {
      let code = hexadecimal(bytes, at + 1, end);
      if (code < 0) return -1;
      at += 4;
      if (code >= 0xd800 && code < 0xe000) {
        const low = bytes[at + 1] === backslash && bytes[at + 2] === 0x75
          ? hexadecimal(bytes, at + 3, end)
          : -1;
        if (code < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
          at += 6;
        } else code = 0xfffd;
      }
      out = putCodePoint(to, out, code);
      continue;
    }
    const plain = at < end ? shortEscapes[kind]! : 0;
    if (plain === 0) return -1;
    to[out++] = plain;
  }
  row.shrink(out);
  return from;
}

const wordTrue = [...new TextEncoder().encode("true")];
const wordFalse = [...new TextEncoder().encode("false")];
const wordNull = [...new TextEncoder().encode("null")];
const wordCharacters = tableOf("0123456789+-.eEtrufalsn");
const wordFollowers = tableOf(" \t\r\n,}]\v\f");
const numberCharacters = tableOf("0123456789+-.eE");

const shortEscapes = new Uint8Array(256);
for (const [letter, byte] of Object.entries({ b: 8, f: 12, n: 10, r: 13, t: 9 })) {
  shortEscapes[letter.charCodeAt(0)] = byte;
}
for (const character of '"\\/') shortEscapes[character.charCodeAt(0)] = character.charCodeAt(0);

function tableOf(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  return table;
}

function isNumber(bytes: Uint8Array, start: number, end: number): boolean {
  const first = bytes[start]!;
  if (start >= end || first < 0x30 || first > 0x39) return false;
  for (let at = start + 1; at < end; at++) if (numberCharacters[bytes[at]!] === 0) return false;
  return true;
}

function hexadecimal(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 > end) return -1;
  let code = 0;
  for (let index = 0; index < 4; index++) {
    const byte = bytes[at + index]!;
    const lower = byte | 0x20;
    const digit = byte >= 0x30 && byte <= 0x39
      ? byte - 0x30
      : lower >= 0x61 && lower <= 0x66
      ? lower - 0x57
      : -1;
    if (digit < 0) return -1;
    code = code << 4 | digit;
  }
  return code;
}

function putCodePoint(to: Uint8Array, at: number, code: number): number {
  if (code < 0x80) {
    to[at++] = code;
    return at;
  }
  if (code < 0x800) to[at++] = 0xc0 | code >> 6;
  else {
    if (code < 0x10000) to[at++] = 0xe0 | code >> 12;
    else {
      to[at++] = 0xf0 | code >> 18;
      to[at++] = 0x80 | code >> 12 & 0x3f;
    }
    to[at++] = 0x80 | code >> 6 & 0x3f;
  }
  to[at++] = 0x80 | code & 0x3f;
  return at;
}
