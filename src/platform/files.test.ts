/** The disk: a file has the bytes of the parts that were written to it, wherever they lay in memory
 *  and however long they are, against Buffer.concat. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect } from "effect";
import fc from "fast-check";
import t from "tap";
import { errorText, nodeDisk } from "./files.ts";

/** Lengths around those at which parts are joined, or written alone. */
const lengths = fc.oneof(
  fc.nat({ max: 40 }),
  fc.constantFrom(0, 65_535, 65_536, 65_537, 200_000, 262_144),
);
const parts = fc.array(fc.tuple(lengths, fc.boolean(), fc.nat({ max: 9 })), { maxLength: 12 });

t.test("what is written in parts is read back, in plain and in shared memory", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "tailrace-files-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "file");
  await fc.assert(
    fc.asyncProperty(parts, fc.nat({ max: 100 }), async (shapes, position) => {
      const pieces = shapes.map(([length, isShared, at], index) => {
        const buffer = isShared ? new SharedArrayBuffer(at + length) : new ArrayBuffer(at + length);
        const piece = new Uint8Array(buffer, at);
        for (let byte = 0; byte < length; byte++) piece[byte] = byte * 31 + index;
        return piece;
      });
      const file = await nodeDisk.create(path);
      await file.write(pieces, position);
      await file.close();
      const expected = Buffer.concat([new Uint8Array(position), ...pieces]);
      const found = readFileSync(path);
      return pieces.every(({ length }) => length === 0) || found.equals(expected);
    }),
    { numRuns: 60 },
  );
});

t.test("what went wrong is said, also of what Effect has wrapped", async (t) => {
  const failing = Effect.tryPromise(() => Promise.reject(new Error("no disk")));
  t.equal(errorText(await Effect.runPromise(Effect.flip(failing))), "no disk");
  t.equal(errorText(new Error("no disk")), "no disk");
  t.equal(errorText("no disk"), "no disk");
});
