// Tests of reading and printing timestamps: against Date for milliseconds, against digits for nanoseconds.
import fc from "fast-check";
import t from "tap";
import {
  compareNanoseconds,
  formatExact,
  formatRfc3339,
  formatTimeOfDay,
  parseDuration,
  parseMoment,
} from "./nanoseconds.ts";

const now = 1_790_000_000_123_456_789n;
const instants = fc.bigInt({ min: 0n, max: 4_102_444_800_000_000_000n });

t.test("compareNanoseconds orders as the numbers do", (t) => {
  fc.assert(fc.property(instants, instants, (a, b) => {
    const sign = Math.sign(compareNanoseconds(a.toString(), b.toString()));
    return sign === (a < b ? -1 : a > b ? 1 : 0);
  }));
  t.end();
});

t.test("formatRfc3339 is read back by parseMoment to the nanosecond, and agrees with Date", (t) => {
  fc.assert(
    fc.property(instants, fc.constantFrom("utc" as const, "local" as const), (time, zone) => {
      const text = formatRfc3339(time);
      const milliseconds = BigInt(Date.parse(text.replace(/(\.\d{3})\d+Z/, "$1Z")));
      return parseMoment(text, now, zone) === time && milliseconds === time / 1_000_000n;
    }),
  );
  t.end();
});

t.test("formatExact shows all nine digits, formatTimeOfDay three", (t) => {
  t.equal(formatExact("1790000000000000001", "utc"), "2026-09-21 14:13:20.000000001 UTC");
  t.equal(formatTimeOfDay("1790000000999999999", "utc"), "14:13:20.999");
  t.equal(formatTimeOfDay("5", "utc"), "00:00:00.000");
  t.end();
});

t.test("parseMoment reads what people write", (t) => {
  const hour = 3_600_000_000_000n;
  const reads = (text: string, wanted: bigint | undefined) =>
    t.equal(parseMoment(text, now, "utc"), wanted, text);
  reads("now", now);
  reads(" now-1h30m ", now - hour * 3n / 2n);
  reads("now+1h", now + hour);
  reads("2h", now - 2n * hour);
  reads("1790000000", 1_790_000_000_000_000_000n);
  reads("1790000000123", 1_790_000_000_123_000_000n);
  reads("1790000000123456789", now);
  reads("2026-09-21 14:13:20.123456789", now);
  reads("2026-09-21T16:13:20+02:00", 1_790_000_000_000_000_000n);
  reads("2026-09-21", BigInt(Date.parse("2026-09-21T00:00:00Z")) * 1_000_000n);
  for (
    const text of [
      "",
      "yesterday",
      "now-",
      "now-5",
      "1h5",
      "2026-13-01",
      "2026-01-01 25:00",
      "12:00",
    ]
  ) {
    reads(text, undefined);
  }
  t.end();
});

t.test("parseDuration adds up Prometheus's units", (t) => {
  t.equal(parseDuration("1d2h3m4s5ms"), 93_784_005_000_000n);
  t.equal(parseDuration("1.5h"), undefined);
  t.equal(parseDuration("h"), undefined);
  t.end();
});
