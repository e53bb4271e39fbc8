/** The kernel of grams against its plain twin: blocks of all sizes, few and many grams. */
import fc from "fast-check";
import t from "tap";
import { Kernels } from "./kernels.ts";
import * as reference from "./reference/grams.ts";

interface GramExports {
  gramScratchBytes(): number;
  gramBitmap(lines: number, length: number, scratch: number, out: number): number;
}

const kernel = new Kernels<GramExports>();

function gramBitmap(lines: Uint8Array): Uint8Array {
  kernel.reset();
  const pointer = kernel.copyIn(lines);
  const scratch = kernel.reserve(kernel.exports.gramScratchBytes());
  const out = kernel.reserve(8192);
  const bytes = kernel.exports.gramBitmap(pointer, lines.length, scratch, out);
  return kernel.bytes(out, bytes).slice();
}

const block = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.uint8Array({ minLength: 9000, maxLength: 9000 }),
  fc.array(fc.constantFrom("GET /Cart ", "error=", "\u00e9", "12345", "Z[@`a{"), {
    maxLength: 2000,
  })
    .map((parts) => new TextEncoder().encode(parts.join(""))),
);

t.test("gramBitmap has the same bits as the twin", async () => {
  fc.assert(
    fc.property(block, (lines) => {
      if (Buffer.compare(gramBitmap(lines), reference.gramBitmap(lines)) !== 0) {
        throw new Error("bitmaps differ");
      }
    }),
    { numRuns: 150 },
  );
});

t.test("gramBitmap of much that differs has the largest size", async (t) => {
  let state = 1;
  const lines = Uint8Array.from({ length: 100_000 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
  t.equal(gramBitmap(lines).length, 8192);
  t.strictSame(gramBitmap(lines), reference.gramBitmap(lines));
  t.equal(gramBitmap(new Uint8Array(0)).length, 8);
});
