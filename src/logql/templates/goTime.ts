/** A moment with a time zone, Go's time.Time: its calendar fields. goTimeLayout.ts prints and reads
 *  it; zone.ts knows the offsets. The calendar is proleptic Gregorian, as in Go. */
import { utc, type Zone } from "./zone.ts";

export class GoTime {
  readonly unixNs: bigint;
  readonly zone: Zone;

  constructor(unixNs: bigint, zone: Zone) {
    this.unixNs = unixNs;
    this.zone = zone;
  }

  /** Seconds since 1970, rounded down. */
  get unixSeconds(): number {
    return Number(floorDivide(this.unixNs, 1_000_000_000n));
  }

  /** What a clock and a calendar in its zone show. */
  get fields(): TimeFields {
    const seconds = this.unixSeconds;
    const { offsetSeconds, name } = this.zone.at(seconds);
    const local = new Date((seconds + offsetSeconds) * 1000);
    const year = local.getUTCFullYear();
    const dayStart = Date.UTC(2000, local.getUTCMonth(), local.getUTCDate());
    const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
    const afterFebruary = local.getUTCMonth() > 1;
    return {
      year,
      month: local.getUTCMonth() + 1,
      day: local.getUTCDate(),
      // 2000 was a leap year, so days after February are one too many in the others.
      yearDay: (dayStart - Date.UTC(2000, 0, 1)) / 86_400_000 + (afterFebruary && !isLeap ? 0 : 1),
      weekday: local.getUTCDay(),
      hour: local.getUTCHours(),
      minute: local.getUTCMinutes(),
      second: local.getUTCSeconds(),
      nanosecond: Number(this.unixNs - BigInt(seconds) * 1_000_000_000n),
      offsetSeconds,
      zoneName: name,
    };
  }
}

export interface TimeFields {
  readonly year: number;
  /** From 1. */
  readonly month: number;
  readonly day: number;
  /** From 1. */
  readonly yearDay: number;
  /** From 0, Sunday. */
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly nanosecond: number;
  /** East of UTC. */
  readonly offsetSeconds: number;
  /** An abbreviation such as CET, or "" where the zone has none. */
  readonly zoneName: string;
}

/** Midnight of 1 January of the year 1 in UTC: Go's time that was never set. */
export const zeroTime: GoTime = new GoTime(-62_135_596_800_000_000_000n, utc);

/** The seconds of a calendar date read as if in UTC. Fields out of their range carry over. */
export function calendarSeconds(
  fields: Pick<TimeFields, "year" | "month" | "day" | "hour" | "minute" | "second">,
): number {
  const date = new Date(0);
  // Not Date.UTC, which takes years below 100 for ones of the twentieth century.
  date.setUTCFullYear(fields.year, fields.month - 1, fields.day);
  date.setUTCHours(fields.hour, fields.minute, fields.second);
  return date.getTime() / 1000;
}

export function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}
