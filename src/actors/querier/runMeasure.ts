/** Counts lines and bytes of streams by bucket of time: from the index where a chunk lies alone in one
 *  bucket, here where that is a few unflushed rows, and in worker threads where rows must be told
 *  apart. Invariant: the counts are those of the lines that a log query would return, each line once.
 */
import { WindowBuckets, type WindowSpec } from "../../logql/metrics/buckets.ts";
import { type Batch, batchMessage } from "../../streams/batch.ts";
import type { TimeRange } from "../../streams/record.ts";
import { type PlannedSource, type PlannedUnit, rangeOfUnit } from "../policy/scanPlan.ts";
import type { HeadSlice } from "../protocol/head.ts";
import type { AggregateSource } from "../protocol/aggregate.ts";
import type { MeasureJob, MeasureResult } from "../protocol/measure.ts";
import type { Scanners } from "../Scanners.ts";

/** Stored bytes of the units of one job. */
const jobBytesMax = 8 * 1024 * 1024;
/** Units of one job: many small ones are bounded by their number. */
const jobUnitsMax = 1000;

/** Unflushed rows of a stream that are looked at here: sending a job costs more. */
const rowsHereMax = 64;

/** What one stream has. Streams without a line in the range are left out. */
export interface StreamVolume {
  readonly labels: string;
  /** Stored chunks that may hold rows of the range, and 1 for unflushed rows. */
  readonly chunks: number;
  /** By bucket; absent ones have nothing. */
  readonly buckets: ReadonlyMap<number, VolumeCount>;
}

export interface VolumeCount {
  readonly entries: number;
  readonly bytes: number;
}

export interface MeasureRequest {
  /** The rows that count. */
  readonly range: TimeRange;
  /** Length of a bucket; the first begins with the range, the last may reach beyond it. */
  readonly stepNs: bigint;
}

/** Rejects with the first job's error, or the signal's reason; all jobs have then been told to stop. */
export async function runMeasure(
  pool: Scanners["Service"],
  units: ReadonlyArray<PlannedUnit>,
  { range, stepNs }: MeasureRequest,
  signal: AbortSignal,
): Promise<ReadonlyArray<StreamVolume>> {
  const count = Number((range.end - range.start + stepNs - 1n) / stepNs);
  if (count === 0) return [];
  // A window is open on the left: (t - step, t].
  const grid = { startNs: range.start - 1n + stepNs, stepNs, count };
  const windows: WindowSpec = { grid, rangeNs: stepNs, offsetNs: 0n };
  const buckets = new WindowBuckets(windows);
  const volumes = new Volumes();
  const rest: PlannedUnit[] = [];
  for (const unit of units) {
    const { labels, sources, minTime, maxTime } = unit;
    volumes.addSources(unit);
    const { start, end } = rangeOfUnit(range, unit);
    const isInside = sources.length === 1 && minTime >= start && maxTime < end;
    const bucket = isInside ? buckets.bucketOfSpan(minTime, maxTime) : -1;
    const { chunk, slice } = sources[0]!;
    if (bucket < 0) rest.push(unit);
    else if (chunk !== undefined) volumes.add(labels, bucket, chunk.rowCount, chunk.rawBytes);
    else if (hasNoRepeats(slice)) {
      volumes.add(labels, bucket, slice.rowEnd - slice.rowStart, slice.lineBytes);
    } else rest.push(unit);
  }
  const stop = new AbortController();
  const jobSignal = AbortSignal.any([signal, stop.signal]);
  const jobs = jobsOf(rest);
  const workers = Array.from({ length: pool.threadCount }, async () => {
    for (let taken = jobs.next(); !taken.done; taken = jobs.next()) {
      const job = jobOf(taken.value, windows, rangeOfUnit(range, taken.value[0]!));
      const result = await pool.run<MeasureResult>("measure", job, { signal: jobSignal });
      volumes.addResult(taken.value, result);
    }
  });
  try {
    await Promise.all(workers);
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(workers);
    throw error;
  }
  return volumes.result();
}

/** Whether a few unflushed rows have a time each, so that none repeats another. */
function hasNoRepeats({ batch: { timestamps }, rowStart, rowEnd }: HeadSlice): boolean {
  if (rowEnd - rowStart > rowsHereMax) return false;
  for (let row = rowStart + 1; row < rowEnd; row++) {
    if (timestamps[row]! <= timestamps[row - 1]!) return false;
  }
  return true;
}

function* jobsOf(units: ReadonlyArray<PlannedUnit>): Generator<ReadonlyArray<PlannedUnit>> {
  for (let from = 0; from < units.length;) {
    let [to, bytes] = [from, 0];
    do bytes += units[to++]!.bytes; while (
      to < units.length && to - from < jobUnitsMax && bytes + units[to]!.bytes <= jobBytesMax &&
      units[to]!.keptFrom === units[from]!.keptFrom
    );
    yield units.slice(from, to);
    from = to;
  }
}

function jobOf(
  units: ReadonlyArray<PlannedUnit>,
  windows: WindowSpec,
  range: TimeRange,
): MeasureJob {
  const batches = new Map<Batch, number>();
  const sourceOf = ({ chunk, slice, minTime }: PlannedSource): AggregateSource => {
    if (chunk !== undefined) {
      const { segmentKey: key, offset, length } = chunk;
      return { chunk: { key, offset, length }, minTime };
    }
    const { batch, rowStart, rowEnd } = slice;
    let index = batches.get(batch);
    if (index === undefined) batches.set(batch, index = batches.size);
    return { batch: index, rowStart, rowEnd, minTime };
  };
  const jobUnits = units.map(({ labels, sources }) => ({ labels, sources: sources.map(sourceOf) }));
  return { windows, range, units: jobUnits, batches: [...batches.keys()].map(batchMessage) };
}

interface Volume {
  chunks: number;
  hasUnflushed: boolean;
  readonly buckets: Map<number, { entries: number; bytes: number }>;
}

class Volumes {
  readonly #streams = new Map<string, Volume>();

  addSources({ labels, sources }: PlannedUnit): void {
    let volume = this.#streams.get(labels);
    if (volume === undefined) {
      this.#streams.set(labels, volume = { chunks: 0, hasUnflushed: false, buckets: new Map() });
    }
    for (const { chunk } of sources) {
      if (chunk === undefined) volume.hasUnflushed = true;
      else volume.chunks++;
    }
  }

  add(labels: string, bucket: number, entries: number, bytes: number): void {
    const { buckets } = this.#streams.get(labels)!;
    const count = buckets.get(bucket);
    if (count === undefined) buckets.set(bucket, { entries, bytes });
    else {
      count.entries += entries;
      count.bytes += bytes;
    }
  }

  addResult(units: ReadonlyArray<PlannedUnit>, result: MeasureResult): void {
    for (let cell = 0; cell < result.units.length; cell++) {
      const { labels } = units[result.units[cell]!]!;
      this.add(labels, result.buckets[cell]!, result.rows[cell]!, result.lineBytes[cell]!);
    }
  }

  result(): ReadonlyArray<StreamVolume> {
    const found: StreamVolume[] = [];
    for (const [labels, { chunks, hasUnflushed, buckets }] of this.#streams) {
      if (buckets.size > 0) found.push({ labels, chunks: chunks + Number(hasUnflushed), buckets });
    }
    return found;
  }
}
