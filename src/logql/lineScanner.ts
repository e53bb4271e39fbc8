/** Searches literal texts in all lines of a block at once. lineFilter.ts decides what to search and
 *  what follows from it. Invariant: a text is found in a row only if it lies within that row's
 *  line. */
import type { Needle } from "../streams/regexLiterals.ts";
import type { LineBlock } from "../streams/lineBlock.ts";

/** Needles made ready for the search; all are searched in one way. */
export interface PreparedNeedles {
  readonly texts: ReadonlyArray<Uint8Array>;
  /** Whether ASCII letters match in either case. */
  readonly fold: boolean;
}

/** Needles that are equivalent to the given ones, grouped by how they are searched. */
export function prepareExact(needles: ReadonlyArray<Needle>): ReadonlyArray<PreparedNeedles> {
  return [false, true].map((fold) => ({
    texts: needles.filter((needle) => needle.fold === fold).map((needle) => encode(needle.text)),
    fold,
  })).filter((group) => group.texts.length > 0);
}

/** Needles that are found wherever one of the given ones is, and perhaps elsewhere: one search
 *  instead of two. */
export function prepareClause(needles: ReadonlyArray<Needle>): PreparedNeedles {
  const fold = needles.some((needle) => needle.fold);
  const text = (needle: Needle) =>
    fold ? needle.text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : needle.text;
  return { texts: needles.map((needle) => encode(text(needle))), fold };
}

const encoder = new TextEncoder();

function encode(text: string): Uint8Array {
  return encoder.encode(text);
}

/** One block at a time; one scanner per thread serves all filters. */
export class LineScanner {
  private block: LineBlock | null = null;

  /** Takes a block for the searches that follow. */
  load(block: LineBlock): void {
    this.block = block;
  }

  /** Clears the mask of rows that contain none of the texts; returns how many rows are left. */
  keepContaining(needles: PreparedNeedles, mask: Uint8Array): number {
    return this.scan(needles, mask, 1);
  }

  /** Clears the mask of rows that contain one of the texts; returns how many rows are left. */
  dropContaining(needles: PreparedNeedles, mask: Uint8Array): number {
    return this.scan(needles, mask, 0);
  }

  private scan(needles: PreparedNeedles, mask: Uint8Array, kept: number): number {
    const { lines, lineEnds, rowStart, rowEnd } = this.block!;
    let left = 0;
    for (let row = rowStart; row < rowEnd; row++) {
      if (mask[row - rowStart] === 0) continue;
      const start = row === 0 ? 0 : lineEnds[row - 1]!;
      const found = needles.texts.some((text) =>
        contains(lines, start, lineEnds[row]!, text, needles.fold)
      );
      mask[row - rowStart] = found === (kept === 1) ? 1 : 0;
      left += mask[row - rowStart]!;
    }
    return left;
  }
}

function contains(
  lines: Uint8Array,
  start: number,
  end: number,
  text: Uint8Array,
  fold: boolean,
): boolean {
  for (let at = start; at + text.length <= end; at++) {
    let length = 0;
    while (length < text.length && same(lines[at + length]!, text[length]!, fold)) length++;
    if (length === text.length) return true;
  }
  return false;
}

function same(byte: number, wanted: number, fold: boolean): boolean {
  return byte === wanted || fold && byte >= 0x41 && byte <= 0x5a && byte + 32 === wanted;
}
