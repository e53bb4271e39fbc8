/** Makes one segment of neighbours, without duplicates, small chunks and what has expired, and puts it in their place:
 *  reads the footers, has worker threads make chunks of a stream's chunks, stores the object, replaces the records. Holds
 *  the footers and the compressed chunks of the new segment, and no rows. Which segments is mergePlan.ts's and
 *  expiry.ts's business. A crash between any two steps leaves the index as it was, or as it shall be, and at most an
 *  object that is swept. */
import { Effect } from "effect";
import { systemNowNs } from "../../platform/clock.ts";
import type { Index } from "../../storage/Index.ts";
import type { ObjectStore } from "../../storage/ObjectStore.ts";
import { readSegmentRecord, segmentUnreadable } from "../../storage/rebuildIndex.ts";
import type { BuiltChunk, ChunkOptions } from "../../streams/chunkWriter.ts";
import type { SegmentRecord, SegmentSummary } from "../../streams/record.ts";
import { buildSegment } from "../../streams/segment.ts";
import { type MergeGroup, planGroups, type SourceChunk } from "../policy/mergeUnits.ts";
import type { MergeJob, MergeResult, MergeUnit } from "../protocol/merge.ts";

export interface RewriteParts {
  readonly objectStore: ObjectStore["Service"];
  readonly index: Index["Service"];
  /** Runs a job on a thread that can read the chunks. */
  readonly run: (job: MergeJob) => Promise<MergeResult>;
  /** Jobs that run at once. */
  readonly concurrency: number;
  readonly options: ChunkOptions;
  /** Rows of the stream before it, ns, have expired. */
  readonly keptFrom: (tenant: string, labels: string) => bigint;
  /** Whether this process still may; asked between jobs. */
  readonly isAllowed: () => boolean;
}

/** What was done. */
export interface RewriteReport {
  readonly segments: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly chunksIn: number;
  readonly chunksOut: number;
  readonly rowsIn: number;
  readonly rowsOut: number;
}

/** The work was given up: another process does it. */
export class RewriteStopped extends Error {
  override readonly name = "RewriteStopped";
}

/** Line bytes and units of a job: enough to be worth a message, so few that a query need not wait long for a thread. */
const jobRawBytes = 8 * 1024 * 1024;
const jobUnitsMax = 512;

interface StreamChunks {
  readonly tenant: string;
  readonly labels: string;
  readonly chunks: SourceChunk[];
}

/** Replaces `segments`, neighbours in one partition, by one. Those of which `isExpired` says so are not read at all. */
export const rewriteSegments = Effect.fn("Compactor.rewrite")(function* (
  parts: RewriteParts,
  segments: ReadonlyArray<SegmentSummary>,
  isExpired: (segment: SegmentSummary) => boolean,
) {
  const streams = new Map<string, StreamChunks>();
  let [chunksIn, rowsIn] = [0, 0];
  for (const segment of segments) {
    if (isExpired(segment)) continue;
    const record = yield* readSegmentRecord(parts.objectStore, segment);
    for (const { rowCount } of collect(streams, record)) {
      chunksIn++;
      rowsIn += rowCount;
    }
  }
  const sealed = yield* buildStreams(parts, [...streams.values()]);
  const { partition, logFrom, createdAt } = segments[0]!;
  const newest = segments.reduce(
    (last, one) => one.createdAt > last ? one.createdAt : last,
    createdAt,
  );
  const nowNs = systemNowNs();
  const built = buildSegment({
    partition,
    logFrom,
    logTo: segments.at(-1)!.logTo,
    // Of two segments with the same offsets the later counts, also when the clock was set back. What is left of one is as old
    // as it was: rows of the future are no younger for it.
    createdAt: nowNs > newest && segments.length > 1 ? nowNs : newest + 1n,
    streams: sealed,
  });
  if (!parts.isAllowed()) return yield* Effect.fail(new RewriteStopped());
  yield* parts.objectStore.put(built.record.key, built.parts);
  // A process that slept may find its object swept, as nobody's.
  if (!parts.isAllowed()) return yield* Effect.fail(new RewriteStopped());
  yield* parts.index.replace(segments.map(({ key }) => key), built.record);
  const chunksOut = sealed.flatMap(({ chunks }) => chunks);
  const report: RewriteReport = {
    segments: segments.length,
    bytesIn: segments.reduce((sum, { bytes }) => sum + bytes, 0),
    bytesOut: built.record.bytes,
    chunksIn,
    chunksOut: chunksOut.length,
    rowsIn,
    rowsOut: chunksOut.reduce((sum, { rowCount }) => sum + rowCount, 0),
  };
  return report;
});

/** Adds a segment's chunks to those of their streams, and says which they are. */
function* collect(streams: Map<string, StreamChunks>, record: SegmentRecord) {
  const { key: segmentKey, logFrom } = record;
  for (const { tenant, labels, chunks } of record.streams) {
    // A tenant's id has no line break.
    const key = `${tenant}\n${labels}`;
    let stream = streams.get(key);
    if (stream === undefined) streams.set(key, stream = { tenant, labels, chunks: [] });
    for (const chunk of chunks) stream.chunks.push({ ...chunk, segmentKey, logFrom });
    yield* chunks;
  }
}

const buildStreams = Effect.fnUntraced(function* (
  parts: RewriteParts,
  streams: ReadonlyArray<StreamChunks>,
) {
  const sealed = streams.map(({ tenant, labels }) => ({
    tenant,
    labels,
    chunks: [] as BuiltChunk[][],
  }));
  yield* Effect.forEach(
    jobsOf(parts, streams),
    Effect.fnUntraced(function* ({ job, targets }) {
      if (!parts.isAllowed()) return yield* Effect.fail(new RewriteStopped());
      const built = yield* Effect.tryPromise({
        try: () => parts.run(job),
        catch: (error) => error instanceof Error ? error : new Error(String(error)),
      });
      if ("message" in built) {
        return yield* segmentUnreadable(
          job.units[built.unit]!.sources[built.source]!.chunk.key,
          built.message,
        );
      }
      targets.forEach(([stream, group], index) => {
        sealed[stream]!.chunks[group] = [...built[index]!];
      });
    }),
    { concurrency: parts.concurrency, discard: true },
  );
  return sealed.map((stream) => ({ ...stream, chunks: stream.chunks.flat() }));
});

interface PlannedJob {
  readonly job: MergeJob;
  /** For each unit of the job: the stream, and the place of its chunks among the stream's. */
  readonly targets: ReadonlyArray<readonly [stream: number, group: number]>;
}

function* jobsOf(
  { options, keptFrom }: RewriteParts,
  streams: ReadonlyArray<StreamChunks>,
): Generator<PlannedJob> {
  let units: MergeUnit[] = [];
  let targets: Array<readonly [number, number]> = [];
  let rawBytes = 0;
  for (const [stream, { tenant, labels, chunks }] of streams.entries()) {
    const from = keptFrom(tenant, labels);
    const kept = chunks.filter(({ maxTime }) => maxTime >= from);
    for (const [place, group] of planGroups(kept, options.rawBytesMax).entries()) {
      units.push(unitOf(labels, group, from));
      targets.push([stream, place]);
      for (const chunk of group) rawBytes += chunk.rawBytes;
      if (rawBytes < jobRawBytes && units.length < jobUnitsMax) continue;
      yield { job: { options, units }, targets };
      [units, targets, rawBytes] = [[], [], 0];
    }
  }
  if (units.length > 0) yield { job: { options, units }, targets };
}

function unitOf(labels: string, group: MergeGroup, keptFrom: bigint): MergeUnit {
  const sources = group.map(({ segmentKey: key, offset, length }) => ({
    chunk: { key, offset, length },
  }));
  return { labels, sources, keptFrom };
}
