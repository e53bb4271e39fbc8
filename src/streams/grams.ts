/** Which blocks of lines cannot hold a text, by the grams that the block has: runs of four bytes,
 *  ASCII letters in lower case. kernels/assembly/grams.ts makes the bitmaps. The idea is the trigram
 *  index of Google Code Search.
 *  Invariant (soundness): a block with a row that passes the filter is never ruled out. */
import type { Needle } from "./regexLiterals.ts";

const gramBytes = 4;
const hashFactor = 0x9e3779b1;
/** Grams of a text that are asked for: more tell nothing new. */
const gramsMax = 256;

/** What a filter asks of a block as a whole. */
export class GramTest {
  /** A block must have all grams of one of the texts of each clause. */
  readonly #clauses: ReadonlyArray<ReadonlyArray<Uint16Array>>;

  private constructor(clauses: ReadonlyArray<ReadonlyArray<Uint16Array>>) {
    this.#clauses = clauses;
  }

  /** The test for lines that contain, for every clause, at least one of its texts; null if it would
   *  pass every block. */
  static of(clauses: ReadonlyArray<ReadonlyArray<Needle>>): GramTest | null {
    const telling = clauses.map((clause) => clause.map(gramsOf))
      .filter((texts) => texts.length > 0 && texts.every((grams) => grams.length > 0));
    return telling.length === 0 ? null : new GramTest(telling);
  }

  /** Whether the block with this bitmap, whose length is a power of two, may have such lines. */
  mayPass(bitmap: Uint8Array): boolean {
    return this.#clauses.every((texts) => texts.some((grams) => hasAll(bitmap, grams)));
  }
}

/** A filter's verdict on a block as a whole. */
export interface GramFilter {
  /** Undefined: any block may have rows that pass. */
  readonly grams?: GramTest;
}

/** Whether no row of a block with this bitmap passes all the filters. */
export function isRuledOut(bitmap: Uint8Array, filters: ReadonlyArray<GramFilter>): boolean {
  return filters.some(({ grams }) => grams !== undefined && !grams.mayPass(bitmap));
}

function hasAll(bitmap: Uint8Array, grams: Uint16Array): boolean {
  const mask = bitmap.length * 8 - 1;
  for (let index = 0; index < grams.length; index++) {
    const bit = grams[index]! & mask;
    if ((bitmap[bit >>> 3]! & (1 << (bit & 7))) === 0) return false;
  }
  return true;
}

const encoder = new TextEncoder();

/** Hashes of the grams that every line with the text has. */
function gramsOf({ text, fold }: Needle): Uint16Array {
  const bytes = encoder.encode(text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()));
  const hashes = new Set<number>();
  for (let at = 0; at + gramBytes <= bytes.length && hashes.size < gramsMax; at++) {
    const gram = bytes.subarray(at, at + gramBytes);
    // Where case is ignored these letters may also stand in a line as U+212A and U+017F.
    if (fold && (gram.includes(0x6b) || gram.includes(0x73))) continue;
    const word = gram[0]! | gram[1]! << 8 | gram[2]! << 16 | gram[3]! << 24;
    hashes.add(Math.imul(word, hashFactor) >>> 16);
  }
  return Uint16Array.from(hashes);
}
