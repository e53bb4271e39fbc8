/** How the golden files were built out of goldenRows.ts: options and identities. Never change it,
 *  like the rows. */
import { columnsOf } from "../../src/testing/modelRows.ts";
import { type Batch, buildBatch } from "../../src/streams/batch.ts";
import type { GoldenStream } from "./goldenRows.ts";

/** Small chunks and blocks, so that there are several. */
export const goldenOptions = { rawBytesMax: 20_000, blockBytes: 4096, level: 1 };

export const goldenIdentity = {
  partition: 7,
  logFrom: 12,
  logTo: 345,
  createdAt: 1_700_000_500_000_000_000n,
};

/** One batch with a slice per stream; the tenant is the first stream's. */
export function goldenBatch(streams: ReadonlyArray<GoldenStream>): Batch {
  let rowEnd = 0;
  const slices = streams.map(({ labels, rows }) => {
    const rowStart = rowEnd;
    rowEnd += rows.length;
    return { labels, rowStart, rowEnd };
  });
  return buildBatch(streams[0]!.tenant, slices, columnsOf(streams.flatMap(({ rows }) => rows)));
}
