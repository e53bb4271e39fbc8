/** Makes full chunks of small ones in a worker thread, without duplicates and without rows that have expired. The format is
 *  chunkWriter.ts's business; which chunks go together mergeUnits.ts's. Holds one unit at a time. */
import type { JobContext } from "../../platform/workerHost.ts";
import type { ObjectReader } from "../../storage/embedded/objectReader.ts";
import { type Chunk, openChunk } from "../../streams/chunk.ts";
import { FormatError } from "../../streams/formatError.ts";
import { buildChunks, type BuiltChunk, type ChunkSource } from "../../streams/chunkWriter.ts";
import type { DamagedSource, MergeJob, MergeResult, MergeUnit } from "../protocol/merge.ts";

/** Runs the job. Throws what the object store said. */
export function merge(job: MergeJob, reader: ObjectReader, context: JobContext): MergeResult {
  const built: BuiltChunk[][] = [];
  for (const [index, unit] of job.units.entries()) {
    if (context.cancelled()) throw new Error("the merge was cancelled");
    const chunks = mergeUnit(unit, job, reader);
    if ("message" in chunks) return { unit: index, ...chunks };
    for (const { bytes } of chunks) context.transfer.push(bytes.buffer);
    built.push(chunks);
  }
  return built;
}

function mergeUnit(
  unit: MergeUnit,
  job: MergeJob,
  reader: ObjectReader,
): BuiltChunk[] | Omit<DamagedSource, "unit"> {
  const rows: ChunkSource[] = [];
  for (const [index, { chunk: { key, offset, length } }] of unit.sources.entries()) {
    const bytes = reader.getRange(key, offset, length);
    try {
      const chunk = openChunk(bytes);
      if (unit.sources.length === 1 && chunk.minTime >= unit.keptFrom) {
        return [copyOf(bytes, chunk)];
      }
      rows.push(...rowsOf(chunk, unit.keptFrom));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return { source: index, message: error.message };
    }
  }
  return buildChunks(rows, job.options);
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
