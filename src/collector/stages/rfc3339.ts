/** Reads RFC 3339 timestamps with up to nanoseconds straight from bytes, as container runtimes write
 *  them: `2019-01-01T01:00:00.000000001Z`. goTime.ts reads all other layouts. */
import type { StageEntry } from "./entry.ts";
import { daysFromCivil, daysOfMonth } from "./civil.ts";

/** Sets the entry's time from bytes[start..end); false, changing nothing, if they are no timestamp. */
export function setRfc3339(
  entry: Pick<StageEntry, "seconds" | "nanos">,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  if (end - start < 20 || bytes[start + 4] !== dash || bytes[start + 7] !== dash) return false;
  if (bytes[start + 10] !== 0x54 || bytes[start + 13] !== colon || bytes[start + 16] !== colon) {
    return false;
  }
  const year = digits(bytes, start, 4);
  const month = digits(bytes, start + 5, 2);
  const day = digits(bytes, start + 8, 2);
  const hour = digits(bytes, start + 11, 2);
  const minute = digits(bytes, start + 14, 2);
  const second = digits(bytes, start + 17, 2);
  if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1 && hour >= 0 && hour <= 23)) {
    return false;
  }
  if (!(minute >= 0 && minute <= 59 && second >= 0 && second <= 59)) return false;
  if (day > daysOfMonth(year, month)) return false;
  let at = start + 19;
  let nanos = 0;
  if (bytes[at] === dot || bytes[at] === comma) {
    at++;
    let scale = 100_000_000;
    const fractionStart = at;
    for (; at < end; at++) {
      const digit = bytes[at]! - zero;
      if (digit < 0 || digit > 9) break;
      // Beyond nanoseconds digits are dropped, as in Go.
      nanos += digit * scale;
      scale = Math.floor(scale / 10);
    }
    if (at === fractionStart) return false;
  }
  const offset = zoneOffset(bytes, at, end);
  if (Number.isNaN(offset)) return false;
  entry.seconds = daysFromCivil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second -
    offset;
  entry.nanos = nanos;
  return true;
}

/** The same for text. */
export function setRfc3339Text(entry: StageEntry, text: string): boolean {
  if (text.length > scratch.length) return false;
  const { read, written } = encoder.encodeInto(text, scratch);
  return read === text.length && setRfc3339(entry, scratch, 0, written);
}

const encoder = new TextEncoder();
/** No timestamp is longer. */
const scratch = new Uint8Array(64);

/** Seconds east of UTC of `Z` or `+01:00`, NaN if it is neither. */
function zoneOffset(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] === 0x5a) return at + 1 === end ? 0 : NaN;
  const sign = bytes[at] === plus ? 1 : bytes[at] === dash ? -1 : NaN;
  if (at + 6 !== end || bytes[at + 3] !== colon) return NaN;
  const hours = digits(bytes, at + 1, 2);
  const minutes = digits(bytes, at + 4, 2);
  return hours <= 24 && minutes < 60 ? sign * (hours * 3600 + minutes * 60) : NaN;
}

/** NaN if one is no digit. */
function digits(bytes: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let at = start; at < start + count; at++) {
    const digit = bytes[at]! - zero;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return value;
}

const [zero, dash, colon, dot, comma, plus] = [0x30, 0x2d, 0x3a, 0x2e, 0x2c, 0x2b];
