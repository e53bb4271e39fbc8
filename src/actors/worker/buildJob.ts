/** Builds the chunks of some streams in a worker thread. The format is chunkWriter.ts's business. */
import type { JobContext } from "../../platform/workerHost.ts";
import { batchFromMessage } from "../../streams/batch.ts";
import { buildChunks } from "../../streams/chunkWriter.ts";
import type { BuildJob, BuildResult } from "../protocol/build.ts";

export function build(job: BuildJob, context: JobContext): BuildResult {
  const batches = job.batches.map(batchFromMessage);
  return job.streams.map(({ slices }) => {
    const sources = [];
    for (let at = 0; at < slices.length; at += 3) {
      const batch = batches[slices[at]!]!;
      const [rowStart, rowEnd] = [slices[at + 1]!, slices[at + 2]!];
      context.sharedBytes += batch.lineEnds[rowEnd - 1]! -
        (rowStart === 0 ? 0 : batch.lineEnds[rowStart - 1]!);
      sources.push({ batch, rowStart, rowEnd });
    }
    const chunks = buildChunks(sources, job.options);
    for (const chunk of chunks) context.transfer.push(chunk.bytes.buffer as ArrayBuffer);
    return chunks;
  });
}
