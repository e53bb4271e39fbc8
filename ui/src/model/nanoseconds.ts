// Timestamps as Loki sends them: decimal strings of nanoseconds since 1970. Owns comparing, printing and reading them;
// timeRange.ts owns pairs of them. Invariant: nanoseconds are a string or a bigint, never a number.

export type Zone = "local" | "utc";

export const nanosecondsPerMillisecond = 1_000_000n;
export const nanosecondsPerSecond = 1_000_000_000n;

/** The present, to the millisecond that the browser knows. */
export function nowNanoseconds(): bigint {
  return BigInt(Date.now()) * nanosecondsPerMillisecond;
}

/** Orders two timestamps as `Array.sort` wants; no bigint is made, so that sorting a page of rows is cheap. */
export function compareNanoseconds(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Prints `HH:MM:SS.mmm`, the short form of a row. */
export function formatTimeOfDay(nanoseconds: string, zone: Zone): string {
  const date = dateOf(nanoseconds);
  const utc = zone === "utc";
  const hours = utc ? date.getUTCHours() : date.getHours();
  const minutes = utc ? date.getUTCMinutes() : date.getMinutes();
  const milliseconds = nanoseconds.padStart(10, "0").slice(-9, -6);
  return `${two(hours)}:${two(minutes)}:${two(date.getUTCSeconds())}.${milliseconds}`;
}

/** Prints `YYYY-MM-DD`. */
export function formatDay(nanoseconds: string, zone: Zone): string {
  const date = dateOf(nanoseconds);
  const utc = zone === "utc";
  const year = utc ? date.getUTCFullYear() : date.getFullYear();
  const month = (utc ? date.getUTCMonth() : date.getMonth()) + 1;
  return `${String(year).padStart(4, "0")}-${two(month)}-${
    two(utc ? date.getUTCDate() : date.getDate())
  }`;
}

/** Prints every digit: `YYYY-MM-DD HH:MM:SS.nnnnnnnnn +HH:MM`. */
export function formatExact(nanoseconds: string, zone: Zone): string {
  const seconds = formatTimeOfDay(nanoseconds, zone).slice(0, 8);
  const fraction = nanoseconds.padStart(9, "0").slice(-9);
  const offset = zone === "utc" ? "UTC" : offsetOf(dateOf(nanoseconds));
  return `${formatDay(nanoseconds, zone)} ${seconds}.${fraction} ${offset}`;
}

/** Prints RFC 3339 in UTC without trailing zeros: what absolute times look like in the page's address. */
export function formatRfc3339(nanoseconds: bigint): string {
  const text = nanoseconds.toString();
  const seconds = `${formatDay(text, "utc")}T${formatTimeOfDay(text, "utc").slice(0, 8)}`;
  const fraction = text.padStart(9, "0").slice(-9).replace(/0+$/, "");
  return `${seconds}${fraction === "" ? "" : `.${fraction}`}Z`;
}

/**
 * Reads what a person writes for a moment: `now`, `now-90m`, `2d` (ago), RFC 3339, `2026-01-31 12:00[:05[.123456789]]`
 * (in `zone`), a date, or an integer of seconds, milliseconds, microseconds or nanoseconds. Gives undefined for all else.
 */
export function parseMoment(text: string, now: bigint, zone: Zone): bigint | undefined {
  const trimmed = text.trim();
  const relative = /^(?:now)?\s*(?:([-+])?\s*((?:\d+[a-z]+)+))?$/.exec(trimmed);
  if (relative !== null && trimmed !== "") {
    if (relative[2] === undefined) return now;
    const duration = parseDuration(relative[2]);
    if (duration === undefined) return undefined;
    return relative[1] === "+" ? now + duration : now - duration;
  }
  if (/^\d+$/.test(trimmed)) return parseEpoch(trimmed);
  return parseCalendar(trimmed, zone);
}

/** Reads `1h30m` in Prometheus's units; undefined when it is not a duration. Gives nanoseconds. */
export function parseDuration(text: string): bigint | undefined {
  if (!/^(?:\d{1,9}(?:ms|s|m|h|d|w|y))+$/.test(text)) return undefined;
  let total = 0n;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|s|m|h|d|w|y)/g)) {
    total += BigInt(count ?? "0") * (unitNanoseconds[unit ?? ""] ?? 0n);
  }
  return total;
}

const unitNanoseconds: Record<string, bigint> = {
  ms: nanosecondsPerMillisecond,
  s: nanosecondsPerSecond,
  m: 60n * nanosecondsPerSecond,
  h: 3600n * nanosecondsPerSecond,
  d: 86_400n * nanosecondsPerSecond,
  w: 604_800n * nanosecondsPerSecond,
  y: 31_536_000n * nanosecondsPerSecond,
};

function parseEpoch(digits: string): bigint | undefined {
  if (digits.length > 19) return undefined;
  const scale = digits.length <= 10 ? 9n : digits.length <= 13 ? 6n : digits.length <= 16 ? 3n : 0n;
  return BigInt(digits) * 10n ** scale;
}

const calendar =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|UTC|[-+]\d{2}:?\d{2})?)?$/i;

function parseCalendar(text: string, zone: Zone): bigint | undefined {
  const match = calendar.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour = "00", minute = "00", second = "00", fraction = "", suffix] =
    match;
  const stated = suffix === undefined
    ? (zone === "utc" ? "Z" : "")
    : /^utc$/i.test(suffix)
    ? "Z"
    : suffix;
  const offset = stated.replace(/^([-+]\d{2})(\d{2})$/, "$1:$2").toUpperCase();
  const milliseconds = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${offset}`);
  if (Number.isNaN(milliseconds)) return undefined;
  return BigInt(milliseconds) * nanosecondsPerMillisecond + BigInt(fraction.padEnd(9, "0"));
}

function dateOf(nanoseconds: string): Date {
  return new Date(Number(nanoseconds.slice(0, -6) || "0"));
}

function offsetOf(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
