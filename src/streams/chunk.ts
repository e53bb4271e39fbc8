/** Reads chunks (chunkFormat.ts has the bytes). Readers ask for rows by time and filter, never for
 *  raw blocks, so that later versions may store lines in another way. Everything is decoded as late
 *  as it can be and checked as it is decoded.
 *  Invariant: an answer is right, or FormatError was thrown; what is never touched is not checked
 *  (verify touches all). */
import { unpackEnds, unpackIntegers, unpackTimes } from "../kernels/chunkColumns.ts";
import { zstdDecompress } from "../platform/zstd.ts";
import { chunkHeadBytes, gramBytesLeast, gramBytesMost } from "./chunkFormat.ts";
import { type BlockEntry, type ChunkLayout, layoutBytes, readChunkLayout } from "./chunkLayout.ts";
import { checkEnds, FormatError } from "./formatError.ts";
import { isRuledOut } from "./grams.ts";
import type { BlockFilter, LineBlock, MetadataSets } from "./lineBlock.ts";
import { findBadSet } from "./metadata.ts";
import type { TimeRange } from "./record.ts";
import { crc32c } from "../kernels/hash.ts";

export interface ChunkSelection {
  readonly range: TimeRange;
  /** Applied one after the other while rows are left; cheap and selective ones first. */
  readonly filters: ReadonlyArray<BlockFilter>;
  /** Order of the blocks. Rows within a block always ascend: a visitor that wants them backward
   *  walks them backward. */
  readonly order: "backward" | "forward";
}

/** Gets a block with rows in the range, its mask (one byte per row of rowStart..rowEnd, 1 =
 *  matched) and how many matched, which may be none. False stops. Block and mask are the visitor's
 *  only until it returns. */
export type BlockVisitor = (block: LineBlock, mask: Uint8Array, matched: number) => boolean;

export interface SelectionStats {
  /** Blocks and rows that the filters or the visitor got. */
  readonly blocksScanned: number;
  readonly rowsScanned: number;
  /** Line bytes that were decompressed. */
  readonly bytesScanned: number;
}

/** A block that knows what was decoded of it. */
export interface DecodableBlock extends LineBlock {
  readonly linesDecoded: boolean;
}

/** What is known of a block without decoding it. */
export interface BlockSummary {
  /** Within the chunk. */
  readonly rowStart: number;
  readonly rowEnd: number;
  /** First and last timestamp, both inclusive, ns. */
  readonly minTime: bigint;
  readonly maxTime: bigint;
  /** Line bytes, uncompressed and as stored. */
  readonly lineBytes: number;
  readonly storedBytes: number;
}

/** Gives exactly `length` bytes of a chunk from `offset` on; throws if it cannot. */
export type ReadBytes = (offset: number, length: number) => Uint8Array;

/** Opens a chunk that is in memory and checks header and directories. Throws FormatError. Keeps
 *  `bytes`. */
export function openChunk(bytes: Uint8Array): Chunk {
  const read: ReadBytes = (offset, length) => bytes.subarray(offset, offset + length);
  return new Chunk(read, readChunkLayout(bytes));
}

/** Opens a chunk of `totalBytes` that is read as it is needed: first header and directories, then the
 *  columns and lines that somebody asks for. Throws FormatError, and whatever `read` throws, here
 *  and later. */
export function openStoredChunk(read: ReadBytes, totalBytes: number): Chunk {
  const head = read(0, Math.min(totalBytes, chunkHeadBytes));
  const bytes = layoutBytes(head, totalBytes);
  return new Chunk(read, readChunkLayout(bytes > head.length ? read(0, bytes) : head, totalBytes));
}

export class Chunk {
  readonly rowCount: number;
  /** Distinct sets of structured metadata. */
  readonly setCount: number;
  readonly minTime: bigint;
  readonly maxTime: bigint;
  /** Line bytes before compression. */
  readonly rawBytes: number;
  readonly blocks: ReadonlyArray<BlockSummary>;
  readonly #layout: ChunkLayout;
  readonly #columns: ChunkColumns;

  constructor(read: ReadBytes, layout: ChunkLayout) {
    this.rowCount = layout.rowCount;
    this.setCount = layout.setCount;
    this.minTime = layout.minTime;
    this.maxTime = layout.maxTime;
    this.rawBytes = layout.lineBytes;
    this.blocks = layout.blocks;
    this.#layout = layout;
    this.#columns = new ChunkColumns(read, layout);
  }

  /** Visits the blocks that have rows in the range. Lines are decompressed only if a filter or the
   *  visitor looks at them, and the other columns likewise. Throws FormatError, and whatever
   *  filters and visitor throw. */
  select(selection: ChunkSelection, visit: BlockVisitor): SelectionStats {
    const { range, filters, order } = selection;
    const { blocks } = this.#layout;
    let [blocksScanned, rowsScanned, bytesScanned] = [0, 0, 0];
    for (let step = 0; step < blocks.length; step++) {
      const index = order === "forward" ? step : blocks.length - 1 - step;
      const entry = blocks[index]!;
      if (entry.minTime >= range.end || entry.maxTime < range.start) continue;
      if (this.rulesOut(index, filters)) continue;
      const block = new ChunkBlock(this.#columns, entry);
      block.narrow(range);
      if (block.rowStart === block.rowEnd) continue;
      const mask = new Uint8Array(block.rowEnd - block.rowStart).fill(1);
      let left = mask.length;
      for (const filter of filters) {
        left = filter.apply(block, mask);
        if (left === 0) break;
      }
      const goOn = visit(block, mask, left);
      blocksScanned++;
      rowsScanned += mask.length;
      if (block.linesDecoded) bytesScanned += entry.lineBytes;
      if (!goOn) break;
    }
    return { blocksScanned, rowsScanned, bytesScanned };
  }

  /** The rows of block `index` that lie in the range; undefined if none does. For readers that must
   *  hold several chunks at once, where `select` visits one. Columns are decoded when they are first
   *  read; filters may be applied to it. Throws FormatError, then and here. */
  block(index: number, range: TimeRange): DecodableBlock | undefined {
    const entry = this.#layout.blocks[index]!;
    if (entry.minTime >= range.end || entry.maxTime < range.start) return undefined;
    const block = new ChunkBlock(this.#columns, entry);
    block.narrow(range);
    return block.rowStart === block.rowEnd ? undefined : block;
  }

  /** Whether no row of block `index` passes all filters, as far as its grams tell. Throws FormatError. */
  rulesOut(index: number, filters: ReadonlyArray<BlockFilter>): boolean {
    if (!filters.some(({ grams }) => grams !== undefined)) return false;
    const bitmap = this.#columns.grams(index);
    return bitmap !== undefined && isRuledOut(bitmap, filters);
  }

  /** Decodes everything once. Throws FormatError if any byte is not as the writer left it. */
  verify(): void {
    this.#columns.grams(0);
    for (const entry of this.#layout.blocks) {
      const block = new ChunkBlock(this.#columns, entry);
      // Reading a column is what checks it.
      void [block.timestamps, block.lineEnds, block.lines, block.metaIds, block.sets];
    }
  }
}

/** Decodes columns of a chunk, block by block. Each section's checksum is taken when it is first
 *  used. */
class ChunkColumns {
  readonly #read: ReadBytes;
  readonly #layout: ChunkLayout;
  readonly #sections = new Map<ColumnName, Uint8Array>();
  #sets: MetadataSets | undefined;
  #bitmaps: ReadonlyArray<Uint8Array> | undefined;

  constructor(read: ReadBytes, layout: ChunkLayout) {
    this.#read = read;
    this.#layout = layout;
  }

  times(entry: BlockEntry): BigInt64Array {
    const packed = this.#packed("times", entry.timesStart, entry.timesBytes);
    const rows = entry.rowEnd - entry.rowStart;
    const times = unpackTimes(packed, rows, entry.minTime, this.#layout.timeUnit);
    if (times === undefined || times[0] !== entry.minTime || times[rows - 1] !== entry.maxTime) {
      this.#fail("times", entry.timesStart, `times of rows ${entry.rowStart} to ${entry.rowEnd}`);
    }
    return times;
  }

  lineEnds(entry: BlockEntry): Uint32Array {
    const packed = this.#packed("lengths", entry.lengthsStart, entry.lengthsBytes);
    const rows = entry.rowEnd - entry.rowStart;
    const ends = unpackEnds(packed, rows);
    if (ends === undefined || ends[rows - 1] !== entry.lineBytes) {
      this.#fail(
        "lengths",
        entry.lengthsStart,
        `lengths of rows ${entry.rowStart} to ${entry.rowEnd}`,
      );
    }
    return ends;
  }

  metaIds(entry: BlockEntry): Uint32Array {
    const rows = entry.rowEnd - entry.rowStart;
    if (this.#layout.setCount === 0) return new Uint32Array(rows);
    const packed = this.#packed("metaIds", entry.metaIdsStart, entry.metaIdsBytes);
    const ids = unpackIntegers(packed, rows);
    if (ids === undefined || !ids.every((id) => id <= this.#layout.setCount)) {
      this.#fail("metaIds", entry.metaIdsStart, `ids of rows ${entry.rowStart} to ${entry.rowEnd}`);
    }
    return ids;
  }

  lines(entry: BlockEntry): Uint8Array {
    const start = this.#layout.sections.lines.offset + entry.linesStart;
    const stored = this.#read(start, entry.storedBytes);
    if (crc32c(stored) !== entry.linesCrc) {
      throw new FormatError(
        "chunk",
        start,
        `checksum of lines ${entry.rowStart} to ${entry.rowEnd}`,
      );
    }
    return entry.codec === 0 ? stored : decompress(stored, entry.lineBytes, start);
  }

  /** The sets of the whole chunk, decoded once. */
  sets(): MetadataSets {
    return this.#sets ??= this.#decodeSets();
  }

  /** The bitmap of block `index`; undefined in chunks without. */
  grams(index: number): Uint8Array | undefined {
    if (this.#layout.sections.grams === undefined) return undefined;
    return (this.#bitmaps ??= this.#decodeGrams(this.#layout.sections.grams.length))[index];
  }

  #decodeGrams(length: number): ReadonlyArray<Uint8Array> {
    const blockCount = this.#layout.blocks.length;
    const bytes = this.#packed("grams", 0, length);
    let at = blockCount;
    const bitmaps = Array.from(bytes.subarray(0, blockCount), (logarithm, index) => {
      const start = at;
      at += 2 ** logarithm;
      if (at - start < gramBytesLeast || at - start > gramBytesMost || at > length) {
        this.#fail("grams", index, `a bitmap of 2^${logarithm} bytes`);
      }
      return bytes.subarray(start, at);
    });
    if (bitmaps.length !== blockCount || at !== length) {
      this.#fail("grams", 0, `${length} bytes for the bitmaps of ${blockCount} blocks`);
    }
    return bitmaps;
  }

  #decodeSets(): MetadataSets {
    const { setCount, setBytes, sections } = this.#layout;
    if (setCount === 0) return { setEnds: new Uint32Array(0), meta: new Uint8Array(0) };
    const lengths = this.#packed("setLengths", 0, sections.setLengths!.length);
    const setEnds = unpackEnds(lengths, setCount);
    if (setEnds === undefined) this.#fail("setLengths", 0, "lengths of metadata sets");
    const { offset, length } = sections.sets!;
    checkEnds("chunk", offset, "setEnds", setEnds, setBytes);
    const meta = decompress(this.#packed("sets", 0, length), setBytes, offset);
    const badSet = findBadSet(setEnds, meta);
    if (badSet >= 0) this.#fail("sets", 0, `metadata set ${badSet}`);
    return { setEnds, meta };
  }

  /** Part of a section, which is read and checked as a whole when it is first used. */
  #packed(name: ColumnName, start: number, length: number): Uint8Array {
    let bytes = this.#sections.get(name);
    if (bytes === undefined) {
      const { offset, length: sectionBytes, crc } = this.#layout.sections[name]!;
      bytes = this.#read(offset, sectionBytes);
      if (crc32c(bytes) !== crc) {
        throw new FormatError("chunk", offset, `checksum of section "${name}"`);
      }
      this.#sections.set(name, bytes);
    }
    return bytes.subarray(start, start + length);
  }

  #fail(name: ColumnName, start: number, problem: string): never {
    throw new FormatError("chunk", this.#layout.sections[name]!.offset + start, problem);
  }
}

type ColumnName = Exclude<keyof ChunkLayout["sections"], "lines">;

function decompress(stored: Uint8Array, rawBytes: number, byteOffset: number): Uint8Array {
  try {
    return zstdDecompress(stored, rawBytes);
  } catch (error) {
    throw new FormatError(
      "chunk",
      byteOffset,
      error instanceof Error ? error.message : String(error),
    );
  }
}

/** A block whose columns are decoded when first read. Row numbers count from the block's first row.
 */
class ChunkBlock implements DecodableBlock {
  rowStart = 0;
  rowEnd: number;
  readonly #columns: ChunkColumns;
  readonly #entry: BlockEntry;
  #timestamps: BigInt64Array | undefined;
  #lineEnds: Uint32Array | undefined;
  #lines: Uint8Array | undefined;
  #metaIds: Uint32Array | undefined;

  constructor(columns: ChunkColumns, entry: BlockEntry) {
    this.#columns = columns;
    this.#entry = entry;
    this.rowEnd = entry.rowEnd - entry.rowStart;
  }

  get timestamps(): BigInt64Array {
    return this.#timestamps ??= this.#columns.times(this.#entry);
  }

  get lineEnds(): Uint32Array {
    return this.#lineEnds ??= this.#columns.lineEnds(this.#entry);
  }

  get lines(): Uint8Array {
    return this.#lines ??= this.#columns.lines(this.#entry);
  }

  get metaIds(): Uint32Array {
    return this.#metaIds ??= this.#columns.metaIds(this.#entry);
  }

  get sets(): MetadataSets {
    return this.#columns.sets();
  }

  get linesDecoded(): boolean {
    return this.#lines !== undefined;
  }

  /** Leaves only rows within the range; decodes times only if the block reaches beyond it. */
  narrow(range: TimeRange): void {
    if (this.#entry.minTime < range.start) {
      this.rowStart = firstNotBefore(this.timestamps, range.start);
    }
    if (this.#entry.maxTime >= range.end) {
      this.rowEnd = Math.max(this.rowStart, firstNotBefore(this.timestamps, range.end));
    }
  }
}

/** The first row whose time is at least `time`, by binary search. */
function firstNotBefore(times: BigInt64Array, time: bigint): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
