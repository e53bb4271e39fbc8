/** Cutting large pushes: nothing lost, nothing twice, order kept, and every batch as small as promised. */
import fc from "fast-check";
import t from "tap";
import { buildBatch, mergeBatches } from "../../streams/batch.ts";
import { columnsOf, modelRowArbitrary, rowsOfColumns } from "../../testing/modelRows.ts";
import { cutSlices } from "./cutSlices.ts";

t.test("cutSlices keeps rows and streams, and its batches are small", (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.array(modelRowArbitrary, { minLength: 1, maxLength: 8 }), {
        minLength: 1,
        maxLength: 5,
      }),
      fc.integer({ min: 1, max: 1000 }),
      (streams, bytesMax) => {
        const rows = columnsOf(streams.flat());
        let row = 0;
        const slices = streams.map((some, index) => ({
          labels: `{a="${index}"}`,
          rowStart: row,
          rowEnd: row += some.length,
        }));
        const batches = cutSlices(slices, rows, bytesMax)
          .map((piece) => buildBatch("t", piece, rows));
        for (const batch of batches) {
          // Sections start at multiples of 8, which the limit does not count.
          t.ok(batch.rowCount === 1 || batch.buffer.byteLength <= bytesMax + 8 * 8);
        }
        const merged = mergeBatches(batches);
        const found = new Map<string, unknown[]>();
        for (let slice = 0; slice < merged.sliceCount; slice++) {
          const labels = merged.labelsOf(slice);
          const rows = rowsOfColumns(
            merged,
            merged.sliceRowStart(slice),
            merged.sliceRowEnds[slice]!,
          );
          found.set(labels, [...found.get(labels) ?? [], ...rows]);
        }
        t.same([...found], streams.map((some, index) => [`{a="${index}"}`, some]));
      },
    ),
  );
  t.end();
});

t.test("cutSlices leaves small pushes whole, and makes no more pieces than it must", (t) => {
  const row = { timestamp: 1n, line: [...new Uint8Array(84)], metadata: [["k", "v"]] as const };
  const rows = columnsOf(Array.from({ length: 100 }, () => row));
  const slices = [{ labels: "{}", rowStart: 0, rowEnd: 100 }];
  t.equal(cutSlices(slices, rows, 1_000_000)[0], slices);
  t.equal(cutSlices(slices, rows, 1100).length, 10);
  t.equal(cutSlices(slices, rows, 1).length, 100);
  t.end();
});
