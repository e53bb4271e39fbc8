/** push.ts: what it promises by example, then random requests against the plain twin.
 *  push.fuzz.test.ts breaks the bytes. */
import fc from "fast-check";
import t from "tap";
import { Level } from "./level.ts";
import {
  buildRows,
  decodePush,
  noPushLimits,
  PushFormatError,
  type PushLimits,
  PushReject,
} from "./push.ts";
import * as reference from "./reference/push.ts";
import {
  anyLimits,
  anyRequest,
  encodeEntry,
  encodePush,
  field,
  rowsOf,
  varint,
} from "../testing/pushRequests.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One stream with one entry, built with `limits`. */
function build(
  limits: Partial<PushLimits>,
  line: string,
  pairs: Array<[string, string]> = [],
  time = { seconds: 1n, nanos: 0 },
  level = 0,
) {
  const bytes = pairs.map(([name, value]) =>
    [encoder.encode(name), encoder.encode(value)] as const
  );
  const entry = { ...time, line: encoder.encode(line), pairs: bytes };
  decodePush(encodePush([{ labels: encoder.encode("{}"), entries: [entry] }]));
  return rowsOf(buildRows(Uint8Array.of(1), Uint8Array.of(level), { ...noPushLimits, ...limits }));
}

const detected = (limits: Partial<PushLimits>, line: string, ...pairs: Array<[string, string]>) =>
  Object.fromEntries(build({ detectLevels: true, ...limits }, line, pairs).rows[0]!.pairs!);

t.test("decodePush lists streams; buildRows keeps those that are taken", (t) => {
  const entry = (line: string, seconds: bigint) => ({
    seconds,
    nanos: 5,
    line: encoder.encode(line),
    pairs: [],
  });
  const streams = decodePush(encodePush([
    { labels: encoder.encode('{a="1"}'), entries: [entry("one", 1n), entry("", 2n)] },
    { labels: encoder.encode('{a="2"}'), entries: [entry("skipped", 3n)] },
    { labels: encoder.encode('{a="3"}'), entries: [entry("three", 4n)] },
  ]));
  t.equal(streams.streamCount, 3);
  t.equal(streams.entryCount, 4);
  t.equal(streams.lineBytes, 15);
  t.same([0, 1, 2].map((stream) => streams.entryCountOf(stream)), [2, 1, 1]);
  t.equal(decoder.decode(streams.labelsOf(1)), '{a="2"}');
  t.throws(() => streams.labelsOf(3), RangeError);
  const rows = buildRows(Uint8Array.of(1, 0, 1), new Uint8Array(3), noPushLimits);
  t.same([...rows.rowEnds], [2, 2, 3]);
  t.same([...rows.timestamps], [1_000_000_005n, 2_000_000_005n, 4_000_000_005n]);
  t.same([...rows.lineEnds], [3, 3, 8]);
  t.equal(decoder.decode(rows.lines), "onethree");
  t.same([...rows.metaIds], [0, 0, 0]);
  t.equal(rows.setEnds.length, 0);
  t.throws(() => buildRows(Uint8Array.of(1), new Uint8Array(3), noPushLimits), RangeError);
  t.end();
});

t.test("timestamps outside i64 are refused, not wrapped", (t) => {
  const check = (seconds: bigint, nanos: number, want: bigint | "tooOld" | "tooNew") => {
    const { rows, rejects } = build({}, "x", [], { seconds, nanos });
    t.equal(rows[0]?.timestamp ?? rejects[0]!.reason, want, `${seconds} s ${nanos} ns`);
  };
  check(0n, 0, 0n);
  check(-1n, 1, -999_999_999n);
  check(9_223_372_036n, 854_775_807, 2n ** 63n - 1n);
  check(9_223_372_036n, 854_775_808, "tooNew");
  check(9_223_372_038n, -2_000_000_000, 9_223_372_036_000_000_000n);
  check(-9_223_372_037n, 145_224_192, -(2n ** 63n));
  check(-9_223_372_037n, 145_224_191, "tooOld");
  check(-9_223_372_039n, 2_000_000_000 + 145_224_192, -(2n ** 63n));
  check(2n ** 63n - 1n, 2 ** 31 - 1, "tooNew");
  check(-(2n ** 63n), -(2 ** 31), "tooOld");
  t.end();
});

t.test("limits refuse an entry with the value that broke them", (t) => {
  const check = (limits: Partial<PushLimits>, reason: string, value: bigint) => {
    const pairs: Array<[string, string]> = [["n", "vv"], ["m", ""]];
    const { rows, rejects, rejectedBytes } = build(limits, "12345", pairs, {
      seconds: 0n,
      nanos: 7,
    });
    t.equal(rows.length, 0);
    t.same(rejects, [{ stream: 0, entry: 0, reason, value }]);
    t.equal(rejectedBytes[PushReject[reason as keyof typeof PushReject]], 9);
  };
  check({ timeMin: 8n, lineBytesMax: 1 }, "tooOld", 7n);
  check({ timeMax: 6n, lineBytesMax: 1 }, "tooNew", 7n);
  check({ lineBytesMax: 4, allowMetadata: false }, "lineTooLong", 5n);
  check({ allowMetadata: false, metaBytesMax: 1 }, "metadataDisallowed", 2n);
  check({ metaBytesMax: 3, metaPairsMax: 1 }, "metadataTooLarge", 4n);
  check({ metaPairsMax: 1 }, "tooManyPairs", 2n);
  check({ metaPairsMax: 1, lineBytesMax: 2 ** 32 + 1 }, "tooManyPairs", 2n);
  const within = { timeMin: 7n, timeMax: 7n, lineBytesMax: 5, metaBytesMax: 4, metaPairsMax: 2 };
  t.equal(
    build(within, "12345", [["n", "vv"], ["m", ""]], { seconds: 0n, nanos: 7 }).rows.length,
    1,
  );
  t.end();
});

t.test("longer lines are cut at a code point", (t) => {
  const cut = (line: string, lineBytesMax: number) =>
    decoder.decode(
      Uint8Array.from(
        build({ lineBytesMax, truncateLines: true }, line).rows[0]!.line,
        (char) => char.charCodeAt(0),
      ),
    );
  t.equal(cut("abcdef", 3), "abc");
  t.equal(cut("a\u00e9x", 2), "a");
  t.equal(cut("a\u{1f600}x", 4), "a");
  t.equal(cut("a\u{1f600}x", 5), "a\u{1f600}");
  t.equal(cut("\u{1f600}", 3), "");
  t.end();
});

t.test("metadata is sanitised, sorted, without duplicates", (t) => {
  const { rows } = build({}, "x", [
    ["b.c", "1"],
    ["a", "old"],
    ["9", "2"],
    ["\u00e9-", "3"],
    ["", "4"],
    ["a", ""],
    ["b_c", "\ufffd!"],
  ]);
  t.same(rows[0]!.pairs, [["_", "4"], ["__", "3"], ["a", ""], ["b_c", " !"], ["key_9", "2"]]);
  t.end();
});

t.test("detected_level comes from metadata, then labels, then severity, then the line", (t) => {
  const check = (want: string, ...pairs: Array<[string, string]>) =>
    t.equal(detected({}, "a fatal line", ...pairs)["detected_level"], want, JSON.stringify(pairs));
  check("fatal");
  check("error", ["detected_level", "ERR"], ["level", "info"]);
  check("Notice", ["detected_level", "Notice"]);
  check("warn", ["lvl", "info"], ["log.level", "WRN"]);
  check("notice", ["SEVERITY", "notice"], ["level", ""]);
  check("error", ["severity_number", "17"]);
  check("info", ["severity_number", "x"]);
  check("unknown", ["severity_number", "0"]);
  check("unknown", ["severity_number", "99999999999999999999"]);
  check("trace", ["severity_number", "+4"]);
  check("debug", ["severity_number", "17"], ["severity_text", "Debug"]);
  check("fatal", ["severity_number", ""]);
  t.same(detected({ allowMetadata: true }, "ok"), { detected_level: "unknown" });
  t.equal(build({ detectLevels: true, allowMetadata: false }, "x").rows[0]!.pairs, undefined);
  const byStream = build(
    { detectLevels: true },
    "fatal",
    [["level", "info"]],
    undefined,
    Level.debug,
  );
  t.same(byStream.rows[0]!.pairs, [["detected_level", "debug"], ["level", "info"]]);
  const texts = { detectLevels: true, levelTexts: [encoder.encode("a"), encoder.encode("notice")] };
  const other = build(texts, "fatal", [], undefined, Level.texts + 1);
  t.same(other.rows[0]!.pairs, [["detected_level", "notice"]]);
  t.throws(() => build({}, "x", [], undefined, Level.unknown + 1), /level code 9/);
  t.throws(() => build(texts, "x", [], undefined, Level.texts + 2), /level code 18/);
  t.end();
});

t.test("equal sets are stored once", (t) => {
  const pair = (name: string, value: string) =>
    [encoder.encode(name), encoder.encode(value)] as const;
  const entries = Array.from({ length: 1000 }, (_, index) => ({
    seconds: BigInt(index),
    nanos: 0,
    line: encoder.encode(index % 2 === 0 ? "error" : ""),
    pairs: index < 500 ? [] : [pair("level", index % 2 === 0 ? "err" : "unknown"), pair("a", "b")],
  }));
  decodePush(encodePush([{ labels: new Uint8Array(), entries }]));
  const built = buildRows(Uint8Array.of(1), new Uint8Array(1), {
    ...noPushLimits,
    detectLevels: true,
  });
  t.equal(built.setEnds.length, 4);
  const { rows } = rowsOf(built);
  t.same(rows[0]!.pairs, [["detected_level", "error"]]);
  t.same(rows[501]!.pairs, [["a", "b"], ["detected_level", "unknown"], ["level", "unknown"]]);
  t.end();
});

t.test("an entry with very many pairs is sorted in reasonable time", (t) => {
  const pairs = Array.from({ length: 100_000 }, (_, index) =>
    [
      encoder.encode(`n${(index * 7919) % 50_000}`),
      encoder.encode(String(index)),
    ] as const);
  const entry = { seconds: 0n, nanos: 0, line: new Uint8Array(), pairs };
  decodePush(encodePush([{ labels: new Uint8Array(), entries: [entry] }]));
  const { rows } = rowsOf(buildRows(Uint8Array.of(1), new Uint8Array(1), noPushLimits));
  const names = rows[0]!.pairs!.map(([name]) => name);
  t.equal(names.length, 50_000);
  t.same(names, names.toSorted());
  const last = new Map(pairs.map(([name, value]) => [decoder.decode(name), decoder.decode(value)]));
  t.ok(rows[0]!.pairs!.every(([name, value]) => last.get(name) === value), "last values win");
  t.end();
});

t.test("malformed requests are refused with the offset and what was expected", (t) => {
  const check = (bytes: number[], byteOffset: number, expected: string) => {
    try {
      decodePush(Uint8Array.from(bytes));
      t.fail(`${bytes} was accepted`);
    } catch (error) {
      t.type(error, PushFormatError);
      t.match(error, { byteOffset, expected });
    }
  };
  check([0x0a], 1, "a whole varint of at most 10 bytes");
  check([0x0a, 0x05, 0x00], 1, "a length that ends within its message");
  check([0x08, 0x05], 0, "a length-delimited field");
  check([0x0b], 0, "a length-delimited field");
  check([0x13], 0, "wire type 0, 1, 2 or 5");
  check([0x00, 0x00], 0, "a field number from 1 to 536870911");
  check([0x11, 1, 2, 3], 1, "all bytes of a fixed-size field");
  check(Array(11).fill(0xff), 0, "a whole varint of at most 10 bytes");
  check([0x0a, 0x04, 0x12, 0x02, 0x0a, 0x01], 5, "a length that ends within its message");
  check([0x0a, 0x06, 0x12, 0x04, 0x0a, 0x02, 0x0a, 0x00], 6, "a varint field");
  t.throws(
    () => buildRows(new Uint8Array(1), new Uint8Array(1), noPushLimits),
    /before decodePush/,
  );
  t.end();
});

t.test("unknown fields are passed over and the last of repeated fields wins", (t) => {
  const entry = { seconds: 3n, nanos: 0, line: encoder.encode("x"), pairs: [] };
  const body = Uint8Array.from([
    ...field(9, 0, varint(300n)),
    ...field(
      1,
      2,
      Uint8Array.from([
        ...field(7, 1, new Uint8Array(8)),
        ...field(1, 2, encoder.encode("first")),
        ...field(2, 2, encodeEntry(entry)),
        ...field(3, 0, varint(2n ** 64n - 1n)),
        ...field(1, 2, encoder.encode("last")),
        ...field(8, 5, new Uint8Array(4)),
      ]),
    ),
  ]);
  const streams = decodePush(body);
  t.equal(decoder.decode(streams.labelsOf(0)), "last");
  t.equal(rowsOf(buildRows(Uint8Array.of(1), new Uint8Array(1), noPushLimits)).rows[0]!.line, "x");
  t.end();
});

t.test("requests far larger than others are decoded, and so are those after them", (t) => {
  for (const length of [10, 30_000_000, 10]) {
    const line = new Uint8Array(length).fill(0x78);
    const entry = { seconds: 1n, nanos: 0, line, pairs: [] };
    const streams = decodePush(encodePush([{ labels: new Uint8Array(), entries: [entry] }]));
    t.equal(streams.lineBytes, length);
    const rows = buildRows(Uint8Array.of(1), new Uint8Array(1), {
      ...noPushLimits,
      detectLevels: true,
    });
    t.equal(rows.lines.length, length);
    t.equal(rows.lines.indexOf(0x78) + rows.lines.lastIndexOf(0x78), length - 1);
  }
  t.end();
});

t.test("an empty request has no streams and no rows", (t) => {
  t.equal(decodePush(new Uint8Array()).streamCount, 0);
  t.equal(buildRows(new Uint8Array(), new Uint8Array(), noPushLimits).rowCount, 0);
  t.end();
});

t.test("decodePush and buildRows equal their twins", (t) => {
  fc.assert(
    fc.property(anyRequest, anyLimits, fc.nat(255), (request, limits, takeBits) => {
      const body = encodePush(request);
      const streams = decodePush(body);
      const twin = reference.decodePush(body)!;
      t.equal(streams.streamCount, twin.length);
      const take = twin.map((_, stream) => (takeBits >> stream & 1) === 1);
      const levels = twin.map((_, stream) => stream % 3 === 2 ? "warn" : "");
      const built = rowsOf(buildRows(
        Uint8Array.from(take, Number),
        Uint8Array.from(levels, (level) => level === "" ? 0 : Level.warn),
        limits,
      ));
      const want = reference.buildRows(twin, take, levels, limits);
      t.same(built.rows, want.rows);
      t.same(built.rejects, want.rejects);
    }),
    { numRuns: 500 },
  );
  t.end();
});
