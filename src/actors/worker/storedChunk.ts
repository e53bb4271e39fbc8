/** Opens chunks of stored objects in a worker thread: reads of one only what is asked for, and counts
 *  it. streams/chunk.ts knows what that is. */
import type { ObjectReader } from "../../storage/embedded/objectReader.ts";
import { type Chunk, openChunk, openStoredChunk } from "../../streams/chunk.ts";

/** Where a chunk lies. Bytes within the object. */
export interface ChunkPlace {
  readonly key: string;
  readonly offset: number;
  readonly length: number;
}

/** What reading cost. */
export interface ReadStats {
  bytesRead: number;
  chunksRead: number;
}

/** Chunks up to this size are read at once: several reads of it would cost more. */
const wholeBytesMax = 64 * 1024;

/** Opens a chunk. Throws FormatError, and what the reader throws, here and when more of it is read. */
export function openPlace(
  reader: ObjectReader,
  place: ChunkPlace,
  stats: ReadStats = { bytesRead: 0, chunksRead: 0 },
): Chunk {
  const { key, offset, length } = place;
  stats.chunksRead++;
  const read = (at: number, bytes: number) => {
    stats.bytesRead += bytes;
    return reader.getRange(key, offset + at, bytes);
  };
  return length <= wholeBytesMax ? openChunk(read(0, length)) : openStoredChunk(read, length);
}
