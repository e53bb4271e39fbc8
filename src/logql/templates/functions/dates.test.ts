/** Functions of time and Go's layouts: https://pkg.go.dev/time and
 *  https://masterminds.github.io/sprig/date.html say what is expected. */
import t, { type Test } from "tap";
import { failureOf, renderSample } from "../../../testing/templates.ts";

const table = (t: Test, rows: ReadonlyArray<readonly [string, string]>) => {
  for (const [template, wanted] of rows) t.equal(renderSample(template), wanted, template);
  t.end();
};
/** The sample is 2024-03-05 06:07:08.012345678 UTC, a Tuesday, day 65 of a leap year. */
const formats = (layout: string) => `{{__timestamp__ | date "${layout}"}}`;

t.test("formatting", (t) =>
  table(t, [
    [formats("2006-01-02T15:04:05Z07:00"), "2024-03-05T06:07:08Z"],
    [formats("Mon Jan _2 15:04:05 2006"), "Tue Mar  5 06:07:08 2024"],
    [formats("Monday, January 2, 2006 at 3:04pm (MST)"), "Tuesday, March 5, 2024 at 6:07am (UTC)"],
    [formats("06/1/2 03:4:5 PM"), "24/3/5 06:7:8 AM"],
    [formats("002 __2"), "065  65"],
    [formats("15:04:05.000 .000000 .000000000 ,00"), "06:07:08.012 .012345 .012345678 ,01"],
    [formats("05.999 05.9 05.99"), "08.012 08 08.01"],
    [formats("-0700 -07:00 -07 Z0700 -07:00:00"), "+0000 +00:00 +00 Z +00:00:00"],
    [formats("20060102 month _2006"), "20240305 month _2024"],
    ["{{__timestamp__}}", "2024-03-05 06:07:08.012345678 +0000 UTC"],
  ]));

t.test("reading", (t) =>
  table(t, [
    ['{{toDate "2006-01-02" "2017-12-31"}}', "2017-12-31 00:00:00 +0000 UTC"],
    [
      '{{toDate "2006-01-02T15:04:05Z07:00" "2021-06-01T12:00:00.5+02:00" | unixEpochMillis}}',
      "1622541600500",
    ],
    [
      '{{toDate "02/Jan/2006:15:04:05 -0700" "10/Oct/2000:13:55:36 -0700" | unixEpoch}}',
      "971211336",
    ],
    ['{{toDate "Jan _2 15:04:05" "Mar  5 06:07:08"}}', "0000-03-05 06:07:08 +0000 UTC"],
    ['{{toDate "2006-01-02 3:04PM" "2020-02-29 12:30AM"}}', "2020-02-29 00:30:00 +0000 UTC"],
    ['{{toDate "2006-002" "2023-060"}}', "2023-03-01 00:00:00 +0000 UTC"],
    ['{{toDate "2006-01-02" "nonsense"}}', "0001-01-01 00:00:00 +0000 UTC"],
    ['{{toDate "2006-01-02" "2023-02-29"}}', "0001-01-01 00:00:00 +0000 UTC"],
    [
      '{{toDate "06" "69"}} {{toDate "06" "68"}}',
      "1969-01-01 00:00:00 +0000 UTC 2068-01-01 00:00:00 +0000 UTC",
    ],
    [
      '{{toDateInZone "2006-01-02 15:04" "Europe/Berlin" "2024-07-01 12:00"}}',
      "2024-07-01 12:00:00 +0200 CEST",
    ],
    [
      '{{toDateInZone "2006-01-02 15:04" "America/New_York" "2024-01-01 12:00" | unixEpoch}}',
      "1704128400",
    ],
    ['{{toDateInZone "2006-01-02" "Nowhere/Land" "2024-01-01"}}', "2024-01-01 00:00:00 +0000 UTC"],
    [
      '{{(toDateInZone "2006-01-02 15:04" "Asia/Kolkata" "2024-01-01 12:00").Format "-07:00"}}',
      "+05:30",
    ],
    ['{{toDate "2006-01-02 MST" "2024-01-01 UTC"}}', "2024-01-01 00:00:00 +0000 UTC"],
  ]));

t.test("epochs", (t) =>
  table(t, [
    ['{{unixToTime "1679577215"}}', "2023-03-23 13:13:35 +0000 UTC"],
    ['{{unixToTime "19373"}}', "2023-01-16 00:00:00 +0000 UTC"],
    ['{{unixToTime "1679577215123" | unixEpochNanos}}', "1679577215123000000"],
    ['{{unixToTime "1679577215123456" | unixEpochNanos}}', "1679577215123456000"],
    ['{{unixToTime "1679577215123456789" | unixEpochMillis}}', "1679577215123"],
    ["{{unixEpoch __timestamp__}} {{unixEpochMillis __timestamp__}}", "1709618828 1709618828012"],
    ['{{date "15:04" 3600}}', "01:00"],
    [
      '{{toDateInZone "2006-01-02 15:04" "Asia/Tokyo" "2024-01-01 12:00" | date "15:04 -0700"}}',
      "03:00 +0000",
    ],
    [
      '{{(toDate "2006" "1969").Unix}} {{(toDate "2006-01-02T15:04:05" "1969-12-31T23:59:59.5").Unix}}',
      "-31536000 -1",
    ],
    [
      "{{__timestamp__.Weekday}} {{__timestamp__.Month}} {{__timestamp__.YearDay}}",
      "Tuesday March 65",
    ],
    ['{{(__timestamp__.In "Asia/Tokyo").Hour}}', "15"],
    ["{{now.After __timestamp__}} {{now.Before __timestamp__}}", "true false"],
  ]));

t.test("what cannot be done", (t) => {
  t.match(failureOf('{{unixToTime "123"}}'), /unixToTime cannot read "123"/);
  t.match(failureOf('{{unixToTime "16795772x5"}}'), /unixToTime cannot read/);
  t.match(
    failureOf('{{date "2006" "yesterday"}}'),
    /date formats a time or Unix seconds, not string/,
  );
  t.match(failureOf('{{unixEpoch "1"}}'), /argument 1 of unixEpoch must be a time/);
  t.end();
});
