/** The parser stages, each a small scanner over a line's text that keeps what it found before it
 *  failed: json, unpack, logfmt, pattern, regexp. */
import type { JsonParser, LogfmtParser } from "../../logql/ast.ts";
import { parseJsonPath } from "../../logql/jsonPath.ts";
import { bytesOf, type Entry, extract, fail, lookUp, textOf } from "./row.ts";
import { lineRegex } from "./values.ts";

/** Characters that names do not have become `_`. */
function sanitize(name: string): string {
  return [...name.trim()].map((character) => /[A-Za-z0-9_]/.test(character) ? character : "_")
    .join("");
}

function withoutLeadingDigit(name: string): string {
  return /^\d/.test(name) ? `_${name}` : name;
}

// ---- json ----

interface JsonValue {
  readonly type: "string" | "number" | "boolean" | "null" | "object" | "array";
  /** Of a string what it says; of anything else the text as it stands in the line. */
  readonly text: string;
  /** Where the text after the value begins. */
  readonly end: number;
}

class Malformed extends Error {}

/** `| json`, and `| json a="b.c"`. */
export function parseJson(entry: Entry, stage: JsonParser): void {
  const text = textOf(entry.line);
  orFail(entry, "JSONParserErr", () => {
    if (stage.extractions.length === 0) return extractFields(entry, text, "");
    if (text === "") return;
    if (!/^[{["]/.test(text)) throw new Malformed();
    for (const { name, expression } of stage.extractions) {
      const value = valueAt(text, parseJsonPath(expression) as ReadonlyArray<string | number>);
      if (value !== null) extract(entry, name, value.type === "null" ? "" : value.text);
      else if (lookUp(entry, name) === undefined) extract(entry, name, "");
    }
  });
}

/** `| unpack`: labels are unpacked where `_entry` is there, which then is the line. */
export function unpack(entry: Entry): void {
  const text = textOf(entry.line);
  if (text === "") return;
  orFail(entry, "JSONParserErr", () => {
    if (!text.startsWith("{")) throw new Malformed();
    const all = [...fieldsOf(text)].filter(([, value]) => value.type === "string");
    const packed = all.findLast(([key]) => key === "_entry");
    if (packed === undefined) return;
    for (const [key, value] of all) {
      if (key !== "_entry") extract(entry, withoutLeadingDigit(sanitize(key)), value.text);
    }
    entry.line = bytesOf(packed[1].text);
  });
}

function orFail(entry: Entry, error: string, body: () => void): void {
  try {
    body();
  } catch (thrown) {
    if (!(thrown instanceof Malformed)) throw thrown;
    fail(entry, error);
  }
}

/** Scalars become labels, objects are joined with `_`, arrays and nulls are skipped. */
function extractFields(entry: Entry, text: string, prefix: string): void {
  for (const [key, value] of fieldsOf(text)) {
    const name = prefix === "" ? withoutLeadingDigit(sanitize(key)) : `${prefix}_${sanitize(key)}`;
    if (value.type === "object") extractFields(entry, value.text, name);
    else if (value.type !== "array" && value.type !== "null" && name !== "") {
      extract(entry, name, value.text);
    }
  }
}

function valueAt(text: string, path: ReadonlyArray<string | number>): JsonValue | null {
  let current = readValue(text, 0);
  for (const step of path) {
    const next = typeof step === "number"
      ? current.type === "array" ? [...elementsOf(current.text)][step] : undefined
      : current.type === "object"
      ? [...fieldsOf(current.text)].find(([key]) => key === step)?.[1]
      : undefined;
    if (next === undefined) return null;
    current = next;
  }
  return current;
}

/** The fields of an object one by one, so that those in front of a break are found. */
function* fieldsOf(text: string): Generator<[string, JsonValue]> {
  let at = expect(text, 0, "{");
  while (text[at] !== "}") {
    if (text[at] !== '"') throw new Malformed();
    const key = readValue(text, at);
    const value = readValue(text, expect(text, key.end, ":"));
    yield [key.text, value];
    at = skipBlanks(text, value.end);
    if (text[at] !== "}") at = expect(text, at, ",");
  }
}

function* elementsOf(text: string): Generator<JsonValue> {
  let at = expect(text, 0, "[");
  while (text[at] !== "]") {
    const value = readValue(text, at);
    yield value;
    at = skipBlanks(text, value.end);
    if (text[at] !== "]") at = expect(text, at, ",");
  }
}

function readValue(text: string, start: number): JsonValue {
  const at = skipBlanks(text, start);
  const string = /^"(?:[^"\\]|\\.)*"/s.exec(text.slice(at));
  if (string !== null) {
    return { type: "string", text: unquote(string[0]), end: at + string[0].length };
  }
  if (text[at] === "{" || text[at] === "[") return readBlock(text, at);
  const word = /^(?:true|false|null|-?\d[\d.eE+-]*)(?=[\s,}\]]|$)/.exec(text.slice(at));
  if (word === null) throw new Malformed();
  const type = word[0] === "null" ? "null" : /^[tf]/.test(word[0]) ? "boolean" : "number";
  return { type, text: word[0], end: at + word[0].length };
}

/** An object or array by its brackets, strings skipped. */
function readBlock(text: string, start: number): JsonValue {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at]!;
    if (character === '"') at = readValue(text, at).end - 1;
    else if ("{[".includes(character)) depth++;
    else if ("}]".includes(character) && --depth === 0) {
      const type = text[start] === "{" ? "object" : "array";
      return { type, text: text.slice(start, at + 1), end: at + 1 };
    }
  }
  throw new Malformed();
}

function unquote(quoted: string): string {
  if (!/^(?:[^\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*$/.test(quoted)) throw new Malformed();
  try {
    return (JSON.parse(quoted.replace(/[^ -\uffff]/g, escapeControl)) as string).toWellFormed();
  } catch {
    throw new Malformed();
  }
}

function escapeControl(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function skipBlanks(text: string, start: number): number {
  let at = start;
  while (at < text.length && " \t\r\n".includes(text[at]!)) at++;
  return at;
}

function expect(text: string, start: number, character: string): number {
  const at = skipBlanks(text, start);
  if (text[at] !== character) throw new Malformed();
  return skipBlanks(text, at + 1);
}

// ---- logfmt ----

/** `| logfmt`, with or without names. A bad token is skipped to the next blank, or ends a strict
 *  parse. */
export function parseLogfmt(entry: Entry, stage: LogfmtParser): void {
  const pairs: Array<[string, string]> = [];
  const isBroken = scanLogfmt(textOf(entry.line), stage.strict, pairs);
  if (stage.extractions.length > 0) {
    for (const { name, expression } of stage.extractions) {
      const value = pairs.find(([key]) => key === expression)?.[1];
      if (value !== undefined) extract(entry, name, value);
      else if (lookUp(entry, name) === undefined) extract(entry, name, "");
    }
  } else {
    for (const [key, value] of pairs) {
      const name = withoutLeadingDigit(sanitize(key));
      if (name !== "" && (value !== "" || stage.keepEmpty)) extract(entry, name, value);
    }
  }
  if (isBroken && stage.strict) fail(entry, "LogfmtParserErr");
}

/** Whether the text has a bad token. Blanks are all characters up to the space. */
function scanLogfmt(text: string, strict: boolean, pairs: Array<[string, string]>): boolean {
  let isBroken = false;
  let rest = text.replace(/^[^!-\uffff]+/, "");
  while (rest !== "") {
    const pair = /^([!#-<>-\uffff]+)(?:=(?:("(?:[^"\\]|\\.)*")|([!#-<>-\uffff]*)(?![="])))?/s.exec(
      rest,
    );
    const quoted = pair?.[2];
    const value = quoted === undefined ? pair?.[3] ?? "" : unquoted(quoted);
    const follows = rest[pair?.[0].length ?? 0] ?? " ";
    const isWhole = pair !== null && value !== null &&
      (quoted !== undefined || /[^!-\uffff]/.test(follows));
    if (isWhole) {
      pairs.push([pair[1]!, value]);
      rest = rest.slice(pair[0].length);
    } else {
      isBroken = true;
      if (strict) return true;
      rest = rest.slice(brokenLength(rest, quoted));
    }
    rest = rest.replace(/^[^!-\uffff]+/, "");
  }
  return isBroken;
}

/** How much of the text a bad token takes: a quoted value that nothing closes takes all. */
function brokenLength(rest: string, quoted: string | undefined): number {
  const key = /^[!#-<>-\uffff]+=(?=")/.exec(rest)?.[0];
  if (key !== undefined) return quoted === undefined ? rest.length : key.length + quoted.length;
  return /^[!-\uffff]*/.exec(rest)![0].length;
}

function unquoted(quoted: string): string | null {
  try {
    return quoted.includes("\\") ? unquote(quoted) : quoted.slice(1, -1);
  } catch {
    return null;
  }
}

// ---- pattern and regexp ----

/** `| pattern "<a> <_>"`: literals in turn; where one is missing the capture before it takes the
 *  rest. */
export function parsePattern(entry: Entry, pattern: string): void {
  let rest = textOf(entry.line);
  if (rest === "") return;
  const parts = pattern.split(/<([A-Za-z_][A-Za-z0-9_]*)>/);
  if (!rest.startsWith(parts[0]!)) return;
  rest = rest.slice(parts[0]!.length);
  for (let index = 1; index < parts.length; index += 2) {
    const name = parts[index]!;
    const literal = parts[index + 1]!;
    const at = literal === "" ? -1 : rest.indexOf(literal);
    if (name !== "_") extract(entry, name, at < 0 ? rest : rest.slice(0, at));
    if (at < 0) return;
    rest = rest.slice(at + literal.length);
  }
}

/** `| regexp "(?P<a>…)"`. */
export function parseRegexp(entry: Entry, pattern: string): void {
  const groups = lineRegex(pattern).exec(textOf(entry.line))?.groups ?? {};
  for (const [name, value] of Object.entries(groups)) extract(entry, name, value ?? "");
}
