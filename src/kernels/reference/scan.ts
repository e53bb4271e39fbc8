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
    new RegExp(Array.from(text, (b) => pattern(b, fold)).join(""))
  );
  return lines.map((line) => patterns.some((pattern) => pattern.test(latin1(line))));
}

function pattern(byte: number, fold: boolean): string {
  const char = String.fromCharCode(byte);
  const exact = `\\x${byte.toString(16).padStart(2, "0")}`;
  if (!fold || !/[A-Za-z]/.test(char)) return exact;
  const either = `[${char.toLowerCase()}${char.toUpperCase()}]`;
  if (/k/i.test(char)) return `(?:${either}|\\xe2\\x84\\xaa)`;
  return /s/i.test(char) ? `(?:${either}|\\xc5\\xbf)` : either;
}
