/** Splits a query into tokens. Words stay words here: which are keywords is for the parsers, by
 *  place, so that labels may be called `rate` or `by`. Invariant: tokens tile the query but for
 *  blanks and comments, and the last one is `end`. */
import { ParseError } from "./error.ts";
import { parseBytes, parseDuration, parsePrometheusDuration } from "./units.ts";

export type Token =
  & { readonly start: number; readonly end: number; readonly text: string }
  & (
    | { readonly kind: "word" }
    | { readonly kind: "operator" }
    | { readonly kind: "flag" }
    | { readonly kind: "end" }
    | { readonly kind: "string"; readonly value: string }
    | { readonly kind: "number"; readonly value: number }
    | { readonly kind: "duration"; readonly valueNs: bigint }
    | { readonly kind: "bytes"; readonly valueBytes: number }
    /** `[5m]`, brackets included. */
    | { readonly kind: "range"; readonly valueNs: bigint }
  );

/** The tokens of a query. Throws ParseError. */
export function tokenize(query: string): ReadonlyArray<Token> {
  const tokens: Token[] = [];
  let position = 0;
  for (;;) {
    blanks.lastIndex = position;
    blanks.exec(query);
    position = blanks.lastIndex;
    const token = tokenAt(query, position);
    tokens.push(token);
    if (token.kind === "end") return tokens;
    position = token.end;
  }
}

/** How an error names a token. */
export function describeToken(token: Token): string {
  const text = token.text.length > 40 ? `${token.text.slice(0, 40)}…` : token.text;
  switch (token.kind) {
    case "end":
      return "end of query";
    case "string":
      return `string ${text}`;
    case "operator":
    case "flag":
    case "word":
      return `"${text}"`;
    default:
      return `${token.kind} ${text}`;
  }
}

const blanks = /(?:\s+|#[^\n]*)*/y;
const wordForm = /[A-Za-z_][A-Za-z0-9_]*/y;
const flagForm = /--[A-Za-z][A-Za-z-]*/y;
/** A number and whatever unit or junk is glued to it. */
const numberForm = /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+(?![A-Za-z0-9_]))?[A-Za-zµμ0-9_.]*/y;
const operatorForm = /\|=|\|~|\|>|!=|!~|!>|=~|==|>=|<=|[|=><+\-*/%^(){},]/y;

function tokenAt(query: string, start: number): Token {
  const character = query[start];
  if (character === undefined) return { kind: "end", text: "", start, end: start };
  if (character === '"') return quotedString(query, start);
  if (character === "`") return rawString(query, start);
  if (character === "[") return rangeToken(query, start);
  const word = matchAt(wordForm, query, start);
  if (word !== null) return { kind: "word", text: word, start, end: start + word.length };
  if (matchAt(/\.?\d/y, query, start) !== null) return numeric(query, start);
  const flag = matchAt(flagForm, query, start);
  if (flag !== null) return { kind: "flag", text: flag, start, end: start + flag.length };
  const operator = matchAt(operatorForm, query, start);
  if (operator !== null) {
    return { kind: "operator", text: operator, start, end: start + operator.length };
  }
  throw strayCharacter(query, start);
}

function strayCharacter(query: string, start: number): ParseError {
  const character = String.fromCodePoint(query.codePointAt(start)!);
  const hints: Readonly<Record<string, string>> = {
    "'": 'strings are quoted with " or `',
    "“": 'strings are quoted with " or `, not with typographic quotes',
    "”": 'strings are quoted with " or `, not with typographic quotes',
    "&": 'did you mean "and"?',
    "!": 'did you mean "!=" or "!~"?',
    "~": 'did you mean "=~" or "|~"?',
    ".": 'names are [A-Za-z_][A-Za-z0-9_]*; a dot is written "_"',
    "@": 'the "@" modifier is not part of LogQL',
    "]": '"]" closes a range such as [5m] that was not opened',
    ":": 'a matcher is written name="value"',
    ";": "a query is a single expression",
    "$": "variables such as $__interval are replaced by the client; this one was not",
  };
  const letter = /\p{L}/u.test(character) ? "names are [A-Za-z_][A-Za-z0-9_]*" : undefined;
  return new ParseError(query, {
    offset: start,
    found: `character ${JSON.stringify(character)}`,
    expected: "LogQL",
    hint: query.startsWith("{{", start - 2)
      ? "a template is written in quotes"
      : hints[character] ?? letter,
  });
}

function matchAt(form: RegExp, query: string, start: number): string | null {
  form.lastIndex = start;
  return form.exec(query)?.[0] ?? null;
}

function numeric(query: string, start: number): Token {
  const text = matchAt(numberForm, query, start)!;
  const end = start + text.length;
  if (/^(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) {
    const value = Number(text);
    if (Number.isFinite(value)) return { kind: "number", text, start, end, value };
  }
  const valueNs = parseDuration(text);
  if (valueNs !== null) return { kind: "duration", text, start, end, valueNs };
  const valueBytes = parseBytes(text);
  if (valueBytes !== null) return { kind: "bytes", text, start, end, valueBytes };
  throw new ParseError(query, {
    offset: start,
    found: `"${text.slice(0, 40)}"`,
    expected: "a number, a duration or a size",
    hint: query.slice(0, start).trimEnd().endsWith("~")
      ? `a regular expression is written in quotes: "${text.slice(0, 40)}"`
      : "durations are such as 1.5s or 2h30m, sizes such as 20KB or 4MiB",
  });
}

function rangeToken(query: string, start: number): Token {
  const close = query.indexOf("]", start);
  if (close < 0) {
    throw new ParseError(query, {
      offset: start,
      expected: 'range is not closed: expected "]" as in [5m]',
    });
  }
  const inner = query.slice(start + 1, close);
  const valueNs = parsePrometheusDuration(inner.trim());
  if (valueNs === null) {
    throw new ParseError(query, {
      offset: start + 1,
      found: JSON.stringify(inner.slice(0, 40)),
      expected: "a duration such as 5m or 1h30m",
      hint: rangeHint(inner),
    });
  }
  return { kind: "range", text: query.slice(start, close + 1), start, end: close + 1, valueNs };
}

function rangeHint(inner: string): string {
  if (inner.includes(":")) return "LogQL has no subqueries";
  if (inner.includes("$")) {
    return "variables such as $__interval are replaced by the client; this one was not";
  }
  if (/^\s*\d+\s*$/.test(inner)) return `a unit is missing: did you mean [${inner.trim()}s]?`;
  if (inner.includes(".")) return "a range takes whole numbers: write 1h30m for 1.5h";
  return "the units are ms, s, m, h, d, w, y, the largest first";
}

function rawString(query: string, start: number): Token {
  const close = query.indexOf("`", start + 1);
  if (close < 0) throw unclosedString(query, start, "`");
  const text = query.slice(start, close + 1);
  // As in Go, carriage returns are not part of a raw string.
  const value = text.slice(1, -1).replaceAll("\r", "");
  return { kind: "string", text, start, end: close + 1, value };
}

function unclosedString(query: string, start: number, quote: string): ParseError {
  const newline = query.indexOf("\n", start);
  return new ParseError(query, {
    offset: start,
    expected: `string is not closed: expected ${quote === '"' ? "a double quote" : "a backquote"}`,
    hint: quote === '"' && newline >= 0
      ? "a string in double quotes ends on its line; write \\n or use backquotes"
      : query.indexOf(quote) < start
      ? "or a quote before it is missing"
      : undefined,
  });
}

function quotedString(query: string, start: number): Token {
  let position = start + 1;
  let value = "";
  for (;;) {
    const plain = matchAt(/[^"\\\n]*/y, query, position)!;
    value += plain;
    position += plain.length;
    const next = query[position];
    if (next === '"') break;
    if (next !== "\\") throw unclosedString(query, start, '"');
    const escaped = escapeRun(query, position);
    value += escaped.value;
    position = escaped.end;
  }
  const text = query.slice(start, position + 1);
  return { kind: "string", text, start, end: position + 1, value };
}

const escapeForm =
  /\\(?:([abfnrtv\\"'])|x([0-9A-Fa-f]{2})|([0-7]{3})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))/y;
const simpleEscapes: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** Reads one escape; of byte escapes as many as follow each other, since together they spell UTF-8.
 */
function escapeRun(query: string, start: number): { value: string; end: number } {
  const bytes: number[] = [];
  let position = start;
  for (;;) {
    escapeForm.lastIndex = position;
    const match = escapeForm.exec(query);
    const byte = match?.[2] ?? match?.[3];
    if (match !== null && byte !== undefined) {
      bytes.push(parseInt(byte, match[2] === undefined ? 8 : 16));
      position += match[0].length;
      continue;
    }
    if (bytes.length > 0) return { value: utf8(query, start, bytes), end: position };
    if (match === null) throw badEscape(query, start);
    const value = match[1] === undefined
      ? codePointText(query, start, parseInt(match[4] ?? match[5]!, 16))
      : simpleEscapes[match[1]] ?? match[1];
    return { value, end: position + match[0].length };
  }
}

function utf8(query: string, start: number, bytes: ReadonlyArray<number>): string {
  try {
    if (bytes.some((byte) => byte > 255)) throw badEscape(query, start);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      Uint8Array.from(bytes),
    );
  } catch (error) {
    if (error instanceof ParseError) throw error;
    throw new ParseError(query, {
      offset: start,
      expected: "these escaped bytes are not valid UTF-8",
      hint: "write the character itself, or \\u00e9 for é",
    });
  }
}

function codePointText(query: string, start: number, codePoint: number): string {
  if (codePoint <= 0x10ffff && (codePoint < 0xd800 || codePoint > 0xdfff)) {
    return String.fromCodePoint(codePoint);
  }
  throw new ParseError(query, {
    offset: start,
    expected: "this escape is not a Unicode character",
  });
}

function badEscape(query: string, start: number): ParseError {
  const escape = query.slice(start, start + 2);
  return new ParseError(query, {
    offset: start,
    found: `escape ${escape}`,
    expected: 'one of \\n \\t \\\\ \\" \\xHH \\uHHHH',
    hint: `in a regex write \\${escape}, or put the string in backquotes`,
  });
}
