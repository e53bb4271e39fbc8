/** The snappy kernel against the snappy library's output and against its plain twin on damaged input. */
import fc from "fast-check";
import { compressSync } from "snappy";
import t from "tap";
import { Kernels } from "./kernels.ts";
import { snappyDecode } from "./reference/snappy.ts";

const kernels = new Kernels<{
  snappyDecode(source: number, length: number, target: number, rawLength: number): number;
}>();

/** Decodes elements in the kernel; undefined if it refuses. Bytes around the output must not matter, those before must stay. */
function decode(elements: Uint8Array, rawLength: number): Uint8Array | undefined {
  kernels.reset();
  const source = kernels.copyIn(elements);
  const guard = kernels.reserve(64);
  const target = kernels.reserve(rawLength);
  kernels.memory.fill(0xa5, guard, guard + 64);
  const failed = kernels.exports.snappyDecode(source, elements.length, target, rawLength);
  if (kernels.memory.subarray(guard, guard + 64).some((byte) => byte !== 0xa5)) {
    throw new Error("the kernel wrote in front of its output");
  }
  return failed === 0 ? kernels.bytes(target, rawLength).slice() : undefined;
}

/** Splits a compressed block into length and elements. */
function split(block: Uint8Array): { readonly rawLength: number; readonly elements: Uint8Array } {
  let [rawLength, at] = [0, 0];
  do rawLength += (block[at]! & 0x7f) * 2 ** (7 * at); while (block[at++]! >= 0x80);
  return { rawLength, elements: block.subarray(at) };
}

/** Texts that repeat at many distances, short ones and long ones. */
const repetitive = fc.array(
  fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(60)),
  { maxLength: 30 },
).map((parts) =>
  Uint8Array.from(parts.flatMap(([part, times]) => Array(times).fill([...part]).flat()))
);

t.test("snappyDecode undoes what the library compresses", (t) => {
  fc.assert(fc.property(fc.oneof(repetitive, fc.uint8Array({ maxLength: 3000 })), (raw) => {
    const { rawLength, elements } = split(compressSync(Buffer.from(raw)));
    t.equal(rawLength, raw.length);
    t.ok(Buffer.from(decode(elements, rawLength)!).equals(Buffer.from(raw)));
  }));
  const long = Buffer.alloc(3_000_000, "abcdefg hijklmnop 0123456789 ");
  const { rawLength, elements } = split(compressSync(long));
  t.ok(Buffer.from(decode(elements, rawLength)!).equals(long));
  t.end();
});

t.test("snappyDecode accepts and refuses what its plain twin does", (t) => {
  const element = fc.oneof(
    fc.uint8Array({ maxLength: 6 }),
    fc.tuple(fc.nat(255), fc.uint8Array({ minLength: 0, maxLength: 70 }))
      .map(([tag, rest]) => Uint8Array.from([tag, ...rest])),
    fc.tuple(fc.integer({ min: 1, max: 20 }), fc.nat(63))
      .map(([offset, count]) => Uint8Array.from([(count << 2) | 2, offset, 0])),
    fc.uint8Array({ minLength: 1, maxLength: 60 })
      .map((bytes) => Uint8Array.from([(bytes.length - 1) << 2, ...bytes])),
  );
  const input = fc.array(element, { maxLength: 8 })
    .map((elements) => Uint8Array.from(elements.flatMap((bytes) => [...bytes])));
  let accepted = 0;
  fc.assert(
    fc.property(input, fc.nat(300), fc.boolean(), (elements, someLength, exact) => {
      // Most inputs fail at their end; the length that the twin makes of them is the one worth asking for.
      const lengths = exact ? Array.from({ length: 400 }, (_, length) => length) : [someLength];
      const rawLength = lengths.find((length) => snappyDecode(elements, length) !== undefined) ??
        someLength;
      const want = snappyDecode(elements, rawLength);
      if (want !== undefined) accepted++;
      t.same(decode(elements, rawLength), want);
    }),
    { numRuns: 3000 },
  );
  t.ok(accepted > 100, `${accepted} inputs were accepted`);
  t.end();
});
