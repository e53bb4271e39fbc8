/** planGroups: each chunk once, chunks that touch in time together, full ones alone. */
import fc from "fast-check";
import t from "tap";
import { planGroups, type SourceChunk } from "./mergeUnits.ts";

const full = 1000;

const chunksArbitrary = fc.array(
  fc.record({
    segment: fc.nat(5),
    minTime: fc.bigInt(0n, 60n),
    span: fc.bigInt(0n, 6n),
    rawBytes: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 400, max: 1500 })),
  }),
  { maxLength: 25 },
).map((list) =>
  list.map(({ segment, minTime, span, rawBytes }, index): SourceChunk => ({
    segmentKey: `s${segment}`,
    logFrom: segment,
    offset: index,
    length: 10,
    rowCount: 1,
    rawBytes,
    minTime,
    maxTime: minTime + span,
  }))
);

t.test("groups of chunks hold each once, in order of arrival, and do not touch in time", (t) => {
  fc.assert(fc.property(chunksArbitrary, (chunks) => {
    const groups = planGroups(chunks, full);
    t.same(new Set(groups.flat()), new Set(chunks));
    t.equal(groups.flat().length, chunks.length);
    let end = -1n;
    for (const group of groups) {
      for (const [at, chunk] of group.entries()) {
        t.ok(chunk.minTime > end, "after all of the group before");
        const last = group[at - 1];
        t.ok(last === undefined || last.logFrom < chunk.logFrom || last.offset < chunk.offset);
      }
      for (const { maxTime } of group) if (maxTime > end) end = maxTime;
      const bytes = group.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
      const isOneRun = group.every((one) =>
        group.length === 1 ||
        group.some((other) =>
          other !== one && other.minTime <= one.maxTime && one.minTime <= other.maxTime
        )
      );
      t.ok(bytes <= full || isOneRun, "more than a chunk only if it has to be");
    }
  }));
  t.end();
});

t.test("a run that no thread can hold is cut into portions, in order of arrival", (t) => {
  const chunks = Array.from({ length: 40 }, (_, index): SourceChunk => ({
    segmentKey: "s",
    logFrom: 39 - index,
    offset: 48,
    length: 10,
    rowCount: 1,
    rawBytes: 4 * 1024 * 1024,
    minTime: 0n,
    maxTime: 9n,
  }));
  const groups = planGroups(chunks, 8 * 1024 * 1024);
  t.same(groups.map((group) => group.length), [16, 16, 8]);
  t.same(groups.flat().map(({ logFrom }) => logFrom), [...Array(40).keys()]);
  t.end();
});
