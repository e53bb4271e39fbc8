// Timestamps as Loki sends them: decimal strings of nanoseconds since 1970. Owns comparing, printing and reading them;
// timeRange.ts owns pairs of them. Invariant: nanoseconds are a string or a bigint, never a number.

/** "local" (the browser's), "utc", or a name of the IANA database such as "Europe/Rome". */
export type Zone = string;

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

/** Whether the browser knows a zone of this name. */
export function isZone(name: string): boolean {
  if (name === "local" || name === "utc") return true;
  // Asking the calendar takes tens of milliseconds the first time: at the start of every page, were it asked for no name.
  if (name === "") return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** Prints `HH:MM:SS.mmm`, the short form of a row. */
export function formatTimeOfDay(nanoseconds: string, zone: Zone): string {
  const date = wallClock(nanoseconds, zone);
  const milliseconds = nanoseconds.padStart(10, "0").slice(-9, -6);
  return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${
    two(date.getUTCSeconds())
  }.${milliseconds}`;
}

/** Prints `YYYY-MM-DD`. */
export function formatDay(nanoseconds: string, zone: Zone): string {
  const date = wallClock(nanoseconds, zone);
  const year = String(date.getUTCFullYear()).padStart(4, "0");
  return `${year}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
}

/** Prints every digit: `YYYY-MM-DD HH:MM:SS.nnnnnnnnn +HH:MM`. */
export function formatExact(nanoseconds: string, zone: Zone): string {
  const seconds = formatTimeOfDay(nanoseconds, zone).slice(0, 8);
  const fraction = nanoseconds.padStart(9, "0").slice(-9);
  const offset = zone === "utc" ? "UTC" : offsetText(zoneOffsetMs(milliseconds(nanoseconds), zone));
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
  const wall = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  const stated = suffix === undefined ? "Z" : /^utc$/i.test(suffix) ? "Z" : suffix;
  const offset = stated.replace(/^([-+]\d{2})(\d{2})$/, "$1:$2").toUpperCase();
  let moment = Date.parse(`${wall}${offset}`);
  if (Number.isNaN(moment)) return undefined;
  // The offset depends on the moment and the moment on the offset: the second guess holds but in the hour that a clock skips.
  if (suffix === undefined) moment -= zoneOffsetMs(moment - zoneOffsetMs(moment, zone), zone);
  return BigInt(moment) * nanosecondsPerMillisecond + BigInt(fraction.padEnd(9, "0"));
}

function milliseconds(nanoseconds: string): number {
  return Number(nanoseconds.slice(0, -6) || "0");
}

/** A date whose UTC fields read as the zone's clock. */
function wallClock(nanoseconds: string, zone: Zone): Date {
  const moment = milliseconds(nanoseconds);
  return new Date(moment + zoneOffsetMs(moment, zone));
}

const zoneFormats = new Map<Zone, Intl.DateTimeFormat>();
const knownOffsets = new Map<string, number>();
const quarterHourMs = 900_000;

/** How far a zone's clock is ahead of UTC. Asking the calendar is slow and offsets change on quarter hours, so it is asked once
 *  for each. */
function zoneOffsetMs(moment: number, zone: Zone): number {
  if (zone === "utc") return 0;
  if (zone === "local") return -new Date(moment).getTimezoneOffset() * 60_000;
  const key = `${Math.floor(moment / quarterHourMs)} ${zone}`;
  const known = knownOffsets.get(key);
  if (known !== undefined) return known;
  if (knownOffsets.size > 5000) knownOffsets.clear();
  let format = zoneFormats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" });
    zoneFormats.set(zone, format);
  }
  const name = format.formatToParts(moment).find(({ type }) => type === "timeZoneName")?.value;
  const [, sign, hours, minutes] = /([-+])(\d+):?(\d+)?/.exec(name ?? "") ?? [];
  const size = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000;
  const offset = sign === "-" ? -size : size;
  knownOffsets.set(key, offset);
  return offset;
}

function offsetText(offsetMs: number): string {
  const minutes = Math.round(Math.abs(offsetMs) / 60_000);
  return `${offsetMs < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
