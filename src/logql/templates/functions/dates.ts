/** Functions of time. Layouts are Go's. A time without a zone is one in UTC, and date prints in UTC,
 *  whatever the server's zone. */
import { systemNowNs } from "../../../platform/clock.ts";
import { TemplateFailed } from "../error.ts";
import { floorDivide, GoTime, zeroTime } from "../goTime.ts";
import { formatTime, parseTime } from "../goTimeLayout.ts";
import { typeName, type Value } from "../value.ts";
import { loadZone, utc } from "../zone.ts";
import { fixed, type FunctionTable } from "./templateFunction.ts";

export const dates: FunctionTable = new Map([
  ["now", fixed([], () => new GoTime(systemNowNs(), utc))],
  ["date", fixed(["string", "any"], (layout, time) => formatTime(layout, inUtc(timeOf(time))))],
  ["toDate", fixed(["string", "string"], (layout, text) => readTime(layout, "UTC", text))],
  ["toDateInZone", fixed(["string", "string", "string"], readTime)],
  ["unixEpoch", fixed(["time"], (time) => String(time.unixSeconds))],
  ["unixEpochMillis", fixed(["time"], ({ unixNs }) => String(floorDivide(unixNs, 1_000_000n)))],
  ["unixEpochNanos", fixed(["time"], ({ unixNs }) => String(unixNs))],
  ["unixToTime", fixed(["string"], unixToTime)],
]);

/** sprig's date prints in the server's zone, not in the time's own. */
function inUtc(time: GoTime): GoTime {
  return new GoTime(time.unixNs, utc);
}

/** Numbers are Unix seconds. */
function timeOf(value: Value): GoTime {
  if (value instanceof GoTime) return value;
  if (typeof value === "bigint") return new GoTime(value * 1_000_000_000n, utc);
  if (typeof value === "number" && Number.isFinite(value)) {
    return new GoTime(BigInt(Math.trunc(value)) * 1_000_000_000n, utc);
  }
  throw new TemplateFailed(
    `date formats a time or Unix seconds, not ${typeName(value)}; ` +
      "make one with toDate, toDateInZone, unixToTime or int",
  );
}

/** What does not fit its layout is the time that was never set, as in sprig. */
function readTime(layout: string, zoneName: string, text: string): GoTime {
  const time = parseTime(layout, text, loadZone(zoneName) ?? utc);
  return typeof time === "string" ? zeroTime : time;
}

/** The number of digits tells days, seconds, milli-, micro- and nanoseconds apart. */
const epochUnitsNs: ReadonlyMap<number, bigint> = new Map([
  [5, 86_400_000_000_000n],
  [10, 1_000_000_000n],
  [13, 1_000_000n],
  [16, 1000n],
  [19, 1n],
]);

function unixToTime(epoch: string): GoTime {
  const unitNs = epochUnitsNs.get(epoch.length);
  if (unitNs !== undefined && /^[+-]?\d+$/.test(epoch)) {
    return new GoTime(BigInt(epoch) * unitNs, utc);
  }
  throw new TemplateFailed(
    `unixToTime cannot read ${JSON.stringify(epoch.slice(0, 60))}; ` +
      "it takes days (5 digits), seconds (10), milliseconds (13), microseconds (16) or nanoseconds (19)",
  );
}
