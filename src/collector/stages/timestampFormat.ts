/** Reads the texts that stand for a time in logs: layouts of Go, their names in Promtail, and Unix
 *  times. timestamp.ts owns what happens with them. */
import { calendarSeconds, GoTime } from "../../logql/templates/goTime.ts";
import { parseTime } from "../../logql/templates/goTimeLayout.ts";
import { localToUnix, type Zone } from "../../logql/templates/zone.ts";
import type { StageEntry } from "./entry.ts";
import { setRfc3339Text } from "./rfc3339.ts";

/** Sets the entry's time from a text; false, changing nothing, if it has another form. */
export type TimeReader = (entry: StageEntry, text: string) => boolean;

/** The reader of a format: a name, or a layout of Go. A time without a zone is one of `zone`. */
export function timeReader(format: string, zone: Zone, nowMs: () => number): TimeReader {
  if (format === "RFC3339" || format === "RFC3339Nano") return setRfc3339Text;
  if (format === "Unix") return readUnix;
  const unit = unixUnits[format];
  if (unit !== undefined) return (entry, text) => readUnixUnits(entry, text, unit);
  const layout = namedLayouts[format] ?? format;
  // As Promtail tells it. "06" is also in "2006".
  if (!layout.includes("06")) {
    return (entry, text) => readYearless(entry, layout, text, zone, nowMs());
  }
  return (entry, text) => {
    const time = parseTime(layout, text, zone);
    if (typeof time === "string") return false;
    entry.timestampNs = time.unixNs;
    return true;
  };
}

const namedLayouts: Readonly<Record<string, string>> = {
  ANSIC: "Mon Jan _2 15:04:05 2006",
  UnixDate: "Mon Jan _2 15:04:05 MST 2006",
  RubyDate: "Mon Jan 02 15:04:05 -0700 2006",
  RFC822: "02 Jan 06 15:04 MST",
  RFC822Z: "02 Jan 06 15:04 -0700",
  RFC850: "Monday, 02-Jan-06 15:04:05 MST",
  RFC1123: "Mon, 02 Jan 2006 15:04:05 MST",
  RFC1123Z: "Mon, 02 Jan 2006 15:04:05 -0700",
};

/** How many in a second. */
const unixUnits: Readonly<Record<string, bigint>> = {
  UnixMs: 1000n,
  UnixUs: 1_000_000n,
  UnixNs: 1_000_000_000n,
};

/** More than Go's times can be; longer texts need not become numbers. */
const digitsMax = 20;

function readUnix(entry: StageEntry, text: string): boolean {
  const match = /^([-+]?\d+)(?:\.(\d+))?$/.exec(text);
  if (match === null || match[1]!.length > 13) return false;
  entry.seconds = Number(match[1]);
  entry.nanos = Number((match[2] ?? "").slice(0, 9).padEnd(9, "0"));
  return true;
}

function readUnixUnits(entry: StageEntry, text: string, perSecond: bigint): boolean {
  if (text.length > digitsMax || !/^-?\d+$/.test(text)) return false;
  entry.timestampNs = BigInt(text) * (1_000_000_000n / perSecond);
  return true;
}

/** A time without a year is of the year that brings it near to now: in January a December is the
 *  last one, in December a January the next. */
function readYearless(
  entry: StageEntry,
  layout: string,
  text: string,
  zone: Zone,
  nowMs: number,
): boolean {
  const time = parseTime(layout, text, zone);
  if (typeof time === "string") return false;
  const { fields } = time;
  if (fields.year !== 0) return false;
  const now = new GoTime(BigInt(Math.floor(nowMs)) * 1_000_000n, time.zone).fields;
  const year = fields.month === 12 && now.month === 1
    ? now.year - 1
    : fields.month === 1 && now.month === 12
    ? now.year + 1
    : now.year;
  entry.seconds = localToUnix(calendarSeconds({ ...fields, year }), time.zone);
  entry.nanos = fields.nanosecond;
  return true;
}
