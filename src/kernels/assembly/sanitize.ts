/** Makes names and values of structured metadata storable. metadata.ts owns what becomes of them.
 *
 *  Names: every code point other than an ASCII letter, digit or "_" becomes "_" (a byte that is not
 *  UTF-8 counts as one), an empty name becomes "_", and one that starts with a digit gets "key_"
 *  before it. Values: bytes that are not UTF-8, and U+FFFD, become a space each. */
import { copyBytes } from "./copy";

function isNameByte(byte: u8): bool {
  const folded = byte | 0x20;
  return (folded >= 0x61 && folded <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte == 0x5f;
}

function isDigit(byte: u8): bool {
  return byte >= 0x30 && byte <= 0x39;
}

/** Whether a name can be stored as it is. */
export function isCleanName(name: usize, length: u32): bool {
  const end = name + <usize> length;
  if (length == 0 || isDigit(load<u8>(name))) return false;
  while (name < end && isNameByte(load<u8>(name))) name++;
  return name == end;
}

/** Writes a name to `target`, at most 4 bytes longer, and returns its end there. */
export function writeName(target: usize, name: usize, length: u32): usize {
  const end = name + <usize> length;
  if (length == 0) {
    store<u8>(target, 0x5f);
    return target + 1;
  }
  if (isDigit(load<u8>(name))) {
    store<u32>(target, 0x5f79656b); // key_
    target += 4;
  }
  while (name < end) {
    const byte = load<u8>(name);
    store<u8>(target++, isNameByte(byte) ? byte : 0x5f);
    name += <usize> abs(codePointBytes(name, end));
  }
  return target;
}

/** The length of the UTF-8 sequence at `at`: 1 to 4, or -1 if the byte there starts none (as the
 *  Unicode standard's table 3-7 has it), or -3 for U+FFFD, which stands for a byte that was none.
 */
function codePointBytes(at: usize, end: usize): i32 {
  const first = load<u8>(at);
  if (first < 0x80) return 1;
  const left = end - at;
  if (first < 0xc2 || first > 0xf4 || left < 2) return -1;
  const second = load<u8>(at, 1);
  if ((second & 0xc0) != 0x80) return -1;
  if (first < 0xe0) return 2;
  if (left < 3 || (load<u8>(at, 2) & 0xc0) != 0x80) return -1;
  if (first < 0xf0) {
    if (first == 0xe0 && second < 0xa0) return -1;
    if (first == 0xed && second > 0x9f) return -1;
    return first == 0xef && second == 0xbf && load<u8>(at, 2) == 0xbd ? -3 : 3;
  }
  if (left < 4 || (load<u8>(at, 3) & 0xc0) != 0x80) return -1;
  if (first == 0xf0 && second < 0x90) return -1;
  return first == 0xf4 && second > 0x8f ? -1 : 4;
}

/** Writes a value to `target`, no longer than it was, and returns its end there. */
export function writeValue(target: usize, at: usize, length: u32): usize {
  const end = at + <usize> length;
  while (at < end) {
    if (load<u8>(at) < 0x80) {
      const start = at;
      at = asciiEnd(at, end);
      copyBytes(target, start, at - start);
      target += at - start;
      continue;
    }
    const bytes = codePointBytes(at, end);
    if (bytes < 0) store<u8>(target++, 0x20);
    else {
      store<u32>(target, load<u32>(at));
      target += <usize> bytes;
    }
    at += <usize> abs(bytes);
  }
  return target;
}

function asciiEnd(at: usize, end: usize): usize {
  while (at < end) {
    const hits = i8x16.bitmask(v128.load(at));
    if (hits != 0) return min(end, at + <usize> ctz(hits));
    at += 16;
  }
  return end;
}
