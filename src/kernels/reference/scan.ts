/** Which rows contain a text, by a regular expression over one character a byte. Tests hold scan.ts
 *  to it. */
import { latin1 } from "./level.ts";

/** One boolean a row: whether its line contains any of the texts. */
export function rowsContaining(
  lines: ReadonlyArray<Uint8Array>,
  texts: ReadonlyArray<Uint8Array>,
  fold: boolean,
): boolean[] {
  const patterns = texts.map((text) =>
    new RegExp(Array.from(fold ? plain(text) : text, (b) => pattern(b, fold)).join(""))
  );
  return lines.map((line) => patterns.some((pattern) => pattern.test(latin1(line))));
}

/** The letters that fold beyond ASCII mean the same in the text as in a line. */
function plain(text: Uint8Array): Uint8Array {
  const folded = latin1(text).replace(/\xe2\x84\xaa/g, "k").replace(/\xc5\xbf/g, "s");
  return Uint8Array.from(folded, (char) => char.charCodeAt(0));
}

function pattern(byte: number, fold: boolean): string {
  const char = String.fromCharCode(byte);
  const exact = `\\x${byte.toString(16).padStart(2, "0")}`;
  if (!fold || !/[A-Za-z]/.test(char)) return exact;
  const either = `[${char.toLowerCase()}${char.toUpperCase()}]`;
  if (/k/i.test(char)) return `(?:${either}|\\xe2\\x84\\xaa)`;
  return /s/i.test(char) ? `(?:${either}|\\xc5\\xbf)` : either;
}
