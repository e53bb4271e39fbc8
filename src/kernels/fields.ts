/** Finds fields of JSON objects in all lines of a block at once. assembly/jsonFields.ts owns the
 *  search, this file the memory. Invariant: for a row that is decided, every name has the place
 *  that src/logql/stages/jsonParser.ts would find; other rows are that parser's. */
import { Kernels } from "./kernels.ts";

interface FieldsExports {
  jsonFields(frame: number): number;
  logfmtFields(frame: number): number;
}

/** How lines are written: JSON objects, or logfmt read without --strict and --keep-empty. */
export type FieldFormat = "json" | "logfmt";

/** Lines one behind another: row r's is lines[lineEnds[r - 1]..lineEnds[r]), from 0 for row 0. Rows
 *  outside rowStart..rowEnd are not looked at. */
export interface Lines {
  readonly lines: Uint8Array;
  readonly lineEnds: Uint32Array;
  readonly rowStart: number;
  readonly rowEnd: number;
}

/** What a finder answers for one block. */
export interface FoundFields {
  /** By row of the block: 2 if it is decided. */
  readonly rows: Uint8Array;
  /** For each row, for each name: where the value starts and ends in the block's lines, without the
   *  quotes of a string; 0 and 0 for none. */
  readonly places: Uint32Array;
  readonly call: number;
}

const frameFieldCount = 9;
/** The kernel loads up to so many bytes beyond the block. */
const readBeyondBytes = 32;

let instance: Kernels<FieldsExports> | undefined;
let calls = 0;

/** Looks for names in the rows of `block` whose byte in `mask` is not 0. The answer's views are
 *  valid until the next call in this thread: `isCurrent` tells. */
export function findFields(
  format: FieldFormat,
  block: Lines,
  mask: Uint8Array,
  names: ReadonlyArray<Uint8Array>,
): FoundFields {
  const kernels = instance ??= new Kernels<FieldsExports>();
  const { lines, lineEnds, rowStart, rowEnd } = block;
  const start = rowStart === 0 ? 0 : lineEnds[rowStart - 1]!;
  const end = rowEnd === rowStart ? start : lineEnds[rowEnd - 1]!;
  const rowCount = rowEnd - rowStart;
  kernels.reset();
  const text = kernels.reserve(end - start + readBeyondBytes);
  const ends = kernels.reserve(4 * rowCount);
  const rows = kernels.reserve(rowCount);
  const nameTable = kernels.reserve(names.reduce((sum, name) => sum + 32 + name.length, 0));
  const places = kernels.reserve(8 * rowCount * names.length);
  const frame = kernels.reserve(4 * frameFieldCount);
  kernels.memory.set(lines.subarray(start, end), text);
  kernels.u32(ends, rowCount).set(lineEnds.subarray(rowStart, rowEnd));
  kernels.memory.set(mask, rows);
  let at = nameTable;
  for (const name of names) {
    kernels.u32(at, 1)[0] = name.length;
    kernels.memory.set(name, at + 16);
    at += 16 + Math.ceil(name.length / 16) * 16;
  }
  const underscored = names.some((name) => name.includes(underscore));
  kernels.u32(frame, frameFieldCount).set(
    [text, ends, start, rowCount, rows, nameTable, names.length, Number(underscored), places],
  );
  if (format === "json") kernels.exports.jsonFields(frame);
  else kernels.exports.logfmtFields(frame);
  return {
    rows: kernels.bytes(rows, rowCount),
    places: kernels.u32(places, 2 * rowCount * names.length),
    call: ++calls,
  };
}

/** Whether an answer's views still hold what was found. */
export function isCurrent({ call }: FoundFields): boolean {
  return call === calls;
}

const underscore = 0x5f;
