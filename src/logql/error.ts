/** What is wrong with a query and where. Owns the wording of a parse error and the arithmetic of
 *  positions; lexer.ts and the parsers say what was found and expected. Invariant: every error has
 *  a position within the query. */
import { editDistance } from "../platform/editDistance.ts";

export interface ParseErrorDetail {
  /** UTF-16 offset into the query where the trouble starts. */
  readonly offset: number;
  /** What stands there, ready to read: `"|"`, `string "x"`, `end of query`. Empty for an error that
   *  is not about a token. */
  readonly found?: string;
  /** What would have been right there, or the whole complaint when `found` is empty. */
  readonly expected: string;
  /** How to put it right. */
  readonly hint?: string | undefined;
}

/** A query that cannot be read. Reads as `parse error at line 1, col 7: unexpected "}", expected
 *  …`. */
export class ParseError extends Error {
  readonly _tag = "ParseError";
  override readonly name = "ParseError";
  readonly query: string;
  readonly offset: number;
  /** Both from 1; columns count characters. */
  readonly line: number;
  readonly column: number;
  readonly found: string;
  readonly expected: string;
  readonly hint: string | null;

  constructor(query: string, detail: ParseErrorDetail) {
    const { line, column } = positionOf(query, detail.offset);
    const found = detail.found ?? "";
    const complaint = found === ""
      ? detail.expected
      : `unexpected ${found}, expected ${detail.expected}`;
    const hint = detail.hint === undefined ? "" : `; ${detail.hint}`;
    super(`parse error at line ${line}, col ${column}: ${complaint}${hint}`);
    this.query = query;
    this.offset = detail.offset;
    this.line = line;
    this.column = column;
    this.found = found;
    this.expected = detail.expected;
    this.hint = detail.hint ?? null;
  }
}

/** Line and column, both from 1, of a UTF-16 offset. A column is a character, whatever its width.
 */
export function positionOf(query: string, offset: number): { line: number; column: number } {
  const before = query.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  let line = 1;
  for (let at = before.indexOf("\n"); at >= 0; at = before.indexOf("\n", at + 1)) line++;
  return { line, column: [...before.slice(lineStart)].length + 1 };
}

/** The known word nearest to a mistyped one, or undefined if none is near. */
export function nearestWord(word: string, known: Iterable<string>): string | undefined {
  const typed = word.toLowerCase().slice(0, 40);
  let best: string | undefined;
  let bestDistance = typed.length <= 4 ? 2 : 3;
  for (const candidate of known) {
    const distance = editDistance(typed, candidate);
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best;
}
