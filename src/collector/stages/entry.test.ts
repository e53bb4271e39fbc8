/** Entries and label sets: the two forms of a line, times without loss, numbers as text, sets that lead to one
 *  another. */
import fc from "fast-check";
import t from "tap";
import { daysFromCivil, daysOfMonth } from "./civil.ts";
import { plainNumber, StageEntry } from "./entry.ts";
import { LabelSet } from "./labelSet.ts";
import { setRfc3339Text } from "./rfc3339.ts";

t.test("a line is bytes until a stage makes text of it", (t) => {
  const entry = new StageEntry();
  const bytes = new TextEncoder().encode("xxé\u0000\ufffdxx");
  entry.reset(LabelSet.empty, bytes, 2, bytes.length - 2, 1, 2);
  t.equal(entry.text, "é\0\ufffd");
  t.ok(entry.isEncoded);
  t.equal(entry.bytes, bytes, "reading the text changes nothing");
  entry.text = "new 😀";
  t.notOk(entry.isEncoded);
  t.equal(entry.byteLength, 8);
  t.equal(new TextDecoder().decode(entry.bytes.subarray(entry.start, entry.end)), "new 😀");
  entry.cut(entry.start + 4, entry.end);
  t.equal(entry.text, "😀");
  entry.reset(LabelSet.empty, bytes, 0, 2, 1, 2);
  t.equal(entry.text, "xx", "nothing of the line before remains");
  t.end();
});

t.test("invalid UTF-8 that no stage rewrites stays as it is", (t) => {
  const entry = new StageEntry();
  const bytes = Uint8Array.of(0x61, 0xff, 0x62);
  entry.reset(LabelSet.empty, bytes, 0, 3, 0, 0);
  t.equal(entry.text, "a\ufffdb");
  entry.encode();
  t.strictSame(entry.bytes.subarray(entry.start, entry.end), bytes);
  t.end();
});

t.test("times keep every nanosecond", (t) => {
  const entry = new StageEntry();
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (ns) => {
      entry.timestampNs = ns;
      t.equal(entry.timestampNs, ns);
      t.ok(entry.nanos >= 0 && entry.nanos < 1e9 && Number.isSafeInteger(entry.seconds));
    }),
  );
  t.end();
});

t.test("extracted values hide the labels that the entry came with", (t) => {
  const { extracted } = new StageEntry();
  extracted.reset(LabelSet.of({ a: "label", b: "label" }));
  extracted.set("a", 1.5);
  extracted.set("none", null);
  t.strictSame([...extracted.entries()], [["a", 1.5], ["b", "label"], ["none", null]]);
  t.strictSame(["a", "b", "none", "c"].map((name) => extracted.text(name)), [
    "1.5",
    "label",
    undefined,
    undefined,
  ]);
  extracted.delete("b");
  t.equal(extracted.get("b"), undefined);
  extracted.refresh(LabelSet.of({ a: "new" }));
  t.equal(extracted.get("a"), "new");
  t.end();
});

t.test("numbers have no exponent", (t) => {
  const f = (value: number, expected: string) => t.equal(plainNumber(value), expected);
  f(0, "0");
  f(-1.5, "-1.5");
  f(1e21, "1000000000000000000000");
  f(1.25e22, "12500000000000000000000");
  f(1e-7, "0.0000001");
  f(-2.5e-8, "-0.000000025");
  f(Infinity, "+Inf");
  f(NaN, "NaN");
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      t.equal(Number(plainNumber(value)), value === 0 ? 0 : value);
      t.notMatch(plainNumber(value), "e");
    }),
  );
  t.end();
});

t.test("label sets lead to one another", (t) => {
  const set = LabelSet.of({ b: "2", a: "1", empty: "" });
  t.equal(set.text, '{a="1", b="2"}');
  t.equal(set.with("c", "3"), set.with("c", "3"), "the same way leads to the same set");
  t.equal(set.with("a", "1"), set);
  t.equal(set.with("a", "").text, '{b="2"}');
  t.equal(set.without("missing"), set);
  t.equal(set.with("__tenant_id__", "t").text, set.text);
  t.equal(set.with("__tenant_id__", "t").tenant, "t");
  for (let value = 0; value < 5000; value++) {
    t.equal(set.with("id", String(value)).get("id"), String(value));
  }
  t.end();
});

t.test("RFC 3339 is what Date reads, to the nanosecond", (t) => {
  const entry = new StageEntry();
  fc.assert(
    fc.property(
      fc.date({
        min: new Date("0001-01-01T00:00:00Z"),
        max: new Date("9999-12-31"),
        noInvalidDate: true,
      }),
      fc.nat(999_999),
      fc.integer({ min: -14 * 60, max: 14 * 60 }),
      (date, rest, offset) => {
        const local = new Date(date.getTime() + offset * 60_000).toISOString();
        fc.pre(/^\d{4}-/.test(local));
        const pad = (value: number) => String(value).padStart(2, "0");
        const size = Math.abs(offset);
        const zone = `${offset < 0 ? "-" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
        const text = local.replace("Z", `${String(rest).padStart(6, "0")}${zone}`);
        t.ok(setRfc3339Text(entry, text), text);
        t.equal(entry.timestampNs, BigInt(date.getTime()) * 1_000_000n + BigInt(rest), text);
      },
    ),
  );
  for (
    const text of [
      "",
      "2024-01-01",
      "2024-01-01T00:00:00",
      "2024-02-30T00:00:00Z",
      "2024-01-01T24:00:00Z",
      "2024-01-01T00:00:60Z",
      "2024-01-01T00:00:00Zx",
      "2024-01-01t00:00:00Z",
      "x".repeat(100),
    ]
  ) {
    t.notOk(setRfc3339Text(entry, text), text);
  }
  t.end();
});

t.test("days are those of Date", (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9999 }),
      fc.integer({ min: 1, max: 12 }),
      (year, month) => {
        const date = new Date(0);
        date.setUTCFullYear(year, month - 1, 1);
        t.equal(daysFromCivil(year, month, 1), date.getTime() / 86_400_000);
        date.setUTCFullYear(year, month, 0);
        t.equal(daysOfMonth(year, month), date.getUTCDate());
      },
    ),
  );
  t.end();
});
