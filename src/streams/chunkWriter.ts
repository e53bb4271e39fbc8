/** Packs rows of one stream into chunks. Owns compression and byte layout (chunkFormat.ts has the
 *  numbers); chunkRows.ts, the kernel wrapper, brings rows into order. Invariant: rows ascend by
 *  time, rows of one time keep their order of arrival, and no two rows of a chunk are equal in
 *  time, line and metadata. */
import { type RowRange, stageChunks, type StagedChunk } from "../kernels/chunkRows.ts";
import { crc32c } from "../kernels/hash.ts";
import { zstdCompress } from "../platform/zstd.ts";
import type { Batch, RowColumns } from "./batch.ts";
import {
  blockEntryBytes,
  blockRowsMax,
  chunkHeaderBytes,
  chunkMagic,
  chunkVersion,
  sectionEntryBytes,
  sectionKinds,
  sectionRequired,
} from "./chunkFormat.ts";

/** Rows of one stream within a batch, or other columns. */
export interface ChunkSource {
  readonly batch: RowColumns & Pick<Batch, "rowCount" | "metaBytes">;
  readonly rowStart: number;
  readonly rowEnd: number;
}

export interface ChunkOptions {
  /** A chunk ends after this many bytes of lines and metadata, before compression. */
  readonly rawBytesMax: number;
  /** Line bytes that are compressed together: more compress better, fewer are quicker to read one
   *  line from. */
  readonly blockBytes: number;
  /** zstd's level. */
  readonly level: number;
}

/** About 1.5 MB compressed. */
export const chunkOptionsDefault: ChunkOptions = {
  rawBytesMax: 8 * 1024 * 1024,
  blockBytes: 256 * 1024,
  level: 1,
};

export interface BuiltChunk {
  /** The whole chunk, alone in its buffer. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly rowCount: number;
  /** Line bytes before compression. */
  readonly rawBytes: number;
  /** First and last timestamp, both inclusive, ns. */
  readonly minTime: bigint;
  readonly maxTime: bigint;
  /** Rows left out because an equal one is there. */
  readonly duplicateCount: number;
}

/** Builds the chunks of one stream out of its rows, given in order of arrival; none for no rows.
 *  Chunks ascend by time, except that rows beyond a few million start anew, and then chunks may
 *  overlap in time, as those of two segments may. */
export function buildChunks(
  sources: ReadonlyArray<ChunkSource>,
  options: ChunkOptions = chunkOptionsDefault,
): BuiltChunk[] {
  const limits = {
    chunkBytes: options.rawBytesMax,
    blockBytes: options.blockBytes,
    blockRowsMax,
  };
  const built: BuiltChunk[] = [];
  for (const portion of portionsOf(sources)) {
    for (const staged of stageChunks(portion, limits)) {
      built.push(encodeChunk(staged, options.level));
    }
  }
  return built;
}

/** What is brought into kernel memory at a time: about 100 bytes a row besides metadata. */
const portionRowsMax = 2 * 1024 * 1024;
const portionMetaBytesMax = 64 * 1024 * 1024;

/** Cuts the sources, in order, into portions that fit kernel memory. */
function portionsOf(sources: ReadonlyArray<ChunkSource>): RowRange[][] {
  const portions: RowRange[][] = [];
  let portion: RowRange[] = [];
  let rows = 0;
  let metaBytes = 0;
  for (const { batch, rowStart, rowEnd } of sources) {
    // The sets that these rows use may be fewer; the estimate only decides where to cut.
    const metaBytesPerRow = batch.metaBytes / Math.max(1, batch.rowCount);
    for (let row = rowStart; row < rowEnd;) {
      const fitting = Math.min(
        portionRowsMax - rows,
        Math.ceil((portionMetaBytesMax - metaBytes) / metaBytesPerRow),
      );
      const end = Math.min(rowEnd, row + fitting);
      portion.push({ columns: batch, rowStart: row, rowEnd: end });
      rows += end - row;
      metaBytes += (end - row) * metaBytesPerRow;
      row = end;
      if (rows < portionRowsMax && metaBytes < portionMetaBytesMax) continue;
      portions.push(portion);
      portion = [];
      rows = metaBytes = 0;
    }
  }
  if (rows > 0) portions.push(portion);
  return portions;
}

interface Section {
  readonly kind: number;
  /** Readers that do not know the kind can do without it. */
  readonly isOptional?: boolean;
  readonly parts: ReadonlyArray<Uint8Array>;
  readonly length: number;
  readonly crc: number;
}

function encodeChunk(staged: StagedChunk, level: number): BuiltChunk {
  const { blocks, setCount } = staged;
  const stored = blocks.map(({ lines }) => compress(lines, level));
  const sections = [
    section(sectionKinds.blocks, blockDirectory(staged, stored)),
    { ...section(sectionKinds.grams, gramSection(staged)), isOptional: true },
    section(sectionKinds.times, staged.times),
    section(sectionKinds.lengths, staged.lengths),
  ];
  if (setCount > 0) {
    sections.push(
      section(sectionKinds.metaIds, staged.metaIds),
      section(sectionKinds.setLengths, staged.setLengths),
      section(sectionKinds.sets, zstdCompress(staged.meta, level)),
    );
  }
  const lineBytes = blocks.reduce((sum, { lines }) => sum + lines.length, 0);
  const parts = stored.map(({ bytes }) => bytes);
  const storedBytes = parts.reduce((sum, { length }) => sum + length, 0);
  sections.push({ kind: sectionKinds.lines, parts, length: storedBytes, crc: 0 });
  const minTime = blocks[0]!.minTime;
  const maxTime = blocks.at(-1)!.maxTime;
  const bytes = assemble(sections);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, staged.rowCount, true);
  view.setUint32(12, blocks.length, true);
  view.setUint32(16, setCount, true);
  view.setUint32(20, staged.meta.length, true);
  view.setBigInt64(24, minTime, true);
  view.setBigInt64(32, maxTime, true);
  view.setBigUint64(40, staged.timeUnit, true);
  view.setUint32(48, lineBytes, true);
  view.setUint32(60, crc32c(bytes.subarray(0, 60)), true);
  const { rowCount, duplicateCount } = staged;
  return { bytes, rowCount, rawBytes: lineBytes, minTime, maxTime, duplicateCount };
}

interface StoredLines {
  readonly bytes: Uint8Array;
  readonly codec: 0 | 1;
}

/** Lines that compression would not shorten stay as they are. */
function compress(lines: Uint8Array, level: number): StoredLines {
  const packed = lines.length === 0 ? lines : zstdCompress(lines, level);
  // A plain block is copied: its memory is the kernel's.
  return packed.length < lines.length
    ? { bytes: packed, codec: 1 }
    : { bytes: lines.slice(), codec: 0 };
}

function section(kind: number, bytes: Uint8Array): Section {
  return { kind, parts: [bytes], length: bytes.length, crc: crc32c(bytes) };
}

function blockDirectory(
  { blocks }: StagedChunk,
  stored: ReadonlyArray<StoredLines>,
): Uint8Array {
  const bytes = new Uint8Array(blocks.length * blockEntryBytes);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < blocks.length; index++) {
    const block = blocks[index]!;
    const lines = stored[index]!;
    const at = index * blockEntryBytes;
    view.setBigInt64(at, block.minTime, true);
    view.setBigInt64(at + 8, block.maxTime, true);
    view.setUint32(at + 16, block.rowEnd, true);
    view.setUint32(at + 20, block.lines.length, true);
    view.setUint32(at + 24, lines.bytes.length, true);
    view.setUint32(at + 28, crc32c(lines.bytes), true);
    view.setUint32(at + 32, block.timesBytes, true);
    view.setUint32(at + 36, block.lengthsBytes, true);
    view.setUint32(at + 40, block.metaIdsBytes, true);
    view.setUint32(at + 44, lines.codec, true);
  }
  return bytes;
}

/** The sizes of the blocks' bitmaps, then the bitmaps. */
function gramSection({ blocks }: StagedChunk): Uint8Array {
  const bitmapBytes = blocks.reduce((sum, { grams }) => sum + grams.length, 0);
  const bytes = new Uint8Array(blocks.length + bitmapBytes);
  let at = blocks.length;
  for (let index = 0; index < blocks.length; index++) {
    const { grams } = blocks[index]!;
    bytes[index] = Math.log2(grams.length);
    bytes.set(grams, at);
    at += grams.length;
  }
  return bytes;
}

/** Lays out header, section directory and sections; the caller fills in the header's counts. */
function assemble(sections: ReadonlyArray<Section>): Uint8Array<ArrayBuffer> {
  const directoryEnd = chunkHeaderBytes + sections.length * sectionEntryBytes;
  const totalBytes = sections.reduce((sum, { length }) => sum + length, directoryEnd);
  const bytes = new Uint8Array(totalBytes);
  const view = new DataView(bytes.buffer);
  let at = directoryEnd;
  for (let index = 0; index < sections.length; index++) {
    const { kind, isOptional, parts, length, crc } = sections[index]!;
    const entry = chunkHeaderBytes + index * sectionEntryBytes;
    view.setUint16(entry, kind, true);
    view.setUint16(entry + 2, isOptional === true ? 0 : sectionRequired, true);
    view.setUint32(entry + 4, at, true);
    view.setUint32(entry + 8, length, true);
    view.setUint32(entry + 12, crc, true);
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
  }
  view.setUint32(0, chunkMagic, true);
  bytes[4] = chunkVersion;
  bytes[5] = sections.length;
  view.setUint32(52, totalBytes, true);
  view.setUint32(56, crc32c(bytes.subarray(chunkHeaderBytes, directoryEnd)), true);
  return bytes;
}
