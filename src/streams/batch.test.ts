/** Batches against a naive model: rows as objects, moved through build, merge, encode, decode and
 *  message. */
import fc from "fast-check";
import t from "tap";
import {
  type Batch,
  batchFromMessage,
  batchMessage,
  buildBatch,
  describeBatch,
  mergeBatches,
  timeBounds,
} from "./batch.ts";
import { batchParts, batchPartsCompressed, decodeBatch, encodeBatch } from "./batchCodec.ts";
import { FormatError } from "./formatError.ts";
import {
  columnsOf,
  type ModelRow,
  modelRowArbitrary,
  rowsOfColumns,
} from "../testing/modelRows.ts";

interface ModelSlice {
  readonly labels: string;
  readonly rows: ReadonlyArray<ModelRow>;
}

const slicesArbitrary = fc.array(
  fc.record({
    labels: fc.string({ unit: "binary", maxLength: 10 }),
    rows: fc.array(modelRowArbitrary, { maxLength: 8 }),
  }, { noNullPrototype: true }),
  { maxLength: 6 },
);

/** Builds a batch out of rows that lie among others, so that ranges and unused sets matter. */
function batchOf(tenant: string, slices: ReadonlyArray<ModelSlice>): Batch {
  const other: ModelRow = { timestamp: 7n, line: [1, 2, 3], metadata: [["unused", "set"]] };
  const all: Array<ModelRow> = [other];
  const ranges = [];
  for (const slice of slices.toReversed()) {
    ranges.unshift({
      labels: slice.labels,
      rowStart: all.length,
      rowEnd: all.length + slice.rows.length,
    });
    all.push(...slice.rows, other);
  }
  return buildBatch(tenant, ranges, columnsOf(all));
}

function modelOf(batch: Batch): Array<ModelSlice> {
  return Array.from({ length: batch.sliceCount }, (_, slice) => ({
    labels: batch.labelsOf(slice),
    rows: rowsOfColumns(batch, batch.sliceRowStart(slice), batch.sliceRowEnds[slice]!),
  }));
}

function checkBatch(batch: Batch, tenant: string, slices: ReadonlyArray<ModelSlice>): boolean {
  const rows = slices.flatMap((slice) => slice.rows);
  const times = rows.map((row) => row.timestamp).sort((a, b) => a < b ? -1 : a > b ? 1 : 0);
  const sets = new Set(batch.metaIds);
  sets.delete(0);
  return batch.tenant === tenant &&
    fc.stringify(modelOf(batch)) === fc.stringify(slices) &&
    batch.rowCount === rows.length && batch.setCount === sets.size &&
    batch.minTime === (times[0] ?? 0n) && batch.maxTime === (times.at(-1) ?? 0n);
}

t.test("buildBatch keeps the rows of each slice and only the sets they use", async () => {
  fc.assert(fc.property(fc.string(), slicesArbitrary, (tenant, slices) => {
    return checkBatch(batchOf(tenant, slices), tenant, slices);
  }));
});

t.test("encodeBatch and decodeBatch, plain and zstd, whole and in parts", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string(), slicesArbitrary, async (tenant, slices) => {
      const batch = batchOf(tenant, slices);
      const encoded = [
        encodeBatch(batch, "none"),
        encodeBatch(batch, "zstd"),
        Buffer.concat(batchParts(batch)),
        Buffer.concat(await batchPartsCompressed(batch)),
      ];
      return encoded.every((bytes) => checkBatch(decodeBatch(bytes), tenant, slices));
    }),
  );
});

t.test("mergeBatches concatenates slices", async () => {
  const batches = fc.array(slicesArbitrary, { minLength: 1, maxLength: 4 });
  fc.assert(fc.property(batches, (parts) => {
    const merged = mergeBatches(parts.map((slices) => batchOf("x", slices)));
    return checkBatch(merged, "x", parts.flat());
  }));
});

t.test("mergeBatches refuses two tenants and none", async (t) => {
  t.throws(() => mergeBatches([batchOf("a", []), batchOf("b", [])]), RangeError);
  t.throws(() => mergeBatches([]), RangeError);
});

t.test("batchFromMessage shares the body of a cloned message", async (t) => {
  const slices = [{ labels: "{}", rows: [{ timestamp: -1n, line: [255], metadata: [] }] }];
  const batch = batchOf("x", slices);
  const copy = batchFromMessage({ ...batchMessage(batch) });
  t.equal(copy.buffer, batch.buffer);
  t.ok(checkBatch(copy, "x", slices));
  t.throws(() => batchFromMessage({ ...batchMessage(batch), rowCount: 2 }), RangeError);
});

t.test("timeBounds over the whole range of i64", async () => {
  const timestamps = fc.bigInt64Array({ minLength: 1, maxLength: 20 });
  fc.assert(fc.property(timestamps, fc.nat(), fc.nat(), (column, a, b) => {
    const start = Math.min(a, b) % column.length;
    const end = start + 1 + Math.max(a, b) % (column.length - start);
    const sorted = column.slice(start, end).sort();
    const { minTime, maxTime } = timeBounds(column, start, end);
    return minTime === sorted[0] && maxTime === sorted.at(-1);
  }));
});

t.test("describeBatch sums up slices", async (t) => {
  const row = (timestamp: bigint, line: string): ModelRow => ({
    timestamp,
    line: [...Buffer.from(line)],
    metadata: [["k", "v"]],
  });
  const batch = batchOf("x", [
    { labels: '{a="b"}', rows: [row(5n, "abc"), row(2n, "")] },
    { labels: "{}", rows: [row(9n, "x")] },
  ]);
  t.strictSame(describeBatch(batch), {
    tenant: "x",
    rowCount: 3,
    setCount: 1,
    lineBytes: 4,
    bodyBytes: batch.buffer.byteLength,
    minTime: 2n,
    maxTime: 9n,
    slices: [
      { labels: '{a="b"}', rowCount: 2, lineBytes: 3, minTime: 2n, maxTime: 5n },
      { labels: "{}", rowCount: 1, lineBytes: 1, minTime: 9n, maxTime: 9n },
    ],
  });
});

t.test("rowsOfColumns undoes columnsOf", async () => {
  // The model's own helpers must be right for the rest to mean anything.
  fc.assert(fc.property(fc.array(modelRowArbitrary), (rows) => {
    return fc.stringify(rowsOfColumns(columnsOf(rows), 0, rows.length)) === fc.stringify(rows);
  }));
});

t.test("decodeBatch rejects every flipped, dropped and cut byte", async (t) => {
  const batch = batchOf("tenant", [
    {
      labels: '{a="b"}',
      rows: [
        { timestamp: 1n, line: [104, 105], metadata: [["k", "v"]] },
        { timestamp: 2n, line: [], metadata: [] },
      ],
    },
  ]);
  for (const codec of ["none", "zstd"] as const) {
    const bytes = encodeBatch(batch, codec);
    const rejects = (damaged: Uint8Array) => {
      try {
        decodeBatch(damaged);
        return false;
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        return true;
      }
    };
    let survivors = 0;
    for (let at = 0; at < bytes.length; at++) {
      const rest = bytes.subarray(at + 1);
      if (!rejects(bytes.subarray(0, at))) survivors++;
      if (!rejects(Uint8Array.from([...bytes.subarray(0, at), ...rest]))) survivors++;
      for (let bit = 0; bit < 8; bit++) {
        const flipped = bytes.slice();
        flipped[at]! ^= 1 << bit;
        if (!rejects(flipped)) survivors++;
      }
    }
    t.equal(survivors, 0, codec);
    t.notOk(rejects(bytes), "the undamaged bytes decode");
    t.ok(rejects(Uint8Array.from([...bytes, 0])), "a byte too many");
  }
});
