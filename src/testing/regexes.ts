/** Regular expressions and lines that have something to do with each other, and Go's reading of
 *  broken UTF-8: the reference against which literal extraction, the byte table and line filters
 *  are tested. */
import fc from "fast-check";

/** Text, or bytes that are no text. */
export type Line = string | Uint8Array;

const bytePieces = fc.constantFrom<Line>(
  "error",
  "Error",
  "warn",
  "a",
  "b",
  "ab",
  " ",
  "\n",
  "5",
  "12",
  "k",
  "s",
  "\u017f",
  "\u212a",
  "é",
  "日本",
  "😀",
  "\ufffd",
  Uint8Array.of(0xff),
  Uint8Array.of(0xc3),
  Uint8Array.of(0xe6, 0x97),
  Uint8Array.of(0x80),
  Uint8Array.of(0),
);

function concatenate(parts: ReadonlyArray<Line>): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((
      part,
    ) => [...(typeof part === "string" ? new TextEncoder().encode(part) : part)]),
  );
}

/** A line of pieces that the patterns look for, broken UTF-8 among them. */
export const line: fc.Arbitrary<Uint8Array> = fc.array(bytePieces, { maxLength: 8 }).map(
  concatenate,
);
const atom = fc.constantFrom(
  "error",
  "ERR",
  "warn",
  "a",
  "b",
  "k",
  "s",
  "é",
  "日",
  ".",
  "\\d",
  "\\w",
  "\\s",
  "\\b",
  "^",
  "$",
  "[ab]",
  "[^a]",
  "[0-9]",
  "\\n",
  "\\x{fffd}",
  "\\x80",
  "(?s:.)",
  "\\.",
  "\\Qa\\E",
);
const regex: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    atom,
    fc.array(tie("node"), { minLength: 1, maxLength: 4 }).map((parts) => parts.join("")),
    fc.array(tie("node"), { minLength: 2, maxLength: 3 }).map((parts) => `(?:${parts.join("|")})`),
    fc.tuple(tie("node"), fc.constantFrom("*", "+", "?", "{2}", "{1,2}", "{0,1}", "{2,}", "*?"))
      .map(([node, repetition]) => `(?:${node})${repetition}`),
    tie("node").map((node) => `(?i:${node})`),
    tie("node").map((node) => `(${node})`),
    tie("node").map((node) => `.*${node}.*`),
  ),
})).node;
/** An RE2 pattern, valid or nearly always so. */
export const pattern: fc.Arbitrary<string> = fc.tuple(fc.constantFrom("", "(?i)"), regex).map((
  [flags, body],
) => flags + body);

/** Decodes as Go's range over a string does: each byte that starts no valid sequence is one U+FFFD.
 */
export function goString(bytes: Uint8Array): string {
  let result = "";
  for (let at = 0; at < bytes.length;) {
    let width = 1;
    let decoded = "\ufffd";
    for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
      try {
        const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
        const piece = decoder.decode(bytes.subarray(at, at + length));
        if ([...piece].length !== 1) continue;
        [width, decoded] = [length, piece];
        break;
      } catch {
        continue;
      }
    }
    result += decoded;
    at += width;
  }
  return result;
}
