// The stretch of time a query covers, as the person wrote it. nanoseconds.ts reads single moments. Invariant: a relative
// range stays relative in the address, and is made absolute once per run, so that all pages of one run share one end.
import {
  formatDay,
  formatTimeOfDay,
  parseDuration,
  parseMoment,
  type Zone,
} from "./nanoseconds.ts";

/** `from` and `to` as texts that `parseMoment` reads. */
export interface TimeRange {
  readonly from: string;
  readonly to: string;
}

/** Nanoseconds; start inclusive, end exclusive, as in Loki. */
export interface ResolvedRange {
  readonly start: bigint;
  readonly end: bigint;
}

export const defaultRange: TimeRange = { from: "now-1h", to: "now" };

/** The presets of the picker, shortest first: duration, words. */
export const presets: readonly (readonly [duration: string, words: string])[] = [
  ["5m", "Last 5 minutes"],
  ["15m", "Last 15 minutes"],
  ["1h", "Last hour"],
  ["3h", "Last 3 hours"],
  ["6h", "Last 6 hours"],
  ["12h", "Last 12 hours"],
  ["24h", "Last 24 hours"],
  ["2d", "Last 2 days"],
  ["7d", "Last 7 days"],
  ["30d", "Last 30 days"],
];

/** Makes a range absolute; gives a sentence for the person when it cannot. */
export function resolveRange(range: TimeRange, now: bigint, zone: Zone): ResolvedRange | string {
  const start = parseMoment(range.from, now, zone);
  if (start === undefined) return `Cannot read the start "${range.from}": ${momentHint}`;
  const end = parseMoment(range.to, now, zone);
  if (end === undefined) return `Cannot read the end "${range.to}": ${momentHint}`;
  if (end <= start) return `The range ends (${range.to}) before it starts (${range.from}).`;
  return { start, end };
}

const momentHint = 'write "now-90m", "2026-01-31 12:00:05", or RFC 3339.';

/** Names a range in few words for its button. */
export function describeRange(range: TimeRange, now: bigint, zone: Zone): string {
  const duration = relativeDuration(range);
  if (duration !== undefined) {
    return presets.find(([preset]) => preset === duration)?.[1] ?? `Last ${duration}`;
  }
  const resolved = resolveRange(range, now, zone);
  if (typeof resolved === "string") return `${range.from} to ${range.to}`;
  const [start, end] = [resolved.start.toString(), resolved.end.toString()];
  const [startDay, endDay] = [formatDay(start, zone), formatDay(end, zone)];
  const startText = `${startDay} ${formatTimeOfDay(start, zone).slice(0, 8)}`;
  const endTime = range.to === "now" ? "now" : formatTimeOfDay(end, zone).slice(0, 8);
  return `${startText} to ${
    endDay === startDay || range.to === "now" ? "" : `${endDay} `
  }${endTime}`;
}

/** The duration of a range of the form now-DURATION..now, else undefined. */
export function relativeDuration(range: TimeRange): string | undefined {
  if (range.to !== "now" || !range.from.startsWith("now-")) return undefined;
  const duration = range.from.slice(4);
  return parseDuration(duration) === undefined ? undefined : duration;
}

/** A range of the same end and four times the length: what an empty answer offers. */
export function widenRange(range: TimeRange, now: bigint, zone: Zone): TimeRange | undefined {
  const duration = relativeDuration(range);
  const resolved = resolveRange(range, now, zone);
  if (duration === undefined || typeof resolved === "string") return undefined;
  const wanted = (resolved.end - resolved.start) * 4n;
  const preset = presets.find(([text]) => (parseDuration(text) ?? 0n) >= wanted) ?? presets.at(-1);
  if (preset === undefined || (parseDuration(preset[0]) ?? 0n) <= wanted / 4n) return undefined;
  return { from: `now-${preset[0]}`, to: "now" };
}
