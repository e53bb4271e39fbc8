/** Finds the level of a log line, for Loki's `detected_level`. The rule, of which
 *  reference/level.ts is the plain form:
 *
 *  1. A line whose first byte other than white space is "{" and whose last is "}" is JSON: its
 *  members are visited in document order, those of an object directly inside the top one included,
 *  deeper ones and arrays skipped. The first non-empty string under one of the level keys (below,
 *  case matters) is the value. Malformed text ends the search.
 *  2. Another line with a "=" is logfmt: pairs are read until the first that is malformed (a quote
 *  in a key, no key, a quote or "=" in a bare value, an open quote). Among the non-empty values
 *  under level keys, in any case, the one whose key is listed first wins; quoted values are taken
 *  without undoing escapes.
 *  3. If that value is a level or one of its spellings, in any case, that is the level. In all
 *  other cases the line is searched for trace, debug, fatal, critical, error or err, warning or
 *  warn, info: in any case and with no letter, digit or "_" (all ASCII) next to them; the one named
 *  first here wins, wherever it stands. Otherwise the level is unknown.
 *
 *  Level keys, in order: level LEVEL Level log.level severity SEVERITY Severity SeverityText lvl
 *  LVL Lvl severity_text Severity_Text SEVERITY_TEXT. Kernels may read up to 24 bytes beyond a
 *  line, which the allocator's padding allows. */

export const LEVEL_NONE: i32 = 0;
export const LEVEL_TRACE: i32 = 1;
export const LEVEL_DEBUG: i32 = 2;
export const LEVEL_INFO: i32 = 3;
export const LEVEL_WARN: i32 = 4;
export const LEVEL_ERROR: i32 = 5;
export const LEVEL_CRITICAL: i32 = 6;
export const LEVEL_FATAL: i32 = 7;
export const LEVEL_UNKNOWN: i32 = 8;

/** Rank of a key that is no level key; level keys have ranks 0 to 13, in their order. */
export const KEY_RANK_NONE: i32 = 14;

const SPACE: u8 = 0x20;
const QUOTE: u8 = 0x22;
const COMMA: u8 = 0x2c;
const COLON: u8 = 0x3a;
const EQUALS: u8 = 0x3d;
const BACKSLASH: u8 = 0x5c;
const UNDERSCORE: u8 = 0x5f;
const OPEN_BRACKET: u8 = 0x5b;
const CLOSE_BRACKET: u8 = 0x5d;
const OPEN_BRACE: u8 = 0x7b;
const CLOSE_BRACE: u8 = 0x7d;
/** Bit that tells lower from upper case in ASCII letters, in every byte. */
const CASE_BITS: u64 = 0x2020202020202020;

/** Vectors of one byte. Loading them is cheaper than making them, which a constant in the code
 *  would mean. */
const splatSpace = memory.data(16, 16);
const splatQuote = memory.data(16, 16);
const splatEquals = memory.data(16, 16);
const splatBackslash = memory.data(16, 16);
memory.fill(splatSpace, SPACE, 16);
memory.fill(splatQuote, QUOTE, 16);
memory.fill(splatEquals, EQUALS, 16);
memory.fill(splatBackslash, BACKSLASH, 16);

let valueStart: usize = 0;
let valueEnd: usize = 0;

/** The level of a line, LEVEL_UNKNOWN if it names none. */
export function lineLevel(line: usize, length: i32): i32 {
  const end = line + <usize> length;
  let found = false;
  if (looksLikeJson(line, end)) found = findJsonValue(line, end);
  else found = findLogfmtValue(line, end);
  if (found) {
    const level = levelOfText(valueStart, <i32> (valueEnd - valueStart));
    if (level != LEVEL_NONE) return level;
  }
  return wordLevel(line, end);
}

/** The level that a text spells, in any case, or LEVEL_NONE. */
export function levelOfText(text: usize, length: i32): i32 {
  if (length == 11) {
    const ending = (load<u32>(text, 8) & 0xffffff) | 0x202020;
    const information = (load<u64>(text) | CASE_BITS) == 0x74616d726f666e69 && ending == 0x6e6f69;
    return information ? LEVEL_INFO : LEVEL_NONE;
  }
  if (length < 3 || length > 8) return LEVEL_NONE;
  const word = (load<u64>(text) | CASE_BITS) & ((~(<u64> 0)) >>> <u64> (64 - 8 * length));
  if (word == 0x6f666e69 || word == 0x666e69) return LEVEL_INFO; // info, inf
  if (word == 0x726f727265 || word == 0x727265) return LEVEL_ERROR; // error, err
  if (word == 0x6e726177 || word == 0x676e696e726177) return LEVEL_WARN; // warn, warning
  if (word == 0x6e7277) return LEVEL_WARN; // wrn
  if (word == 0x6775626564 || word == 0x676264) return LEVEL_DEBUG; // debug, dbg
  if (word == 0x6563617274 || word == 0x637274) return LEVEL_TRACE; // trace, trc
  if (word == 0x6c61636974697263) return LEVEL_CRITICAL;
  if (word == 0x6c61746166) return LEVEL_FATAL;
  return LEVEL_NONE;
}

/** The rank of a key among the level keys, case mattering. As names of structured metadata have no
 *  ".", "log_level" counts as "log.level" there: `separator` is the byte that must stand between
 *  its words. */
export function levelKeyRank(key: usize, length: i32, separator: u8): i32 {
  if (length == 5) {
    const word = load<u64>(key) & 0xffffffffff;
    if (word == 0x6c6576656c) return 0; // level
    if (word == 0x4c4556454c) return 1; // LEVEL
    return word == 0x6c6576654c ? 2 : KEY_RANK_NONE; // Level
  }
  if (length == 3) {
    const word = load<u32>(key) & 0xffffff;
    if (word == 0x6c766c) return 8; // lvl
    if (word == 0x4c564c) return 9; // LVL
    return word == 0x6c764c ? 10 : KEY_RANK_NONE; // Lvl
  }
  if (length == 9) {
    const log = (load<u32>(key) & 0xffffff) == 0x676f6c && load<u8>(key, 3) == separator;
    return log && (load<u64>(key, 4) & 0xffffffffff) == 0x6c6576656c ? 3 : KEY_RANK_NONE;
  }
  if (length != 8 && length != 12 && length != 13) return KEY_RANK_NONE;
  const word = load<u64>(key);
  const rest = load<u64>(key, 8) & 0xffffffffff;
  if (word == 0x7974697265766573) { // severity
    if (length == 8) return 4;
    return length == 13 && rest == 0x747865745f ? 11 : KEY_RANK_NONE; // severity_text
  }
  if (word == 0x5954495245564553) { // SEVERITY
    if (length == 8) return 5;
    return length == 13 && rest == 0x545845545f ? 13 : KEY_RANK_NONE; // SEVERITY_TEXT
  }
  if (word == 0x7974697265766553) { // Severity
    if (length == 8) return 6;
    if (length == 12) return <u32> rest == 0x74786554 ? 7 : KEY_RANK_NONE; // SeverityText
    return rest == 0x747865545f ? 12 : KEY_RANK_NONE; // Severity_Text
  }
  return KEY_RANK_NONE;
}

/** The same in any case; keys that differ in case only share the rank of the first. */
function foldedLevelKeyRank(key: usize, length: i32): i32 {
  const word = load<u64>(key) | CASE_BITS;
  if (length == 5) return (word & 0xffffffffff) == 0x6c6576656c ? 0 : KEY_RANK_NONE;
  if (length == 3) return (word & 0xffffff) == 0x6c766c ? 8 : KEY_RANK_NONE;
  if (length == 9) {
    const log = (word & 0xffffffff) == 0x2e676f6c;
    const level = ((load<u64>(key, 4) | CASE_BITS) & 0xffffffffff) == 0x6c6576656c;
    return log && level ? 3 : KEY_RANK_NONE;
  }
  if (word != 0x7974697265766573) return KEY_RANK_NONE;
  if (length == 8) return 4;
  if (length == 12) return (load<u32>(key, 8) | 0x20202020) == 0x74786574 ? 7 : KEY_RANK_NONE;
  if (length != 13 || load<u8>(key, 8) != UNDERSCORE) return KEY_RANK_NONE;
  return (load<u32>(key, 9) | 0x20202020) == 0x74786574 ? 11 : KEY_RANK_NONE;
}

// ---- JSON ----

function isSpace(byte: u8): bool {
  return byte == SPACE || (byte >= 9 && byte <= 13);
}

function looksLikeJson(start: usize, end: usize): bool {
  while (start < end && isSpace(load<u8>(start))) start++;
  if (start == end || load<u8>(start) != OPEN_BRACE) return false;
  while (isSpace(load<u8>(end - 1))) end--;
  return load<u8>(end - 1) == CLOSE_BRACE;
}

function skipSpace(at: usize, end: usize): usize {
  while (at < end && isSpace(load<u8>(at))) at++;
  return at;
}

/** Sets valueStart and valueEnd; false if no level key has a string. */
function findJsonValue(start: usize, end: usize): bool {
  let at = skipSpace(start, end) + 1;
  let depth = 1;
  while (true) {
    while (at < end && (isSpace(load<u8>(at)) || load<u8>(at) == COMMA)) at++;
    if (at >= end) return false;
    const first = load<u8>(at);
    if (first == CLOSE_BRACE) {
      at++;
      if (--depth == 0) return false;
      continue;
    }
    if (first != QUOTE) return false;
    const keyStart = at + 1;
    const keyEnd = stringEnd(keyStart, end);
    at = skipSpace(keyEnd + 1, end);
    if (at >= end || load<u8>(at) != COLON) return false;
    at = skipSpace(at + 1, end);
    if (at >= end) return false;
    const kind = load<u8>(at);
    if (kind == QUOTE) {
      const textStart = at + 1;
      const textEnd = stringEnd(textStart, end);
      if (textEnd >= end) return false;
      at = textEnd + 1;
      if (textEnd == textStart) continue;
      if (levelKeyRank(keyStart, <i32> (keyEnd - keyStart), 0x2e) == KEY_RANK_NONE) continue;
      valueStart = textStart;
      valueEnd = textEnd;
      return true;
    }
    if (kind == OPEN_BRACE && depth == 1) {
      depth = 2;
      at++;
    } else if (kind == OPEN_BRACE || kind == OPEN_BRACKET) {
      at = nestedEnd(at, end);
    } else {
      at = scalarEnd(at, end);
    }
  }
}

/** The closing quote of a string whose text starts at `at`, or `end`. */
function stringEnd(at: usize, end: usize): usize {
  while (at < end) {
    const bytes = v128.load(at);
    const quotes = i8x16.eq(bytes, v128.load(splatQuote));
    const hits = i8x16.bitmask(v128.or(quotes, i8x16.eq(bytes, v128.load(splatBackslash))));
    if (hits == 0) {
      at += 16;
      continue;
    }
    at += <usize> ctz(hits);
    if (at >= end) return end;
    if (load<u8>(at) == QUOTE) return at;
    at += 2;
  }
  return end;
}

/** Just behind the object or array that starts at `at`, or `end`. Brackets of both kinds count
 *  alike. */
function nestedEnd(at: usize, end: usize): usize {
  let depth = 0;
  while (at < end) {
    const bytes = v128.load(at);
    const folded = v128.or(bytes, i8x16.splat(0x20));
    const brackets = v128.or(
      i8x16.eq(folded, i8x16.splat(OPEN_BRACE)),
      i8x16.eq(folded, i8x16.splat(CLOSE_BRACE)),
    );
    const hits = i8x16.bitmask(v128.or(brackets, i8x16.eq(bytes, i8x16.splat(QUOTE))));
    if (hits == 0) {
      at += 16;
      continue;
    }
    at += <usize> ctz(hits);
    if (at >= end) return end;
    const byte = load<u8>(at);
    if (byte == QUOTE) at = stringEnd(at + 1, end);
    else if (byte == OPEN_BRACE || byte == OPEN_BRACKET) depth++;
    else if (--depth == 0) return at + 1;
    at++;
  }
  return end;
}

/** The end of a number or literal. */
function scalarEnd(at: usize, end: usize): usize {
  while (at < end) {
    const byte = load<u8>(at);
    if (byte == COMMA || byte == CLOSE_BRACE || byte == CLOSE_BRACKET || isSpace(byte)) return at;
    at++;
  }
  return end;
}

// ---- logfmt ----

/** Sets valueStart and valueEnd; false if no level key has a value. Goes from one "=" or quote to
 *  the next, 16 bytes at a time, and back from there to the start of the key: words between pairs
 *  need not be looked at. */
function findLogfmtValue(start: usize, end: usize): bool {
  let best = KEY_RANK_NONE;
  /** Just behind the last "=" or closing quote. */
  let pairStart = start;
  let inValue = false;
  let at = start;
  while (at < end) {
    const bytes = v128.load(at);
    const equals = i8x16.eq(bytes, v128.load(splatEquals));
    let marks = i8x16.bitmask(v128.or(equals, i8x16.eq(bytes, v128.load(splatQuote))));
    let next = at + 16;
    if (marks == 0) {
      at = next;
      continue;
    }
    const spaces = i8x16.bitmask(i8x16.le_u(bytes, v128.load(splatSpace)));
    while (marks != 0) {
      const bit = ctz(marks);
      marks &= marks - 1;
      const mark = at + <usize> bit;
      if (mark >= end || load<u8>(mark) == QUOTE) return best < KEY_RANK_NONE;
      const before = spaces & ((1 << bit) - 1);
      let keyStart = at + <usize> (32 - clz(before));
      if (before == 0) {
        keyStart = at;
        while (keyStart > pairStart && load<u8>(keyStart - 1) > SPACE) keyStart--;
      }
      const inWord = keyStart <= pairStart;
      if (inWord) keyStart = pairStart;
      if ((inWord && inValue) || keyStart == mark) return best < KEY_RANK_NONE;
      pairStart = mark + 1;
      inValue = true;
      const quoted = pairStart < end && load<u8>(pairStart) == QUOTE;
      const rank = foldedLevelKeyRank(keyStart, <i32> (mark - keyStart));
      if (!quoted && rank >= best) continue;
      const textStart = quoted ? pairStart + 1 : pairStart;
      const textEnd = quoted ? stringEnd(textStart, end) : logfmtDelimiter(textStart, end);
      // An open quote, or a quote or "=" within a bare value: the pair is malformed, and with it
      // the rest.
      if (quoted ? textEnd >= end : textEnd < end && load<u8>(textEnd) > SPACE) {
        return best < KEY_RANK_NONE;
      }
      if (rank < best && textEnd > textStart) {
        best = rank;
        valueStart = textStart;
        valueEnd = textEnd;
        if (rank == 0) return true;
      }
      if (quoted) {
        next = pairStart = textEnd + 1;
        inValue = false;
        break;
      }
    }
    at = next;
  }
  return best < KEY_RANK_NONE;
}

/** The next "=", quote or byte up to the space, or `end`. */
function logfmtDelimiter(at: usize, end: usize): usize {
  while (at < end) {
    const bytes = v128.load(at);
    const equals = i8x16.eq(bytes, v128.load(splatEquals));
    const marks = v128.or(equals, i8x16.eq(bytes, v128.load(splatQuote)));
    const hits = i8x16.bitmask(v128.or(marks, i8x16.le_u(bytes, v128.load(splatSpace))));
    if (hits != 0) return min(end, at + <usize> ctz(hits));
    at += 16;
  }
  return end;
}

// ---- words: the first three letters of all words are looked for at once, 16 places at a time.
// Each word has a bit; a byte shuffle by the lower and one by the upper half of a byte give the
// words that may have it as their first, second, third. ----

const wordStarts = memory.data<u8>([
  0x74,
  0x72,
  0x61,
  0x64,
  0x65,
  0x62,
  0x66,
  0x61,
  0x74,
  0x63,
  0x72,
  0x69, // tra deb fat cri
  0x65,
  0x72,
  0x72,
  0x77,
  0x61,
  0x72,
  0x69,
  0x6e,
  0x66, // err war inf
]);
/** letterTable[position 0..2][lower, upper half][value of the half]. */
const letterTable = memory.data(3 * 2 * 16, 16);
const halfMask = memory.data(16, 16);

function fillLetterTable(): void {
  for (let word: usize = 0; word < 7; word++) {
    for (let position: usize = 0; position < 3; position++) {
      const letter = load<u8>(wordStarts + word * 3 + position);
      const lower = letterTable + position * 32 + <usize> (letter & 15);
      const upper = letterTable + position * 32 + 16 + <usize> (letter >>> 4);
      const bit: u8 = 1 << <u8> word;
      store<u8>(lower, load<u8>(lower) | bit);
      store<u8>(upper, load<u8>(upper) | bit);
      // Capitals are two lines up in ASCII's table of 16 columns.
      store<u8>(upper - 2, load<u8>(upper - 2) | bit);
    }
  }
  memory.fill(halfMask, 15, 16);
}
fillLetterTable();

function wordsWith(bytes: v128, lower: v128, upper: v128, half: v128): v128 {
  return v128.and(
    i8x16.relaxed_swizzle(lower, v128.and(bytes, half)),
    i8x16.relaxed_swizzle(upper, v128.and(i16x8.shr_u(bytes, 4), half)),
  );
}

function wordLevel(start: usize, end: usize): i32 {
  let best = 7;
  // Loaded, not written as constants: those would be made anew in every turn of the loop.
  const half = v128.load(halfMask);
  const lower0 = v128.load(letterTable), upper0 = v128.load(letterTable, 16);
  const lower1 = v128.load(letterTable, 32), upper1 = v128.load(letterTable, 48);
  const lower2 = v128.load(letterTable, 64), upper2 = v128.load(letterTable, 80);
  for (let at = start; at < end; at += 16) {
    const first = wordsWith(v128.load(at), lower0, upper0, half);
    const second = wordsWith(v128.load(at, 1), lower1, upper1, half);
    const third = wordsWith(v128.load(at, 2), lower2, upper2, half);
    const words = v128.and(v128.and(first, second), third);
    if (!v128.any_true(words)) continue;
    let hits = i8x16.bitmask(i8x16.ne(words, i64x2.splat(0)));
    while (hits != 0) {
      const place = at + <usize> ctz(hits);
      hits &= hits - 1;
      if (place > start && isWordByte(load<u8>(place - 1))) continue;
      best = min(best, wordRank(place, end));
      if (best == 0) return LEVEL_TRACE;
    }
  }
  if (best == 1) return LEVEL_DEBUG;
  if (best == 2) return LEVEL_FATAL;
  if (best == 3) return LEVEL_CRITICAL;
  if (best == 4) return LEVEL_ERROR;
  if (best == 5) return LEVEL_WARN;
  return best == 6 ? LEVEL_INFO : LEVEL_UNKNOWN;
}

/** The rank, 0 to 6 for trace to info, of the whole word at `at`; 7 if it is none. */
function wordRank(at: usize, end: usize): i32 {
  let length = 3;
  while (at + <usize> length < end && isWordByte(load<u8>(at + <usize> length))) {
    if (++length > 8) return 7;
  }
  if (at + <usize> length > end) return 7;
  const word = (load<u64>(at) | CASE_BITS) & ((~(<u64> 0)) >>> <u64> (64 - 8 * length));
  if (word == 0x6563617274) return 0; // trace
  if (word == 0x6775626564) return 1; // debug
  if (word == 0x6c61746166) return 2; // fatal
  if (word == 0x6c61636974697263) return 3; // critical
  if (word == 0x726f727265 || word == 0x727265) return 4; // error, err
  if (word == 0x676e696e726177 || word == 0x6e726177) return 5; // warning, warn
  return word == 0x6f666e69 ? 6 : 7; // info
}

function isWordByte(byte: u8): bool {
  const folded = byte | 0x20;
  return (folded >= 0x61 && folded <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte == UNDERSCORE;
}
