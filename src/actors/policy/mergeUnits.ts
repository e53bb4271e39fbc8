/** Decides which chunks of one stream become one when segments are merged. Pure.
 *
 *  Chunks that touch in time are read together, since they may hold the same row twice; others are put together until they make a
 *  full chunk. A chunk that is alone is copied as it is. */
import type { ChunkRecord } from "../../streams/record.ts";

/** A chunk and the segment that it lies in. */
export interface SourceChunk extends ChunkRecord {
  readonly segmentKey: string;
  readonly logFrom: number;
}

/** Chunks in order of arrival. */
export type MergeGroup = ReadonlyArray<SourceChunk>;

/** What a thread may hold of one stream, uncompressed. More chunks than that which touch in time are merged in portions, whose
 *  chunks then still touch. */
const groupRawBytesMax = 64 * 1024 * 1024;

/** Groups the chunks of one stream, by time. `rawBytesFull` are the line bytes of a full chunk; one of half of that counts as full. */
export function planGroups(
  chunks: ReadonlyArray<SourceChunk>,
  rawBytesFull: number,
): ReadonlyArray<MergeGroup> {
  const groups: MergeGroup[] = [];
  let group: SourceChunk[] = [];
  let groupBytes = 0;
  const cut = () => {
    if (group.length > 0) groups.push(group.sort(byArrival));
    group = [];
    groupBytes = 0;
  };
  for (const run of touchingRuns(chunks)) {
    const bytes = run.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
    const isFull = run.length === 1 && bytes >= rawBytesFull / 2;
    if (isFull || groupBytes + bytes > rawBytesFull) cut();
    if (bytes > groupRawBytesMax) groups.push(...portionsOf(run.sort(byArrival)));
    else {
      group.push(...run);
      groupBytes += bytes;
      if (isFull) cut();
    }
  }
  cut();
  return groups;
}

/** Runs of chunks whose time ranges touch, by time. */
function touchingRuns(chunks: ReadonlyArray<SourceChunk>): ReadonlyArray<SourceChunk[]> {
  const runs: SourceChunk[][] = [];
  let end: bigint | undefined;
  for (const chunk of chunks.toSorted((a, b) => compareTime(a.minTime, b.minTime))) {
    if (end === undefined || chunk.minTime > end) runs.push([chunk]);
    else runs.at(-1)!.push(chunk);
    if (end === undefined || chunk.maxTime > end) end = chunk.maxTime;
  }
  return runs;
}

function portionsOf(chunks: ReadonlyArray<SourceChunk>): ReadonlyArray<MergeGroup> {
  const portions: SourceChunk[][] = [];
  let bytes = Infinity;
  for (const chunk of chunks) {
    if (bytes + chunk.rawBytes > groupRawBytesMax) {
      portions.push([]);
      bytes = 0;
    }
    portions.at(-1)!.push(chunk);
    bytes += chunk.rawBytes;
  }
  return portions;
}

function byArrival(a: SourceChunk, b: SourceChunk): number {
  return a.logFrom - b.logFrom || a.offset - b.offset;
}

function compareTime(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
