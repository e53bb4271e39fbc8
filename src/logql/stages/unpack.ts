/** `| unpack`: undoes what Promtail's pack stage did. The string fields of a JSON object become
 *  labels and `_entry` the line. Invariant: without `_entry` nothing changes, and of a malformed
 *  line only __error__ is set. */
import { category, type Row } from "../row.ts";
import { FieldName } from "./fieldName.ts";
import {
  braceClose,
  braceOpen,
  nextField,
  quoteMark,
  skipBlanks,
  stringEnd,
  stringHasEscape,
  unescape,
  valueEnd,
  valueStart,
} from "./jsonText.ts";
import type { RowStage } from "./stage.ts";
import type { Wanted } from "./wanted.ts";

const entryKey = new TextEncoder().encode("_entry");

/** Numbers that a field takes in #fields: start and end of the key and of the value, and whether
 *  each has escapes. */
const fieldSize = 6;

export class Unpack implements RowStage {
  readonly #wanted: Wanted;
  #row: Row | null = null;
  #name: FieldName | null = null;
  readonly #fields: number[] = [];
  #entry = -1;

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
  }

  apply(row: Row): boolean {
    const { line, lineStart, lineEnd } = row;
    if (lineStart === lineEnd) return true;
    if (this.#row !== row) {
      this.#row = row;
      this.#name = new FieldName(row);
    }
    const isObject = line[lineStart] === braceOpen && this.#readFields(line, lineStart, lineEnd);
    if (!isObject || !this.#unescapes(row, line)) {
      row.setError("JSONParserErr", "the line is no packed entry: want a JSON object");
      return true;
    }
    if (this.#entry < 0) return true;
    for (let field = 0; field < this.#fields.length; field += fieldSize) {
      this.#put(row, line, field);
    }
    this.#replaceLine(row, line);
    return true;
  }

  /** Notes the string fields; false if the object is malformed. */
  #readFields(line: Uint8Array, start: number, end: number): boolean {
    const fields = this.#fields;
    fields.length = 0;
    this.#entry = -1;
    let at = skipBlanks(line, start + 1, end);
    while (at < end && line[at] !== braceClose) {
      const keyEnd = line[at] === quoteMark ? stringEnd(line, at, end) : -1;
      const keyEscaped = stringHasEscape;
      const from = keyEnd < 0 ? -1 : valueStart(line, keyEnd, end);
      const to = from < 0 ? -1 : valueEnd(line, from, end);
      if (to < 0) return false;
      if (line[from] === quoteMark) {
        if (isEntry(line, at + 1, keyEnd - 1)) this.#entry = fields.length;
        fields
          .push(at + 1, keyEnd - 1, from + 1, to - 1, Number(keyEscaped), Number(stringHasEscape));
      }
      at = nextField(line, to, end, braceClose);
      if (at < 0) return false;
    }
    return at < end;
  }

  /** Whether all escapes are JSON's, asked before anything is changed. */
  #unescapes(row: Row, line: Uint8Array): boolean {
    const fields = this.#fields;
    for (let field = 0; field < fields.length; field += fieldSize) {
      for (const part of [0, 2]) {
        const escaped = fields[field + 4 + part / 2] === 1;
        if (!escaped) continue;
        const mark = row.scratchEnd;
        const scratch = row.scratch;
        const from = unescape(row, line, fields[field + part]!, fields[field + part + 1]!);
        if (row.scratch === scratch) row.shrink(mark);
        if (from < 0) return false;
      }
    }
    return true;
  }

  #put(row: Row, line: Uint8Array, field: number): void {
    const fields = this.#fields;
    const [keyStart, keyEnd] = [fields[field]!, fields[field + 1]!];
    const [start, end] = [fields[field + 2]!, fields[field + 3]!];
    const [keyEscaped, escaped] = [fields[field + 4], fields[field + 5]];
    if (isEntry(line, keyStart, keyEnd)) return;
    let name: number;
    if (keyEscaped === 1) {
      const from = unescape(row, line, keyStart, keyEnd);
      name = this.#name!.slotOf(row.scratch, from, row.scratchEnd);
    } else name = this.#name!.slotOf(line, keyStart, keyEnd);
    const slot = name < 0 ? -1 : row.parsedSlot(name, this.#wanted.mask);
    if (slot < 0) return;
    if (escaped === 1) {
      const from = unescape(row, line, start, end);
      row.set(slot, category.parsed, row.scratch, from, row.scratchEnd);
    } else row.set(slot, category.parsed, line, start, end);
  }

  #replaceLine(row: Row, line: Uint8Array): void {
    const start = this.#fields[this.#entry + 2]!;
    const end = this.#fields[this.#entry + 3]!;
    if (this.#fields[this.#entry + 5] === 1) {
      row.lineStart = unescape(row, line, start, end);
      row.line = row.scratch;
      row.lineEnd = row.scratchEnd;
    } else {
      row.lineStart = start;
      row.lineEnd = end;
    }
  }
}

function isEntry(line: Uint8Array, start: number, end: number): boolean {
  if (end - start !== entryKey.length) return false;
  for (let at = 0; at < entryKey.length; at++) if (line[start + at] !== entryKey[at]) return false;
  return true;
}
