/** Drives one query's scan: packs units into jobs, keeps all threads busy with the units that are
 *  wanted first, merges what comes back, and stops when nothing better can come. What it holds is counted in `held`, with what
 *  running jobs are expected to bring; when there is no room it waits (HeldAnswers.ts). */
import { type Batch, batchMessage } from "../../streams/batch.ts";
import { type PlannedUnit, rangeOfUnit } from "../policy/scanPlan.ts";
import type { ScanJob, ScanResult, ScanSource, ScanStats } from "../protocol/scan.ts";
import { type ResultRow, rowObjectBytes, TopRows } from "./merge.ts";
import type { HeldAnswer } from "../HeldAnswers.ts";
import type { Scanners } from "../Scanners.ts";
import { ProgressCount, type ScanProgress } from "./progress.ts";
import type { LogRequest } from "./Querier.ts";

/** Stored bytes of the first jobs; each next one may be twice as large. Small first jobs answer "the newest lines" at once, large
 *  later ones make messages rare. The more threads there are the larger jobs become, since messages between queriers cost most,
 *  and as many end in a second: a slow pipeline tells how far it is several times a second. */
const jobBytesFirst = 256 * 1024;
const jobBytesPerThread = 1024 * 1024;
const jobBytesMax = { least: 2 * 1024 * 1024, most: 8 * 1024 * 1024 };
/** A job of several units is expected to bring no more: what they bring together is in memory before any of it is merged. */
const resultBytesMax = 8 * 1024 * 1024;

export interface ScanLimits {
  /** Line and metadata bytes of the answer. */
  readonly bytesMax: number;
  /** Line bytes that may be looked at; 0 for no limit. Jobs that run when it is reached are
   *  stopped, so a little more may be. */
  readonly bytesScannedMax: number;
}

/** Scans `units`, which are in the order in which the query wants them. Rejects with the first
 *  job's error, that of `held`, or the signal's reason; all jobs have then been told to stop. `onProgress` is
 *  called after every job. */
export async function runScan(
  pool: Scanners["Service"],
  units: ReadonlyArray<PlannedUnit>,
  request: LogRequest,
  limits: ScanLimits,
  held: HeldAnswer,
  signal: AbortSignal,
  onProgress: (progress: ScanProgress) => void = () => {},
): Promise<{ readonly rows: ReadonlyArray<ResultRow>; readonly stats: ScanStats }> {
  const top = new TopRows(request.limit, request.direction);
  const stats = { bytesScanned: 0, rowsScanned: 0, bytesRead: 0, chunksRead: 0 };
  const stop = new AbortController();
  const jobSignal = AbortSignal.any([signal, stop.signal]);
  const running = new Set<Promise<void>>();
  const progress = new ProgressCount(units, request.direction);
  let next = 0;
  let jobBytes = jobBytesFirst;
  const largest = Math.min(
    jobBytesMax.most,
    Math.max(jobBytesMax.least, jobBytesPerThread * pool.threadCount),
  );
  const sizes = new ResultSizes(request);
  let expectedBytes = 0;
  const start = (taken: ReadonlyArray<PlannedUnit>, expected: number) => {
    progress.started(taken);
    next += taken.length;
    jobBytes = Math.min(jobBytes * 2, largest);
    expectedBytes += expected;
    const job = jobOf(taken, request, top.threshold, limits.bytesMax);
    const run: Promise<void> = pool.run<ScanResult>("scan", job, { signal: jobSignal }).then(
      (result) => {
        top.add(taken, result);
        expectedBytes -= expected;
        held.resize(top.heldBytes + expectedBytes);
        sizes.learn(taken, result);
        addStats(stats, result.stats);
        if (top.bytes > limits.bytesMax) {
          throw tooLarge(`the matching lines exceed ${limits.bytesMax} bytes`);
        }
        progress.finished(taken, result.timestamps.length);
        onProgress(progress.with(top.rows, stats));
        if (limits.bytesScannedMax > 0 && stats.bytesScanned > limits.bytesScannedMax) {
          throw tooMuchRead(limits.bytesScannedMax);
        }
        // One that failed stays, so that it is seen also if another ended at the same moment.
        running.delete(run);
      },
    );
    running.add(run);
  };
  try {
    while (true) {
      while (running.size < pool.threadCount && next < units.length && !top.isPast(units[next]!)) {
        const taken = takeUnits(units, next, jobBytes, sizes);
        const expected = sizes.expected(taken);
        const wanted = top.heldBytes + expectedBytes + expected;
        if (!held.tryResize(wanted)) {
          // What comes back may be the end of it, or leave room.
          if (running.size > 0) break;
          await held.grow(wanted, signal);
        }
        start(taken, expected);
      }
      if (running.size === 0) break;
      await Promise.race(running);
    }
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(running);
    throw error;
  }
  return { rows: top.rows, stats };
}

function takeUnits(
  units: ReadonlyArray<PlannedUnit>,
  from: number,
  bytes: number,
  sizes: ResultSizes,
): ReadonlyArray<PlannedUnit> {
  let to = from;
  let [taken, expected] = [0, 0];
  do {
    taken += units[to]!.bytes;
    expected += sizes.expectedOf(units[to++]!);
  } while (
    to < units.length && taken + units[to]!.bytes <= bytes && expected < resultBytesMax &&
    units[to]!.keptFrom === units[from]!.keptFrom
  );
  return units.slice(from, to);
}

/** How much a scan of units will bring: of their rows, or of as many as the query wants, the share that earlier ones brought,
 *  which is more than all of it where a pipeline adds labels. */
class ResultSizes {
  readonly #rowsMax: number;
  #scannedBytes = 0;
  #resultBytes = 0;
  #share: number;

  constructor({ limit, pipeline }: LogRequest) {
    this.#rowsMax = limit;
    const isWhole = pipeline.filters.length === 0 && pipeline.stages.length === 0;
    this.#share = isWhole ? 1 : filteredShare;
  }

  learn(units: ReadonlyArray<PlannedUnit>, result: ScanResult): void {
    for (const unit of units) this.#scannedBytes += this.#most(unit);
    this.#resultBytes += result.lines.length + result.meta.length + result.parsed.length +
      result.timestamps.length * rowObjectBytes;
    // Somewhat more, since it differs from one unit to the next.
    if (this.#scannedBytes > 0) this.#share = 1.5 * this.#resultBytes / this.#scannedBytes;
  }

  expected(units: ReadonlyArray<PlannedUnit>): number {
    return units.reduce((sum, unit) => sum + this.expectedOf(unit), 0);
  }

  expectedOf(unit: PlannedUnit): number {
    return Math.ceil(this.#most(unit) * this.#share);
  }

  #most({ sources }: PlannedUnit): number {
    let [bytes, rows] = [0, 0];
    for (const { chunk, slice } of sources) {
      bytes += chunk === undefined ? slice.lineBytes : chunk.rawBytes;
      rows += chunk === undefined ? slice.rowEnd - slice.rowStart : chunk.rowCount;
    }
    const wanted = Math.min(rows, this.#rowsMax);
    return Math.ceil(wanted * (bytes / Math.max(1, rows) + rowObjectBytes));
  }
}

/** Before anything is known of a query that filters. */
const filteredShare = 0.1;

/** The job for some units, whose rows count in the same range. Rows behind `threshold` cannot be wanted any more: the range
 *  leaves them out. */
function jobOf(
  units: ReadonlyArray<PlannedUnit>,
  request: LogRequest,
  threshold: bigint | undefined,
  bytesMax: number,
): ScanJob {
  const batches = new Map<Batch, number>();
  const sourceOf = (source: PlannedUnit["sources"][number]): ScanSource => {
    if (source.chunk !== undefined) {
      const { segmentKey: key, offset, length } = source.chunk;
      return { chunk: { key, offset, length } };
    }
    const { batch, rowStart, rowEnd } = source.slice;
    let index = batches.get(batch);
    if (index === undefined) batches.set(batch, index = batches.size);
    return { batch: index, rowStart, rowEnd };
  };
  const scanUnits = units.map(({ labels, sources }) => ({
    labels,
    sources: sources.map(sourceOf),
  }));
  let { start, end } = rangeOfUnit(request.range, units[0]!);
  if (threshold !== undefined) {
    if (request.direction === "backward") start = threshold > start ? threshold : start;
    else end = threshold + 1n < end ? threshold + 1n : end;
  }
  return {
    pipeline: request.pipeline,
    range: { start, end },
    direction: request.direction,
    rowsMax: request.limit,
    bytesMax,
    units: scanUnits,
    batches: [...batches.keys()].map(batchMessage),
  };
}

function addStats(total: { -readonly [Key in keyof ScanStats]: number }, some: ScanStats): void {
  total.bytesScanned += some.bytesScanned;
  total.rowsScanned += some.rowsScanned;
  total.bytesRead += some.bytesRead;
  total.chunksRead += some.chunksRead;
}

function tooLarge(message: string): Error {
  const error = new Error(message);
  error.name = "ResponseTooLarge";
  return error;
}

/** The error of a query that reads more than its tenant may. */
export function tooMuchRead(bytesMax: number): Error {
  const error = new Error(
    `the query would read more than ${bytesMax} bytes, which is limits_config.max_query_bytes_read; ` +
      "add label matchers or shorten the time range",
  );
  error.name = "QueryReadsTooMuch";
  return error;
}
