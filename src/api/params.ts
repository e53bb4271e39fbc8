/** Reads the parameters of Loki's read API: times in their four spellings, durations, limits,
 *  direction. Pure. A bad value throws BadRequest, whose message names the parameter, quotes the
 *  value and says what is wanted. */
import type { TimeRange } from "../streams/record.ts";
import type { Direction } from "../actors/protocol/scan.ts";

/** The request cannot be served as it stands; answered with 400 and the message as text. */
export class BadRequest extends Error {
  override readonly name = "BadRequest";
}

const secondNs = 1_000_000_000n;
const hourNs = 3600n * secondNs;
const timeMin = -(2n ** 63n);
const timeMax = 2n ** 63n - 1n;

/** `start` <= t < `end` from start, end and since, by Loki's rules: end is now, start is `since`
 *  (1h) before the earlier of end and now. */
export function parseRange(params: URLSearchParams, now: bigint): TimeRange {
  const end = parseTime(params, "end") ?? now;
  const since = params.get("since");
  const sinceNs = since === null || since === "" ? hourNs : parseDuration("since", since);
  const start = parseTime(params, "start") ?? (end < now ? end : now) - sinceNs;
  if (end < start) {
    throw new BadRequest(
      `end timestamp must not be before or equal to start time: start is ${start}, end is ${end} (ns)`,
    );
  }
  return { start, end };
}

/** A time in ns: a number with a dot is seconds; up to ten digits are seconds; more digits are ns;
 *  else RFC 3339. */
export function parseTime(params: URLSearchParams, name: string): bigint | undefined {
  const text = params.get(name);
  if (text === null || text === "") return undefined;
  const time = timeOf(text);
  if (time === undefined) {
    throw new BadRequest(
      `cannot parse "${text}" in parameter ${name}: want nanoseconds, seconds or an RFC 3339 time such as 2026-01-31T12:00:00Z`,
    );
  }
  return time < timeMin ? timeMin : time > timeMax ? timeMax : time;
}

function timeOf(text: string): bigint | undefined {
  if (/^-?\d+$/.test(text)) {
    const digits = text.replace("-", "").length;
    if (digits > 25) return undefined;
    return digits <= 10 ? BigInt(text) * secondNs : BigInt(text);
  }
  if (/^-?\d*\.\d*(e[+-]?\d+)?$/i.test(text) || /^-?\d+e[+-]?\d+$/i.test(text)) {
    const seconds = Number(text);
    if (!Number.isFinite(seconds) || Math.abs(seconds) > 1e11) return undefined;
    // Loki rounds float times to milliseconds.
    return BigInt(Math.round(seconds * 1000)) * 1_000_000n;
  }
  return rfc3339(text);
}

function rfc3339(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/
    .exec(text);
  if (match === null) return undefined;
  const millis = Date.parse(`${match[1]}T${match[2]}${match[4]!.toUpperCase()}`);
  if (Number.isNaN(millis)) return undefined;
  return BigInt(millis) * 1_000_000n + BigInt((match[3] ?? "").padEnd(9, "0"));
}

const unitNs: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  "µs": 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
  d: 86400e9,
  w: 7 * 86400e9,
  y: 365 * 86400e9,
};

/** A duration in ns: float seconds, or a Prometheus or Go duration (`90s`, `1h30m`, `2d`). */
export function parseDuration(name: string, text: string): bigint {
  if (/^\d+(\.\d*)?$/.test(text)) {
    if (Number(text) * 1e9 > durationNsMax) throw tooLong(name, text);
    return BigInt(Math.round(Number(text) * 1000)) * 1_000_000n;
  }
  let rest = text;
  let total = 0;
  do {
    const match = /^(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w|y)/.exec(rest);
    if (match === null) {
      throw new BadRequest(
        `cannot parse "${text}" in parameter ${name}: want a duration such as 30s, 5m, 1h30m or 7d`,
      );
    }
    total += Number(match[1]) * unitNs[match[2]!]!;
    rest = rest.slice(match[0].length);
  } while (rest !== "");
  if (total > durationNsMax) throw tooLong(name, text);
  return BigInt(Math.round(total));
}

/** Some 290 years: more is not a time in 64 bits. */
const durationNsMax = 2 ** 63;

function tooLong(name: string, text: string): BadRequest {
  return new BadRequest(
    `"${text.slice(0, 40)}" in parameter ${name} is too long: want less than 290 years`,
  );
}

/** The least time between two lines of an answer, ns; 0 if the caller wants all of them. */
export function parseInterval(params: URLSearchParams): bigint {
  const text = params.get("interval");
  return text === null || text === "" ? 0n : parseDuration("interval", text);
}

/** The number of lines asked for. */
export function parseLimit(params: URLSearchParams, fallback: number, most: number): number {
  const text = params.get("limit");
  if (text === null || text === "") return Math.min(fallback, most);
  if (!/^-?\d{1,15}$/.test(text)) {
    throw new BadRequest(`cannot parse "${text}" in parameter limit: want a whole number`);
  }
  const limit = Number(text);
  if (limit <= 0) throw new BadRequest("limit must be a positive value");
  if (most > 0 && limit > most) {
    throw new BadRequest(
      `max entries limit per query exceeded, limit > max_entries_limit_per_query (${limit} > ${most}); ` +
        "ask for fewer lines and page by time, or raise limits_config.max_entries_limit_per_query",
    );
  }
  return limit;
}

/** Any other whole number from 1 to `most`. */
export function parseCount(
  params: URLSearchParams,
  name: string,
  fallback: number,
  most: number,
): number {
  const text = params.get(name);
  if (text === null || text === "") return Math.min(fallback, most);
  const count = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (count >= 1 && count <= most) return count;
  throw new BadRequest(`${name} is "${text}": want a whole number from 1 to ${most}`);
}

export function parseDirection(params: URLSearchParams): Direction {
  const text = params.get("direction");
  if (text === null || text === "") return "backward";
  const direction = text.toLowerCase();
  if (direction === "backward" || direction === "forward") return direction;
  throw new BadRequest(`invalid direction "${text}": want forward or backward`);
}

/** Whether the answer keeps metadata apart from stream labels: the flag categorize-labels in Loki's
 *  header, or in the parameter encoding_flags for browsers, which cannot set headers on a
 *  WebSocket. Flags that are not known are ignored, as in Loki. */
export function parseCategorize(
  params: URLSearchParams,
  headers: Readonly<Record<string, string | undefined>>,
): boolean {
  const flags = [
    ...params.getAll("encoding_flags"),
    headers["x-loki-response-encoding-flags"] ?? "",
  ].flatMap((list) => list.split(","));
  return flags.some((flag) => flag.trim() === "categorize-labels");
}

/** Whether the answer may leave out what cannot be read, as long as it says so. Throws BadRequest. */
export function parsePartial(params: URLSearchParams): boolean {
  const text = params.get("allow_partial") ?? "";
  if (["", "0", "false"].includes(text)) return false;
  if (["1", "true"].includes(text)) return true;
  throw new BadRequest(`allow_partial is "${text.slice(0, 40)}": want true or false`);
}

/** A parameter that must be there. */
export function parseRequired(params: URLSearchParams, name: string): string {
  const text = params.get(name);
  if (text === null || text.trim() === "") {
    throw new BadRequest(`parameter ${name} is missing or empty`);
  }
  return text;
}

/** The parameters of a request's URL. */
export function urlParams(url: string): URLSearchParams {
  try {
    return new URL(url, "http://localhost").searchParams;
  } catch {
    throw new BadRequest(`cannot read the request's URL "${url.slice(0, 200)}"`);
  }
}
