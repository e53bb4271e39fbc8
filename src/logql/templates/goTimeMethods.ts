/** The methods of a time that templates can call, as in `now.Unix` or `(toDate …).Format "15:04"`.
 *  The time itself is the first argument. Months and days of the week are their names. */
import { fixed, type FunctionTable } from "./functions/templateFunction.ts";
import { floorDivide, GoTime, type TimeFields, zeroTime } from "./goTime.ts";
import { formatTime, timeText } from "./goTimeLayout.ts";
import { TemplateFailed } from "./error.ts";
import { loadZone, utc } from "./zone.ts";

const number = (read: (fields: TimeFields) => number) =>
  fixed(["time"], (time) => BigInt(read(time.fields)));

export const timeMethods: FunctionTable = new Map([
  ["Format", fixed(["time", "string"], (time, layout) => formatTime(layout, time))],
  ["String", fixed(["time"], timeText)],
  ["Unix", fixed(["time"], ({ unixSeconds }) => BigInt(unixSeconds))],
  ["UnixMilli", fixed(["time"], ({ unixNs }) => floorDivide(unixNs, 1_000_000n))],
  ["UnixMicro", fixed(["time"], ({ unixNs }) => floorDivide(unixNs, 1000n))],
  ["UnixNano", fixed(["time"], ({ unixNs }) => unixNs)],
  ["Year", number(({ year }) => year)],
  ["Month", fixed(["time"], (time) => formatTime("January", time))],
  ["Day", number(({ day }) => day)],
  ["YearDay", number(({ yearDay }) => yearDay)],
  ["Weekday", fixed(["time"], (time) => formatTime("Monday", time))],
  ["Hour", number(({ hour }) => hour)],
  ["Minute", number(({ minute }) => minute)],
  ["Second", number(({ second }) => second)],
  ["Nanosecond", number(({ nanosecond }) => nanosecond)],
  ["UTC", fixed(["time"], ({ unixNs }) => new GoTime(unixNs, utc))],
  ["IsZero", fixed(["time"], ({ unixNs }) => unixNs === zeroTime.unixNs)],
  ["Before", fixed(["time", "time"], (a, b) => a.unixNs < b.unixNs)],
  ["After", fixed(["time", "time"], (a, b) => a.unixNs > b.unixNs)],
  ["Equal", fixed(["time", "time"], (a, b) => a.unixNs === b.unixNs)],
  [
    "In",
    fixed(["time", "string"], (time, name) => {
      const zone = loadZone(name);
      if (zone === null) throw new TemplateFailed(`unknown time zone ${JSON.stringify(name)}`);
      return new GoTime(time.unixNs, zone);
    }),
  ],
]);
