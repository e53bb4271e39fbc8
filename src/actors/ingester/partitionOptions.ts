/** What partition actors are made with, from the settings and the storage of this process. */
import { Effect } from "effect";
import { systemNowMs, systemNowNs } from "../../platform/clock.ts";
import type { Settings } from "../../platform/config/mod.ts";
import { Index } from "../../storage/Index.ts";
import { ObjectStore } from "../../storage/ObjectStore.ts";
import { WriteLog } from "../../storage/WriteLog.ts";
import { chunkOptionsDefault } from "../../streams/chunkWriter.ts";
import { chunkRawBytes } from "../policy/chunkSize.ts";
import { Workers } from "../Workers.ts";
import { ChunkBuilder } from "./ChunkBuilder.ts";
import type { PartitionOptions } from "./partition.ts";
import { SegmentWriter } from "./SegmentWriter.ts";

/** A function from a partition's number to its options; all partitions share one builder and one writer. */
export const partitionOptions = Effect.fnUntraced(function* ({ ingester, storage }: Settings) {
  const index = yield* Index;
  const writeLog = yield* WriteLog;
  const objectStore = yield* ObjectStore;
  const workers = yield* Workers;
  const chunkBuilder = new ChunkBuilder(workers, {
    ...chunkOptionsDefault,
    rawBytesMax: chunkRawBytes(ingester.chunk_target_size),
  });
  const segmentWriter = new SegmentWriter(objectStore, index, writeLog, systemNowNs);
  return (partition: number): PartitionOptions => ({
    partition,
    cut: {
      segmentBytesTarget: ingester.segment_target_bytes,
      segmentAgeMsMax: ingester.max_segment_age,
    },
    streamIdleMs: ingester.chunk_idle_period,
    cutRetryMs: 5000,
    unflushedBytesMax: ingester.max_unflushed_bytes,
    incompleteAdvice: storage.engine === "nats"
      ? `\`tailrace cluster skip --partition=${partition}\` says what is lost and how to go on without it`
      : "Run `tailrace rebuild-index`, which finds everything that is in segments",
    nowMs: systemNowMs,
    writeLog,
    index,
    segmentWriter,
    chunkBuilder,
  });
});
