/** Reads and checks a chunk's header and directories (chunkFormat.ts has the bytes); chunk.ts
 *  decodes what they point to.
 *  Invariant: every offset and length in a ChunkLayout lies within the chunk, and sections and
 *  blocks tile it without gaps. */
import { crc32c } from "../kernels/hash.ts";
import {
  blockEntryBytes,
  blockRowsMax,
  chunkHeaderBytes,
  chunkMagic,
  chunkVersion,
  rawBytesLimit,
  sectionEntryBytes,
  sectionKinds,
  sectionRequired,
} from "./chunkFormat.ts";
import { FormatError } from "./formatError.ts";

export interface SectionEntry {
  readonly offset: number;
  readonly length: number;
  readonly crc: number;
}

/** A block: its rows and where its share of each column lies within the column's section. */
export interface BlockEntry {
  readonly rowStart: number;
  readonly rowEnd: number;
  readonly minTime: bigint;
  readonly maxTime: bigint;
  readonly lineBytes: number;
  readonly storedBytes: number;
  readonly linesCrc: number;
  readonly codec: number;
  readonly linesStart: number;
  readonly timesStart: number;
  readonly timesBytes: number;
  readonly lengthsStart: number;
  readonly lengthsBytes: number;
  readonly metaIdsStart: number;
  readonly metaIdsBytes: number;
}

type SectionName = keyof typeof sectionKinds;
type MetadataSection = "metaIds" | "setLengths" | "sets";

export interface ChunkLayout {
  readonly rowCount: number;
  readonly setCount: number;
  readonly setBytes: number;
  readonly minTime: bigint;
  readonly maxTime: bigint;
  readonly timeUnit: bigint;
  readonly lineBytes: number;
  /** The three of metadata are there if, and only if, setCount > 0; grams may be missing. */
  readonly sections:
    & Readonly<Record<Exclude<SectionName, MetadataSection | "grams">, SectionEntry>>
    & Readonly<Partial<Record<MetadataSection | "grams", SectionEntry>>>;
  readonly blocks: ReadonlyArray<BlockEntry>;
}

/** How many of a chunk's first bytes its layout is in, from at least as many of them as chunkHeadBytes
 *  says, or all. Throws FormatError. */
export function layoutBytes(head: Uint8Array, totalBytes: number): number {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  checkHeader(head, view, totalBytes);
  const { blocks } = readSections(head, view, view.getUint32(16, true) > 0, totalBytes);
  return blocks.offset + blocks.length;
}

/** Of a chunk's bytes, or of the first layoutBytes of them. Throws FormatError. */
export function readChunkLayout(bytes: Uint8Array, totalBytes = bytes.length): ChunkLayout {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkHeader(bytes, view, totalBytes);
  const header = {
    rowCount: view.getUint32(8, true),
    setCount: view.getUint32(16, true),
    setBytes: view.getUint32(20, true),
    minTime: view.getBigInt64(24, true),
    maxTime: view.getBigInt64(32, true),
    timeUnit: view.getBigUint64(40, true),
    lineBytes: view.getUint32(48, true),
  };
  if (header.setCount > header.rowCount) {
    fail(16, `${header.setCount} sets for ${header.rowCount} rows`);
  }
  if (header.setBytes > rawBytesLimit) fail(20, `${header.setBytes} bytes of metadata`);
  const sections = readSections(bytes, view, header.setCount > 0, totalBytes);
  const blocks = readBlocks(bytes, view, sections);
  const last = blocks.at(-1)!;
  const tiled: ReadonlyArray<readonly [string, number, number]> = [
    ["rows", last.rowEnd, header.rowCount],
    ["line bytes", blocks.reduce((sum, block) => sum + block.lineBytes, 0), header.lineBytes],
    ["stored bytes", last.linesStart + last.storedBytes, sections.lines.length],
    ["times", last.timesStart + last.timesBytes, sections.times.length],
    ["lengths", last.lengthsStart + last.lengthsBytes, sections.lengths.length],
    ["metadata ids", last.metaIdsStart + last.metaIdsBytes, sections.metaIds?.length ?? 0],
  ];
  for (const [what, inBlocks, inChunk] of tiled) {
    if (inBlocks !== inChunk) {
      fail(sections.blocks.offset, `${what}: ${inBlocks} in the blocks, ${inChunk} in the chunk`);
    }
  }
  if (blocks[0]!.minTime !== header.minTime || last.maxTime !== header.maxTime) {
    fail(24, "times of header and blocks differ");
  }
  return { ...header, sections, blocks };
}

function fail(byteOffset: number, problem: string): never {
  throw new FormatError("chunk", byteOffset, problem);
}

function checkHeader(bytes: Uint8Array, view: DataView, givenBytes: number): void {
  if (bytes.length < chunkHeaderBytes) {
    fail(bytes.length, `${bytes.length} bytes are too few for the header of ${chunkHeaderBytes}`);
  }
  if (view.getUint32(0, true) !== chunkMagic) fail(0, 'does not start with "TRC1"');
  if (view.getUint32(60, true) !== crc32c(bytes.subarray(0, 60))) fail(60, "header checksum");
  if (bytes[4] !== chunkVersion) fail(4, `version ${bytes[4]} is not known, only ${chunkVersion}`);
  const totalBytes = view.getUint32(52, true);
  if (totalBytes !== givenBytes) {
    fail(52, `${totalBytes} bytes long, but ${givenBytes} are given`);
  }
}

function readSections(
  bytes: Uint8Array,
  view: DataView,
  withMetadata: boolean,
  totalBytes: number,
): ChunkLayout["sections"] {
  const directoryEnd = chunkHeaderBytes + bytes[5]! * sectionEntryBytes;
  if (directoryEnd > bytes.length) fail(5, `no room for ${bytes[5]} sections`);
  const directory = bytes.subarray(chunkHeaderBytes, directoryEnd);
  if (view.getUint32(56, true) !== crc32c(directory)) fail(56, "section directory checksum");
  const found = new Map<number, SectionEntry>();
  const known = new Set<number>(Object.values(sectionKinds));
  let end = directoryEnd;
  for (let at = chunkHeaderBytes; at < directoryEnd; at += sectionEntryBytes) {
    const kind = view.getUint16(at, true);
    const offset = view.getUint32(at + 4, true);
    const length = view.getUint32(at + 8, true);
    if (offset !== end) fail(at + 4, `section ${kind} starts at ${offset}, expected ${end}`);
    end = offset + length;
    if (known.has(kind)) {
      if (found.has(kind)) fail(at, `section ${kind} occurs twice`);
      found.set(kind, { offset, length, crc: view.getUint32(at + 12, true) });
    } else if ((view.getUint16(at + 2, true) & sectionRequired) !== 0) {
      fail(at, `section kind ${kind} is not known to this version`);
    }
  }
  if (end !== totalBytes) {
    fail(chunkHeaderBytes, `sections end at ${end} of ${totalBytes} bytes`);
  }
  const sections: Partial<Record<SectionName, SectionEntry>> = {};
  for (const [name, kind] of Object.entries(sectionKinds) as Array<[SectionName, number]>) {
    const entry = found.get(kind);
    const isMetadata = name === "metaIds" || name === "setLengths" || name === "sets";
    const wanted = withMetadata || !isMetadata;
    if (name !== "grams" && wanted !== (entry !== undefined)) {
      fail(
        chunkHeaderBytes,
        `section "${name}" is ${wanted ? "missing" : "there without any set"}`,
      );
    }
    if (entry !== undefined) sections[name] = entry;
  }
  return sections as ChunkLayout["sections"];
}

function readBlocks(
  bytes: Uint8Array,
  view: DataView,
  sections: ChunkLayout["sections"],
): BlockEntry[] {
  const { offset, length, crc } = sections.blocks;
  const blockCount = view.getUint32(12, true);
  if (offset + length > bytes.length) {
    fail(offset, `a block directory of ${length} bytes, but ${bytes.length} bytes are given`);
  }
  if (length !== blockCount * blockEntryBytes || blockCount === 0) {
    fail(12, `${blockCount} blocks in a directory of ${length} bytes`);
  }
  if (crc32c(bytes.subarray(offset, offset + length)) !== crc) {
    fail(offset, "block directory checksum");
  }
  const blocks: BlockEntry[] = [];
  let previous: BlockEntry | undefined;
  for (let at = offset; at < offset + length; at += blockEntryBytes) {
    const block: BlockEntry = {
      rowStart: previous?.rowEnd ?? 0,
      rowEnd: view.getUint32(at + 16, true),
      minTime: view.getBigInt64(at, true),
      maxTime: view.getBigInt64(at + 8, true),
      lineBytes: view.getUint32(at + 20, true),
      storedBytes: view.getUint32(at + 24, true),
      linesCrc: view.getUint32(at + 28, true),
      codec: view.getUint32(at + 44, true),
      linesStart: previous === undefined ? 0 : previous.linesStart + previous.storedBytes,
      timesStart: previous === undefined ? 0 : previous.timesStart + previous.timesBytes,
      timesBytes: view.getUint32(at + 32, true),
      lengthsStart: previous === undefined ? 0 : previous.lengthsStart + previous.lengthsBytes,
      lengthsBytes: view.getUint32(at + 36, true),
      metaIdsStart: previous === undefined ? 0 : previous.metaIdsStart + previous.metaIdsBytes,
      metaIdsBytes: view.getUint32(at + 40, true),
    };
    checkBlock(block, previous, at);
    blocks.push(block);
    previous = block;
  }
  return blocks;
}

function checkBlock(block: BlockEntry, previous: BlockEntry | undefined, at: number): void {
  const rows = block.rowEnd - block.rowStart;
  if (rows < 1 || rows > blockRowsMax) fail(at + 16, `a block of ${rows} rows`);
  if (block.lineBytes > rawBytesLimit) fail(at + 20, `a block of ${block.lineBytes} line bytes`);
  if (block.codec > 1) fail(at + 44, `codec ${block.codec} is not known`);
  if (block.codec === 0 && block.storedBytes !== block.lineBytes) {
    fail(at + 24, `${block.storedBytes} bytes stored for ${block.lineBytes} plain ones`);
  }
  if (
    block.minTime > block.maxTime || (previous !== undefined && previous.maxTime > block.minTime)
  ) {
    fail(at, `a block from ${block.minTime} to ${block.maxTime} out of order`);
  }
}
