/** Loki's `stats` of an answer: what has a meaning here is exact, all else is 0. */
import type { ScanStats } from "../actors/protocol/scan.ts";

export interface QueryCost extends ScanStats {
  /** Time the query waited for its turn, and ran. */
  readonly queueSeconds: number;
  readonly execSeconds: number;
}

/** Statistics of a query that answered `returned` entries or samples from `passed` rows. */
export function queryStats(stats: QueryCost, returned: number, passed: number) {
  const seconds = Math.max(stats.execSeconds, 1e-6);
  return {
    summary: {
      bytesProcessedPerSecond: Math.round(stats.bytesScanned / seconds),
      linesProcessedPerSecond: Math.round(stats.rowsScanned / seconds),
      totalBytesProcessed: stats.bytesScanned,
      totalLinesProcessed: stats.rowsScanned,
      execTime: stats.execSeconds,
      queueTime: stats.queueSeconds,
      subqueries: 0,
      totalEntriesReturned: returned,
      splits: 1,
      shards: 0,
      totalPostFilterLines: passed,
      totalStructuredMetadataBytesProcessed: 0,
    },
    querier: {
      store: {
        totalChunksRef: stats.chunksRead,
        totalChunksDownloaded: stats.chunksRead,
        chunksDownloadTime: 0,
        chunk: {
          headChunkBytes: 0,
          headChunkLines: 0,
          decompressedBytes: stats.bytesScanned,
          decompressedLines: stats.rowsScanned,
          compressedBytes: stats.bytesRead,
          totalDuplicates: 0,
        },
      },
    },
    ingester: {
      totalReached: 0,
      totalChunksMatched: 0,
      totalBatches: 0,
      totalLinesSent: 0,
      store: {
        totalChunksRef: 0,
        totalChunksDownloaded: 0,
        chunksDownloadTime: 0,
        chunk: {
          headChunkBytes: 0,
          headChunkLines: 0,
          decompressedBytes: 0,
          decompressedLines: 0,
          compressedBytes: 0,
          totalDuplicates: 0,
        },
      },
    },
    cache: {},
  };
}

/** The member that says what an answer lacks, comma and all; nothing if nothing is missing. */
export function warningsMember(warnings: ReadonlyArray<string>): string {
  return warnings.length === 0 ? "" : `,"warnings":${JSON.stringify(warnings)}`;
}
