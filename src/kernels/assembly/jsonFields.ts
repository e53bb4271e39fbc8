/** Finds fields of JSON objects in all lines of a block at once: where the values of the names that
 *  a query wants lie. jsonFields.ts outside owns the layout. A row that holds anything unusual is
 *  left open, for the parser that knows all of JSON (src/logql/stages/jsonParser.ts): the kernel
 *  never decides what a malformed line means.
 *  Invariant: a row that is not left open has what the parser would find, up to the last wanted
 *  name. Loads reach up to 16 bytes beyond the block. */

/** JavaScript knows the order of the fields. */
@unmanaged
class JsonFrame {
  block: usize;
  /** Ends of the rows' lines, counted from `blockStart` bytes before the block. */
  ends: usize;
  blockStart: u32;
  rowCount: u32;
  /** One byte a row: 1 to look at it. Rows that were decided become 2. */
  rows: usize;
  /** One after another: u32 length, then the bytes and padding to a multiple of 16. */
  names: usize;
  nameCount: u32;
  /** Whether a name has a `_`: then keys that are no names may become one of these. */
  underscored: u32;
  /** A row after the other, for each name: u32 start and end, counted as `ends` are; 0 and 0 for
   *  none. */
  fields: usize;
}

const QUOTE: u8 = 0x22;
const BACKSLASH: u8 = 0x5c;
const BRACE_OPEN: u8 = 0x7b;
const BRACE_CLOSE: u8 = 0x7d;
const BRACKET_OPEN: u8 = 0x5b;
const BRACKET_CLOSE: u8 = 0x5d;
/** A place that no text has. */
const NOWHERE: usize = 0;

/** Looks at all rows and returns how many it decided. */
export function jsonFields(pointer: usize): u32 {
  const frame = changetype<JsonFrame>(pointer);
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
function object(frame: JsonFrame, start: usize, end: usize, fields: usize): bool {
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
      const field = fields + (<usize> name << 3);
      if (load<u32>(field + 4) == 0) {
        store<u32>(field, <u32> (from - frame.block) + frame.blockStart);
        store<u32>(field + 4, <u32> (to - frame.block) + frame.blockStart);
        if (--left == 0) return true;
      }
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

const UNSURE: i32 = -2;

/** The number of the wanted name that a key is, -1 if it is none, or UNSURE. */
function nameOf(frame: JsonFrame, key: usize, keyEnd: usize): i32 {
  const length = <u32> (keyEnd - key);
  // The fields of an object with an empty key are named as if they lay around it.
  if (length == 0) return UNSURE;
  let name = frame.names;
  const head = v128.load(key);
  for (let index: u32 = 0; index < frame.nameCount; index++) {
    const nameLength = load<u32>(name);
    const text = name + 16;
    if (nameLength == length) {
      const same = i8x16.bitmask(i8x16.eq(head, v128.load(text)));
      const mask = length >= 16 ? 0xffff : (1 << length) - 1;
      if (
        (same & mask) == mask && (length <= 16 || memory.compare(key, text, length) == 0)
      ) return index;
    }
    name = text + ((nameLength + 15) & ~15);
  }
  return isOther(frame, key, keyEnd) ? -1 : UNSURE;
}

/** Whether a key that is no wanted name stays none when it is made a name: letters and digits stay
 *  as they are, blanks at the ends go, all else becomes `_`, and a digit in front gets one. */
function isOther(frame: JsonFrame, key: usize, keyEnd: usize): bool {
  for (let at = key; at < keyEnd; at++) {
    const byte = load<u8>(at);
    const lower = byte | 0x20;
    if ((lower >= 0x61 && lower <= 0x7a) || byte == 0x5f) continue;
    if (byte >= 0x30 && byte <= 0x39 && at > key) continue;
    if (byte <= 0x20 || byte >= 0x7f || frame.underscored != 0) return false;
  }
  return true;
}

/** Whether a wanted name begins with a key and a `_`: it may be a field of the object there. */
function mayBegin(frame: JsonFrame, key: usize, keyEnd: usize): bool {
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

/** Where the closing quote of a string without escapes is, given its first character. */
function plainStringEnd(at: usize, end: usize): usize {
  const quotes = i8x16.splat(QUOTE);
  const escapes = i8x16.splat(BACKSLASH);
  for (; at < end; at += 16) {
    const bytes = v128.load(at);
    const hits = i8x16.bitmask(v128.or(i8x16.eq(bytes, quotes), i8x16.eq(bytes, escapes)));
    if (hits != 0) {
      const place = at + ctz(hits);
      return place < end && load<u8>(place) == QUOTE ? place : NOWHERE;
    }
  }
  return NOWHERE;
}

/** Where the closing quote is, escapes or not. */
function stringEnd(at: usize, end: usize): usize {
  const quotes = i8x16.splat(QUOTE);
  const escapes = i8x16.splat(BACKSLASH);
  while (at < end) {
    const bytes = v128.load(at);
    const hits = i8x16.bitmask(v128.or(i8x16.eq(bytes, quotes), i8x16.eq(bytes, escapes)));
    if (hits == 0) {
      at += 16;
      continue;
    }
    at += ctz(hits);
    if (at >= end) return NOWHERE;
    if (load<u8>(at) == QUOTE) return at;
    at += 2;
  }
  return NOWHERE;
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
