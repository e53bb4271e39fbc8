/** Finds pairs of logfmt in all lines of a block at once, as jsonFields.ts does fields of JSON.
 *  Reads as src/logql/stages/logfmtText.ts without --strict: malformed tokens are passed over,
 *  pairs with empty values do not count. Invariant: a row that is not left open has what the parser
 *  would find, up to the last wanted name. Loads reach up to 16 bytes beyond the block. */
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

const EQUALS: u8 = 0x3d;

/** Looks at all rows and returns how many it decided. */
export function logfmtFields(pointer: usize): u32 {
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
      if (pairs(frame, frame.block + start, frame.block + end, fields)) {
        store<u8>(frame.rows + row, 2);
        decided++;
      }
    }
    start = end;
  }
  return decided;
}

/** False leaves the row open. */
function pairs(frame: FieldsFrame, start: usize, end: usize, fields: usize): bool {
  let left = frame.nameCount;
  let at = start;
  while (true) {
    while (at < end && load<u8>(at) <= 0x20) at++;
    if (at >= end) return true;
    const key = at;
    at = tokenEnd(at, end);
    const keyEnd = at;
    if (at >= end || load<u8>(at) <= 0x20) continue;
    if (at == key || load<u8>(at) != EQUALS) {
      at = blankFrom(at, end);
      continue;
    }
    let from = at + 1;
    let to: usize;
    let escaped = false;
    if (from < end && load<u8>(from) == QUOTE) {
      from++;
      to = plainStringEnd(from, end);
      if (to == NOWHERE) {
        escaped = true;
        to = stringEnd(from, end);
        if (to == NOWHERE) return true;
      }
      at = to + 1;
    } else {
      to = tokenEnd(from, end);
      at = to;
      if (to < end && load<u8>(to) > 0x20) {
        at = blankFrom(to, end);
        continue;
      }
    }
    if (to == from) continue;
    const name = nameOf(frame, key, keyEnd);
    if (name == -1) continue;
    if (name == UNSURE || escaped) return false;
    if (putField(frame, fields, name, from, to) && --left == 0) return true;
  }
}

/** The first place from `at` on that has a blank, a quote or an equals sign; `end` if there is
 *  none. */
function tokenEnd(at: usize, end: usize): usize {
  const blanks = i8x16.splat(0x20);
  const quotes = i8x16.splat(QUOTE);
  const equals = i8x16.splat(EQUALS);
  for (; at < end; at += 16) {
    const bytes = v128.load(at);
    const hits = i8x16.bitmask(
      v128.or(
        i8x16.le_u(bytes, blanks),
        v128.or(i8x16.eq(bytes, quotes), i8x16.eq(bytes, equals)),
      ),
    );
    if (hits != 0) return min(end, at + ctz(hits));
  }
  return end;
}

function blankFrom(at: usize, end: usize): usize {
  while (at < end && load<u8>(at) > 0x20) at++;
  return at;
}
