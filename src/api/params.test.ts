/** Parameters of the read API in all their spellings. */
import t from "tap";
import {
  BadRequest,
  parseCategorize,
  parseDuration,
  parseLimit,
  parseRange,
  parseTime,
} from "./params.ts";

t.test("parseTime", (t) => {
  const f = (text: string, want: bigint | undefined) =>
    t.equal(parseTime(new URLSearchParams({ time: text }), "time"), want, text);
  f("", undefined);
  f("1700000000", 1_700_000_000_000_000_000n);
  f("1700000000123456789", 1_700_000_000_123_456_789n);
  f("17000000001", 17_000_000_001n);
  f("1700000000.5", 1_700_000_000_500_000_000n);
  f("1700000000.1239", 1_700_000_000_124_000_000n);
  f("1.7e9", 1_700_000_000_000_000_000n);
  f("-5", -5_000_000_000n);
  f("2023-11-14T22:13:20Z", 1_700_000_000_000_000_000n);
  f("2023-11-14T22:13:20.000000001Z", 1_700_000_000_000_000_001n);
  f("2023-11-15T00:13:20+02:00", 1_700_000_000_000_000_000n);
  f("1969-12-31T23:59:59.5Z", -500_000_000n);
  f("99999999999999999999", 2n ** 63n - 1n);
  const fails = (text: string) =>
    t.throws(() => parseTime(new URLSearchParams({ time: text }), "time"), BadRequest, text);
  fails("yesterday");
  fails("2023-13-14T22:13:20Z");
  fails("12:00");
  fails("1e99");
  t.end();
});

t.test("parseDuration", (t) => {
  const f = (text: string, want: bigint) => t.equal(parseDuration("since", text), want, text);
  f("5", 5_000_000_000n);
  f("0.5", 500_000_000n);
  f("500ms", 500_000_000n);
  f("1h30m", 5_400_000_000_000n);
  f("2d", 172_800_000_000_000n);
  f("1w", 604_800_000_000_000n);
  t.throws(() => parseDuration("since", "5 minutes"), /since.*5 minutes|5 minutes.*since/);
  t.throws(() => parseDuration("since", ""), BadRequest);
  t.end();
});

t.test("parseRange", (t) => {
  const hour = 3_600_000_000_000n;
  const now = 10n * hour;
  const f = (params: Record<string, string>, start: bigint, end: bigint) =>
    t.same(parseRange(new URLSearchParams(params), now), { start, end }, JSON.stringify(params));
  f({}, now - hour, now);
  f({ since: "2h" }, now - 2n * hour, now);
  f({ start: "0" }, 0n, now);
  f({ end: String(5n * hour) }, 4n * hour, 5n * hour);
  f({ end: String(20n * hour) }, now - hour, 20n * hour);
  f({ start: "1", end: "1" }, 1_000_000_000n, 1_000_000_000n);
  t.throws(() => parseRange(new URLSearchParams({ start: "2", end: "1" }), now), BadRequest);
  t.end();
});

t.test("parseLimit", (t) => {
  const f = (text: string, want: number) =>
    t.equal(parseLimit(new URLSearchParams({ limit: text }), 100, 5000), want, text);
  f("", 100);
  f("1", 1);
  f("5000", 5000);
  const fails = (text: string, message: RegExp) =>
    t.throws(() => parseLimit(new URLSearchParams({ limit: text }), 100, 5000), message, text);
  fails("0", /limit must be a positive value/);
  fails("-1", /limit must be a positive value/);
  fails("5001", /max entries limit per query exceeded.*\(5001 > 5000\)/);
  fails("many", /"many"/);
  fails("1.5", /"1.5"/);
  t.end();
});

t.test("parseCategorize takes the header and the parameter", (t) => {
  const f = (parameters: string, header: string | undefined, want: boolean) =>
    t.equal(
      parseCategorize(new URLSearchParams(parameters), {
        "x-loki-response-encoding-flags": header,
      }),
      want,
      `${parameters} ${header}`,
    );
  f("", undefined, false);
  f("", "categorize-labels", true);
  f("", "other, categorize-labels", true);
  f("encoding_flags=categorize-labels", undefined, true);
  f("encoding_flags=other,categorize-labels", undefined, true);
  f("encoding_flags=other&encoding_flags=categorize-labels", "other", true);
  f("encoding_flags=categorize", "labels", false);
  t.end();
});
