/** Go's quoted strings and characters, as %q prints them. */

const shortEscapes: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
};

/** In double quotes. `ascii` escapes all else too. */
export function quoted(text: string, ascii: boolean): string {
  let result = '"';
  for (const character of text) result += escaped(character, '"', ascii);
  return `${result}"`;
}

export function quotedCharacter(character: string, ascii: boolean): string {
  return `'${escaped(character, "'", ascii)}'`;
}

function escaped(character: string, quote: string, ascii: boolean): string {
  if (character === quote) return `\\${quote}`;
  const short = shortEscapes[character];
  if (short !== undefined) return short;
  const code = character.codePointAt(0)!;
  const isPrintable = character === " " || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(character);
  if (isPrintable && (!ascii || code < 0x80)) return character;
  const hex = code.toString(16);
  if (code < 0x20 || code === 0x7f) return `\\x${hex.padStart(2, "0")}`;
  return code > 0xffff ? `\\U${hex.padStart(8, "0")}` : `\\u${hex.padStart(4, "0")}`;
}
