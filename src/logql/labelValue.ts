/** Numbers, durations and sizes as label values write them, read from bytes as Go's libraries read
 *  them. units.ts owns the literals of a query. Invariant: a value either reads as Go would read it
 *  or gives NaN and `readFailed` says so. */
import { parseGoDuration } from "./units.ts";

/** How a value is read. */
export type Conversion = "number" | "duration" | "bytes";

/** Reads bytes[start..end); NaN if it cannot be read. */
export type ValueReader = (bytes: Uint8Array, start: number, end: number) => number;

let failed = false;

/** Whether the last value could not be read: one may well read as NaN. */
export function readFailed(): boolean {
  return failed;
}

/** The reader of a conversion. Durations are in ns. */
export function readerOf(conversion: Conversion): ValueReader {
  return conversion === "number" ? readNumber : conversion === "duration" ? readDuration : readSize;
}

/** A decimal or hexadecimal floating-point number of Go; "inf" and "nan" in any case. */
export function readNumber(bytes: Uint8Array, start: number, end: number): number {
  const quick = quickDecimal(bytes, start, end);
  if (quickEnd === end && quick === quick) {
    failed = false;
    return quick;
  }
  const value = parseGoFloat(textOf(bytes, start, end));
  failed = value === undefined;
  return value ?? NaN;
}

/** `1h2m3.5s`, `-5ms`, `0`: nanoseconds. */
export function readDuration(bytes: Uint8Array, start: number, end: number): number {
  failed = false;
  const quick = quickDecimal(bytes, start, end);
  const size = quick === quick ? unitAt(bytes, quickEnd, end) : 0;
  // One number and one unit: exact if the digits, as a whole number, count whole nanoseconds.
  const step = size / powersOfTen[quickDecimals]!;
  if (size > 0 && Number.isInteger(step) && quickDigits * step <= Number.MAX_SAFE_INTEGER) {
    return quickDigits * step;
  }
  const text = textOf(bytes, start, end);
  const sign = text[0] === "-" ? -1 : 1;
  const unsigned = text.replace(/^[+-]/, "");
  const durationNs = unsigned === "0" ? 0n : parseGoDuration(unsigned);
  failed = durationNs === null;
  return durationNs === null ? NaN : sign * Number(durationNs);
}

/** `12`, `1.5KB`, `2 MiB`, `1,024b`: whole bytes. */
export function readSize(bytes: Uint8Array, start: number, end: number): number {
  const match = /^([\d.,]*)\s*(.*?)\s*$/s.exec(textOf(bytes, start, end))!;
  const value = parseGoFloat(match[1]!.replaceAll(",", ""));
  const size = sizeUnits.get(match[2]!.toLowerCase());
  failed = value === undefined || size === undefined || value * size >= 2 ** 64;
  return failed ? NaN : Math.floor(value! * size!);
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, end));
}

/** Of the last quickDecimal: where it ended, its digits as a whole number, and how many of them are
 *  behind the point. */
let quickEnd = 0;
let quickDigits = 0;
let quickDecimals = 0;

/** An unsigned decimal of at most 15 digits, whose double is exact or rounded once; NaN for
 *  anything else. Leaves in quickEnd where it ends, in quickDigits the number without its point and
 *  in quickDecimals how many digits stand behind that. */
function quickDecimal(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  let digits = 0;
  let point = -1;
  let at = start;
  for (; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      digits++;
    } else if (digit === -2 && point < 0) point = at;
    else break;
  }
  quickEnd = at;
  if (digits === 0 || digits > 15) return NaN;
  quickDigits = value;
  quickDecimals = point < 0 ? 0 : at - point - 1;
  return value / powersOfTen[quickDecimals]!;
}

const powersOfTen = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent);

/** Nanoseconds of the unit that fills bytes[at..end), 0 if it is none. */
function unitAt(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!;
  if (end - at === 1) {
    return first === 0x73 ? 1e9 : first === 0x6d ? 6e10 : first === 0x68 ? 3.6e12 : 0;
  }
  if (end - at !== 2 || bytes[at + 1] !== 0x73) return 0;
  return first === 0x6d ? 1e6 : first === 0x75 ? 1e3 : first === 0x6e ? 1 : 0;
}

/** What strconv.ParseFloat accepts; undefined for anything else. */
function parseGoFloat(text: string): number | undefined {
  const special = /^([+-]?)(?:(inf(?:inity)?)|nan)$/i.exec(text);
  if (special !== null) {
    return special[2] === undefined ? NaN : special[1] === "-" ? -Infinity : Infinity;
  }
  const hexadecimal = /^([+-]?)0x([\da-f_]*)(?:\.([\da-f_]*))?p([+-]?\d+)$/i.exec(text);
  if (hexadecimal !== null) return hexadecimalValue(hexadecimal);
  const plain = /^[+-]?\d+(?:_\d+)*/.test(text) ? text.replace(/(\d)_(?=\d)/g, "$1") : text;
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(plain)) return undefined;
  const value = Number(plain);
  return Number.isFinite(value) ? value : undefined;
}

function hexadecimalValue(match: RegExpExecArray): number | undefined {
  const whole = match[2]!.replaceAll("_", "");
  const fraction = (match[3] ?? "").replaceAll("_", "");
  if (whole + fraction === "") return undefined;
  const mantissa = Number(`0x${whole}${fraction}`);
  const value = mantissa * 2 ** (Number(match[4]) - 4 * fraction.length);
  return Number.isFinite(value) ? (match[1] === "-" ? -value : value) : undefined;
}

const sizeUnits: ReadonlyMap<string, number> = new Map(
  ["", "k", "m", "g", "t", "p", "e"].flatMap((letter, power) =>
    power === 0 ? [["", 1], ["b", 1]] as const : [
      [letter, 1000 ** power],
      [`${letter}b`, 1000 ** power],
      [`${letter}i`, 1024 ** power],
      [`${letter}ib`, 1024 ** power],
    ] as const
  ),
);
