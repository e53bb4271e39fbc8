/** segmentChoice.ts against trying every subset, and its rule for orphans. */
import fc from "fast-check";
import t from "tap";
import { segmentKey } from "../streams/segment.ts";
import { chooseSegments, isOrphan, rangeOfKey } from "./segmentChoice.ts";

const segment = (logFrom: number, logTo: number, createdAt = 0n, partition = 0) => ({
  key: `${partition}/${logFrom}-${logTo}-${createdAt}`,
  partition,
  logFrom,
  logTo,
  createdAt,
});

t.test("chooseSegments keeps a chain and leaves what a crash left beside it", async (t) => {
  const check = (all: ReturnType<typeof segment>[], kept: string[], name: string) => {
    const choice = chooseSegments(all);
    t.same(choice.kept.map(({ key }) => key), kept, name);
    t.same(
      [...choice.kept, ...choice.left].map(({ key }) => key).sort(),
      all.map(({ key }) => key).sort(),
      "each is kept or left",
    );
  };
  check([], [], "nothing");
  check([segment(10, 20), segment(1, 10)], ["0/1-10-0", "0/10-20-0"], "a chain");
  check(
    [segment(1, 10), segment(10, 15), segment(10, 20, 1n), segment(20, 30)],
    ["0/1-10-0", "0/10-20-1", "0/20-30-0"],
    "a shorter first attempt",
  );
  check(
    [segment(1, 10), segment(10, 25), segment(10, 20, 1n), segment(20, 30)],
    ["0/1-10-0", "0/10-20-1", "0/20-30-0"],
    "a longer first attempt that later segments have overtaken",
  );
  check([segment(1, 5, 1n), segment(1, 5, 2n)], ["0/1-5-2"], "the later of two equal ones");
  check([segment(1, 10), segment(15, 20), segment(16, 21)], ["0/1-10-0", "0/16-21-0"], "a gap");
  check([segment(1, 5, 0n, 1), segment(1, 5, 0n, 0)], ["0/1-5-0", "1/1-5-0"], "two partitions");
});

t.test("chooseSegments covers as many offsets as any set without overlaps", async (t) => {
  const ranges = fc.array(
    fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 8 })),
    {
      maxLength: 8,
    },
  );
  fc.assert(fc.property(ranges, (list) => {
    const all = list.map(([from, length], index) => segment(from, from + length, BigInt(index)));
    const { kept } = chooseSegments(all);
    kept.forEach((one, index) => {
      const next = kept[index + 1];
      if (next !== undefined && next.logFrom < one.logTo) t.fail("overlap");
    });
    let best = 0;
    for (let subset = 0; subset < 1 << all.length; subset++) {
      const chosen = all.filter((_, index) => subset & (1 << index));
      const offsets = chosen.flatMap((one) =>
        Array.from({ length: one.logTo - one.logFrom }, (_, index) => one.logFrom + index)
      );
      if (new Set(offsets).size === offsets.length) best = Math.max(best, offsets.length);
    }
    t.equal(kept.reduce((sum, one) => sum + one.logTo - one.logFrom, 0), best);
  }));
});

t.test("isOrphan spares what is committed and what reaches beyond the checkpoint", async (t) => {
  t.equal(isOrphan(10, 10, false), true);
  t.equal(isOrphan(10, 9, false), false);
  t.equal(isOrphan(10, 10, true), false);
});

t.test("rangeOfKey reads the names that segmentKey gives", async (t) => {
  const identity = { partition: 12, logFrom: 345, logTo: 6_000_000_000_000, createdAt: 1n };
  const { partition, logFrom, logTo } = identity;
  t.same(rangeOfKey(segmentKey(identity, 0xfeed)), { partition, logFrom, logTo });
  t.equal(rangeOfKey("segments/00001/other"), undefined);
});
