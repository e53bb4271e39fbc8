/** BlockScanner: what it promises by example, then random blocks and texts against the plain twin.
 */
import fc from "fast-check";
import t from "tap";
import * as reference from "./reference/scan.ts";
import { BlockScanner } from "./scan.ts";

const encoder = new TextEncoder();
const encode = (text: string) => encoder.encode(text);

/** A block of these lines as columns, with some bytes before and behind. */
function blockOf(lines: ReadonlyArray<Uint8Array>) {
  const lineEnds = new Uint32Array(lines.length);
  let end = 0;
  lines.forEach((line, row) => lineEnds[row] = end += line.length);
  const bytes = new Uint8Array(end + 20).fill(0x61);
  lines.forEach((line, row) => bytes.set(line, lineEnds[row]! - line.length));
  return { bytes, lineEnds };
}

function scannerOf(...lines: string[]): BlockScanner {
  const { bytes, lineEnds } = blockOf(lines.map(encode));
  const scanner = new BlockScanner();
  scanner.load(bytes, lineEnds, 0, lines.length);
  return scanner;
}

t.test("keepContaining keeps the rows with any of the texts", (t) => {
  const scanner = scannerOf("an error", "", "a warning", "error", "both: error, warning");
  t.equal(scanner.count(), 5);
  t.equal(scanner.keepContaining([encode("error"), encode("warning")]), 4);
  t.same([...scanner.mask], [1, 0, 1, 1, 1]);
  t.equal(scanner.keepContaining([encode("warn")]), 2);
  t.same([...scanner.mask], [0, 0, 1, 0, 1]);
  t.equal(scanner.keepContaining([encode("absent")]), 0);
  t.equal(scanner.count(), 0);
  t.end();
});

t.test("dropContaining drops them, and a row that is out stays out", (t) => {
  const scanner = scannerOf("a1", "b1", "a2", "b2", "c");
  t.equal(scanner.dropContaining([encode("a")]), 3);
  t.equal(scanner.dropContaining([encode("2"), encode("c")]), 1);
  t.same([...scanner.mask], [0, 1, 0, 0, 0]);
  t.equal(scanner.keepContaining([encode("a")]), 0);
  t.end();
});

t.test("a match never spans rows", (t) => {
  const scanner = scannerOf("xxab", "cdxx", "abcd", "a", "b", "", "cd");
  t.equal(scanner.keepContaining([encode("abcd")]), 1);
  t.same([...scanner.mask], [0, 0, 1, 0, 0, 0, 0]);
  // The filler behind the last row is "a"s.
  t.equal(scannerOf("xa").keepContaining([encode("aa")]), 0);
  t.end();
});

t.test("the empty text is in every row, no text in none", (t) => {
  t.equal(scannerOf("a", "").keepContaining([encode("")]), 2);
  t.equal(scannerOf("a", "").dropContaining([encode("")]), 0);
  t.equal(scannerOf("a", "").keepContaining([]), 0);
  t.equal(scannerOf("a", "").dropContaining([]), 2);
  t.equal(scannerOf().keepContaining([encode("a")]), 0);
  t.end();
});

t.test("anyContains looks at the rows that are in and leaves the mask alone", (t) => {
  const scanner = scannerOf("one", "two", "three");
  t.equal(scanner.anyContains([encode("thr"), encode("x")]), true);
  scanner.dropContaining([encode("three")]);
  t.equal(scanner.anyContains([encode("thr")]), false);
  t.same([...scanner.mask], [1, 1, 0]);
  t.end();
});

t.test("fold matches as RE2's (?i) does", (t) => {
  const lines = ["ERROR", "Task", "tas\u212a", "Ta\u017fk", "task", "tasK[", "ta-k", "\u00c4", "{"];
  const check = (text: string) => {
    const { bytes, lineEnds } = blockOf(lines.map(encode));
    const scanner = new BlockScanner();
    scanner.load(bytes, lineEnds, 0, lines.length);
    scanner.keepContaining([encode(text)], { fold: true });
    // JavaScript folds by the same table of Unicode.
    const pattern = new RegExp(text.replace(/[[{]/g, "\\$&"), "iu");
    t.same([...scanner.mask], lines.map((line) => Number(pattern.test(line))), text);
  };
  ["error", "TASK", "task", "k", "S", "k[", "[", "{", "x"].forEach(check);
  t.end();
});

t.test("a range of rows, and a mask of the caller's", (t) => {
  const { bytes, lineEnds } = blockOf(["a", "b", "ab", "b", "a"].map(encode));
  const scanner = new BlockScanner();
  scanner.load(bytes, lineEnds, 1, 4);
  const mask = Uint8Array.of(0, 1, 1);
  t.equal(scanner.keepContaining([encode("b")], { mask }), 2);
  t.equal(scanner.dropContaining([encode("a")], { mask }), 1);
  t.same([...mask], [0, 0, 1]);
  t.same([...scanner.mask], [1, 1, 1], "the scanner's own mask is as it was");
  t.throws(() => scanner.keepContaining([encode("b")], { mask: new Uint8Array(5) }), RangeError);
  t.throws(() => scanner.load(bytes, lineEnds, 2, 6), RangeError);
  t.throws(() => new BlockScanner().count(), /must load a block/);
  t.end();
});

t.test("a long text is found where it is", (t) => {
  const text = Uint8Array.from({ length: 5000 }, (_, index) => 97 + index % 7 * (index % 3));
  const almost = text.slice();
  almost[4998] = 33;
  const lines = [encode("x"), text, almost, Uint8Array.from([1, ...text, 2]), text.subarray(1)];
  const { bytes, lineEnds } = blockOf(lines);
  const scanner = new BlockScanner();
  scanner.load(bytes, lineEnds, 0, lines.length);
  t.equal(scanner.keepContaining([text]), 2);
  t.same([...scanner.mask], [0, 1, 0, 1, 0]);
  t.end();
});

/** Few different bytes, so that texts are found often and nearly found more often. */
const anyBytes = (maxLength: number) =>
  fc.oneof(
    fc.array(fc.constantFrom(0x61, 0x62, 0x41, 0x20), { maxLength, size: "max" }),
    fc.array(fc.constantFrom(0x6b, 0x4b, 0x73, 0xc5, 0xbf, 0xe2, 0x84, 0xaa), { maxLength }),
    fc.array(fc.nat(255), { maxLength }),
  ).map((bytes) => Uint8Array.from(bytes));

t.test("the rows found are those of the twin", (t) => {
  const scanner = new BlockScanner();
  fc.assert(
    fc.property(
      fc.array(fc.oneof(anyBytes(8), anyBytes(120)), { maxLength: 60, size: "max" }),
      fc.array(fc.oneof(anyBytes(3), anyBytes(40)), { maxLength: 3 }),
      fc.boolean(),
      fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
      fc.nat(20),
      (lines, texts, fold, bits, skipped) => {
        const { bytes, lineEnds } = blockOf(lines);
        const rowStart = Math.min(skipped, lines.length);
        const contained = reference.rowsContaining(lines.slice(rowStart), texts, fold);
        const mask = Uint8Array.from(contained, (_, row) => Number(bits[row]));
        for (const kept of [true, false]) {
          scanner.load(bytes, lineEnds, rowStart, lines.length);
          scanner.mask.set(mask);
          const left = kept
            ? scanner.keepContaining(texts, { fold })
            : scanner.dropContaining(texts, { fold });
          const want = contained.map((found, row) => Number(bits[row]! && found === kept));
          t.same([...scanner.mask], want);
          t.equal(left, want.filter((bit) => bit === 1).length);
        }
        scanner.mask.set(mask);
        const any = contained.some((found, row) => bits[row]! && found);
        t.equal(scanner.anyContains(texts, { fold }), any);
      },
    ),
    { numRuns: 1500 },
  );
  t.end();
});
