/** Aggregates units in a worker thread: folds rows into the states of cells (series and bucket of time)
 *  and returns the states, never rows. Owns how rows reach the fold (rowFold.ts): blocks of one chunk
 *  straight from it, overlapping sources in order of time without duplicates (unitRuns.ts).
 *  Invariant: the states that all jobs of a query return merge to the same, however its data was cut
 *  into chunks, slices, units and jobs. */
import { WindowBuckets } from "../../logql/metrics/buckets.ts";
import { compilePipeline, type Pipeline, type StreamPipeline } from "../../logql/pipeline.ts";
import type { JobContext } from "../../platform/workerHost.ts";
import type { ObjectReader } from "../../storage/embedded/objectReader.ts";
import { type Batch, batchFromMessage } from "../../streams/batch.ts";
import type { Chunk, DecodableBlock } from "../../streams/chunk.ts";
import { type Labels, parseLabels } from "../../streams/labels.ts";
import { batchBlock } from "../../streams/lineBlock.ts";
import type { TimeRange } from "../../streams/record.ts";
import type {
  AggregateJob,
  AggregateResult,
  AggregateSource,
  AggregateStats,
  AggregateUnit,
} from "../protocol/aggregate.ts";
import { bucketOpen, RowFold } from "./rowFold.ts";
import { ScanCancelled } from "./scanJob.ts";
import { slicePart, timeWords } from "./sliceRuns.ts";
import { type ChunkPlace, openPlace } from "./storedChunk.ts";
import { type RunPart, type RunSource, visitRuns } from "./unitRuns.ts";

/** Runs one job. Throws MetricLimitReached, PipelineFailed (a row with __error__), ScanCancelled,
 *  FormatError (a corrupt chunk) or what the object store said. */
export function aggregate(
  job: AggregateJob,
  reader: ObjectReader,
  context: JobContext,
): AggregateResult {
  const checkpoint = () => {
    if (context.cancelled()) throw new ScanCancelled("the query was cancelled");
  };
  const pipeline = compilePipeline(job.pipeline, checkpoint);
  const buckets = new WindowBuckets(job.windows);
  const run: AggregateRun = {
    pipeline,
    streams: new Map(),
    buckets,
    reader,
    checkpoint,
    fold: new RowFold(job, pipeline, buckets, checkpoint),
    range: job.range,
    batches: job.batches.map(batchFromMessage),
    stats: {
      bytesScanned: 0,
      rowsScanned: 0,
      bytesRead: 0,
      chunksRead: 0,
      rowsFolded: 0,
    },
  };
  for (const { buffer } of run.batches) context.sharedBytes += buffer.byteLength;
  for (const unit of job.units) {
    checkpoint();
    aggregateUnit(run, unit);
  }
  const result = run.fold.result({ ...run.stats, rowsFolded: run.fold.rowCount });
  context.transfer.push(result.series.buffer, result.buckets.buffer);
  for (const column of result.states) context.transfer.push(column.buffer);
  return result;
}

interface AggregateRun {
  readonly pipeline: Pipeline;
  /** By label string. */
  readonly streams: Map<
    string,
    { readonly streamLabels: Labels; readonly stream: StreamPipeline | "none" }
  >;
  readonly buckets: WindowBuckets;
  readonly fold: RowFold;
  readonly reader: ObjectReader;
  /** Throws when nobody waits for the result any more. */
  readonly checkpoint: () => void;
  readonly range: TimeRange;
  readonly batches: ReadonlyArray<Batch>;
  readonly stats: { -readonly [Key in keyof AggregateStats]: AggregateStats[Key] };
}

/** A stream has many units, in any order. */
function streamOf({ streams, pipeline }: AggregateRun, labels: string) {
  let known = streams.get(labels);
  if (known === undefined) {
    const streamLabels = parseLabels(labels);
    known = { streamLabels, stream: pipeline.forStream(streamLabels) };
    streams.set(labels, known);
  }
  return known;
}

function aggregateUnit(run: AggregateRun, { labels, rank, sources }: AggregateUnit): void {
  const { streamLabels, stream } = streamOf(run, labels);
  if (stream === "none") return;
  run.fold.begin(stream, streamLabels, rank);
  const only = sources[0]!;
  if (sources.length === 1 && "chunk" in only) {
    aggregateChunk(run, stream, openPlace(run.reader, only.chunk, run.stats));
    return;
  }
  const runs = sources.map((source) =>
    "chunk" in source ? new ChunkRuns(run, stream, source) : sliceSource(run, stream, source)
  );
  visitRuns(runs, (part, rowStart, rowEnd) => run.fold.add(part, rowStart, rowEnd, bucketOpen));
  for (const source of runs) if (source instanceof ChunkRuns) source.close();
}

/** A chunk whose rows no other source can repeat. Of blocks within one bucket of time not even the
 *  timestamps are decoded, and of those that are only counted, nothing. */
function aggregateChunk(run: AggregateRun, stream: StreamPipeline, chunk: Chunk): void {
  const { buckets, fold } = run;
  const countsOnly = stream.filters.length === 0 && fold.countsOnly(chunk.setCount);
  chunk.blocks.forEach(({ minTime, maxTime, rowStart, rowEnd, lineBytes }, index) => {
    const bucket = buckets.bucketOfSpan(minTime, maxTime);
    if (bucket === bucketNone) return;
    if (countsOnly && bucket >= 0 && minTime >= run.range.start) {
      run.stats.rowsScanned += rowEnd - rowStart;
      fold.addCounted(bucket, rowEnd - rowStart, lineBytes);
      return;
    }
    run.checkpoint();
    if (chunk.rulesOut(index, stream.filters)) return;
    const block = chunk.block(index, run.range);
    if (block === undefined) return;
    const mask = filtered(run, stream, block);
    if (mask !== null) {
      const times = bucket >= 0 && !fold.needsTimes ? noTimes : timeWords(block);
      fold.add({ block, mask, times }, block.rowStart, block.rowEnd, bucket);
    }
    noteDecoded(run, block, lineBytes);
  });
}

/** A chunk among other sources: its blocks one after another. */
class ChunkRuns implements RunSource {
  readonly minTime: bigint;
  readonly #run: AggregateRun;
  readonly #stream: StreamPipeline;
  readonly #where: ChunkPlace;
  #chunk: Chunk | null = null;
  #next = 0;
  #last: { readonly block: DecodableBlock; readonly lineBytes: number } | null = null;

  constructor(
    run: AggregateRun,
    stream: StreamPipeline,
    { chunk, minTime }: Extract<AggregateSource, { chunk: unknown }>,
  ) {
    this.#run = run;
    this.#stream = stream;
    this.#where = chunk;
    this.minTime = minTime;
  }

  next(): RunPart | null {
    this.close();
    this.#chunk ??= openPlace(this.#run.reader, this.#where, this.#run.stats);
    while (this.#next < this.#chunk.blocks.length) {
      this.#run.checkpoint();
      const index = this.#next++;
      if (this.#chunk.rulesOut(index, this.#stream.filters)) continue;
      const block = this.#chunk.block(index, this.#run.range);
      if (block === undefined) continue;
      const mask = filtered(this.#run, this.#stream, block);
      this.#last = { block, lineBytes: this.#chunk.blocks[index]!.lineBytes };
      if (mask !== null) return { block, mask, times: timeWords(block) };
      this.close();
    }
    return null;
  }

  /** Counts what was decoded of the last block. */
  close(): void {
    if (this.#last !== null) noteDecoded(this.#run, this.#last.block, this.#last.lineBytes);
    this.#last = null;
  }
}

function sliceSource(
  run: AggregateRun,
  stream: StreamPipeline,
  { batch, rowStart, rowEnd, minTime }: Extract<AggregateSource, { batch: number }>,
): RunSource {
  let isRead = false;
  const next = () => {
    if (isRead) return null;
    isRead = true;
    run.checkpoint();
    const block = batchBlock(run.batches[batch]!, rowStart, rowEnd);
    const lineStart = rowStart === 0 ? 0 : block.lineEnds[rowStart - 1]!;
    run.stats.rowsScanned += rowEnd - rowStart;
    run.stats.bytesScanned += block.lineEnds[rowEnd - 1]! - lineStart;
    return slicePart(block, run.range, stream.filters);
  };
  return { minTime, next };
}

const bucketNone = -1;
const noTimes = new Int32Array(0);

/** The mask of the rows that pass the stream's filters; null if none does. */
function filtered(
  run: AggregateRun,
  { filters }: StreamPipeline,
  block: DecodableBlock,
): Uint8Array | null {
  const mask = new Uint8Array(block.rowEnd - block.rowStart).fill(1);
  run.stats.rowsScanned += mask.length;
  let left = mask.length;
  for (const filter of filters) {
    left = filter.apply(block, mask);
    if (left === 0) return null;
  }
  return mask;
}

function noteDecoded(run: AggregateRun, block: DecodableBlock, lineBytes: number): void {
  if (block.linesDecoded) run.stats.bytesScanned += lineBytes;
}
