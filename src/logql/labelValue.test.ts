/** Numbers, durations and sizes as label values write them: by hand from what Go's libraries
 *  accept, and durations against exact arithmetic. */
import fc from "fast-check";
import t from "tap";
import { type Conversion, readerOf, readFailed } from "./labelValue.ts";

const encoder = new TextEncoder();

function read(conversion: Conversion, text: string): number | "failed" {
  const bytes = encoder.encode(`<${text}>`);
  const value = readerOf(conversion)(bytes, 1, bytes.length - 1);
  return readFailed() ? "failed" : value;
}

t.test("numbers", (t) => {
  const f = (text: string, wanted: number | "failed") =>
    t.strictSame(read("number", text), wanted, text);
  for (const text of ["0", "1", "007", "12.5", ".5", "5.", "1e3", "-2.5E-3", "+4"]) {
    f(text, Number(text));
  }
  f("123456789012345678", 123456789012345678);
  f("0.1234567890123456789", 0.1234567890123456789);
  f("inf", Infinity);
  f("-Infinity", -Infinity);
  f("NaN", NaN);
  f("0x10p-1", 8);
  f("1_000", 1000);
  for (
    const text of ["", " 1", "1 ", "1s", "1.2.3", ".", "e5", "1e", "--1", "1e999", "_1", "1,5"]
  ) {
    f(text, "failed");
  }
  t.end();
});

t.test("durations", (t) => {
  const f = (text: string, wanted: number | "failed") =>
    t.equal(read("duration", text), wanted, text);
  f("5s", 5e9);
  f("39.6418ms", 39_641_800);
  f("1.5h", 5.4e12);
  f("-1m0.5s", -60.5e9);
  f("+3ns", 3);
  f("1us", 1000);
  f("1µs", 1000);
  f("0", 0);
  f("1.9ns", 1);
  f(".5m", 3e10);
  for (const text of ["", "5", "1d", "s", "1 s", "1s ", "1.2.3s", "1S", "-"]) f(text, "failed");
  t.end();
});

t.test("a duration of one number and one unit is exact, cut to whole nanoseconds", (t) => {
  const units = { ns: 1n, us: 1000n, ms: 1_000_000n, s: 10n ** 9n, m: 60n * 10n ** 9n } as const;
  const digits = fc.stringMatching(/^\d{1,7}(\.\d{0,9})?$/);
  fc.assert(
    fc.property(digits, fc.constantFrom(...(Object.keys(units) as Array<keyof typeof units>)), (
      number,
      unit,
    ) => {
      const [whole, fraction = ""] = number.split(".");
      const scale = 10n ** BigInt(fraction.length);
      const wanted = BigInt(whole! + fraction) * units[unit] / scale;
      t.equal(read("duration", number + unit), Number(wanted), number + unit);
    }),
  );
  t.end();
});

t.test("sizes", (t) => {
  const f = (text: string, wanted: number | "failed") => t.equal(read("bytes", text), wanted, text);
  f("12", 12);
  f("12B", 12);
  f("1.5KB", 1500);
  f("1.5 KiB", 1536);
  f("2m", 2e6);
  f("1gi", 2 ** 30);
  f("1,024kb", 1_024_000);
  f("0.9b", 0);
  for (const text of ["", "KB", "-5KB", "1 zb", "1KBs", "20EB"]) f(text, "failed");
  t.end();
});
