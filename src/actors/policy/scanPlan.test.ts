/** Planning: what touches in time lies in one unit, everything is in exactly one unit, first wanted first. */
import fc from "fast-check";
import t from "tap";
import type { ChunkRef } from "../../storage/Index.ts";
import type { Direction } from "../protocol/scan.ts";
import { atOnce } from "../../platform/turns.ts";
import { planUnits } from "./scanPlan.ts";

const chunkArbitrary: fc.Arbitrary<ChunkRef> = fc.record({
  segmentKey: fc.constantFrom("s1", "s2"),
  partition: fc.constant(0),
  logFrom: fc.integer({ min: 1, max: 50 }),
  labels: fc.constantFrom('{a="1"}', '{a="2"}'),
  offset: fc.integer({ min: 0, max: 1000 }),
  length: fc.integer({ min: 1, max: 1000 }),
  rowCount: fc.constant(1),
  rawBytes: fc.constant(1),
  minTime: fc.bigInt({ min: 0n, max: 100n }),
  maxTime: fc.bigInt({ min: 0n, max: 20n }),
}, { noNullPrototype: true }).map((chunk) => ({
  ...chunk,
  maxTime: chunk.minTime + chunk.maxTime,
}));

t.test("planUnits groups by stream and overlap, in the query's order", (t) => {
  fc.assert(
    fc.property(
      fc.array(chunkArbitrary, { maxLength: 12 }),
      fc.constantFrom<Direction>("backward", "forward"),
      (chunks, direction) => {
        const units = atOnce(planUnits(chunks, [], direction));
        const planned = units.flatMap((unit) => unit.sources.map((source) => source.chunk));
        t.equal(planned.length, chunks.length);
        t.same(new Set(planned), new Set(chunks));
        for (const unit of units) {
          t.ok(unit.sources.every((source) => source.chunk?.labels === unit.labels));
          const arrivals = unit.sources.map((source) => source.chunk!.logFrom);
          t.same(arrivals, arrivals.toSorted((a, b) => a - b));
        }
        for (const [index, unit] of units.entries()) {
          for (const other of units.slice(index + 1)) {
            if (other.labels === unit.labels) {
              t.ok(unit.maxTime < other.minTime || other.maxTime < unit.minTime);
            }
            t.ok(
              direction === "backward"
                ? unit.maxTime >= other.maxTime
                : unit.minTime <= other.minTime,
            );
          }
        }
      },
    ),
  );
  t.end();
});
