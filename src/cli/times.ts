/** Times on the command line: "15m ago" as a duration, or a moment as RFC 3339 or as a number since 1970. Everything becomes
 *  nanoseconds as a bigint. */
import { Clock, Effect, Option, Result } from "effect";
import { parseDuration } from "../platform/config/units.ts";
import { misused } from "./failure.ts";

/** The range [from, to) of --from, --to and --since, by default the last hour. */
export const timeRange = Effect.fnUntraced(function* (options: {
  readonly from: Option.Option<string>;
  readonly to: Option.Option<string>;
  readonly since: string;
}) {
  const now = BigInt(yield* Clock.currentTimeMillis) * 1_000_000n;
  const to = Option.isSome(options.to) ? yield* parseMoment("--to", options.to.value) : now;
  const from = Option.isSome(options.from)
    ? yield* parseMoment("--from", options.from.value)
    : to - (yield* durationNs("--since", options.since));
  if (from > to) return yield* misused("--from is later than --to");
  return { from, to };
});

/** Nanoseconds of a duration flag. */
export const durationNs = Effect.fnUntraced(function* (flag: string, text: string) {
  const milliseconds = parseDuration(text);
  if (Result.isFailure(milliseconds)) return yield* misused(`${flag}: ${milliseconds.failure}`);
  return BigInt(Math.round(milliseconds.success * 1e6));
});

/** A moment: RFC 3339 (up to nine digits of a second; without a zone it is local), seconds, or nanoseconds. */
export const parseMoment = Effect.fnUntraced(function* (flag: string, text: string) {
  if (/^\d+$/.test(text)) return text.length <= 10 ? BigInt(text) * 1_000_000_000n : BigInt(text);
  const match =
    /^(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?$/i
      .exec(text);
  const [, day = "", fraction = "", zone = ""] = match ?? [];
  const local = day.length === 10 ? `${day}T00:00` : day;
  const milliseconds = Date.parse(`${local}${zone}`);
  if (match === null || Number.isNaN(milliseconds)) {
    return yield* misused(
      `${flag} "${text}" is not a time: write 2024-05-31T12:00:00Z, or seconds or nanoseconds since 1970`,
    );
  }
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
});
