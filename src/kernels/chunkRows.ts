/** Brings rows of several sources into kernel memory and makes of them the columns of chunks:
 *  ordered by time, without duplicates, packed. src/streams/chunkWriter.ts owns compression and the
 *  file layout.
 *  Invariant: a stage has the thread's kernel scratch to itself; nothing else that reserves may run
 *  before it is done with. */
import { copyBytes } from "../platform/copyBytes.ts";
import { type ColumnExports, packedBytesMax } from "./chunkColumns.ts";
import { type Kernels, kernels } from "./kernels.ts";
import { copySets, type RowRange, usedSets } from "./rowRange.ts";

export type { RowRange } from "./rowRange.ts";

export interface StageLimits {
  /** Line and metadata bytes of a chunk, about. */
  readonly chunkBytes: number;
  /** Line bytes of a block, at most, unless a single line is longer. */
  readonly blockBytes: number;
  readonly blockRowsMax: number;
}

/** A chunk's columns. All byte views are kernel memory, valid until the stage makes its next chunk.
 */
export interface StagedChunk {
  readonly rowCount: number;
  readonly duplicateCount: number;
  readonly timeUnit: bigint;
  readonly blocks: ReadonlyArray<StagedBlock>;
  readonly times: Uint8Array;
  readonly lengths: Uint8Array;
  /** Metadata set of each row: 0, or k for set k - 1; empty if setCount is 0. */
  readonly metaIds: Uint8Array;
  readonly setCount: number;
  readonly setLengths: Uint8Array;
  readonly meta: Uint8Array;
}

export interface StagedBlock {
  /** Within the chunk. */
  readonly rowEnd: number;
  readonly minTime: bigint;
  readonly maxTime: bigint;
  readonly lines: Uint8Array;
  /** Bitmap of the grams in the lines. */
  readonly grams: Uint8Array;
  /** Share of this block in each packed column. */
  readonly timesBytes: number;
  readonly lengthsBytes: number;
  readonly metaIdsBytes: number;
}

/** Chunks of all rows of `ranges`, which are in arrival order, one after the other. */
export function* stageChunks(
  ranges: ReadonlyArray<RowRange>,
  limits: StageLimits,
): Generator<StagedChunk, void, void> {
  const stage = new RowStage(ranges, limits);
  for (let index = 0; index < stage.chunkEnds.length; index++) yield stage.chunk(index);
}

interface RowExports extends ColumnExports {
  sortRows(times: number, count: number, order: number, scratch: number, runs: number): number;
  permute64(source: number, order: number, count: number, target: number): void;
  permute32(source: number, order: number, count: number, target: number): void;
  internSets(
    ends: number,
    meta: number,
    count: number,
    canonical: number,
    table: number,
    slots: number,
  ): void;
  mapIds(ids: number, count: number, map: number): void;
  keptBytes(): number;
  selectSets(
    ids: number,
    count: number,
    ends: number,
    meta: number,
    setCount: number,
    map: number,
    outLengths: number,
    outMeta: number,
  ): number;
  chunkEnd(
    times: number,
    lengths: number,
    ids: number,
    ends: number,
    marks: number,
    stamp: number,
    start: number,
    count: number,
    bytesMax: number,
  ): number;
  dropDuplicates(
    times: number,
    lengths: number,
    ids: number,
    lines: number,
    count: number,
    starts: number,
    table: number,
    slots: number,
  ): number;
  gramScratchBytes(): number;
  gramBitmap(lines: number, length: number, scratch: number, out: number): number;
}

/** Of one block. */
const gramBytesMax = 8192;

/** Fields that end in no unit are addresses in kernel memory. */
class RowStage {
  readonly chunkEnds: ReadonlyArray<number>;
  readonly #kernels: Kernels<RowExports>;
  readonly #ranges: ReadonlyArray<RowRange>;
  /** Row numbers count through all ranges; range k ends before #rangeRowEnds[k]. */
  readonly #rangeRowEnds: Uint32Array;
  readonly #limits: StageLimits;
  readonly #rowCount: number;
  #times: number;
  #lengths: number;
  #ids: number;
  /** Sorted place -> row, or 0 if rows are sorted as they came. */
  #order = 0;
  #setCount = 0;
  #setEnds = 0;
  #meta = 0;
  /** A slot for every set id. */
  #setMap = 0;
  #lines = 0;
  #lineStarts = 0;
  #table = 0;
  #tableSlots = 0;
  #packed = 0;
  #packedColumnBytes = 0;
  #chunkSetLengths = 0;
  #chunkMeta = 0;
  #gramScratch = 0;
  #grams = 0;

  constructor(ranges: ReadonlyArray<RowRange>, limits: StageLimits) {
    this.#kernels = kernels<RowExports>();
    this.#kernels.reset();
    this.#limits = limits;
    this.#ranges = ranges;
    let rowCount = 0;
    this.#rangeRowEnds = Uint32Array.from(ranges, (r) => rowCount += r.rowEnd - r.rowStart);
    this.#rowCount = rowCount;
    this.#times = this.#kernels.reserve(8 * rowCount);
    this.#lengths = this.#kernels.reserve(4 * rowCount);
    this.#ids = this.#kernels.reserve(4 * rowCount);
    this.#loadRows();
    this.#loadSets();
    this.#sort();
    this.chunkEnds = this.#cut();
    this.#reserveForChunks();
  }

  /** Packs chunk `index`; chunks must be asked for in order and once. */
  chunk(index: number): StagedChunk {
    const start = index === 0 ? 0 : this.chunkEnds[index - 1]!;
    const count = this.chunkEnds[index]! - start;
    const { exports } = this.#kernels;
    this.#gatherLines(start, count);
    const times = this.#times + 8 * start;
    const lengths = this.#lengths + 4 * start;
    const ids = this.#ids + 4 * start;
    const rowCount = exports.dropDuplicates(
      times,
      lengths,
      ids,
      this.#lines,
      count,
      this.#lineStarts,
      this.#table,
      this.#tableSlots,
    );
    const sets = this.#packSets(ids, rowCount);
    const unit = BigInt.asUintN(64, exports.timeUnit(times, rowCount));
    const columns = this.#packBlocks(times, lengths, ids, rowCount, unit, sets.setCount > 0);
    return { rowCount, duplicateCount: count - rowCount, timeUnit: unit, ...columns, ...sets };
  }

  #loadRows(): void {
    const times = this.#kernels.i64(this.#times, this.#rowCount);
    const lengths = this.#kernels.u32(this.#lengths, this.#rowCount);
    let at = 0;
    for (const { columns, rowStart, rowEnd } of this.#ranges) {
      times.set(columns.timestamps.subarray(rowStart, rowEnd), at);
      const { lineEnds } = columns;
      let previous = rowStart === 0 ? 0 : lineEnds[rowStart - 1]!;
      for (let row = rowStart; row < rowEnd; row++) {
        const end = lineEnds[row]!;
        lengths[at++] = end - previous;
        previous = end;
      }
    }
  }

  /** Copies the metadata sets in use, numbers them through, and gives equal sets one id. */
  #loadSets(): void {
    const used = this.#ranges.map(usedSets);
    let metaBytes = 0;
    for (const { setCount, bytes } of used) {
      this.#setCount += setCount;
      metaBytes += bytes;
    }
    if (this.#setCount === 0) {
      this.#kernels.u32(this.#ids, this.#rowCount).fill(0);
      return;
    }
    const setCount = this.#setCount;
    const slots = powerOfTwo(2 * setCount);
    this.#setEnds = this.#kernels.reserve(4 * setCount);
    this.#meta = this.#kernels.reserve(metaBytes);
    this.#setMap = this.#kernels.reserve(4 * (setCount + 1));
    const table = this.#kernels.reserve(4 * slots);
    const ids = this.#kernels.u32(this.#ids, this.#rowCount);
    const setEnds = this.#kernels.u32(this.#setEnds, setCount);
    const meta = this.#kernels.bytes(this.#meta, metaBytes);
    let [row, set, metaEnd] = [0, 0, 0];
    for (let index = 0; index < this.#ranges.length; index++) {
      const range = this.#ranges[index]!;
      metaEnd = copySets(range, used[index]!, setEnds, set, meta, metaEnd);
      const { newIds, idLeast } = used[index]!;
      for (let source = range.rowStart; source < range.rowEnd; source++) {
        const id = range.columns.metaIds[source]!;
        ids[row++] = id === 0 ? 0 : newIds[id - idLeast]! + set;
      }
      set += used[index]!.setCount;
    }
    const { exports } = this.#kernels;
    exports.internSets(this.#setEnds, this.#meta, setCount, this.#setMap, table, slots);
    exports.mapIds(this.#ids, this.#rowCount, this.#setMap);
  }

  #sort(): void {
    const count = this.#rowCount;
    const order = this.#kernels.reserve(4 * count);
    const scratch = this.#kernels.reserve(4 * count);
    const runs = this.#kernels.reserve(4 * (count + 1));
    const { exports } = this.#kernels;
    if (exports.sortRows(this.#times, count, order, scratch, runs) === 0) return;
    const times = this.#kernels.reserve(8 * count);
    const lengths = this.#kernels.reserve(4 * count);
    const ids = this.#kernels.reserve(4 * count);
    exports.permute64(this.#times, order, count, times);
    exports.permute32(this.#lengths, order, count, lengths);
    exports.permute32(this.#ids, order, count, ids);
    this.#times = times;
    this.#lengths = lengths;
    this.#ids = ids;
    this.#order = order;
  }

  #cut(): number[] {
    const ends: number[] = [];
    if (this.#setMap !== 0) this.#kernels.u32(this.#setMap, this.#setCount + 1).fill(0);
    for (let end = 0; end < this.#rowCount;) {
      end = this.#kernels.exports.chunkEnd(
        this.#times,
        this.#lengths,
        this.#ids,
        this.#setEnds,
        this.#setMap,
        ends.length + 1,
        end,
        this.#rowCount,
        this.#limits.chunkBytes,
      );
      ends.push(end);
    }
    return ends;
  }

  /** Room for the largest chunk; all chunks use the same. */
  #reserveForChunks(): void {
    const { blockBytes, blockRowsMax } = this.#limits;
    const lengths = this.#kernels.u32(this.#lengths, this.#rowCount);
    let [rowsMax, lineBytesMax, row] = [0, 0, 0];
    for (const end of this.chunkEnds) {
      rowsMax = Math.max(rowsMax, end - row);
      let lineBytes = 0;
      while (row < end) lineBytes += lengths[row++]!;
      lineBytesMax = Math.max(lineBytesMax, lineBytes);
    }
    // Two blocks in a row hold more than blockBytes together, or one of them blockRowsMax rows.
    const blocks = 2 * Math.ceil(lineBytesMax / blockBytes + rowsMax / blockRowsMax) + 2;
    this.#tableSlots = powerOfTwo(2 * rowsMax);
    this.#lines = this.#kernels.reserve(lineBytesMax);
    this.#lineStarts = this.#kernels.reserve(4 * rowsMax);
    this.#table = this.#kernels.reserve(4 * this.#tableSlots);
    this.#packedColumnBytes = align8(packedBytesMax(rowsMax, Math.min(blocks, rowsMax)));
    this.#packed = this.#kernels.reserve(4 * this.#packedColumnBytes);
    this.#gramScratch = this.#kernels.reserve(this.#kernels.exports.gramScratchBytes());
    this.#grams = this.#kernels.reserve(gramBytesMax * Math.min(blocks, rowsMax));
    if (this.#setCount === 0) return;
    this.#chunkSetLengths = this.#kernels.reserve(4 * Math.min(rowsMax, this.#setCount));
    const metaBytes = this.#kernels.u32(this.#setEnds, this.#setCount)[this.#setCount - 1]!;
    this.#chunkMeta = this.#kernels.reserve(metaBytes);
  }

  /** Copies the lines of `count` sorted rows from `start` on, run by run of rows that lie together
   *  in their source. */
  #gatherLines(start: number, count: number): void {
    const { memory } = this.#kernels;
    const order = this.#order === 0 ? undefined : this.#kernels.u32(this.#order, this.#rowCount);
    const end = start + count;
    let at = this.#lines;
    let range = 0;
    for (let place = start; place < end;) {
      const row = order === undefined ? place : order[place]!;
      range = this.#rangeOf(row, range);
      const rangeEnd = this.#rangeRowEnds[range]!;
      let next = place + 1;
      if (order === undefined) next = Math.min(end, rangeEnd);
      else {while (next < end && order[next] === row + next - place && order[next]! < rangeEnd) {
          next++;
        }}
      const { columns, rowEnd } = this.#ranges[range]!;
      const first = row - rangeEnd + rowEnd;
      const lineStart = first === 0 ? 0 : columns.lineEnds[first - 1]!;
      const lineEnd = columns.lineEnds[first + next - place - 1]!;
      copyBytes(columns.lines, lineStart, lineEnd, memory, at);
      at += lineEnd - lineStart;
      place = next;
    }
  }

  /** The range of `row`; `guess` is likely near. */
  #rangeOf(row: number, guess: number): number {
    const ends = this.#rangeRowEnds;
    const startOf = (range: number) => range === 0 ? 0 : ends[range - 1]!;
    if (row >= startOf(guess) && row < ends[guess]!) return guess;
    let low = 0;
    let high = ends.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (row < ends[middle]!) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #packSets(ids: number, rowCount: number) {
    const none = { setCount: 0, setLengths: new Uint8Array(0), meta: new Uint8Array(0) };
    if (this.#setCount === 0) return none;
    const { exports } = this.#kernels;
    const setCount = exports.selectSets(
      ids,
      rowCount,
      this.#setEnds,
      this.#meta,
      this.#setCount,
      this.#setMap,
      this.#chunkSetLengths,
      this.#chunkMeta,
    );
    const meta = this.#kernels.bytes(this.#chunkMeta, exports.keptBytes());
    const out = this.#packed + 3 * this.#packedColumnBytes;
    const length = exports.packIntegers(this.#chunkSetLengths, setCount, out);
    return { setCount, setLengths: this.#kernels.bytes(out, length), meta };
  }

  #packBlocks(
    times: number,
    lengths: number,
    ids: number,
    rowCount: number,
    unit: bigint,
    withIds: boolean,
  ) {
    const { exports } = this.#kernels;
    const { blockBytes, blockRowsMax } = this.#limits;
    const timeColumn = this.#kernels.i64(times, rowCount);
    const lengthColumn = this.#kernels.u32(lengths, rowCount);
    const blocks: StagedBlock[] = [];
    const starts = [0, 1, 2].map((column) => this.#packed + column * this.#packedColumnBytes);
    let [timesOut, lengthsOut, idsOut] = starts as [number, number, number];
    let gramsOut = this.#grams;
    let lines = this.#lines;
    for (let row = 0; row < rowCount;) {
      let rowEnd = row;
      let bytes = 0;
      do bytes += lengthColumn[rowEnd++]!; while (
        rowEnd < rowCount && rowEnd - row < blockRowsMax &&
        bytes + lengthColumn[rowEnd]! <= blockBytes
      );
      const rows = rowEnd - row;
      const timesBytes = exports.packTimes(times + 8 * row, rows, unit, timesOut);
      const lengthsBytes = exports.packIntegers(lengths + 4 * row, rows, lengthsOut);
      const metaIdsBytes = withIds ? exports.packIntegers(ids + 4 * row, rows, idsOut) : 0;
      const gramBytes = exports.gramBitmap(lines, bytes, this.#gramScratch, gramsOut);
      blocks.push({
        rowEnd,
        minTime: timeColumn[row]!,
        maxTime: timeColumn[rowEnd - 1]!,
        lines: this.#kernels.bytes(lines, bytes),
        grams: this.#kernels.bytes(gramsOut, gramBytes),
        timesBytes,
        lengthsBytes,
        metaIdsBytes,
      });
      timesOut += timesBytes;
      lengthsOut += lengthsBytes;
      idsOut += metaIdsBytes;
      gramsOut += gramBytes;
      lines += bytes;
      row = rowEnd;
    }
    return {
      blocks,
      times: this.#kernels.bytes(starts[0]!, timesOut - starts[0]!),
      lengths: this.#kernels.bytes(starts[1]!, lengthsOut - starts[1]!),
      metaIds: this.#kernels.bytes(starts[2]!, idsOut - starts[2]!),
    };
  }
}

function powerOfTwo(least: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(2, least)));
}

function align8(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}
