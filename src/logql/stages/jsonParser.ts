/** `| json`: every scalar of a JSON object becomes a label, those of nested objects under the
 *  joined names; arrays and null are skipped. jsonText.ts reads JSON, fieldName.ts owns names,
 *  jsonExpressions.ts the form with names. Invariant: of a malformed line the labels in front of
 *  the break stay, but none of an object that nothing closes, and __error__ is set. */
import type { LineBlock } from "../../streams/lineBlock.ts";
import { category, type Row } from "../row.ts";
import { FieldSearch } from "./fieldSearch.ts";
import { FieldName } from "./fieldName.ts";
import {
  blockEnd,
  braceClose,
  braceOpen,
  bracketOpen,
  nextField,
  quoteMark,
  skipBlanks,
  stringEnd,
  stringHasEscape,
  unescape,
  valueStart,
  wordEnd,
} from "./jsonText.ts";
import type { RowStage } from "./stage.ts";
import type { Wanted } from "./wanted.ts";

export class JsonParser implements RowStage {
  readonly #wanted: Wanted;
  #row: Row | null = null;
  #name: FieldName | null = null;
  /** Fields that the row can still get. */
  #left = 0;
  /** Slots written, so that those of a block without an end can be taken back. */
  #written: number[] = [];
  /** Where the names of the objects around the present field end. */
  readonly #prefixEnds: number[] = [];
  readonly #search: FieldSearch;

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
    this.#search = new FieldSearch("json", wanted);
  }

  begin(block: LineBlock, mask: Uint8Array, row: Row): void {
    this.#search.begin(block, mask, row);
  }

  apply(row: Row): boolean {
    if (this.#row !== row) {
      this.#row = row;
      this.#name = new FieldName(row);
    }
    this.#left = this.#wanted.count(row);
    if (this.#left === 0 || this.#search.take(row)) return true;
    const { line, lineStart, lineEnd } = row;
    this.#written.length = 0;
    const at = skipBlanks(line, lineStart, lineEnd);
    const broken = at < lineEnd && line[at] === braceOpen
      ? this.#object(row, line, at, lineEnd)
      : at;
    if (broken >= 0) {
      row.setError("JSONParserErr", "the line is no well-formed JSON object");
    }
    return true;
  }

  /** Walks the object that opens at `start`, nested ones included; returns where it is malformed,
   *  or -1. */
  #object(row: Row, line: Uint8Array, start: number, end: number): number {
    const prefixEnds = this.#prefixEnds;
    prefixEnds.length = 0;
    let prefixEnd = 0;
    let nestedStart = start;
    let writtenBefore = 0;
    let at = skipBlanks(line, start + 1, end);
    while (true) {
      if (at >= end) return this.#broken(line, nestedStart, writtenBefore, end, end);
      if (line[at] === braceClose) {
        if (prefixEnds.length === 0) return -1;
        prefixEnd = prefixEnds.pop()!;
        if (this.#left === 0 && prefixEnds.length === 0) return -1;
        const next = nextField(line, at + 1, end, braceClose);
        if (next < 0) return this.#broken(line, nestedStart, writtenBefore, end, at + 1);
        at = next;
        continue;
      }
      if (line[at] !== quoteMark) {
        return this.#broken(line, nestedStart, writtenBefore, end, at);
      }
      const keyStart = at + 1;
      const keyEnd = stringEnd(line, at, end);
      const keyEscaped = stringHasEscape;
      const from = keyEnd < 0 ? -1 : valueStart(line, keyEnd, end);
      if (from < 0 || from >= end) {
        return this.#broken(line, nestedStart, writtenBefore, end, at);
      }
      const kind = line[from]!;
      if (kind === braceOpen) {
        const inner = this.#enter(row, line, keyStart, keyEnd - 1, keyEscaped, prefixEnd);
        if (inner >= 0) {
          if (prefixEnds.length === 0) {
            nestedStart = from;
            writtenBefore = this.#written.length;
          }
          prefixEnds.push(prefixEnd);
          prefixEnd = inner;
          at = skipBlanks(line, from + 1, end);
          continue;
        }
      }
      const to = kind === quoteMark
        ? stringEnd(line, from, end)
        : kind === braceOpen || kind === bracketOpen
        ? blockEnd(line, from, end)
        : wordEnd(line, from, end);
      const valueEscaped = kind === quoteMark && stringHasEscape;
      if (to < 0) return this.#broken(line, nestedStart, writtenBefore, end, from);
      // An n is null: the other words and the numbers begin otherwise.
      if (kind !== braceOpen && kind !== bracketOpen && kind !== 0x6e) {
        const slot = this.#slotOf(row, line, keyStart, keyEnd - 1, keyEscaped, prefixEnd);
        if (slot === malformed) return this.#broken(line, nestedStart, writtenBefore, end, at);
        if (slot >= 0) {
          const isText = kind === quoteMark;
          const [valueFrom, valueTo] = isText ? [from + 1, to - 1] : [from, to];
          if (!this.#put(row, slot, line, valueFrom, valueTo, valueEscaped)) {
            return this.#broken(line, nestedStart, writtenBefore, end, from);
          }
          // Within a nested object it is open whether its labels stay.
          if (this.#left === 0 && prefixEnds.length === 0) return -1;
        }
      }
      at = nextField(line, to, end, braceClose);
      if (at < 0) return this.#broken(line, nestedStart, writtenBefore, end, to);
    }
  }

  /** The line is malformed at `at`: takes back the labels of a nested object that has no end. */
  #broken(
    line: Uint8Array,
    nestedStart: number,
    writtenBefore: number,
    end: number,
    at: number,
  ): number {
    if (this.#prefixEnds.length > 0 && blockEnd(line, nestedStart, end) < 0) {
      while (this.#written.length > writtenBefore) this.#row!.delete(this.#written.pop()!);
    }
    return at;
  }

  /** The length of the prefix within the nested object of a key, or -1 if nobody wants a name that
   *  begins so. */
  #enter(
    row: Row,
    line: Uint8Array,
    keyStart: number,
    keyEnd: number,
    escaped: boolean,
    prefixEnd: number,
  ): number {
    const name = this.#name!;
    let [bytes, start, end] = [line, keyStart, keyEnd];
    if (escaped) {
      start = unescape(row, line, keyStart, keyEnd);
      // #slotOf complains of it.
      if (start < 0) return -1;
      [bytes, end] = [row.scratch, row.scratchEnd];
    }
    const inner = name.append(prefixEnd, bytes, start, end);
    return inner >= 0 && (inner === 0 || this.#wanted.mayBegin(name.bytes, inner)) ? inner : -1;
  }

  /** The slot that a field's label goes to, negative if none. */
  #slotOf(
    row: Row,
    line: Uint8Array,
    keyStart: number,
    keyEnd: number,
    escaped: boolean,
    prefixEnd: number,
  ): number {
    const name = this.#name!;
    let [bytes, start, end] = [line, keyStart, keyEnd];
    if (escaped) {
      start = unescape(row, line, keyStart, keyEnd);
      if (start < 0) return malformed;
      [bytes, end] = [row.scratch, row.scratchEnd];
    }
    let slot = -1;
    if (prefixEnd === 0) slot = name.slotOf(bytes, start, end);
    else {
      const nameEnd = name.append(prefixEnd, bytes, start, end);
      if (nameEnd > 0) slot = name.slotOfWritten(nameEnd);
    }
    return slot < 0 ? -1 : row.parsedSlot(slot, this.#wanted.mask);
  }

  /** False if the value has an escape that JSON does not have. */
  #put(
    row: Row,
    slot: number,
    line: Uint8Array,
    start: number,
    end: number,
    escaped: boolean,
  ): boolean {
    if (escaped) {
      const from = unescape(row, line, start, end);
      if (from < 0) return false;
      row.set(slot, category.parsed, row.scratch, from, row.scratchEnd);
    } else row.set(slot, category.parsed, line, start, end);
    this.#written.push(slot);
    this.#left--;
    return true;
  }
}

/** An answer of #slotOf: the key has an escape that JSON does not have. */
const malformed = -2;
