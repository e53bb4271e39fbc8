/** The stage timestamp against Promtail's documentation and Go's for layouts, on a fixed clock. */
import t from "tap";
import { pipelineProblems, runPipeline, TestPipeline } from "../../testing/collectorPipelines.ts";

const arrival = "2024-06-01T00:00:00.000000000Z";
const nowMs = Date.UTC(2024, 5, 1);

function timeOf(config: string, text: string, now = nowMs): string {
  const stages = `- regex: {expression: '(?s)^(?P<ts>.*)$'}\n- timestamp: {source: ts, ${config}}`;
  return runPipeline(stages, [text], { nowMs: now })[0]!.time;
}

t.test("named formats", (t) => {
  const f = (format: string, text: string, expected: string) =>
    t.equal(timeOf(`format: ${format}`, text), expected, `${format} of ${text}`);
  f("ANSIC", "Mon Jan  2 15:04:05 2006", "2006-01-02T15:04:05.000000000Z");
  f("UnixDate", "Mon Jan  2 15:04:05 UTC 2006", "2006-01-02T15:04:05.000000000Z");
  f("RubyDate", "Mon Jan 02 15:04:05 -0700 2006", "2006-01-02T22:04:05.000000000Z");
  f("RFC822", "02 Jan 06 15:04 UTC", "2006-01-02T15:04:00.000000000Z");
  f("RFC822Z", "02 Jan 06 15:04 -0700", "2006-01-02T22:04:00.000000000Z");
  f("RFC850", "Monday, 02-Jan-06 15:04:05 UTC", "2006-01-02T15:04:05.000000000Z");
  f("RFC1123", "Mon, 02 Jan 2006 15:04:05 GMT", "2006-01-02T15:04:05.000000000Z");
  f("RFC1123Z", "Mon, 02 Jan 2006 15:04:05 +0100", "2006-01-02T14:04:05.000000000Z");
  f("RFC3339", "2006-01-02T15:04:05-07:00", "2006-01-02T22:04:05.000000000Z");
  f("RFC3339Nano", "2012-11-01T22:08:41.123456789+04:00", "2012-11-01T18:08:41.123456789Z");
  f("Unix", "1562708916", "2019-07-09T21:48:36.000000000Z");
  f("Unix", "1562708916.000000123", "2019-07-09T21:48:36.000000123Z");
  f("Unix", "1562708916.5", "2019-07-09T21:48:36.500000000Z");
  f("UnixMs", "1562708916414", "2019-07-09T21:48:36.414000000Z");
  f("UnixUs", "1562708916414123", "2019-07-09T21:48:36.414123000Z");
  f("UnixNs", "1562708916000000123", "2019-07-09T21:48:36.000000123Z");
  f("UnixMs", "-1", "1969-12-31T23:59:59.999000000Z");
  for (
    const [format, text] of [
      ["Unix", "1.5.0"],
      ["Unix", ""],
      ["UnixMs", "15627e3"],
      ["UnixNs", "156270891600000012300000"],
      ["RFC3339", "2006-01-02 15:04:05Z"],
      ["RFC3339", "2006-13-02T15:04:05Z"],
      ["RFC3339Nano", "2006-01-02T15:04:05.Z"],
      ["ANSIC", "2006-01-02"],
    ] as const
  ) f(format, text, arrival);
  t.end();
});

t.test("layouts, with and without a zone", (t) => {
  const f = (config: string, text: string, expected: string) =>
    t.equal(timeOf(config, text), expected, `${config} of ${text}`);
  f("format: '2006-01-02 15:04:05'", "2019-03-01 12:34:56", "2019-03-01T12:34:56.000000000Z");
  f(
    "format: '2006-01-02 15:04:05,000'",
    "2019-03-01 12:34:56,789",
    "2019-03-01T12:34:56.789000000Z",
  );
  f(
    "format: '2006-01-02 15:04:05.000000'",
    "2019-03-01 12:34:56.000123",
    "2019-03-01T12:34:56.000123000Z",
  );
  f(
    "format: '02/Jan/2006:15:04:05 -0700'",
    "25/Jan/2000:14:00:01 -0500",
    "2000-01-25T19:00:01.000000000Z",
  );
  f("format: '01/02/2006 03:04:05 PM'", "11/08/2022 12:53:24 AM", "2022-11-08T00:53:24.000000000Z");
  // 12:34 in New York is five hours before UTC in winter and four in summer.
  const york = "format: '2006-01-02 15:04:05', location: America/New_York";
  f(york, "2019-03-01 12:34:56", "2019-03-01T17:34:56.000000000Z");
  f(york, "2019-07-01 12:34:56", "2019-07-01T16:34:56.000000000Z");
  f(
    "format: ANSIC, location: Europe/Berlin",
    "Mon Jul  2 15:04:05 2007",
    "2007-07-02T13:04:05.000000000Z",
  );
  f("format: '2006-01-02'", "2019-02-29", arrival);
  t.end();
});

t.test("without a year it is the one that is near", (t) => {
  const f = (text: string, now: string, expected: string) =>
    t.equal(
      timeOf("format: 'Jan _2 15:04:05'", text, Date.parse(now)),
      expected,
      `${text} at ${now}`,
    );
  f("Mar  3 01:02:03", "2024-06-01T00:00:00Z", "2024-03-03T01:02:03.000000000Z");
  f("Dec 31 23:59:59", "2025-01-01T00:00:01Z", "2024-12-31T23:59:59.000000000Z");
  f("Jan  1 00:00:01", "2024-12-31T23:59:59Z", "2025-01-01T00:00:01.000000000Z");
  f("Feb 29 12:00:00", "2024-06-01T00:00:00Z", "2024-02-29T12:00:00.000000000Z");
  t.end();
});

t.test("fallback formats are tried in order", (t) => {
  const config = "format: Unix, fallback_formats: [UnixDate, RFC3339, '2006-01-02']";
  t.equal(timeOf(config, "1562708916"), "2019-07-09T21:48:36.000000000Z");
  t.equal(timeOf(config, "2019-07-09T21:48:36Z"), "2019-07-09T21:48:36.000000000Z");
  t.equal(timeOf(config, "2019-07-09"), "2019-07-09T00:00:00.000000000Z");
  t.equal(timeOf(config, "noon"), arrival);
  t.end();
});

t.test("a time that cannot be read is fudged or left", (t) => {
  const run = (action: string) => {
    const stages = "- regex: {expression: '^(?P<app>\\w) (?P<ts>\\S+)$'}\n- labels: {app: }\n" +
      `- timestamp: {source: ts, format: RFC3339Nano${action}}`;
    const lines = [
      "a x",
      "a 2024-01-01T00:00:00.999999998Z",
      "a x",
      "b x",
      "a x",
      "a 2024-01-01T00:00:05Z",
      "a x",
    ];
    return new TestPipeline(stages, { nowMs }).feed(lines).take().map(({ time }) => time);
  };
  const kept = ["2024-01-01T00:00:00.999999998Z", "2024-01-01T00:00:05.000000000Z"];
  t.strictSame(run(""), [
    arrival,
    kept[0],
    "2024-01-01T00:00:00.999999999Z",
    arrival,
    "2024-01-01T00:00:01.000000000Z",
    kept[1],
    "2024-01-01T00:00:05.000000001Z",
  ]);
  t.strictSame(run(", action_on_failure: skip"), [
    arrival,
    kept[0],
    arrival,
    arrival,
    arrival,
    kept[1],
    arrival,
  ]);
  t.end();
});

t.test("timestamp refuses what cannot work", (t) => {
  const f = (config: string, problem: RegExp) =>
    t.match(pipelineProblems(`- timestamp: ${config}`), problem, config);
  f("{format: Unix}", /timestamp.source: is required/);
  f("{source: a}", /timestamp.format: is required/);
  f(
    "{source: a, format: Unix, location: Nowhere/Land}",
    /location: "Nowhere\/Land" is not a time zone/,
  );
  f("{source: a, format: Unix, action_on_failure: panic}", /"panic" is not one of fudge, skip/);
  t.end();
});
