/** Packed columns: the kernel against its TypeScript twin, byte for byte, and against damaged
 *  bytes. */
import fc from "fast-check";
import t from "tap";
import {
  packedBytesMax,
  packIntegers,
  packTimes,
  timeUnit,
  unpackEnds,
  unpackIntegers,
  unpackTimes,
} from "./chunkColumns.ts";
import * as reference from "./reference/chunkColumns.ts";

/** Integers of many shapes: small, constant, ascending, with outliers, anything. */
const integersArbitrary = fc.oneof(
  fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 300 }),
  fc.array(
    fc.oneof({ weight: 30, arbitrary: fc.nat(15) }, { weight: 1, arbitrary: fc.nat(0xffffffff) }),
    {
      minLength: 100,
      maxLength: 300,
    },
  ),
  fc.tuple(fc.nat(0xffffff), fc.array(fc.nat(3), { maxLength: 300 })).map(([start, steps]) => {
    return steps.map((step) => start += step);
  }),
  fc.tuple(fc.nat(0xffffffff), fc.nat(300)).map(([value, count]) =>
    new Array<number>(count).fill(value)
  ),
  fc.array(fc.nat(0xffffffff), { maxLength: 150 }),
);

const timesArbitrary = fc.oneof(
  fc.bigInt64Array({ maxLength: 200 }).map((times) => [...times.sort()]),
  fc.tuple(
    fc.bigInt({ min: -(2n ** 40n), max: 2n ** 61n }),
    fc.constantFrom(1n, 1000n, 1_000_000n, 7n),
    fc.array(
      fc.oneof({ weight: 20, arbitrary: fc.bigInt({ min: 0n, max: 50n }) }, {
        weight: 1,
        arbitrary: fc.bigInt({ min: 0n, max: 2n ** 35n }),
      }),
      { maxLength: 300 },
    ),
  ).map(([start, unit, steps]) => steps.map((step) => start += step * unit)),
);

t.test("packIntegers writes the twin's bytes, and both read them", async () => {
  fc.assert(
    fc.property(integersArbitrary, (values) => {
      const packed = packIntegers(Uint32Array.from(values));
      const wanted = reference.packColumn(values.map(BigInt));
      const read = unpackIntegers(packed, values.length);
      return fc.stringify([...packed]) === fc.stringify(wanted) &&
        packed.length <= packedBytesMax(values.length, 1) &&
        fc.stringify([...read!]) === fc.stringify(values) &&
        fc.stringify(reference.unpackColumn(wanted, values.length)) ===
          fc.stringify(values.map(BigInt));
    }),
    { numRuns: 400 },
  );
});

t.test("packTimes writes the twin's bytes over the whole of i64, and reads them", async () => {
  fc.assert(
    fc.property(timesArbitrary, (times) => {
      const column = BigInt64Array.from(times);
      const unit = timeUnit(column);
      const packed = packTimes(column, unit);
      const read = times.length === 0
        ? []
        : [...unpackTimes(packed, times.length, times[0]!, unit)!];
      return unit === reference.timeUnit(times) &&
        fc.stringify([...packed]) === fc.stringify(reference.packTimes(times, unit)) &&
        packed.length <= packedBytesMax(times.length, 1) &&
        fc.stringify(read) === fc.stringify(times);
    }),
    { numRuns: 400 },
  );
});

t.test("unpackEnds sums lengths and refuses sums beyond 32 bits", async (t) => {
  fc.assert(fc.property(fc.array(fc.nat(1000), { maxLength: 300 }), (lengths) => {
    let end = 0;
    const ends = lengths.map((length) => end += length);
    return fc.stringify([
      ...unpackEnds(packIntegers(Uint32Array.from(lengths)), lengths.length)!,
    ]) === fc.stringify(ends);
  }));
  t.ok(unpackEnds(packIntegers(Uint32Array.of(0xffffffff, 0)), 2));
  t.equal(unpackEnds(packIntegers(Uint32Array.of(0xffffffff, 1)), 2), undefined);
});

t.test("a column of equal values takes a few bytes a group", async (t) => {
  t.equal(packIntegers(new Uint32Array(128).fill(1)).length, 3);
  const ascending = Uint32Array.from({ length: 128 }, (_, index) => (index + 1) * 1000);
  t.equal(packIntegers(ascending).length, 4);
});

t.test("any bytes: the kernel reads what the twin reads, or both refuse", async () => {
  const mutation = fc.record({ at: fc.nat(), value: fc.nat(255), cut: fc.nat(3) });
  const anyBytes = fc.oneof(
    fc.array(fc.nat(255), { maxLength: 60 }),
    fc.tuple(integersArbitrary, mutation).map(([values, { at, value, cut }]) => {
      const bytes = [...packIntegers(Uint32Array.from(values))];
      if (bytes.length > 0) bytes[at % bytes.length] = value;
      return cut === 0 ? bytes.slice(0, -1) : bytes;
    }),
  );
  fc.assert(
    fc.property(anyBytes, fc.nat(300), (bytes, count) => {
      const wanted = reference.unpackColumn(bytes, count);
      const fits = wanted?.every((value) => value <= 0xffffffffn) ? wanted : undefined;
      const read = unpackIntegers(Uint8Array.from(bytes), count);
      return fc.stringify(read && [...read]) === fc.stringify(fits?.map(Number));
    }),
    { numRuns: 3000 },
  );
});

t.test("unpackTimes refuses times that do not ascend within i64", async (t) => {
  const packed = packTimes(BigInt64Array.of(0n, 10n), 1n);
  t.strictSame([...unpackTimes(packed, 2, 2n ** 63n - 11n, 1n)!], [
    2n ** 63n - 11n,
    2n ** 63n - 1n,
  ]);
  t.equal(unpackTimes(packed, 2, 2n ** 63n - 10n, 1n), undefined);
  const many = packTimes(BigInt64Array.from({ length: 50 }, (_, index) => BigInt(index ** 2)), 1n);
  t.ok(unpackTimes(many, 50, 0n, 1n));
  t.equal(unpackTimes(many, 30, 0n, 1n), undefined, "bytes left over");
  t.equal(unpackTimes(many, 80, 0n, 1n), undefined, "bytes missing");
});
