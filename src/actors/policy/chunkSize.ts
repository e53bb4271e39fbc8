/** Decides how much of a stream goes into one chunk. Pure. */

/** Line and metadata bytes of a chunk that is to have about `targetBytes` compressed. What a chunk will compress to is known only
 *  when it is built; logs of services shrink to a fifth, so 3/16 of the lines is taken, which makes 1.5 MB of 8 MB. */
export function chunkRawBytes(targetBytes: number): number {
  return Math.min(Math.max(Math.floor(targetBytes * 16 / 3), rawBytesMin), rawBytesMax);
}

/** Less than a block, and a chunk is mostly its own directory. */
const rawBytesMin = 256 * 1024;
/** A thread holds a chunk twice while it builds or reads it. */
const rawBytesMax = 64 * 1024 * 1024;
