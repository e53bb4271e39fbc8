/** What every decoder of this folder throws for bytes that are not what a writer made: a flipped
 *  bit, a cut tail, a newer version. Invariant: a decoder throws this or answers right; it never
 *  crashes and never answers wrong. */

export type FormatName = "batch" | "chunk" | "segment";

export class FormatError extends Error {
  override readonly name = "FormatError";
  readonly format: FormatName;
  /** Where in the given bytes the trouble was noticed. */
  readonly byteOffset: number;

  constructor(format: FormatName, byteOffset: number, problem: string) {
    super(`Corrupt ${format}: ${problem} (at byte ${byteOffset})`);
    this.format = format;
    this.byteOffset = byteOffset;
  }
}

/** Throws FormatError unless `ends` never descends and its last value is `total` (0 for none).
 *  Returns nothing; `byteOffset` is where the column starts. */
export function checkEnds(
  format: FormatName,
  byteOffset: number,
  column: string,
  ends: Uint32Array,
  total: number,
): void {
  let previous = 0;
  for (let index = 0; index < ends.length; index++) {
    const end = ends[index]!;
    if (end < previous) {
      throw new FormatError(
        format,
        byteOffset + 4 * index,
        `${column}[${index}] is ${end}, below its predecessor ${previous}`,
      );
    }
    previous = end;
  }
  if (previous !== total) {
    throw new FormatError(format, byteOffset, `${column} ends at ${previous}, expected ${total}`);
  }
}
