/** Makes full chunks of small ones in a worker thread, without duplicates and without rows that have expired. The format is
 *  chunkWriter.ts's business; which chunks go together mergeUnits.ts's. Holds one unit at a time. */
import type { JobContext } from "../../platform/workerHost.ts";
import type { ObjectReader } from "../../storage/embedded/objectReader.ts";
import { type Chunk, openChunk } from "../../streams/chunk.ts";
import { buildChunks, type BuiltChunk, type ChunkSource } from "../../streams/chunkWriter.ts";
import type { MergeJob, MergeResult, MergeUnit } from "../protocol/merge.ts";

/** Runs the job. Throws FormatError (a corrupt chunk) or what the object store said. */
export function merge(job: MergeJob, reader: ObjectReader, context: JobContext): MergeResult {
  return job.units.map((unit) => {
    if (context.cancelled()) throw new Error("the merge was cancelled");
    const chunks = mergeUnit(unit, job, reader);
    for (const { bytes } of chunks) context.transfer.push(bytes.buffer);
    return chunks;
  });
}

function mergeUnit(unit: MergeUnit, job: MergeJob, reader: ObjectReader): BuiltChunk[] {
  const chunks = unit.sources.map(({ chunk: { key, offset, length } }) => {
    const bytes = reader.getRange(key, offset, length);
    return { bytes, chunk: openChunk(bytes) };
  });
  const only = chunks[0];
  if (only !== undefined && chunks.length === 1 && only.chunk.minTime >= unit.keptFrom) {
    return [copyOf(only.bytes, only.chunk)];
  }
  return buildChunks(chunks.flatMap(({ chunk }) => rowsOf(chunk, unit.keptFrom)), job.options);
}

function copyOf(bytes: Uint8Array, chunk: Chunk): BuiltChunk {
  const { rowCount, rawBytes, minTime, maxTime } = chunk;
  const own = new Uint8Array(bytes.length);
  own.set(bytes);
  return { bytes: own, rowCount, rawBytes, minTime, maxTime, duplicateCount: 0 };
}

const timeEnd = 2n ** 63n;

/** The rows of a chunk from `keptFrom` on, block by block. */
function rowsOf(chunk: Chunk, keptFrom: bigint): ChunkSource[] {
  const sources: ChunkSource[] = [];
  for (let index = 0; index < chunk.blocks.length; index++) {
    const block = chunk.block(index, { start: keptFrom, end: timeEnd });
    if (block === undefined) continue;
    const { timestamps, lineEnds, lines, metaIds, sets, rowStart, rowEnd } = block;
    const columns = { timestamps, lineEnds, lines, metaIds, ...sets };
    const sizes = { rowCount: timestamps.length, metaBytes: sets.meta.length };
    sources.push({ batch: { ...columns, ...sizes }, rowStart, rowEnd });
  }
  return sources;
}
