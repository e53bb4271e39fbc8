/** What the kernels that find fields share: their frame, which wanted name a key is, strings in
 *  quotes. jsonFields.ts and logfmtFields.ts own the formats; fieldName.ts in src/logql/stages says
 *  how keys become names. */

/** JavaScript knows the order of the fields. */
@unmanaged
export class FieldsFrame {
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

export const QUOTE: u8 = 0x22;
const BACKSLASH: u8 = 0x5c;
/** A place that no text has. */
export const NOWHERE: usize = 0;

export const UNSURE: i32 = -2;

/** The number of the wanted name that a key is, -1 if it is none, or UNSURE. */
export function nameOf(frame: FieldsFrame, key: usize, keyEnd: usize): i32 {
  const length = <u32> (keyEnd - key);
  // The fields of a JSON object with an empty key are named as if they lay around it.
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
function isOther(frame: FieldsFrame, key: usize, keyEnd: usize): bool {
  for (let at = key; at < keyEnd; at++) {
    const byte = load<u8>(at);
    const lower = byte | 0x20;
    if ((lower >= 0x61 && lower <= 0x7a) || byte == 0x5f) continue;
    if (byte >= 0x30 && byte <= 0x39 && at > key) continue;
    if (byte <= 0x20 || byte >= 0x7f || frame.underscored != 0) return false;
  }
  return true;
}

/** Notes where the value of a name lies, unless an earlier one was found; false if one was. */
export function putField(
  frame: FieldsFrame,
  fields: usize,
  name: i32,
  from: usize,
  to: usize,
): bool {
  const field = fields + (<usize> name << 3);
  if (load<u32>(field + 4) != 0) return false;
  store<u32>(field, <u32> (from - frame.block) + frame.blockStart);
  store<u32>(field + 4, <u32> (to - frame.block) + frame.blockStart);
  return true;
}

/** Where the closing quote of a string without escapes is, given its first character. */
export function plainStringEnd(at: usize, end: usize): usize {
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
export function stringEnd(at: usize, end: usize): usize {
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
