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
      sources.push({
        batch: batches[slices[at]!]!,
        rowStart: slices[at + 1]!,
        rowEnd: slices[at + 2]!,
      });
    }
    const chunks = buildChunks(sources, job.options);
    for (const chunk of chunks) context.transfer.push(chunk.bytes.buffer as ArrayBuffer);
    return chunks;
  });
}
