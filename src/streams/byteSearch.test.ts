/** Searches against String.prototype.indexOf, over texts that repeat themselves, and one in which a naive search takes thousands
 *  of millions of steps. */
import fc from "fast-check";
import t from "tap";
import { byteSearch } from "./byteSearch.ts";

const encode = (text: string) => new TextEncoder().encode(text);

t.test("byteSearch finds what indexOf finds, within its bounds", (t) => {
  const repetitive = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 60 });
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 40 }),
    fc.tuple(fc.constantFrom("ab", "aab", "abaab"), fc.integer({ min: 1, max: 12 }))
      .map(([piece, count]) => piece.repeat(count)),
  );
  fc.assert(
    fc.property(
      text,
      repetitive,
      repetitive,
      fc.boolean(),
      fc.nat(8),
      (wanted, a, b, has, from) => {
        const whole = has ? a + wanted + b : a + b;
        const end = whole.length - Math.min(from, b.length);
        const found = whole.slice(0, end).indexOf(wanted, Math.min(from, end));
        t.equal(byteSearch(encode(wanted))(encode(whole), Math.min(from, end), end), found);
      },
    ),
    { numRuns: 5000 },
  );
  t.end();
});

t.test("byteSearch ends soon where every place almost matches", (t) => {
  const line = new Uint8Array(256 * 1024).fill(97);
  const text = new Uint8Array(64 * 1024).fill(97);
  text[text.length - 1] = 98;
  // A naive search compares 12 thousand million bytes here.
  for (let round = 0; round < 10; round++) t.equal(byteSearch(text)(line, 0, line.length), -1);
  t.end();
});
