/** `| pattern "<ip> - <_> [<time>]"`: captures what lies between literal texts. patternSyntax.ts
 *  reads patterns. Invariant: the line is matched from its start; where a literal is missing the
 *  capture before it takes the rest of the line and the captures after it nothing. */
import { type ByteSearch, byteSearch } from "../../streams/byteSearch.ts";
import type { NameTable } from "../nameTable.ts";
import { parsePattern } from "../patternSyntax.ts";
import { category, type Row } from "../row.ts";
import type { RowStage } from "./stage.ts";
import type { Wanted } from "./wanted.ts";

interface Capture {
  /** -1 for `<_>`, and for a name that nobody wants. */
  readonly slot: number;
  /** The text behind the capture; null if it takes the rest of the line. */
  readonly literal: { readonly bytes: number; readonly search: ByteSearch } | null;
}

export class PatternParser implements RowStage {
  readonly #prefix: Uint8Array;
  readonly #captures: ReadonlyArray<Capture>;
  readonly #wanted: Wanted;

  /** Throws a RangeError for a pattern that the parser would have refused. */
  constructor(pattern: string, wanted: Wanted, names: NameTable) {
    const parts = parsePattern(pattern);
    if (typeof parts === "string") throw new RangeError(`invalid pattern: ${parts}`);
    const encoder = new TextEncoder();
    const literalAt = (index: number) => {
      const part = parts[index];
      return part?.kind === "literal" ? encoder.encode(part.text) : null;
    };
    this.#wanted = wanted;
    this.#prefix = literalAt(0) ?? new Uint8Array(0);
    const captures = parts.flatMap((part, index) =>
      part.kind === "literal" ? [] : [{
        slot: part.name === null ? -1 : names.require(part.name),
        literal: searchFor(literalAt(index + 1)),
      }]
    );
    // What follows the last capture that anybody can want need not be looked for.
    const last = captures.findLastIndex(({ slot }) => slot >= 0);
    this.#captures = captures.slice(0, last + 1);
  }

  apply(row: Row): boolean {
    const { line, lineStart, lineEnd } = row;
    if (lineStart === lineEnd || this.#wanted.count(row) === 0) return true;
    const prefix = this.#prefix;
    if (lineStart + prefix.length > lineEnd) return true;
    for (let at = 0; at < prefix.length; at++) {
      if (line[lineStart + at] !== prefix[at]) return true;
    }
    let at = lineStart + prefix.length;
    for (let index = 0; index < this.#captures.length; index++) {
      const { slot: name, literal } = this.#captures[index]!;
      const found = literal === null ? -1 : literal.search(line, at, lineEnd);
      const slot = name < 0 ? -1 : row.parsedSlot(name, this.#wanted.mask);
      if (slot >= 0) row.set(slot, category.parsed, line, at, found < 0 ? lineEnd : found);
      if (found < 0) break;
      at = found + literal!.bytes;
    }
    return true;
  }
}

function searchFor(text: Uint8Array | null): Capture["literal"] {
  return text === null ? null : { bytes: text.length, search: byteSearch(text) };
}
