/** Finds fields of JSON objects in all lines of a block at once: where the values of the names that
 *  a query wants lie. fields.ts outside owns the layout, fields.ts beside this what names are. A
 *  row that holds anything unusual is left open, for the parser that knows all of JSON
 *  (src/logql/stages/jsonParser.ts): the kernel never decides what a malformed line means.
 *  Invariant: a row that is not left open has what the parser would find, up to the last wanted
 *  name. Loads reach up to 16 bytes beyond the block. */

import {
  FieldsFrame,
  nameOf,
  NOWHERE,
  plainStringEnd,
  putField,
  QUOTE,
  stringEnd,
  UNSURE,
} from "./fields";

const BRACE_OPEN: u8 = 0x7b;
const BRACE_CLOSE: u8 = 0x7d;
const BRACKET_OPEN: u8 = 0x5b;
const BRACKET_CLOSE: u8 = 0x5d;

/** Looks at all rows and returns how many it decided. */
export function jsonFields(pointer: usize): u32 {
  const frame = changetype<FieldsFrame>(pointer);
  const count = frame.rowCount;
  const rowBytes = frame.nameCount << 3;
  let decided: u32 = 0;
  let start: u32 = 0;
  for (let row: u32 = 0; row < count; row++) {
    const end = load<u32>(frame.ends + (row << 2)) - frame.blockStart;
    if (load<u8>(frame.rows + row) != 0) {
      const fields = frame.fields + row * rowBytes;
      memory.fill(fields, 0, rowBytes);
      if (object(frame, frame.block + start, frame.block + end, fields)) {
        store<u8>(frame.rows + row, 2);
        decided++;
      }
    }
    start = end;
  }
  return decided;
}

/** False leaves the row open. */
function object(frame: FieldsFrame, start: usize, end: usize, fields: usize): bool {
  let left = frame.nameCount;
  let at = skipBlanks(start, end);
  if (at >= end || load<u8>(at) != BRACE_OPEN) return false;
  at = skipBlanks(at + 1, end);
  while (at < end && load<u8>(at) != BRACE_CLOSE) {
    if (load<u8>(at) != QUOTE) return false;
    const key = at + 1;
    const keyEnd = plainStringEnd(key, end);
    if (keyEnd == NOWHERE) return false;
    const name = nameOf(frame, key, keyEnd);
    if (name == UNSURE) return false;
    at = skipBlanks(keyEnd + 1, end);
    if (at >= end || load<u8>(at) != 0x3a) return false;
    at = skipBlanks(at + 1, end);
    if (at >= end) return false;
    const first = load<u8>(at);
    let from = at;
    let to: usize;
    if (first == QUOTE) {
      from = at + 1;
      to = plainStringEnd(from, end);
      if (to == NOWHERE) {
        // An escape. The value matters only to a wanted name.
        if (name >= 0) return false;
        to = stringEnd(from, end);
        if (to == NOWHERE) return false;
      }
      at = to + 1;
    } else if (first == BRACE_OPEN || first == BRACKET_OPEN) {
      if (first == BRACE_OPEN && mayBegin(frame, key, keyEnd)) return false;
      at = blockEnd(at, end);
      if (at == NOWHERE) return false;
      to = NOWHERE;
    } else {
      to = wordEnd(at, end);
      if (to == NOWHERE) return false;
      at = to;
      if (first == 0x6e) to = NOWHERE;
    }
    if (name >= 0 && to != NOWHERE) {
      if (putField(frame, fields, name, from, to) && --left == 0) return true;
    }
    at = skipBlanks(at, end);
    if (at >= end) return false;
    const separator = load<u8>(at);
    if (separator == BRACE_CLOSE) return true;
    if (separator != 0x2c) return false;
    at = skipBlanks(at + 1, end);
  }
  return at < end;
}

/** Whether a wanted name begins with a key and a `_`: it may be a field of the object there. */
function mayBegin(frame: FieldsFrame, key: usize, keyEnd: usize): bool {
  if (frame.underscored == 0) return false;
  const length = <u32> (keyEnd - key);
  let name = frame.names;
  for (let index: u32 = 0; index < frame.nameCount; index++) {
    const nameLength = load<u32>(name);
    const text = name + 16;
    if (
      nameLength > length && load<u8>(text + length) == 0x5f &&
      memory.compare(key, text, length) == 0
    ) return true;
    name = text + ((nameLength + 15) & ~15);
  }
  return false;
}

function skipBlanks(at: usize, end: usize): usize {
  while (at < end) {
    const byte = load<u8>(at);
    if (byte > 0x20 || (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09)) break;
    at++;
  }
  return at;
}

/** Behind the object or array that opens at `at`: brackets and strings count, nothing else. */
function blockEnd(at: usize, end: usize): usize {
  let depth = 0;
  for (; at < end; at++) {
    const byte = load<u8>(at);
    if (byte == QUOTE) {
      at = stringEnd(at + 1, end);
      if (at == NOWHERE) return NOWHERE;
    } else if (byte == BRACE_OPEN || byte == BRACKET_OPEN) depth++;
    else if ((byte == BRACE_CLOSE || byte == BRACKET_CLOSE) && --depth == 0) return at + 1;
  }
  return NOWHERE;
}

/** Behind the number or word at `at`; NOWHERE if it is malformed. */
function wordEnd(at: usize, end: usize): usize {
  const first = load<u8>(at);
  if (first == 0x74) return literalEnd(at, end, 0x65757274, 4);
  if (first == 0x6e) return literalEnd(at, end, 0x6c6c756e, 4);
  if (first == 0x66 && at + 1 < end) return literalEnd(at + 1, end, 0x65736c61, 4);
  let place = first == 0x2d ? at + 1 : at;
  if (place >= end || !isDigit(load<u8>(place))) return NOWHERE;
  for (place++; place < end; place++) {
    const byte = load<u8>(place);
    if (
      !isDigit(byte) && byte != 0x2e && byte != 0x2b && byte != 0x2d && (byte | 0x20) != 0x65
    ) break;
  }
  return isFollower(place, end) ? place : NOWHERE;
}

function literalEnd(at: usize, end: usize, word: u32, length: usize): usize {
  if (at + length > end || load<u32>(at) != word) return NOWHERE;
  return isFollower(at + length, end) ? at + length : NOWHERE;
}

function isDigit(byte: u8): bool {
  return byte >= 0x30 && byte <= 0x39;
}

/** Whether a word may end here; what follows is checked again. */
function isFollower(at: usize, end: usize): bool {
  if (at >= end) return true;
  const byte = load<u8>(at);
  return byte == 0x2c || byte == BRACE_CLOSE || byte == 0x20 || byte == 0x0a || byte == 0x0d ||
    byte == 0x09;
}
