/** The order is that of comparing all times, in both directions, and equal times stay as they were. */
import * as fc from "fast-check";
import t from "tap";
import { atOnce } from "../../platform/turns.ts";
import { sortByTime } from "./sortByTime.ts";

t.test("sortByTime gives what a stable sort by comparison gives", (t) => {
  const times = fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.bigInt({ min: 1_700_000_000_000_000_000n, max: 1_700_000_000_000_100_000n }),
    fc.bigInt({ min: -3n, max: 3n }),
  );
  const compare = (a: bigint, b: bigint) => a < b ? -1 : a > b ? 1 : 0;
  fc.assert(
    fc.property(fc.array(times), fc.boolean(), (drawn, forward) => {
      const items = drawn.map((time, place) => ({ time, place }));
      const sorted = atOnce(
        sortByTime(items, ({ time }) => time, forward ? "forward" : "backward"),
      );
      const wanted = [...items].sort((a, b) =>
        (forward ? compare(a.time, b.time) : compare(b.time, a.time)) || a.place - b.place
      );
      return sorted.length === wanted.length && sorted.every((item, at) => item === wanted[at]);
    }),
    { numRuns: 1000 },
  );
  t.end();
});
