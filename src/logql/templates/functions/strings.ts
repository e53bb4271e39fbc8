/** Functions of text. Those in lower case are sprig's and take their subject last, so that it can be
 *  piped; those with a capital are Go's strings package and take it first. Positions count UTF-8
 *  bytes, widths count characters. */
import { TemplateFailed } from "../error.ts";
import { checkLength } from "../limits.ts";
import { byteLength, isTrue, sliceBytes } from "../value.ts";
import { fixed, type FunctionTable, variadic } from "./templateFunction.ts";

const isSpace = (character: string) => /^\p{White_Space}$/u.test(character);

export const strings: FunctionTable = new Map([
  ["ToLower", fixed(["string"], lower)],
  ["ToUpper", fixed(["string"], upper)],
  [
    "Replace",
    fixed(
      ["string", "string", "string", "int"],
      (text, from, to, count) => replace(text, from, to, count < 0n ? Infinity : Number(count)),
    ),
  ],
  ["Trim", fixed(["string", "string"], (text, set) => trim(text, within(set)))],
  ["TrimLeft", fixed(["string", "string"], (text, set) => trimStart(text, within(set)))],
  ["TrimRight", fixed(["string", "string"], (text, set) => trimEnd(text, within(set)))],
  ["TrimPrefix", fixed(["string", "string"], (text, prefix) => withoutPrefix(text, prefix))],
  ["TrimSuffix", fixed(["string", "string"], (text, suffix) => withoutSuffix(text, suffix))],
  ["TrimSpace", fixed(["string"], (text) => trim(text, isSpace))],
  ["lower", fixed(["string"], lower)],
  ["upper", fixed(["string"], upper)],
  ["title", fixed(["string"], title)],
  ["trim", fixed(["string"], (text) => trim(text, isSpace))],
  ["trimAll", fixed(["string", "string"], (set, text) => trim(text, within(set)))],
  ["trimPrefix", fixed(["string", "string"], (prefix, text) => withoutPrefix(text, prefix))],
  ["trimSuffix", fixed(["string", "string"], (suffix, text) => withoutSuffix(text, suffix))],
  ["trunc", fixed(["int", "string"], truncate)],
  ["substr", fixed(["int", "int", "string"], substring)],
  ["contains", fixed(["string", "string"], (part, text) => text.includes(part))],
  ["hasPrefix", fixed(["string", "string"], (prefix, text) => text.startsWith(prefix))],
  ["hasSuffix", fixed(["string", "string"], (suffix, text) => text.endsWith(suffix))],
  [
    "replace",
    fixed(["string", "string", "string"], (from, to, text) => replace(text, from, to, Infinity)),
  ],
  ["repeat", fixed(["int", "string"], (count, text) => repeat(text, count))],
  ["indent", fixed(["int", "string"], indent)],
  ["nindent", fixed(["int", "string"], (width, text) => `\n${indent(width, text)}`)],
  ["alignLeft", fixed(["int", "string"], (width, text) => align(width, text, "left"))],
  ["alignRight", fixed(["int", "string"], (width, text) => align(width, text, "right"))],
  ["default", variadic(["any"], ([fallback, given = null]) => isTrue(given) ? given : fallback!)],
]);

/** Character by character, as Go maps case: a letter stays one letter. */
function lower(text: string): string {
  return mapCase(text, (character) => character.toLowerCase());
}

function upper(text: string): string {
  return mapCase(text, (character) => character.toUpperCase());
}

function mapCase(text: string, map: (text: string) => string): string {
  if (/^[\0-\x7f]*$/.test(text)) return map(text);
  let mapped = "";
  for (const character of text) {
    const other = map(character);
    mapped += [...other].length === 1 ? other : character;
  }
  return mapped;
}

/** Each letter after something that is no letter, digit or underscore becomes upper case. */
function title(text: string): string {
  let mapped = "";
  let startsWord = true;
  for (const character of text) {
    mapped += startsWord ? upper(character) : character;
    startsWord = character.length === 1 && character < "\x80"
      ? !/\w/.test(character)
      : isSpace(character);
  }
  return mapped;
}

function within(set: string): (character: string) => boolean {
  const characters = new Set(set);
  return (character) => characters.has(character);
}

function trim(text: string, isTrimmed: (character: string) => boolean): string {
  return trimEnd(trimStart(text, isTrimmed), isTrimmed);
}

function trimStart(text: string, isTrimmed: (character: string) => boolean): string {
  let at = 0;
  while (at < text.length) {
    const character = String.fromCodePoint(text.codePointAt(at)!);
    if (!isTrimmed(character)) break;
    at += character.length;
  }
  return text.slice(at);
}

function trimEnd(text: string, isTrimmed: (character: string) => boolean): string {
  let end = text.length;
  while (end > 0) {
    const isPair = /[\udc00-\udfff]/.test(text[end - 1]!) && end > 1;
    const character = text.slice(end - (isPair ? 2 : 1), end);
    if (!isTrimmed(character)) break;
    end -= character.length;
  }
  return text.slice(0, end);
}

function withoutPrefix(text: string, prefix: string): string {
  return text.startsWith(prefix) ? text.slice(prefix.length) : text;
}

function withoutSuffix(text: string, suffix: string): string {
  return text.endsWith(suffix) ? text.slice(0, text.length - suffix.length) : text;
}

/** The first `count` bytes, or with a negative count the last. */
function truncate(count: bigint, text: string): string {
  const length = byteLength(text);
  const size = Number(count);
  if (size < 0) return -size < length ? sliceBytes(text, length + size, length) : text;
  return size < length ? sliceBytes(text, 0, size) : text;
}

/** Bytes from start to end. A negative start is the beginning; an end that is negative or beyond the
 *  text is its end. */
function substring(start: bigint, end: bigint, text: string): string {
  const length = byteLength(text);
  const from = Math.max(Number(start), 0);
  const to = start >= 0n && (end < 0n || end > length) ? length : Number(end);
  if (to >= 0 && from <= to && to <= length) return sliceBytes(text, from, to);
  throw new TemplateFailed(`substr ${start} ${end} lies outside of a text of ${length} bytes`);
}

/** An empty `from` stands in front of each character and at the end. */
function replace(text: string, from: string, to: string, count: number): string {
  const pieces = from === "" ? ["", ...text, ""] : text.split(from);
  const replaced = Math.min(pieces.length - 1, count);
  checkLength(text.length + replaced * (to.length - from.length));
  let result = pieces[0]!;
  for (let index = 1; index < pieces.length; index++) {
    result += (index <= replaced ? to : from) + pieces[index]!;
  }
  return result;
}

function repeat(text: string, count: bigint): string {
  if (count < 0n) throw new TemplateFailed(`cannot repeat a text ${count} times`);
  checkLength(text.length * Number(count));
  return text.repeat(Number(count));
}

function indent(width: bigint, text: string): string {
  const space = repeat(" ", width);
  return space + replace(text, "\n", `\n${space}`, Infinity);
}

/** Cut or filled with spaces to `width` characters: alignLeft keeps the start, alignRight the end.
 *  A negative width changes nothing. */
function align(width: bigint, text: string, side: "left" | "right"): string {
  const characters = [...text];
  const missing = Number(width) - characters.length;
  if (width < 0n || missing === 0) return text;
  if (missing > 0) {
    const space = repeat(" ", BigInt(missing));
    return side === "left" ? text + space : space + text;
  }
  return (side === "left" ? characters.slice(0, Number(width)) : characters.slice(-missing))
    .join("");
}
