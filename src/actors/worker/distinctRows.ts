/** Tells duplicates among rows of one stream and one time: same line, same metadata. Rows stay where they
 *  lie; only hashes are kept, and bytes are compared when hashes agree. */
import type { LineBlock } from "../../streams/lineBlock.ts";

interface KnownRow {
  readonly block: LineBlock;
  readonly row: number;
}

export class DistinctRows {
  readonly #byHash = new Map<number, KnownRow[]>();

  /** Forgets all rows. */
  begin(): void {
    this.#byHash.clear();
  }

  /** Whether no row since `begin` had the content of this one, which is known from now on. */
  isNew(block: LineBlock, row: number): boolean {
    const hash = contentHash(block, row);
    const same = this.#byHash.get(hash);
    if (same === undefined) {
      this.#byHash.set(hash, [{ block, row }]);
      return true;
    }
    if (same.some((known) => sameContent(known.block, known.row, block, row))) return false;
    same.push({ block, row });
    return true;
  }
}

const hashBytes = 256;

/** FNV-1a over the line's length, at most 256 bytes of each of its ends, and as many of the metadata. */
function contentHash({ lines, lineEnds, metaIds, sets }: LineBlock, row: number): number {
  const [start, end] = [row === 0 ? 0 : lineEnds[row - 1]!, lineEnds[row]!];
  let hash = 0x811c9dc5 ^ (end - start);
  hash = mix(hash, lines, start, Math.min(end, start + hashBytes));
  hash = mix(hash, lines, Math.max(start + hashBytes, end - hashBytes), end);
  const [metaStart, metaEnd] = setBounds(sets.setEnds, metaIds[row]!);
  return mix(hash, sets.meta, metaStart, Math.min(metaEnd, metaStart + hashBytes));
}

function sameContent(a: LineBlock, rowA: number, b: LineBlock, rowB: number): boolean {
  return sameBytes(a.lines, lineBounds(a, rowA), b.lines, lineBounds(b, rowB)) &&
    sameBytes(
      a.sets.meta,
      setBounds(a.sets.setEnds, a.metaIds[rowA]!),
      b.sets.meta,
      setBounds(b.sets.setEnds, b.metaIds[rowB]!),
    );
}

type Bounds = readonly [start: number, end: number];

function lineBounds({ lineEnds }: LineBlock, row: number): Bounds {
  return [row === 0 ? 0 : lineEnds[row - 1]!, lineEnds[row]!];
}

/** Where set `id` of a block lies; 0 is the empty one. */
export function setBounds(setEnds: Uint32Array, id: number): Bounds {
  return [id <= 1 ? 0 : setEnds[id - 2]!, id === 0 ? 0 : setEnds[id - 1]!];
}

function mix(hash: number, bytes: Uint8Array, from: number, to: number): number {
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return hash;
}

function sameBytes(
  a: Uint8Array,
  [startA, endA]: Bounds,
  b: Uint8Array,
  [startB, endB]: Bounds,
): boolean {
  if (endA - startA !== endB - startB) return false;
  for (let at = startA, other = startB; at < endA; at++, other++) {
    if (a[at] !== b[other]) return false;
  }
  return true;
}
