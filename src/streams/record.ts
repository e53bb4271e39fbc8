/** What the index knows of a segment. Made from a segment's footer (segment.ts) and from nothing
 *  else, so that the index can be rebuilt from segments alone. */

/** A half-open range of time in nanoseconds since 1970: start <= t < end. */
export interface TimeRange {
  readonly start: bigint;
  readonly end: bigint;
}

export interface ChunkRecord {
  /** Where the chunk lies in the segment, in bytes. */
  readonly offset: number;
  readonly length: number;
  readonly rowCount: number;
  /** Line bytes before compression. */
  readonly rawBytes: number;
  /** First and last timestamp, both inclusive, ns. */
  readonly minTime: bigint;
  readonly maxTime: bigint;
}

export interface StreamRecord {
  readonly tenant: string;
  /** Canonical label string, as labels.ts prints it: `{a="b", c="d"}`. */
  readonly labels: string;
  readonly chunks: ReadonlyArray<ChunkRecord>;
}

export interface SegmentRecord {
  readonly key: string;
  readonly partition: number;
  /** The log offsets this segment holds: logFrom <= offset < logTo. */
  readonly logFrom: number;
  readonly logTo: number;
  /** Size of the whole object. */
  readonly bytes: number;
  readonly createdAt: bigint;
  /** By tenant, then labels. */
  readonly streams: ReadonlyArray<StreamRecord>;
}

/** A segment without its streams. */
export interface SegmentSummary extends Omit<SegmentRecord, "streams"> {
  readonly streamCount: number;
  /** First and last timestamp of all rows; without rows the first is the greatest there can be, the last the least. */
  readonly minTime: bigint;
  readonly maxTime: bigint;
}

/** What a segment's record says in short. */
export function segmentSummary({ streams, ...record }: SegmentRecord): SegmentSummary {
  let [minTime, maxTime] = [2n ** 63n - 1n, -(2n ** 63n)];
  for (const { chunks } of streams) {
    for (const chunk of chunks) {
      if (chunk.minTime < minTime) minTime = chunk.minTime;
      if (chunk.maxTime > maxTime) maxTime = chunk.maxTime;
    }
  }
  return { ...record, streamCount: streams.length, minTime, maxTime };
}
