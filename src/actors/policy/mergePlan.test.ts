/** chooseMerge: what it never does, on random segments, and that a partition that is flushed for a day ends with few
 *  segments, each byte of which was rewritten a few times. */
import fc from "fast-check";
import t from "tap";
import type { SegmentSummary } from "../../streams/record.ts";
import { chooseMerge, type MergePolicy, stepLimits } from "./mergePlan.ts";

const hourNs = 3_600_000_000_000n;
const policy: MergePolicy = { segmentBytesMax: 1000, countMin: 4, settledNs: 2n * hourNs };

function segment(logFrom: number, logTo: number, bytes: number, hour: number): SegmentSummary {
  const time = BigInt(hour) * hourNs;
  return {
    key: `${logFrom}-${logTo}`,
    partition: 0,
    logFrom,
    logTo,
    bytes,
    createdAt: time,
    streamCount: 1,
    minTime: time - hourNs,
    maxTime: time,
  };
}

t.test("a merge is of neighbours, of one day, within the limits, and at least doubles", (t) => {
  const list = fc.array(
    fc.record({
      bytes: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 1200 })),
      hour: fc.integer({ min: 0, max: 60 }),
      gap: fc.constantFrom(0, 0, 0, 0, 0, 1),
    }),
    { maxLength: 100 },
  );
  let chosen = 0;
  fc.assert(
    fc.property(list, fc.integer({ min: 0, max: 100 }), (list, nowHour) => {
      let next = 1;
      const segments = list.map(({ bytes, hour, gap }) => {
        const from = next + gap;
        next = from + 3;
        return segment(from, next, bytes, hour);
      });
      const run = chooseMerge(segments, policy, BigInt(nowHour) * hourNs);
      if (run === undefined) return;
      chosen++;
      const bytes = run.reduce((sum, one) => sum + one.bytes, 0);
      t.ok(run.length >= 2 && run.length <= stepLimits.countMax && bytes <= policy.segmentBytesMax);
      t.ok(run.every((one, at) => at === 0 || run[at - 1]!.logTo === one.logFrom));
      t.equal(new Set(run.map(({ maxTime }) => maxTime / (24n * hourNs))).size, 1);
      t.ok(run.every((one) => one.bytes <= bytes * 2 / 3));
      if (run.length < policy.countMin) {
        t.ok(
          run.every(({ createdAt }) => createdAt <= BigInt(nowHour) * hourNs - policy.settledNs),
        );
      }
    }),
    { numRuns: 500 },
  );
  t.ok(chosen > 15, `${chosen} chosen`);
  t.end();
});

t.test("a day of small flushes ends as few segments, rewritten a few times", (t) => {
  const large = { ...policy, segmentBytesMax: 64_000_000, countMin: 8 };
  let segments: SegmentSummary[] = [];
  let rewritten = 0;
  const merge = (nowNs: bigint) => {
    for (;;) {
      const run = chooseMerge(segments, large, nowNs);
      if (run === undefined) return;
      const at = segments.indexOf(run[0]!);
      const bytes = run.reduce((sum, one) => sum + one.bytes, 0);
      rewritten += bytes;
      const merged = { ...run.at(-1)!, logFrom: run[0]!.logFrom, bytes, minTime: run[0]!.minTime };
      segments = [...segments.slice(0, at), merged, ...segments.slice(at + run.length)];
    }
  };
  for (let flush = 0; flush < 144; flush++) {
    segments.push(segment(flush + 1, flush + 2, 100_000, Math.floor(flush / 6)));
    merge(BigInt(flush) * hourNs / 6n);
  }
  merge(30n * hourNs);
  t.ok(segments.length <= 3, `${segments.length} segments`);
  t.ok(rewritten <= 4 * 144 * 100_000, `${rewritten / 14_400_000} times`);
  t.same(chooseMerge(segments, large, 99n * hourNs), undefined, "and stay");
  t.end();
});
