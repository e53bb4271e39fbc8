/** Rows as they come to be staged (chunkRows.ts), and which sets of metadata they use: a batch may hold
 *  far more of them than one stream's rows need. */
import { copyBytes } from "../platform/copyBytes.ts";

/** A run of rows in columns that lie outside kernel memory (see streams/batch.ts for their
 *  meaning). */
export interface RowRange {
  readonly columns: {
    readonly timestamps: BigInt64Array;
    readonly lineEnds: Uint32Array;
    readonly lines: Uint8Array;
    readonly metaIds: Uint32Array;
    readonly setEnds: Uint32Array;
    readonly meta: Uint8Array;
  };
  readonly rowStart: number;
  readonly rowEnd: number;
}

/** Which sets a range uses. newIds[id - idLeast] numbers them from 1 in their order, 0 for unused.
 */
export interface UsedSets {
  readonly newIds: Uint32Array;
  readonly idLeast: number;
  readonly setCount: number;
  readonly bytes: number;
}

/** The sets that the rows of a range use. */
export function usedSets({ columns, rowStart, rowEnd }: RowRange): UsedSets {
  const { metaIds, setEnds } = columns;
  let least = 0xffffffff;
  let greatest = 0;
  if (setEnds.length > 0) {
    for (let row = rowStart; row < rowEnd; row++) {
      const id = metaIds[row]!;
      if (id > greatest) greatest = id;
      if (id !== 0 && id < least) least = id;
    }
  }
  if (greatest === 0) return { newIds: new Uint32Array(0), idLeast: 1, setCount: 0, bytes: 0 };
  const newIds = new Uint32Array(greatest - least + 1);
  for (let row = rowStart; row < rowEnd; row++) {
    const id = metaIds[row]!;
    if (id !== 0) newIds[id - least] = 1;
  }
  let setCount = 0;
  let bytes = 0;
  for (let index = 0; index < newIds.length; index++) {
    if (newIds[index] === 0) continue;
    newIds[index] = ++setCount;
    bytes += setEnds[least + index - 1]! - setStart(setEnds, least + index);
  }
  return { newIds, idLeast: least, setCount, bytes };
}

/** Copies the used sets behind `metaEnd` and their ends from index `at` on; returns the new end. */
export function copySets(
  range: RowRange,
  used: UsedSets,
  targetEnds: Uint32Array,
  at: number,
  target: Uint8Array,
  metaEnd: number,
): number {
  const { setEnds, meta } = range.columns;
  const { newIds, idLeast } = used;
  for (let index = 0; index < newIds.length;) {
    if (newIds[index] === 0) {
      index++;
      continue;
    }
    // Used sets mostly lie together; each such run is one copy.
    const start = setStart(setEnds, idLeast + index);
    const shift = metaEnd - start;
    let end = start;
    for (; index < newIds.length && newIds[index] !== 0; index++) {
      end = setEnds[idLeast + index - 1]!;
      targetEnds[at++] = end + shift;
    }
    copyBytes(meta, start, end, target, metaEnd);
    metaEnd = end + shift;
  }
  return metaEnd;
}

function setStart(setEnds: Uint32Array, id: number): number {
  return id === 1 ? 0 : setEnds[id - 2]!;
}
