/** copyBytes against TypedArray.set, for all alignments and both kinds of memory. */
import fc from "fast-check";
import t from "tap";
import { copyBytes } from "./copyBytes.ts";

t.test("copyBytes does what set does", async () => {
  const kind = fc.boolean();
  const offset = fc.nat(20);
  const length = fc.oneof(fc.nat(600), fc.integer({ min: 16000, max: 50000 }));
  fc.assert(
    fc.property(
      kind,
      kind,
      offset,
      offset,
      length,
      (sourceShared, targetShared, from, to, count) => {
        const bytes = from + to + count + 30;
        const memory = (shared: boolean) =>
          new Uint8Array(shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
        const source = memory(sourceShared).subarray(from % 9);
        for (let index = 0; index < source.length; index++) source[index] = (index * 31) >>> 2;
        const target = memory(targetShared).subarray(to % 7);
        const expected = target.slice();
        expected.set(source.subarray(from, from + count), to);
        copyBytes(source, from, from + count, target, to);
        return Buffer.compare(target, expected) === 0;
      },
    ),
  );
});
