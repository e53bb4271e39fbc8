/** `| logfmt [--strict] [--keep-empty]`: every pair becomes a label, or with names (`| logfmt
 *  a="key", b`) those alone. logfmtText.ts reads the pairs. Invariant: the first pair of a key
 *  counts; a strict parse keeps the pairs in front of the malformed one, sets __error__ and ends.
 */
import type { LineBlock } from "../../streams/lineBlock.ts";
import type { Extraction } from "../ast.ts";
import type { NameTable } from "../nameTable.ts";
import { category, type Row } from "../row.ts";
import { FieldSearch } from "./fieldSearch.ts";
import { FieldName } from "./fieldName.ts";
import { unescape } from "./jsonText.ts";
import { LogfmtText } from "./logfmtText.ts";
import type { RowStage } from "./stage.ts";
import type { Wanted } from "./wanted.ts";

const text = new LogfmtText();

/** Writes the value of the present pair to a slot, or to none; false if it is malformed. */
function putValue(row: Row, slot: number): boolean {
  let source: Uint8Array = row.line;
  let start = text.valueStart;
  let end = text.valueEnd;
  if (text.escaped) {
    start = unescape(row, source, start, end);
    if (start < 0) {
      text.reject();
      return false;
    }
    source = row.scratch;
    end = row.scratchEnd;
  }
  if (slot >= 0) row.set(slot, category.parsed, source, start, end);
  return true;
}

function setError(row: Row): void {
  row.setError("LogfmtParserErr", "the line is no well-formed logfmt");
}

export class LogfmtParser implements RowStage {
  readonly #strict: boolean;
  readonly #keepEmpty: boolean;
  readonly #wanted: Wanted;
  #row: Row | null = null;
  #name: FieldName | null = null;
  /** Null where its reading is not the parser's. */
  readonly #search: FieldSearch | null;

  constructor(strict: boolean, keepEmpty: boolean, wanted: Wanted) {
    this.#search = strict || keepEmpty ? null : new FieldSearch("logfmt", wanted);
    this.#strict = strict;
    this.#keepEmpty = keepEmpty;
    this.#wanted = wanted;
  }

  begin(block: LineBlock, mask: Uint8Array, row: Row): void {
    this.#search?.begin(block, mask, row);
  }

  apply(row: Row): boolean {
    if (this.#row !== row) {
      this.#row = row;
      this.#name = new FieldName(row);
    }
    if (this.#search?.take(row)) return true;
    const { mask } = this.#wanted;
    const { line } = row;
    let left = this.#wanted.count(row);
    text.begin(line, row.lineStart, row.lineEnd);
    while (left > 0 && text.next(this.#strict)) {
      const isEmpty = text.valueStart === text.valueEnd;
      const name = isEmpty && !this.#keepEmpty
        ? -1
        : this.#name!.slotOf(line, text.keyStart, text.keyEnd);
      const slot = name < 0 ? -1 : row.parsedSlot(name, mask);
      if (slot < 0 && !text.escaped) continue;
      if (!putValue(row, slot)) {
        if (this.#strict) break;
      } else if (slot >= 0) left--;
    }
    if (this.#strict && text.isBroken) setError(row);
    return true;
  }
}

interface CompiledExtraction {
  readonly slot: number;
  readonly key: Uint8Array;
}

const none = new Uint8Array(0);

/** The form with names. A name without a pair becomes an empty label, unless the row has one. */
export class LogfmtExpressions implements RowStage {
  readonly #strict: boolean;
  readonly #wanted: Wanted;
  readonly #extractions: ReadonlyArray<CompiledExtraction>;
  /** By extraction, 1 once its key was met. */
  readonly #found: Uint8Array;

  constructor(
    strict: boolean,
    extractions: ReadonlyArray<Extraction>,
    wanted: Wanted,
    names: NameTable,
  ) {
    this.#strict = strict;
    this.#wanted = wanted;
    const encoder = new TextEncoder();
    this.#extractions = extractions.map(({ name, expression }) => ({
      slot: names.require(name),
      key: encoder.encode(expression),
    }));
    this.#found = new Uint8Array(extractions.length);
  }

  apply(row: Row): boolean {
    if (this.#wanted.count(row) === 0) return true;
    const { line } = row;
    this.#found.fill(0);
    let left = this.#strict ? Infinity : this.#extractions.length;
    text.begin(line, row.lineStart, row.lineEnd);
    while (left > 0 && text.next(this.#strict)) {
      const isRead = !text.escaped || putValue(row, -1);
      if (!isRead) {
        if (this.#strict) break;
        continue;
      }
      left -= this.#take(row, line);
    }
    for (let index = 0; index < this.#found.length; index++) {
      const { slot } = this.#extractions[index]!;
      if (this.#found[index] === 1 || row.has(slot)) continue;
      if (row.parsedSlot(slot, this.#wanted.mask) >= 0) {
        row.set(slot, category.parsed, none, 0, 0);
      }
    }
    if (this.#strict && text.isBroken) setError(row);
    return true;
  }

  /** Gives the present pair to the names that ask for its key; returns how many did. */
  #take(row: Row, line: Uint8Array): number {
    let taken = 0;
    for (let index = 0; index < this.#extractions.length; index++) {
      const { slot, key } = this.#extractions[index]!;
      if (this.#found[index] === 1 || !isKey(line, key)) continue;
      this.#found[index] = 1;
      taken++;
      putValue(row, row.parsedSlot(slot, this.#wanted.mask));
    }
    return taken;
  }
}

function isKey(line: Uint8Array, key: Uint8Array): boolean {
  if (text.keyEnd - text.keyStart !== key.length) return false;
  for (let at = 0; at < key.length; at++) if (line[text.keyStart + at] !== key[at]) return false;
  return true;
}
