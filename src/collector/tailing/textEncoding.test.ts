/** Lines of UTF-16 and other encodings, against splitting the decoded text. */
import fc from "fast-check";
import t from "tap";
import { LineCutter } from "./LineCutter.ts";
import type { LineColumns } from "./lineSink.ts";
import { textEncoding } from "./textEncoding.ts";

/** UTF-16 of a text. */
function utf16(text: string, isBigEndian: boolean): Uint8Array {
  const bytes = Buffer.from(text, "utf16le");
  return isBigEndian ? bytes.swap16() : bytes;
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function linesOf(columns: LineColumns, toUtf8: (line: Uint8Array) => Uint8Array): string[] {
  return Array.from(
    { length: columns.count },
    (_, index) => text(toUtf8(columns.bytes.subarray(columns.starts[index], columns.ends[index]))),
  );
}

for (const [name, isBigEndian] of [["utf-16le", false], ["UTF-16BE", true]] as const) {
  t.test(name, (t) => {
    const { lineEnds, toUtf8 } = textEncoding(name)!;
    // Characters with a byte of a line feed or carriage return in either half are among them.
    const character = fc.constantFrom(
      "a",
      "\n",
      "\r",
      "\u0a0a",
      "\u010a",
      "\u0a00",
      "\u0d0a",
      "é",
      "😀",
    );
    fc.assert(
      fc.property(
        fc.array(character),
        fc.array(fc.integer({ min: 1, max: 9 })),
        (characters, sizes) => {
          const whole = characters.join("");
          const bytes = utf16(whole, isBigEndian);
          const cutter = new LineCutter({ bytesMax: 1000, longLines: "split" }, 0, lineEnds);
          const lines: string[] = [];
          let at = 0;
          for (const size of [...sizes, bytes.length]) {
            lines.push(...linesOf(cutter.push(bytes.subarray(at, at + size)), toUtf8));
            at += size;
          }
          lines.push(...linesOf(cutter.end(), toUtf8));
          const expected = whole.split("\n");
          const last = expected.pop()!;
          const ended = expected.map((line) => line.replace(/\r$/, ""));
          return JSON.stringify(lines) ===
            JSON.stringify([...ended, ...(last === "" ? [] : [last])]);
        },
      ),
    );
    t.end();
  });
}

t.test("long lines are not cut within a character", (t) => {
  const { lineEnds, toUtf8 } = textEncoding("utf-16le")!;
  const cutter = new LineCutter({ bytesMax: 5, longLines: "split" }, 0, lineEnds);
  t.strictSame(linesOf(cutter.push(utf16("abcde\nf\n", false)), toUtf8), ["ab", "cd", "e", "f"]);
  t.end();
});

t.test("names", (t) => {
  const decode = (name: string, ...bytes: number[]) =>
    text(textEncoding(name)!.toUtf8(Uint8Array.from(bytes)));
  t.equal(decode("windows-1252", 0x80, 0xe9), "€é");
  t.equal(decode("ISO-8859-15", 0xa4), "€");
  t.equal(decode("Shift_JIS", 0x83, 0x65), "テ");
  t.equal(decode("gb18030", 0xc4, 0xe3), "你");
  t.equal(decode("KOI8-R", 0xc1), "а");
  t.equal(decode("utf-16", 0xff, 0xfe, 0x61, 0), "a", "without its byte order mark");
  t.equal(textEncoding(""), undefined);
  t.equal(textEncoding("UTF-8"), undefined);
  t.throws(() => textEncoding("klingon"), RangeError);
  t.end();
});
