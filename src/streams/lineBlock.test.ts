/** Blocks of batches: the rows they show, and time ranges over the whole of i64. */
import fc from "fast-check";
import t from "tap";
import { columnsOf, modelRowArbitrary } from "../testing/modelRows.ts";
import { buildBatch } from "./batch.ts";
import { batchBlock, maskTimeRange } from "./lineBlock.ts";

t.test("maskTimeRange keeps start <= time < end of what the mask had", async () => {
  const time = fc.oneof(
    fc.bigInt({ min: -3n, max: 4n }),
    fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }),
    fc.constantFrom(2n ** 63n - 1n, 2n ** 63n, -(2n ** 63n), -(2n ** 63n) - 1n),
  );
  const row = fc.tuple(modelRowArbitrary, fc.constantFrom(undefined, 2n ** 63n - 1n, -(2n ** 63n)))
    .map(([row, extreme]) => ({ ...row, timestamp: extreme ?? row.timestamp }));
  const rows = fc.array(fc.tuple(row, fc.boolean()), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(rows, time, time, fc.nat(), (pairs, start, end, skip) => {
      const model = pairs.map(([row]) => row);
      const rowCount = model.length;
      const slices = [{ labels: "{}", rowStart: 0, rowEnd: rowCount }];
      const rowStart = skip % rowCount;
      const block = batchBlock(buildBatch("x", slices, columnsOf(model)), rowStart, rowCount);
      const mask = Uint8Array.from(pairs.slice(rowStart), ([, wanted]) => wanted ? 1 : 0);
      const expected = pairs.slice(rowStart).map(([{ timestamp }, wanted]) =>
        wanted && timestamp >= start && timestamp < end ? 1 : 0
      );
      const left = maskTimeRange(block, { start, end }, mask);
      return left === expected.filter((byte) => byte === 1).length &&
        fc.stringify([...mask]) === fc.stringify(expected);
    }),
    { numRuns: 1000 },
  );
});
