/** The chunk: one stream's rows as columns, immutable. This file owns the numbers that
 *  chunkWriter.ts writes and chunk.ts reads; docs/formats.md explains them. All integers
 *  little-endian; sections follow one another without gaps.
 *
 *  Header, 64 bytes:
 *    0 u32 magic "TRC1"   4 u8 version = 1   5 u8 sectionCount   6 u16 0
 *    8 u32 rowCount      12 u32 blockCount  16 u32 setCount  20 u32 setBytes (uncompressed)
 *   24 i64 minTime       32 i64 maxTime     40 u64 timeUnit
 *   48 u32 lineBytes (uncompressed)         52 u32 totalBytes
 *   56 u32 CRC32C of the section directory  60 u32 CRC32C of header bytes 0..59
 *  Section directory, 16 bytes each: u16 kind, u16 flags (1 = readers must know the kind),
 *    u32 offset, u32 length, u32 CRC32C (0 for the lines, whose blocks have their own)
 *  Block directory (section 1), 48 bytes each: i64 minTime, i64 maxTime, u32 rowEnd, u32 lineBytes,
 *    u32 storedBytes, u32 CRC32C of the stored lines, u32 timesBytes, u32 lengthsBytes,
 *    u32 metaIdsBytes, u32 codec (0 none, 1 zstd)
 *  Grams (section 8), for each block: u8 binary logarithm of its bitmap's bytes; then the bitmaps */

export const chunkMagic = 0x31435254; // "TRC1" as a little-endian u32
export const chunkVersion = 1;
export const chunkHeaderBytes = 64;
export const sectionEntryBytes = 16;
export const blockEntryBytes = 48;
export const sectionRequired = 1;

/** What to read of a chunk's start at first: header, section directory and, mostly, block directory. */
export const chunkHeadBytes = 4096;

/** Section kinds of version 1. A chunk without metadata has none of metaIds, setLengths, sets; one
 *  that was written by the first releases has no grams. */
export const sectionKinds = {
  blocks: 1,
  times: 2,
  lengths: 3,
  metaIds: 4,
  setLengths: 5,
  sets: 6,
  lines: 7,
  grams: 8,
} as const;

/** Bytes of a block's bitmap of grams: a power of two. */
export const gramBytesLeast = 8;
export const gramBytesMost = 8192;

/** Rows of a block. Writers keep to it; readers allocate for no more. */
export const blockRowsMax = 65536;
/** Uncompressed bytes of a block's lines, or of all metadata sets of a chunk, that a reader
 *  allocates at most. A block of one line may be as long as a line can be, which a batch's limit
 *  bounds. */
export const rawBytesLimit = 256 * 1024 * 1024;
