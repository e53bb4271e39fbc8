/** What one operand of a line filter asks of a line, in two halves: texts that a block scan can
 *  search, and a test of single rows for what texts leave open. lineFilter.ts puts operands
 *  together. Invariant: a line that matches contains a needle of every clause; "contains" and
 *  "everything" need no test. */
import { byteSearch } from "../streams/byteSearch.ts";
import { compileLineRegex } from "../streams/regex.ts";
import { type LiteralPlan, literalPlan, type Needle } from "../streams/regexLiterals.ts";
import { bytesHaveIp, ipTextPrefix, parseIpRange } from "./ip.ts";
import { parsePattern, type PatternPart } from "./patternSyntax.ts";

/** Whether the line `bytes[start..end)` matches. */
export type RowTest = (bytes: Uint8Array, start: number, end: number) => boolean;

export interface OperandPlan {
  readonly literals: LiteralPlan;
  /** For rows that the literals leave open. */
  readonly test: RowTest;
}

/** `|= "text"`. */
export function planText(text: string): OperandPlan {
  const literals: LiteralPlan = text === ""
    ? { kind: "everything" }
    : { kind: "contains", needles: [{ text, fold: false }] };
  return { literals, test: () => false };
}

/** `|~ "regex"`. Throws RegexInvalid. */
export function planRegex(pattern: string): OperandPlan {
  const literals = literalPlan(pattern);
  const regex = compileLineRegex(pattern);
  return { literals, test: (bytes, start, end) => regex.matches(bytes, start, end) };
}

/** `|= ip("range")`. Throws a RangeError for text that is no range; the parser lets none through.
 */
export function planIp(text: string): OperandPlan {
  const range = parseIpRange(text);
  if (range === null) throw new RangeError(`invalid IP pattern ${JSON.stringify(text)}`);
  const prefix = ipTextPrefix(range);
  const clauses = prefix === "" ? [] : [[{ text: prefix, fold: false }]];
  return {
    literals: { kind: "required", clauses },
    test: (bytes, start, end) => bytesHaveIp(bytes, start, end, range),
  };
}

/** `|> "pattern"`: `<_>` stands for one byte or more, all else for itself, from the first byte of
 *  the line to the last. Throws a RangeError for a malformed pattern; the parser lets none through.
 */
export function planPattern(pattern: string): OperandPlan {
  const parts = parsePattern(pattern);
  if (typeof parts === "string") throw new RangeError(`invalid pattern: ${parts}`);
  const clauses: Needle[][] = [];
  for (const part of parts) {
    if (part.kind === "literal") clauses.push([{ text: part.text, fold: false }]);
  }
  clauses.sort((a, b) => b[0]!.text.length - a[0]!.text.length);
  return {
    literals: { kind: "required", clauses: clauses.slice(0, 3) },
    test: patternTest(parts),
  };
}

function patternTest(parts: ReadonlyArray<PatternPart>): RowTest {
  const encoder = new TextEncoder();
  const texts = parts.map((part) => part.kind === "literal" ? encoder.encode(part.text) : null);
  const searches = texts.map((text) => text === null ? null : byteSearch(text));
  const last = texts.length - 1;
  const suffix = last < 0 ? null : texts[last]!;
  return (bytes, start, end) => {
    let at = start;
    // A wildcard needs a byte, so the text after it starts one later.
    let gap = 0;
    for (let index = 0; index < texts.length; index++) {
      const text = texts[index]!;
      if (text === null) {
        gap = 1;
        continue;
      }
      if (index === last) break;
      const found = gap === 0
        ? (startsWith(bytes, at, end, text) ? at : -1)
        : searches[index]!(bytes, at + gap, end);
      if (found < 0) return false;
      at = found + text.length;
      gap = 0;
    }
    if (suffix === null) return last < 0 ? start === end : end - at >= 1;
    const suffixStart = end - suffix.length;
    const fits = gap === 0 ? suffixStart === at : suffixStart >= at + gap;
    return fits && startsWith(bytes, suffixStart, end, suffix);
  };
}

function startsWith(bytes: Uint8Array, at: number, end: number, text: Uint8Array): boolean {
  if (at + text.length > end) return false;
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false;
  return true;
}
