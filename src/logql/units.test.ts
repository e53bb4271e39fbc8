/** Durations and sizes: what reads as what, what does not read, and that printing and reading
 *  agree. */
import fc from "fast-check";
import t from "tap";
import {
  formatBytes,
  formatDuration,
  parseBytes,
  parseDuration,
  parseGoDuration,
  parsePrometheusDuration,
} from "./units.ts";

t.test("durations of Prometheus are whole, falling, with a unit", (t) => {
  const f = (text: string, expectedMs: number | null) => {
    const expected = expectedMs === null ? null : BigInt(expectedMs) * 1_000_000n;
    t.equal(parsePrometheusDuration(text), expected, text);
  };
  f("5m", 300_000);
  f("1h30m", 5_400_000);
  f("1y2w3d4h5m6s7ms", 31_536_000_000 + 1_209_600_000 + 259_200_000 + 14_706_007);
  f("0s", 0);
  f("0", 0);
  f("", null);
  f("5", null);
  f("m", null);
  f("1.5h", null);
  f("5m1h", null);
  f("1m1m", null);
  f("-5m", null);
  f("5 m", null);
  f("300y", null);
  t.end();
});

t.test("durations of Go have fractions and small units, in any order", (t) => {
  const f = (text: string, expected: bigint | null) =>
    t.equal(parseGoDuration(text), expected, text);
  f("1.5h", 5_400_000_000_000n);
  f("1m0.5s", 60_500_000_000n);
  f("5m1h", 3_900_000_000_000n);
  f(".5s", 500_000_000n);
  f("1.s", 1_000_000_000n);
  f("3us", 3000n);
  f("3µs", 3000n);
  f("3μs", 3000n);
  f("0.0000000019s", 1n);
  f("1d", null);
  f("5", null);
  f("s", null);
  f("1..5s", null);
  t.end();
});

t.test("sizes have decimal and binary units", (t) => {
  const f = (text: string, expected: number | null) => t.equal(parseBytes(text), expected, text);
  f("12B", 12);
  f("20KB", 20_000);
  f("20kb", 20_000);
  f("4KiB", 4096);
  f("1.5MiB", 1_572_864);
  f("2G", 2e9);
  f("2Gi", 2_147_483_648);
  f("1PB", 1e15);
  f("9PiB", null);
  f("12", null);
  f("12EB", null);
  f("KB", null);
  f("1iB", null);
  t.end();
});

t.test("printing is short and reads back", (t) => {
  t.equal(formatDuration(5_400_000_000_000n), "1h30m");
  t.equal(formatDuration(86_400_000_000_000n), "1d");
  t.equal(formatDuration(-1_000_001n), "-1ms1ns");
  t.equal(formatBytes(0), "0B");
  t.equal(formatBytes(1024), "1KiB");
  t.equal(formatBytes(20_000), "20KB");
  t.equal(formatBytes(1023), "1023B");
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), (durationNs) => {
    return parseDuration(formatDuration(durationNs)) === durationNs;
  }));
  fc.assert(fc.property(fc.maxSafeNat(), fc.nat(1000), (bytes, kibibytes) => {
    return parseBytes(formatBytes(bytes)) === bytes &&
      parseBytes(formatBytes(kibibytes * 1024)) === kibibytes * 1024;
  }));
  t.end();
});
