/** Cuts the rows of a push into pieces that each fit one record of the write log. Pure; batch.ts owns how many bytes rows take.
 *  Invariant: the pieces together are the slices, in order; a piece exceeds the limit only if it is a single row. */
import type { RowColumns, RowSlice } from "../../streams/batch.ts";

/** Slices for one batch each, of about `bytesMax` bytes at most. A slice may be cut between any two rows. */
export function cutSlices(
  slices: ReadonlyArray<RowSlice>,
  rows: RowColumns,
  bytesMax: number,
): ReadonlyArray<ReadonlyArray<RowSlice>> {
  if (bytesAtMost(slices, rows) <= bytesMax) return [slices];
  const pieces: RowSlice[][] = [];
  let piece: RowSlice[] = [];
  let pieceBytes = 0;
  /** The number of the last piece that uses a set: a batch holds a set once, however many rows have it. */
  const usedBy = new Uint32Array(rows.setEnds.length + 1);
  for (const { labels, rowStart, rowEnd } of slices) {
    const sliceBytes = bytesOfSlice(labels);
    pieceBytes += sliceBytes;
    let from = rowStart;
    for (let row = rowStart; row < rowEnd; row++) {
      const set = rows.metaIds[row] ?? 0;
      const setBytes = set === 0 ? 0 : bytesOfSet(rows, set);
      const lineBytes = rows.lineEnds[row]! - (row === 0 ? 0 : rows.lineEnds[row - 1]!);
      const isNew = set !== 0 && usedBy[set] !== pieces.length + 1;
      const bytes = rowBytes + lineBytes + (isNew ? setBytes : 0);
      if (pieceBytes + bytes > bytesMax && (piece.length > 0 || row > from)) {
        if (row > from) piece.push({ labels, rowStart: from, rowEnd: row });
        pieces.push(piece);
        piece = [];
        from = row;
        pieceBytes = sliceBytes + rowBytes + lineBytes + setBytes;
      } else {
        pieceBytes += bytes;
      }
      usedBy[set] = pieces.length + 1;
    }
    if (rowEnd > from) piece.push({ labels, rowStart: from, rowEnd });
  }
  if (piece.length > 0) pieces.push(piece);
  return pieces;
}

/** Timestamp, line end and metadata id. */
const rowBytes = 16;

function bytesOfSlice(labels: string): number {
  // Two ends, and at most three bytes of UTF-8 for a UTF-16 unit.
  return 8 + 3 * labels.length;
}

function bytesOfSet({ setEnds }: RowColumns, set: number): number {
  return 4 + setEnds[set - 1]! - (set === 1 ? 0 : setEnds[set - 2]!);
}

/** No more than this, without looking at rows: nearly every push is small. */
function bytesAtMost(slices: ReadonlyArray<RowSlice>, rows: RowColumns): number {
  let bytes = rows.lines.length + rows.meta.length + 4 * rows.setEnds.length;
  for (const { labels, rowStart, rowEnd } of slices) {
    bytes += bytesOfSlice(labels) + rowBytes * (rowEnd - rowStart);
  }
  return bytes;
}
