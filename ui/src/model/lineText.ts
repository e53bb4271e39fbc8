// How a line is drawn: its visible start, cut into pieces that carry terminal colours and the marks of what was searched
// for. row.ts owns what a row is. Invariant: text from a log stays text, and work is bounded by the characters drawn, not by
// the line's length.
import { visibleText } from "./row.ts";
import { readString } from "./selector.ts";

export interface Piece {
  readonly text: string;
  /** Class names: terminal colours, and "mark" for what was searched. */
  readonly classes: string;
}

/** Cuts the first `charactersMax` characters of a line into pieces. `marks` is global. */
export function linePieces(
  line: string,
  charactersMax: number,
  multiline: boolean,
  marks: RegExp | undefined,
): readonly Piece[] {
  const start = line.length > charactersMax ? line.slice(0, charactersMax) : line;
  const coloured = start.includes("\x1b[") ? colourPieces(start) : [{ text: start, classes: "" }];
  return coloured.flatMap((piece) => markPieces(piece, multiline, marks));
}

/** A line without terminal colours, other acting characters made visible: for copying and for columns. */
export function plainText(line: string, charactersMax: number): string {
  return visibleText(line.slice(0, charactersMax).replace(ansiSequence, ""), false);
}

/** What a query searches lines for, as one global expression; undefined when nothing can be marked. */
export function searchedText(query: string, more = ""): RegExp | undefined {
  const alternatives: string[] = more === "" ? [] : [escapeRegex(more)];
  let ignoreCase = more !== "";
  for (const { operator, value } of lineFilters(query)) {
    if (value === "") continue;
    if (operator === "|=") alternatives.push(escapeRegex(value));
    else {
      if (/^\(\?i\)/.test(value)) ignoreCase = true;
      const pattern = value.replace(/^\(\?[is]+\)/, "").replace(/\(\?P</g, "(?<");
      if (isHarmless(pattern)) alternatives.push(pattern);
    }
  }
  if (alternatives.length === 0) return undefined;
  try {
    return new RegExp(alternatives.map((each) => `(?:${each})`).join("|"), ignoreCase ? "gi" : "g");
  } catch {
    return undefined;
  }
}

/** A JSON line with a line for each member; undefined when it is no JSON object or array, or too long to be worth it. */
export function prettyJson(line: string, charactersMax: number): string | undefined {
  if (line.length > charactersMax || !/^\s*[[{]/.test(line)) return undefined;
  try {
    return JSON.stringify(JSON.parse(line), null, 2);
  } catch {
    return undefined;
  }
}

// deno-lint-ignore no-control-regex -- escape sequences of terminals begin with a control character
const ansiSequence = /\x1b\[[0-9;:?]*[ -/]*[@-~]/g;
const marksMax = 200;

/** Escape sequences cut at the end of the visible part are left out as well. */
function colourPieces(text: string): Piece[] {
  const pieces: Piece[] = [];
  let position = 0;
  let style: Style = {};
  for (const match of text.matchAll(ansiSequence)) {
    add(pieces, text.slice(position, match.index), style);
    position = match.index + match[0].length;
    if (match[0].endsWith("m")) style = applySequence(style, match[0].slice(2, -1));
  }
  add(pieces, text.slice(position), style);
  return pieces;
}

interface Style {
  readonly colour?: number;
  readonly background?: number;
  readonly bold?: boolean;
  readonly underlined?: boolean;
}

function add(pieces: Piece[], text: string, style: Style): void {
  if (text === "") return;
  const classes = [
    style.colour === undefined ? "" : `ansi-${style.colour}`,
    style.background === undefined ? "" : `ansi-on-${style.background}`,
    style.bold ? "ansi-bold" : "",
    style.underlined ? "ansi-underlined" : "",
  ].filter((name) => name !== "");
  pieces.push({ text, classes: classes.join(" ") });
}

/** "Select graphic rendition" of ECMA-48, and xterm's first sixteen of 256 colours. */
function applySequence(style: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).map(Number);
  let next: Style = style;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] ?? 0;
    if (code === 0) next = {};
    else if (code === 1) next = { ...next, bold: true };
    else if (code === 4) next = { ...next, underlined: true };
    else if (code === 22) next = { ...next, bold: false };
    else if (code === 24) next = { ...next, underlined: false };
    else if (code >= 30 && code <= 37) next = { ...next, colour: code - 30 };
    else if (code >= 90 && code <= 97) next = { ...next, colour: code - 82 };
    else if (code >= 40 && code <= 47) next = { ...next, background: code - 40 };
    else if (code >= 100 && code <= 107) next = { ...next, background: code - 92 };
    else if (code === 39) next = without(next, "colour");
    else if (code === 49) next = without(next, "background");
    else if (code === 38 || code === 48) {
      const colour = codes[i + 2] ?? 16;
      if (codes[i + 1] === 5 && colour < 16) {
        next = code === 38 ? { ...next, colour } : { ...next, background: colour };
      }
      i += codes[i + 1] === 5 ? 2 : 4;
    }
  }
  return next;
}

function without(style: Style, name: keyof Style): Style {
  const { [name]: _, ...rest } = style;
  return rest;
}

function markPieces({ text, classes }: Piece, multiline: boolean, marks?: RegExp): Piece[] {
  const plain = (part: string) => ({ text: visibleText(part, multiline), classes });
  if (marks === undefined) return [plain(text)];
  const pieces: Piece[] = [];
  let position = 0;
  for (const match of text.matchAll(marks)) {
    if (match[0] === "" || pieces.length >= 2 * marksMax) continue;
    if (match.index > position) pieces.push(plain(text.slice(position, match.index)));
    pieces.push({ text: visibleText(match[0], multiline), classes: `${classes} mark`.trim() });
    position = match.index + match[0].length;
  }
  if (position < text.length || pieces.length === 0) pieces.push(plain(text.slice(position)));
  return pieces;
}

/** The line filters of a query that keep lines, as far as they can be read. */
function lineFilters(query: string): { operator: "|=" | "|~"; value: string }[] {
  const found: { operator: "|=" | "|~"; value: string }[] = [];
  for (let position = 0; position < query.length;) {
    const head = query.slice(position, position + 2);
    if (head[0] === '"' || head[0] === "`") {
      position = readString(query, position)?.end ?? query.length;
    } else if (head[0] === "#") {
      const lineEnd = query.indexOf("\n", position);
      position = lineEnd < 0 ? query.length : lineEnd;
    } else if (head === "|=" || head === "|~") {
      position = skipSpace(query, position + 2);
      for (;;) {
        const literal = readString(query, position);
        if (literal === undefined) break;
        found.push({ operator: head, value: literal.value });
        position = skipSpace(query, literal.end);
        if (!/^or\b/.test(query.slice(position, position + 3))) break;
        position = skipSpace(query, position + 2);
      }
    } else position++;
  }
  return found;
}

function skipSpace(text: string, position: number): number {
  while (/\s/.test(text[position] ?? "")) position++;
  return position;
}

/** The server's expressions run in linear time, the browser's need not: what repeats repetitions, or has several that can match the
 *  same text, could take for ever. */
function isHarmless(pattern: string): boolean {
  const repetitions = pattern.match(/(?<!\\)[*+]|\{\d*,\d*\}/g)?.length ?? 0;
  const wild = pattern.match(/\.[*+]/g)?.length ?? 0;
  return pattern.length < 300 && repetitions <= 2 && wild <= 1 && !/\)[*+{]/.test(pattern);
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&");
}
