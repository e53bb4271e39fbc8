/** Reads protobuf's wire format. Owns the cursor and the first error; push.ts owns the messages.
 *  Invariant: the cursor never passes the end it was given, and after a failure every read returns
 *  at once. */

/** What was expected where the failure is; push.ts outside has the words. */
export const FAIL_NONE: i32 = 0;
export const FAIL_VARINT: i32 = 1;
export const FAIL_LENGTH: i32 = 2;
export const FAIL_LENGTH_DELIMITED: i32 = 3;
export const FAIL_VARINT_FIELD: i32 = 4;
export const FAIL_WIRE_TYPE: i32 = 5;
export const FAIL_FIELD_NUMBER: i32 = 6;
export const FAIL_FIXED: i32 = 7;

const WIRE_VARINT: u32 = 0;
const WIRE_FIXED64: u32 = 1;
const WIRE_BYTES: u32 = 2;
const WIRE_FIXED32: u32 = 5;

export let cursor: usize = 0;
export let failCode: i32 = 0;
export let failAt: usize = 0;
/** Where the tag that was read last starts, and its wire type. */
let tagAt: usize = 0;
let wireType: u32 = 0;

export function openAt(pointer: usize): void {
  cursor = pointer;
  failCode = FAIL_NONE;
}

export function moveTo(pointer: usize): void {
  cursor = pointer;
}

function fail(code: i32, at: usize): void {
  if (failCode != FAIL_NONE) return;
  failCode = code;
  failAt = at;
}

/** Reads a varint of up to 10 bytes; bits beyond the 64th are dropped. */

export function readVarint(end: usize): u64 {
  if (cursor < end) {
    const byte = load<u8>(cursor);
    if (byte < 0x80) {
      cursor++;
      return byte;
    }
  }
  return readLongVarint(end);
}

function readLongVarint(end: usize): u64 {
  const start = cursor;
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < 70 && cursor < end; shift += 7) {
    const byte = load<u8>(cursor++);
    value |= (<u64> (byte & 0x7f)) << shift;
    if (byte < 0x80) return value;
  }
  fail(FAIL_VARINT, start);
  return 0;
}

/** The bits that end the varint at the start of `word`, or 0 if it has more than 8 bytes. */

export function varintStop(word: u64): u64 {
  return ~word & 0x8080808080808080;
}

/** Length of a varint, given its stop. */

export function varintBytes(stop: u64): usize {
  return <usize> (ctz(stop) >>> 3) + 1;
}

/** Value of the varint at the start of `word`, given its stop: all 7-bit groups closed up at once.
 */

export function varintValue(word: u64, stop: u64): u64 {
  let bits = word & (stop ^ (stop - 1)) & 0x7f7f7f7f7f7f7f7f;
  bits = (bits & 0x007f007f007f007f) | ((bits & 0x7f007f007f007f00) >>> 1);
  bits = (bits & 0x00003fff00003fff) | ((bits & 0x3fff00003fff0000) >>> 2);
  return (bits & 0x000000000fffffff) | ((bits & 0x0fffffff00000000) >>> 4);
}

/** Reads a tag and returns its field number, 0 after a failure. */
export function readField(end: usize): u32 {
  tagAt = cursor;
  const tag = readVarint(end);
  wireType = <u32> tag & 7;
  const field = tag >>> 3;
  if (failCode != FAIL_NONE) return 0;
  if (field == 0 || field >= 1 << 29) {
    fail(FAIL_FIELD_NUMBER, tagAt);
    return 0;
  }
  return <u32> field;
}

/** Reads the length of the field just met, which must be length-delimited, and returns where its
 *  value ends; the cursor is where it starts. Returns the cursor after a failure. */
export function readBytesField(end: usize): usize {
  if (wireType != WIRE_BYTES) fail(FAIL_LENGTH_DELIMITED, tagAt);
  const lengthAt = cursor;
  const length = readVarint(end);
  if (length > <u64> (end - cursor)) fail(FAIL_LENGTH, lengthAt);
  return failCode == FAIL_NONE ? cursor + <usize> length : cursor;
}

/** Reads the value of the field just met, which must be a varint. */
export function readVarintField(end: usize): u64 {
  if (wireType != WIRE_VARINT) fail(FAIL_VARINT_FIELD, tagAt);
  return readVarint(end);
}

/** Passes over the value of the field just met. Groups, which no message of Loki's ever had, are
 *  refused. */
export function skipField(end: usize): void {
  if (wireType == WIRE_VARINT) readVarint(end);
  else if (wireType == WIRE_BYTES) moveTo(readBytesField(end));
  else if (wireType == WIRE_FIXED64) skipFixed(8, end);
  else if (wireType == WIRE_FIXED32) skipFixed(4, end);
  else fail(FAIL_WIRE_TYPE, tagAt);
}

function skipFixed(length: usize, end: usize): void {
  if (end - cursor < length) fail(FAIL_FIXED, cursor);
  else cursor += length;
}
