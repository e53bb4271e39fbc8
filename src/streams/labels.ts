/** Label sets: parsing and printing of `{a="b", c="d"}`. The printed form is a stream's identity
 *  (with its tenant), so it is canonical: sorted by name, no empty values, one way to escape.
 *  matcher.ts owns selectors, fingerprint.ts the hash.
 *  Invariant: parseLabels(formatLabels(x)) equals x, whatever version of Unicode the runtime knows.
 */

/** A label set, sorted by name (names are ASCII, so UTF-16 order is byte order), each name once, no
 *  value empty. */
export type Labels = ReadonlyArray<readonly [name: string, value: string]>;

/** A label string that cannot be read. `position` counts UTF-16 units from 0. */
export class LabelsParseError extends Error {
  override readonly name = "LabelsParseError";
  readonly text: string;
  readonly position: number;
  readonly expected: string;

  constructor(text: string, position: number, expected: string) {
    const near = text.slice(position, position + 20);
    super(
      `Cannot parse labels ${
        JSON.stringify(excerpt(text))
      }: expected ${expected} at position ${position}, found ` +
        (near === "" ? "the end" : JSON.stringify(near)),
    );
    this.text = text;
    this.position = position;
    this.expected = expected;
  }
}

/** Reads a label string as Prometheus and Loki write it: Go string escapes in `"` and `'`, raw
 *  strings in backticks, a trailing comma, any order. Labels with an empty value are dropped, as in
 *  Prometheus. Throws LabelsParseError; a name that occurs twice is an error. */
export function parseLabels(text: string): Labels {
  return new LabelsParser(text.isWellFormed() ? text : text.toWellFormed()).parse();
}

/** The canonical form, `{a="b", c="d"}`; `{}` for no labels. Expects `labels` as parseLabels or
 *  labelsFromObject made them. */
export function formatLabels(labels: Labels): string {
  let text = "{";
  for (let index = 0; index < labels.length; index++) {
    const [name, value] = labels[index]!;
    text += index === 0 ? name : ", " + name;
    text += "=" + quote(value);
  }
  return text + "}";
}

/** Labels of a plain object, as JSON pushes carry them. Lone surrogates become U+FFFD as in any
 *  UTF-8 encoder, empty values are dropped. Throws LabelsParseError for a name that is not
 *  [a-zA-Z_][a-zA-Z0-9_]*. */
export function labelsFromObject(values: Readonly<Record<string, string>>): Labels {
  const pairs: Array<readonly [string, string]> = [];
  for (const [name, value] of Object.entries(values)) {
    if (!isLabelName(name)) {
      throw new LabelsParseError(name, 0, "a label name ([a-zA-Z_][a-zA-Z0-9_]*)");
    }
    if (value !== "") pairs.push([name, value.toWellFormed()]);
  }
  return pairs.sort(byName);
}

/** Whether `name` is [a-zA-Z_][a-zA-Z0-9_]*: Loki's rule for stream labels. A colon is for metric
 *  names only. */
export function isLabelName(name: string): boolean {
  return labelName.test(name);
}

/** A Go string literal in double quotes. Control characters, and the few that no screen shows, are
 *  escaped; the set is fixed here and not taken from Unicode tables, because the result identifies
 *  streams for ever. */
export function quote(value: string): string {
  return plainText.test(value) ? `"${value}"` : `"${value.replace(escaped, escapeCharacter)}"`;
}

const labelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const labelNameAt = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const plainText = /^[ !#-[\]-~]*$/;
const escaped = /["\\\p{Cc}\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]/gu;

const shortEscapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};

const shortUnescapes: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
};

function escapeCharacter(character: string): string {
  const short = shortEscapes[character];
  if (short !== undefined) return short;
  const code = character.charCodeAt(0);
  return code < 0x80
    ? "\\x" + code.toString(16).padStart(2, "0")
    : "\\u" + code.toString(16).padStart(4, "0");
}

function byName(a: readonly [string, string], b: readonly [string, string]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}

function excerpt(text: string): string {
  return text.length <= 200 ? text : text.slice(0, 200) + "...";
}

/** Recursive descent over one label string; `position` is the next unread unit. */
class LabelsParser {
  readonly text: string;
  position = 0;

  constructor(text: string) {
    this.text = text;
  }

  parse(): Labels {
    const pairs: Array<readonly [string, string]> = [];
    const positions = new Map<string, number>();
    this.skipSpace();
    this.take("{", 'an opening brace "{"');
    this.skipSpace();
    while (this.text[this.position] !== "}") {
      const nameAt = this.position;
      const name = this.labelName();
      this.skipSpace();
      this.take("=", `"=" after the label name "${excerpt(name)}"`);
      this.skipSpace();
      const value = this.string();
      if (positions.has(name)) {
        this.fail(nameAt, `each label name once ("${excerpt(name)}" repeats)`);
      }
      positions.set(name, nameAt);
      if (value !== "") pairs.push([name, value]);
      this.skipSpace();
      if (this.text[this.position] === "}") break;
      this.take(",", '"," or "}" after a label');
      this.skipSpace();
    }
    this.position++;
    this.skipSpace();
    if (this.position < this.text.length) this.fail(this.position, 'nothing after the closing "}"');
    return pairs.sort(byName);
  }

  fail(position: number, expected: string): never {
    throw new LabelsParseError(this.text, position, expected);
  }

  take(character: string, expected: string): void {
    if (this.text[this.position] !== character) this.fail(this.position, expected);
    this.position++;
  }

  skipSpace(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.position);
      if (code !== 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) return;
      this.position++;
    }
  }

  labelName(): string {
    labelNameAt.lastIndex = this.position;
    const match = labelNameAt.exec(this.text);
    if (match === null) this.fail(this.position, 'a label name ([a-zA-Z_][a-zA-Z0-9_]*) or "}"');
    this.position += match[0].length;
    return match[0];
  }

  string(): string {
    const quoteMark = this.text[this.position];
    const start = this.position + 1;
    if (quoteMark === "`") {
      const end = this.text.indexOf("`", start);
      if (end < 0) this.fail(this.text.length, "a closing backtick");
      this.position = end + 1;
      return this.text.slice(start, end);
    }
    if (quoteMark !== '"' && quoteMark !== "'") this.fail(this.position, "a quoted label value");
    return this.quoted(quoteMark, start);
  }

  quoted(quoteMark: string, start: number): string {
    const literal = new GoString();
    let runStart = start;
    for (let at = start; at < this.text.length;) {
      const character = this.text[at]!;
      if (character === "\n") this.fail(at, 'no line break within quotes (write "\\n")');
      if (character === quoteMark) {
        literal.addText(this.text.slice(runStart, at));
        const value = literal.finish();
        if (value === undefined) this.fail(start, "escapes that make valid UTF-8");
        this.position = at + 1;
        return value;
      }
      if (character !== "\\") {
        at++;
        continue;
      }
      literal.addText(this.text.slice(runStart, at));
      at = runStart = this.escape(literal, at, quoteMark);
    }
    this.fail(this.text.length, `a closing quote ${quoteMark}`);
  }

  /** Reads the escape whose backslash is at `at`; returns where it ends. */
  escape(literal: GoString, at: number, quoteMark: string): number {
    const kind = this.text[at + 1] ?? "";
    const short = kind === quoteMark ? kind : shortUnescapes[kind];
    if (short !== undefined) {
      literal.addText(short);
      return at + 2;
    }
    if (kind === "x") {
      literal.addByte(this.digits(at + 2, 2, 16));
      return at + 4;
    }
    if (kind === "u" || kind === "U") {
      const count = kind === "u" ? 4 : 8;
      const code = this.digits(at + 2, count, 16);
      if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
        this.fail(at, "an escape that names a Unicode character");
      }
      literal.addText(String.fromCodePoint(code));
      return at + 2 + count;
    }
    if (kind >= "0" && kind <= "7") {
      const byte = this.digits(at + 1, 3, 8);
      if (byte > 255) this.fail(at, "an octal escape of at most \\377");
      literal.addByte(byte);
      return at + 4;
    }
    this.fail(
      at,
      'an escape of Go (\\a \\b \\f \\n \\r \\t \\v \\\\ \\" \\xhh \\ooo \\uhhhh \\Uhhhhhhhh)',
    );
  }

  digits(start: number, count: number, radix: 8 | 16): number {
    const digits = this.text.slice(start, start + count);
    const valid = radix === 16 ? /^[0-9a-fA-F]+$/ : /^[0-7]+$/;
    if (digits.length < count || !valid.test(digits)) {
      this.fail(start, `${count} ${radix === 16 ? "hexadecimal" : "octal"} digits`);
    }
    return parseInt(digits, radix);
  }
}

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Collects a Go string literal. \x and octal escapes name bytes, not characters, so with one of
 *  them above 0x7f the whole is put together as bytes. */
class GoString {
  text = "";
  bytes: Array<number> | undefined;

  addText(text: string): void {
    if (this.bytes === undefined) this.text += text;
    else if (text !== "") { for (const byte of encoder.encode(text)) this.bytes.push(byte); }
  }

  addByte(byte: number): void {
    if (this.bytes === undefined && byte >= 0x80) {
      this.bytes = Array.from(encoder.encode(this.text));
    }
    if (this.bytes === undefined) this.text += String.fromCharCode(byte);
    else this.bytes.push(byte);
  }

  /** The value, or undefined if its bytes are not UTF-8. */
  finish(): string | undefined {
    if (this.bytes === undefined) return this.text;
    try {
      return strictDecoder.decode(Uint8Array.from(this.bytes));
    } catch {
      return undefined;
    }
  }
}
