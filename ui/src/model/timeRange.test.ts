// Tests of ranges: what is made absolute, what is refused and in which words, what an empty answer offers.
import t from "tap";
import { describeRange, resolveRange, widenRange } from "./timeRange.ts";

const now = 1_790_000_000_000_000_000n;
const hour = 3_600_000_000_000n;

t.test("resolveRange makes both ends absolute from one now", (t) => {
  t.strictSame(resolveRange({ from: "now-1h", to: "now" }, now, "utc"), {
    start: now - hour,
    end: now,
  });
  t.strictSame(
    resolveRange({ from: "2026-09-21 14:00", to: "2026-09-21 14:00:00.000000001" }, now, "utc"),
    {
      start: 1_789_999_200_000_000_000n,
      end: 1_789_999_200_000_000_001n,
    },
  );
  t.end();
});

t.test("resolveRange says what is wrong and quotes it", (t) => {
  t.match(resolveRange({ from: "noon", to: "now" }, now, "utc"), /start "noon"/);
  t.match(resolveRange({ from: "now-1h", to: "?" }, now, "utc"), /end "\?"/);
  t.match(resolveRange({ from: "now", to: "now-1h" }, now, "utc"), /before/);
  t.end();
});

t.test("describeRange names presets, other durations and moments", (t) => {
  const names = (from: string, to: string) => describeRange({ from, to }, now, "utc");
  t.equal(names("now-1h", "now"), "Last hour");
  t.equal(names("now-90m", "now"), "Last 90m");
  t.equal(names("2026-09-21T10:00:00Z", "2026-09-21T11:00:00Z"), "2026-09-21 10:00:00 to 11:00:00");
  t.equal(
    names("2026-09-20T10:00:00Z", "2026-09-21T11:00:00Z"),
    "2026-09-20 10:00:00 to 2026-09-21 11:00:00",
  );
  t.end();
});

t.test("widenRange offers at least four times the time, and nothing beyond the longest preset", (t) => {
  t.strictSame(widenRange({ from: "now-1h", to: "now" }, now, "utc"), {
    from: "now-6h",
    to: "now",
  });
  t.strictSame(widenRange({ from: "now-7d", to: "now" }, now, "utc"), {
    from: "now-30d",
    to: "now",
  });
  t.equal(widenRange({ from: "now-30d", to: "now" }, now, "utc"), undefined);
  t.equal(widenRange({ from: "2026-09-20", to: "2026-09-21" }, now, "utc"), undefined);
  t.end();
});
