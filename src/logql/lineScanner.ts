/** Searches literal texts in all lines of a block at once. kernels/scan.ts owns the search,
 *  lineFilter.ts decides what to search and what follows from it. Invariant: the texts of one
 *  search fold all or none. */
import { BlockScanner } from "../kernels/scan.ts";
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
  #scanner: BlockScanner | null = null;
  #block: LineBlock | null = null;
  #isLoaded = false;

  /** Takes a block for the searches that follow. It is copied at the first of them. */
  take(block: LineBlock): void {
    this.#block = block;
    this.#isLoaded = false;
  }

  /** Clears the mask of rows that contain none of the texts; returns how many rows are left. */
  keepContaining({ texts, fold }: PreparedNeedles, mask: Uint8Array): number {
    return this.#loaded().keepContaining(texts, { fold, mask });
  }

  /** Clears the mask of rows that contain one of the texts; returns how many rows are left. */
  dropContaining({ texts, fold }: PreparedNeedles, mask: Uint8Array): number {
    return this.#loaded().dropContaining(texts, { fold, mask });
  }

  #loaded(): BlockScanner {
    const scanner = this.#scanner ??= new BlockScanner();
    if (!this.#isLoaded) {
      const { lines, lineEnds, rowStart, rowEnd } = this.#block!;
      scanner.load(lines, lineEnds, rowStart, rowEnd);
      this.#isLoaded = true;
    }
    return scanner;
  }
}
