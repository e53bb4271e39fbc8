/** Literals in templates: Go's strings, characters and numbers. */
import { TemplateSyntaxError } from "./error.ts";

/** The string that starts at `start`, in double quotes or backquotes. Throws TemplateSyntaxError. */
export function quotedValue(template: string, start: number): { value: string; end: number } {
  const form = template[start] === '"' ? /"((?:[^"\\\n]|\\.)*)"/y : /`([^`]*)`/y;
  form.lastIndex = start;
  const match = form.exec(template);
  if (match === null) throw new TemplateSyntaxError(template, start, "string is not closed");
  const end = start + match[0].length;
  return template[start] === '"'
    ? { value: unescape(template, start + 1, match[1]!), end }
    : { value: match[1]!.replaceAll("\r", ""), end };
}

/** The code point of `'x'`. Throws TemplateSyntaxError. */
export function charValue(template: string, at: number, text: string): bigint {
  const value = [...unescape(template, at + 1, text.slice(1, -1))];
  if (value.length === 1) return BigInt(value[0]!.codePointAt(0)!);
  throw new TemplateSyntaxError(template, at, `${text} is not one character`);
}

/** An integer where it is written as one, else a float. Throws TemplateSyntaxError. */
export function numberValue(template: string, at: number, text: string): bigint | number {
  const plain = text.replaceAll("_", "");
  const unsigned = plain.replace(/^[+-]/, "");
  const isNegative = plain[0] === "-";
  const integer = /^0\d+$/.test(unsigned) ? `0o${unsigned.slice(1)}` : unsigned;
  if (/^(?:\d+|0[xX][\da-fA-F]+|0[bB][01]+|0[oO][0-7]+)$/.test(integer)) {
    const value = BigInt(integer) * (isNegative ? -1n : 1n);
    if (BigInt.asIntN(64, value) === value) return value;
    throw new TemplateSyntaxError(template, at, `the number ${text} does not fit 64 bits`);
  }
  const value = /^(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(unsigned)
    ? Number(unsigned)
    : Number.NaN;
  if (!Number.isFinite(value)) {
    throw new TemplateSyntaxError(template, at, `cannot read the number ${text}`);
  }
  return isNegative ? -value : value;
}

const escapeForm =
  /\\(?:([abfnrtv\\"'])|((?:x[\dA-Fa-f]{2}|[0-3][0-7]{2})(?:\\(?:x[\dA-Fa-f]{2}|[0-3][0-7]{2}))*)|u([\dA-Fa-f]{4})|U([\dA-Fa-f]{8}))|\\/g;
const simple: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** Byte escapes that follow each other are read together, since together they spell UTF-8. */
function unescape(template: string, start: number, text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(escapeForm, (...match) => {
    const [whole, letter, bytes, short, long, at] = match as [
      string,
      string | undefined,
      string | undefined,
      string | undefined,
      string | undefined,
      number,
    ];
    if (letter !== undefined) return simple[letter] ?? letter;
    if (bytes !== undefined) {
      const codes = bytes.split("\\").map((code) =>
        code[0] === "x" ? parseInt(code.slice(1), 16) : parseInt(code, 8)
      );
      return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(codes));
    }
    const code = parseInt(short ?? long ?? "", 16);
    if (code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)) return String.fromCodePoint(code);
    const escape = whole === "\\" ? text.slice(at, at + 2) : whole;
    throw new TemplateSyntaxError(
      template,
      start + at,
      `unknown escape ${escape}; put a regex in backquotes, or double its backslashes`,
    );
  });
}
