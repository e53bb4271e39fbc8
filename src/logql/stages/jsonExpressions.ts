/** `| json a="x.y[0]", b`: each name gets what lies at its path, as it stands in the line unless it
 *  is a string. jsonPath.ts reads the paths. Invariant: a name whose path leads nowhere becomes an
 *  empty label, unless the row has a label of that name. */
import type { Extraction } from "../ast.ts";
import { type JsonPathStep, parseJsonPath } from "../jsonPath.ts";
import type { NameTable } from "../nameTable.ts";
import { category, type Row } from "../row.ts";
import {
  braceClose,
  braceOpen,
  bracketClose,
  bracketOpen,
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

interface CompiledPath {
  readonly slot: number;
  /** Keys as UTF-8, indexes as they are. */
  readonly steps: ReadonlyArray<Uint8Array | number>;
}

const encoder = new TextEncoder();
const malformed = -1;
const missing = -2;
const none = new Uint8Array(0);

/** Throws a RangeError for a path that the parser would have refused. */
export class JsonExpressions implements RowStage {
  readonly #paths: ReadonlyArray<CompiledPath>;
  readonly #wanted: Wanted;
  /** Where the value ends whose start #find answered. */
  #valueEnd = 0;

  constructor(extractions: ReadonlyArray<Extraction>, wanted: Wanted, names: NameTable) {
    this.#wanted = wanted;
    this.#paths = extractions.map(({ name, expression }) => ({
      slot: names.require(name),
      steps: stepsOf(expression).map((step) =>
        typeof step === "number" ? step : encoder.encode(step)
      ),
    }));
  }

  apply(row: Row): boolean {
    const { line, lineStart, lineEnd } = row;
    if (lineStart === lineEnd || this.#wanted.count(row) === 0) return true;
    const first = line[lineStart]!;
    if (first !== braceOpen && first !== bracketOpen && first !== quoteMark) {
      row.setError("JSONParserErr", "the line is no JSON object, array or string");
      return true;
    }
    for (const { slot, steps } of this.#paths) {
      const target = row.parsedSlot(slot, this.#wanted.mask);
      const from = this.#find(row, line, lineStart, lineEnd, steps);
      const isRead = from === missing || (from >= 0 && this.#put(row, target, line, from));
      if (!isRead) {
        row.setError("JSONParserErr", "the line is malformed JSON");
        return true;
      }
      if (from === missing && target >= 0 && !row.has(slot)) {
        row.set(slot, category.parsed, none, 0, 0);
      }
    }
    return true;
  }

  /** Where the value at a path starts. Objects and arrays on the way are read to their ends, so that
   *  a malformed line has one verdict whatever is asked of it. */
  #find(
    row: Row,
    line: Uint8Array,
    start: number,
    lineEnd: number,
    steps: ReadonlyArray<Uint8Array | number>,
  ): number {
    let from = skipBlanks(line, start, lineEnd);
    let to = valueEnd(line, from, lineEnd);
    for (let index = 0; index < steps.length && to >= 0; index++) {
      const step = steps[index]!;
      const open = typeof step === "number" ? bracketOpen : braceOpen;
      if (line[from] !== open) return missing;
      const found = typeof step === "number"
        ? this.#element(line, from, to, step)
        : this.#field(row, line, from, to, step);
      if (found < 0) return found;
      from = found;
      to = this.#valueEnd;
    }
    this.#valueEnd = to;
    return to < 0 ? malformed : from;
  }

  #element(line: Uint8Array, start: number, end: number, wanted: number): number {
    let found = missing;
    let foundEnd = 0;
    let at = skipBlanks(line, start + 1, end);
    for (let index = 0; at < end && line[at] !== bracketClose; index++) {
      const to = valueEnd(line, at, end);
      if (to < 0) return malformed;
      if (index === wanted) [found, foundEnd] = [at, to];
      at = nextField(line, to, end, bracketClose);
      if (at < 0) return malformed;
    }
    this.#valueEnd = foundEnd;
    return at < end ? found : malformed;
  }

  #field(row: Row, line: Uint8Array, start: number, end: number, wanted: Uint8Array): number {
    let found = missing;
    let foundEnd = 0;
    let at = skipBlanks(line, start + 1, end);
    while (at < end && line[at] !== braceClose) {
      const keyEnd = line[at] === quoteMark ? stringEnd(line, at, end) : malformed;
      const escaped = stringHasEscape;
      const from = keyEnd < 0 ? malformed : valueStart(line, keyEnd, end);
      const to = from < 0 ? malformed : valueEnd(line, from, end);
      if (to < 0) return malformed;
      if (found === missing && isKey(row, line, at + 1, keyEnd - 1, escaped, wanted)) {
        [found, foundEnd] = [from, to];
      }
      at = nextField(line, to, end, braceClose);
      if (at < 0) return malformed;
    }
    this.#valueEnd = foundEnd;
    return at < end ? found : malformed;
  }

  /** False if the value is a string with an escape that JSON does not have. */
  #put(row: Row, slot: number, line: Uint8Array, from: number): boolean {
    const to = this.#valueEnd;
    const kind = line[from]!;
    if (kind !== quoteMark) {
      const isNull = kind === 0x6e;
      if (slot >= 0) row.set(slot, category.parsed, line, from, isNull ? from : to);
      return true;
    }
    stringEnd(line, from, to);
    if (!stringHasEscape) {
      if (slot >= 0) row.set(slot, category.parsed, line, from + 1, to - 1);
      return true;
    }
    const text = unescape(row, line, from + 1, to - 1);
    if (text >= 0 && slot >= 0) row.set(slot, category.parsed, row.scratch, text, row.scratchEnd);
    return text >= 0;
  }
}

function stepsOf(expression: string): ReadonlyArray<JsonPathStep> {
  const steps = parseJsonPath(expression);
  if (typeof steps === "string") throw new RangeError(steps);
  return steps;
}

function isKey(
  row: Row,
  line: Uint8Array,
  start: number,
  end: number,
  escaped: boolean,
  wanted: Uint8Array,
): boolean {
  let [bytes, from, to] = [line, start, end];
  if (escaped) {
    from = unescape(row, line, start, end);
    if (from < 0) return false;
    [bytes, to] = [row.scratch, row.scratchEnd];
  }
  if (to - from !== wanted.length) return false;
  for (let at = 0; at < wanted.length; at++) if (bytes[from + at] !== wanted[at]) return false;
  return true;
}
