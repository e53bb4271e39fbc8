/** Range aggregations from states, however rows are cut into parts, against the rows of each window one by
 *  one, as the documentation defines the functions. */
import fc from "fast-check";
import t from "tap";
import { WindowBuckets } from "./buckets.ts";
import { CellTable } from "./cells.ts";
import type { StepGrid } from "./grid.ts";
import { emptySeries } from "./matrix.ts";
import { rangeMatrix } from "./rangeResult.ts";
import { makeStates, type RangeFunctionSpec, rowValueOf } from "./states/catalogue.ts";

interface ModelRow {
  readonly time: bigint;
  readonly series: number;
  readonly value: number;
  /** Which stream it is of, and which part of the data. */
  readonly rank: number;
  readonly part: number;
}

const limits = { seriesMax: 100, samplesMax: 100_000 };

const specs: ReadonlyArray<RangeFunctionSpec> = [
  { op: "count_over_time", parameter: null, unwraps: false },
  { op: "bytes_over_time", parameter: null, unwraps: false },
  { op: "rate", parameter: null, unwraps: true },
  { op: "sum_over_time", parameter: null, unwraps: true },
  { op: "avg_over_time", parameter: null, unwraps: true },
  { op: "min_over_time", parameter: null, unwraps: true },
  { op: "max_over_time", parameter: null, unwraps: true },
  { op: "stddev_over_time", parameter: null, unwraps: true },
  { op: "stdvar_over_time", parameter: null, unwraps: true },
  { op: "first_over_time", parameter: null, unwraps: true },
  { op: "last_over_time", parameter: null, unwraps: true },
  { op: "quantile_over_time", parameter: 0.9, unwraps: true },
  { op: "quantile_over_time", parameter: 0.5, unwraps: true },
  { op: "quantile_over_time", parameter: -1, unwraps: true },
  { op: "quantile_over_time", parameter: 1.5, unwraps: true },
  { op: "rate_counter", parameter: null, unwraps: true },
];

/** The function over the rows of one window, which are in order. */
function naive(spec: RangeFunctionSpec, rows: ReadonlyArray<ModelRow>, rangeNs: bigint): number {
  const values = rows.map(({ value }) => value);
  const seconds = Number(rangeNs) / 1e9;
  const sum = values.reduce((total, value) => total + value, 0);
  const numbers = values.filter((value) => !Number.isNaN(value));
  const mean = sum / values.length;
  const variance = values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length;
  switch (spec.op) {
    case "count_over_time":
      return values.length;
    case "bytes_over_time":
    case "sum_over_time":
      return sum;
    case "rate":
      return sum / seconds;
    case "avg_over_time":
      return mean;
    case "min_over_time":
      return numbers.length === 0 ? NaN : Math.min(...numbers);
    case "max_over_time":
      return numbers.length === 0 ? NaN : Math.max(...numbers);
    case "stddev_over_time":
      return Math.sqrt(variance);
    case "stdvar_over_time":
      return variance;
    case "first_over_time":
      return values[0]!;
    case "last_over_time":
      return values.at(-1)!;
    case "quantile_over_time":
      return naiveQuantile(spec.parameter!, values);
    case "rate_counter": {
      if (values.length < 2) return 0;
      let growth = values.at(-1)! - values[0]!;
      for (let at = 1; at < values.length; at++) {
        if (values[at]! < values[at - 1]!) growth += values[at - 1]!;
      }
      return growth / seconds;
    }
    default:
      throw new Error(`no naive ${spec.op}`);
  }
}

function naiveQuantile(phi: number, values: ReadonlyArray<number>): number {
  if (phi < 0) return -Infinity;
  if (phi > 1) return Infinity;
  const sorted = [...values].sort((a, b) =>
    Number.isNaN(a) ? (Number.isNaN(b) ? 0 : -1) : Number.isNaN(b) ? 1 : a - b
  );
  const rank = phi * (sorted.length - 1);
  const below = sorted[Math.floor(rank)]!;
  const above = sorted[Math.min(sorted.length - 1, Math.floor(rank) + 1)]!;
  const share = rank - Math.floor(rank);
  return below * (1 - share) + above * share;
}

interface Question {
  readonly spec: RangeFunctionSpec;
  readonly grid: StepGrid;
  readonly rangeNs: bigint;
  readonly offsetNs: bigint;
}

/** Folds each part in a table of its own, as threads do, then merges the parts in the order given. */
function engine(
  rows: ReadonlyArray<ModelRow>,
  { spec, grid, rangeNs, offsetNs }: Question,
  order: ReadonlyArray<number>,
) {
  const buckets = new WindowBuckets({ grid, rangeNs, offsetNs });
  const table = new CellTable(limits);
  const states = makeStates(spec, limits.samplesMax);
  for (const part of order) {
    const partTable = new CellTable(limits);
    const partStates = makeStates(spec, limits.samplesMax);
    for (const row of rows.filter((row) => row.part === part)) {
      const bucket = buckets.bucketOfTime(row.time);
      if (bucket < 0) continue;
      const cell = partTable.cellOf(partTable.seriesOf(`{s="${row.series}"}`), bucket);
      const high = Number(BigInt.asIntN(32, row.time >> 32n));
      const low = Number(BigInt.asIntN(32, row.time));
      const value = rowValueOf(spec) === "one" ? 1 : row.value;
      partStates.add(cell, value, high, low, row.rank);
    }
    const columns = partStates.columns(partTable.cellCount);
    const cellOf = new Uint32Array(partTable.cellCount);
    for (let cell = 0; cell < cellOf.length; cell++) {
      const series = table.seriesOf(partTable.keys[partTable.series[cell]!]!);
      cellOf[cell] = table.cellOf(series, partTable.buckets[cell]!);
    }
    states.merge(columns, cellOf);
  }
  return rangeMatrix(spec, rangeNs, table, states, buckets, limits);
}

/** Of each series and step with rows in the window: its value. */
function naiveMatrix(rows: ReadonlyArray<ModelRow>, question: Question): Map<string, number> {
  const { spec, grid, rangeNs, offsetNs } = question;
  const found = new Map<string, number>();
  for (let step = 0; step < grid.count; step++) {
    const end = grid.startNs + BigInt(step) * grid.stepNs - offsetNs;
    for (let series = 0; series < 4; series++) {
      const window = rows.filter((row) =>
        row.series === series && row.time > end - rangeNs && row.time <= end
      );
      window.sort((a, b) => Number(a.time - b.time) || a.rank - b.rank);
      if (window.length > 0) found.set(`${series} ${step}`, naive(spec, window, rangeNs));
    }
  }
  return found;
}

const near = (a: number, b: number) =>
  Object.is(a, b) || (Number.isNaN(a) && Number.isNaN(b)) ||
  Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));

/** Rows of a stream, and so of one rank, that share a time are in one part, in order: planUnits sees to
 *  it. Times cross the edge between 32-bit halves. */
const base = 2n ** 32n * 3n - 20n;
const rowsArbitrary = fc.array(
  fc.record({
    at: fc.integer({ min: 0, max: 60 }),
    series: fc.nat(3),
    rank: fc.nat(2),
    value: fc.oneof(
      fc.integer({ min: -5, max: 5 }),
      fc.double({ min: -1e3, max: 1e3, noNaN: true }),
      fc.constantFrom(NaN, 0),
    ),
  }, { noNullPrototype: true }),
  { maxLength: 40 },
).map((rows) =>
  rows.map(({ at, series, rank, value }): ModelRow => ({
    time: base + BigInt(at),
    series,
    rank,
    value,
    part: (at * 7 + rank) % 3,
  }))
);

const questionArbitrary: fc.Arbitrary<Question> = fc.record({
  spec: fc.constantFrom(...specs),
  grid: fc.record({
    startNs: fc.integer({ min: -10, max: 60 }).map((at) => base + BigInt(at)),
    stepNs: fc.bigInt({ min: 1n, max: 12n }),
    count: fc.integer({ min: 1, max: 25 }),
  }, { noNullPrototype: true }),
  rangeNs: fc.bigInt({ min: 0n, max: 30n }),
  offsetNs: fc.bigInt({ min: -10n, max: 10n }),
}, { noNullPrototype: true });

t.test("windows put together from buckets are the rows of the windows", (t) => {
  fc.assert(
    fc.property(
      rowsArbitrary,
      questionArbitrary,
      fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
      (rows, question, order) => {
        const wanted = naiveMatrix(rows, question);
        const found = engine(rows, question, order);
        let count = 0;
        for (const { labels, values, present } of found.series) {
          for (let step = 0; step < values.length; step++) {
            if (present[step] === 0) continue;
            count++;
            const value = wanted.get(`${labels[0]![1]} ${step}`);
            if (value === undefined || !near(values[step]!, value)) {
              throw new Error(
                `${question.spec.op} at step ${step}: ${values[step]}, wanted ${value}`,
              );
            }
          }
        }
        if (count !== wanted.size) throw new Error(`${count} points, wanted ${wanted.size}`);
      },
    ),
    { numRuns: 3000 },
  );
  t.end();
});

t.test("a sum is the same to the last digit however its rows are cut", (t) => {
  const spec = specs.find(({ op }) => op === "sum_over_time")!;
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -1e12, max: 1e12, noNaN: true }), { minLength: 1, maxLength: 50 }),
      fc.array(fc.nat(2), { minLength: 50, maxLength: 50 }),
      (values, parts) => {
        const question = {
          spec,
          grid: { startNs: 100n, stepNs: 1n, count: 1 },
          rangeNs: 100n,
          offsetNs: 0n,
        };
        const rows = values.map((value, index): ModelRow => ({
          time: 1n + BigInt(index),
          series: 0,
          rank: 0,
          value,
          part: parts[index]!,
        }));
        const whole = engine(rows.map((row) => ({ ...row, part: 0 })), question, [0]);
        for (const order of [[0, 1, 2], [2, 0, 1]]) {
          const cut = engine(rows, question, order);
          t.equal(cut.series[0]!.values[0], whole.series[0]!.values[0]);
        }
      },
    ),
    { numRuns: 300 },
  );
  t.end();
});

t.test("a row on an edge belongs to the window that ends there, not to the one that starts", (t) => {
  const buckets = new WindowBuckets({
    grid: { startNs: 100n, stepNs: 50n, count: 2 },
    rangeNs: 30n,
    offsetNs: 0n,
  });
  const covers = (time: bigint) => buckets.bucketOfTime(time) >= 0;
  t.same([70n, 71n, 100n, 101n, 120n, 121n, 150n, 151n].map(covers), [
    false,
    true,
    true,
    false,
    false,
    true,
    true,
    false,
  ]);
  t.equal(buckets.bucketOfSpan(71n, 100n), buckets.bucketOfTime(80n));
  t.equal(buckets.bucketOfSpan(101n, 120n), -1, "between two windows");
  t.equal(buckets.bucketOfSpan(90n, 130n), -2, "in two windows");
  t.equal(buckets.bucketOfSpan(1n, 70n), -1, "before all");
  t.equal(buckets.bucketOfSpan(1n, 71n), -2, "partly before");
  t.end();
});

t.test("runEnd finds where the next bucket begins", (t) => {
  const buckets = new WindowBuckets({
    grid: { startNs: 10n, stepNs: 10n, count: 3 },
    rangeNs: 10n,
    offsetNs: 0n,
  });
  const times = BigInt64Array.from([1n, 5n, 10n, 11n, 20n, 29n, 30n, 31n, 40n]);
  const words = new Int32Array(times.buffer);
  const ends: number[] = [];
  for (let row = 0; row < times.length;) ends.push(row = buckets.runEnd(words, row, times.length));
  t.same(ends, [3, 5, 7, 9]);
  t.end();
});

t.test("limits on series and states end in an error that names the setting", (t) => {
  const table = new CellTable({ seriesMax: 2, samplesMax: 3 });
  table.seriesOf('{a="1"}');
  table.seriesOf('{a="2"}');
  t.throws(() => table.seriesOf('{a="3"}'), { message: /\(2\).*max_query_series/ });
  for (let bucket = 0; bucket < 3; bucket++) table.cellOf(0, bucket);
  t.throws(() => table.cellOf(1, 0), { message: /\(3\).*max_query_samples/ });
  t.equal(table.cellOf(0, 1), 1, "known cells stay known");
  const states = makeStates({ op: "quantile_over_time", parameter: 0.5, unwraps: true }, 2);
  states.add(0, 1, 0, 0, 0);
  states.add(0, 1, 0, 0, 0);
  t.throws(() => states.add(0, 1, 0, 0, 0), { message: /max_query_samples/ });
  t.equal(emptySeries([], 3).present.length, 3);
  t.end();
});

t.test("many cells keep their numbers", (t) => {
  const table = new CellTable({ seriesMax: 1000, samplesMax: 1e6 });
  const numbers = new Map<string, number>();
  for (let round = 0; round < 2; round++) {
    for (let series = 0; series < 100; series++) {
      const id = table.seriesOf(`{s="${series}"}`);
      for (let bucket = 0; bucket < 50; bucket++) {
        const cell = table.cellOf(id, bucket);
        const key = `${series} ${bucket}`;
        if (numbers.has(key) && numbers.get(key) !== cell) t.fail(`cell of ${key} changed`);
        numbers.set(key, cell);
      }
    }
  }
  t.equal(table.cellCount, 5000);
  t.equal(new Set(numbers.values()).size, 5000);
  t.end();
});
