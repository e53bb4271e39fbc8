// RowBuffer against a plain array, and RowHeights against adding up.
import fc from "fast-check";
import t from "tap";
import { type Row, rowBytes } from "./row.ts";
import { RowBuffer } from "./rowBuffer.ts";
import { RowHeights } from "./rowHeights.ts";

const row = (length: number): Row => ({ kind: "notice", text: "x".repeat(length) });

t.test("RowBuffer keeps the newest rows that fit and says which left", (t) => {
  fc.assert(fc.property(fc.array(fc.nat(600), { maxLength: 300 }), (lengths) => {
    const buffer = new RowBuffer(5000);
    const evicted: Row[] = [];
    const pushed = lengths.map(row);
    for (const each of pushed) buffer.push(each, (gone) => evicted.push(gone));
    const kept = pushed.slice(evicted.length);
    t.strictSame(evicted, pushed.slice(0, evicted.length));
    t.equal(buffer.first, evicted.length);
    t.equal(buffer.end, pushed.length);
    for (const [i, each] of kept.entries()) t.equal(buffer.at(buffer.first + i), each);
    t.equal(buffer.bytes, kept.reduce((sum, each) => sum + rowBytes(each), 0));
    t.ok(buffer.bytes <= 5000 || buffer.size === 1);
    t.equal(buffer.at(buffer.first - 1), undefined);
    t.equal(buffer.at(buffer.end), undefined);
  }));
  t.end();
});

t.test("RowBuffer stays small inside after many rows passed through", (t) => {
  const buffer = new RowBuffer(100 * rowBytes(row(0)));
  for (let i = 0; i < 100_000; i++) buffer.push({ kind: "notice", text: "" });
  t.equal(buffer.size, 100);
  t.same(buffer.at(99_999), row(0));
  t.end();
});

t.test("RowHeights places rows where their heights add up to", (t) => {
  const steps = fc.array(fc.tuple(fc.nat(400), fc.nat(200), fc.nat(10_000), fc.nat(90)), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(steps, (script) => {
      const buffer = new RowBuffer(Infinity);
      const heights = new RowHeights();
      const truth = new Map<number, number>();
      for (const [pushes, shifts, where, height] of script) {
        for (let i = 0; i < pushes; i++) {
          truth.set(buffer.end, 20 + buffer.end % 3);
          buffer.push(row(0));
        }
        for (let i = 0; i < shifts; i++) buffer.shift();
        heights.follow(buffer, (sequence) => 20 + sequence % 3);
        if (buffer.size === 0) continue;
        const changed = buffer.first + where % buffer.size;
        truth.set(changed, 1 + height);
        heights.set(changed, 1 + height);
        let top = 0;
        for (let sequence = buffer.first; sequence < buffer.end; sequence++) {
          if (heights.offsetOf(sequence) !== top) return false;
          if (heights.sequenceAt(top) !== sequence) return false;
          top += truth.get(sequence) ?? 0;
          if (heights.sequenceAt(top - 1) !== sequence) return false;
        }
        if (heights.total !== top) return false;
      }
      return true;
    }),
    { numRuns: 60 },
  );
  t.end();
});

t.test("RowHeights assumes the mean for rows that are not held, until they are drawn", (t) => {
  const heights = new RowHeights();
  const rows = { first: 0, end: 2_000_000 };
  // Every other stretch is known, one row of 20 pixels to one of 40.
  const held = (sequence: number) => Math.floor(sequence / 10_000) % 2 === 0;
  heights.follow(rows, (sequence) => held(sequence) ? 20 + 20 * (sequence % 2) : undefined);
  t.ok(Math.abs(heights.total / 60_000_000 - 1) < 0.001);
  const far = 1_515_151;
  t.equal(heights.sequenceAt(heights.offsetOf(far)), far);
  const before = heights.total;
  t.equal(heights.offsetOf(far + 1) - heights.offsetOf(far), 30);
  t.ok(heights.set(far, 100));
  t.equal(heights.offsetOf(far + 1) - heights.offsetOf(far), 100);
  t.equal(heights.total - before, 70);
  t.notOk(heights.set(far, 100));
  t.end();
});
