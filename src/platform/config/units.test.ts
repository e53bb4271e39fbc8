/** Durations and sizes: tables, and that printing is exact. */
import { Result } from "effect";
import fc from "fast-check";
import t from "tap";
import { formatByteSize, formatDuration, parseByteSize, parseDuration } from "./units.ts";

t.test("parseDuration reads Go's and Prometheus' durations", (t) => {
  const f = (text: string, milliseconds: number) =>
    t.strictSame(parseDuration(text), Result.succeed(milliseconds), text);
  f("0", 0);
  f("0s", 0);
  f("1h30m", 5_400_000);
  f("1.5h", 5_400_000);
  f("7d", 604_800_000);
  f("1w", 604_800_000);
  f("1y", 31_536_000_000);
  f("250ms", 250);
  f("10us", 0.01);
  for (const wrong of ["", "5", "1h 30m", "-1s", "1x", "h", "1e3s", "9999999999999y"]) {
    t.ok(Result.isFailure(parseDuration(wrong)), wrong);
  }
  t.end();
});

t.test("parseByteSize reads sizes to the power of 1024", (t) => {
  const f = (text: string, bytes: number) =>
    t.strictSame(parseByteSize(text), Result.succeed(bytes), text);
  f("0", 0);
  f("1234", 1234);
  f("1234B", 1234);
  f("256KB", 262144);
  f("256kb", 262144);
  f("256KiB", 262144);
  f("6MB", 6291456);
  f("1.5 MB", 1572864);
  f("1G", 1073741824);
  f("2TB", 2199023255552);
  for (const wrong of ["", "KB", "-1KB", "1XB", "0.3B", "1 000", "99999999999TB"]) {
    t.ok(Result.isFailure(parseByteSize(wrong)), wrong);
  }
  t.end();
});

t.test("printing durations and sizes is exact", (t) => {
  fc.assert(fc.property(fc.nat(2 ** 40), (amount) => {
    t.strictSame(parseDuration(formatDuration(amount)), Result.succeed(amount));
    t.strictSame(parseByteSize(formatByteSize(amount)), Result.succeed(amount));
  }));
  t.equal(formatDuration(90_000), "1m30s");
  t.equal(formatDuration(0.25), "250us");
  t.equal(formatByteSize(1572864), "1536KB");
  t.end();
});
