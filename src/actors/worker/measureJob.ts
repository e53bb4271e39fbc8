/** Counts rows and line bytes of units in a worker thread. Decodes only where a block lies across an
 *  edge of time, or next to other sources that may repeat its rows. Invariant: what is counted is what
 *  a query for all lines would return. */
import { WindowBuckets } from "../../logql/metrics/buckets.ts";
import type { JobContext } from "../../platform/workerHost.ts";
import type { ObjectReader } from "../../storage/embedded/objectReader.ts";
import { type Batch, batchFromMessage } from "../../streams/batch.ts";
import type { Chunk } from "../../streams/chunk.ts";
import { batchBlock, type LineBlock } from "../../streams/lineBlock.ts";
import type { AggregateSource } from "../protocol/aggregate.ts";
import type { MeasureJob, MeasureResult, MeasureUnit } from "../protocol/measure.ts";
import { ScanCancelled } from "./scanJob.ts";
import { slicePart, timeWords } from "./sliceRuns.ts";
import { openPlace } from "./storedChunk.ts";
import { type RunPart, type RunSource, visitRuns } from "./unitRuns.ts";

/** Runs one job. Throws ScanCancelled, FormatError (a corrupt chunk) or what the object store said. */
export function measure(
  job: MeasureJob,
  reader: ObjectReader,
  context: JobContext,
): MeasureResult {
  const checkpoint = () => {
    if (context.cancelled()) throw new ScanCancelled("the query was cancelled");
  };
  const batches = job.batches.map(batchFromMessage);
  for (const { buffer } of batches) context.sharedBytes += buffer.byteLength;
  const run: MeasureRun = { job, reader, checkpoint, batches, cells: new Cells(job) };
  job.units.forEach((unit, index) => {
    checkpoint();
    run.cells.begin(index);
    measureUnit(run, unit);
  });
  const result = run.cells.result();
  for (const column of Object.values(result)) context.transfer.push(column.buffer);
  return result;
}

interface MeasureRun {
  readonly job: MeasureJob;
  readonly reader: ObjectReader;
  /** Throws when nobody waits for the result any more. */
  readonly checkpoint: () => void;
  readonly batches: ReadonlyArray<Batch>;
  readonly cells: Cells;
}

function measureUnit(run: MeasureRun, { sources }: MeasureUnit): void {
  const only = sources[0]!;
  if (sources.length === 1 && "chunk" in only) measureChunk(run, openPlace(run.reader, only.chunk));
  else {
    visitRuns(
      sources.map((source) => runSource(run, source)),
      (part, rowStart, rowEnd) => run.cells.add(part, rowStart, rowEnd),
    );
  }
}

/** A chunk whose rows no other source can repeat: its blocks' summaries count them. */
function measureChunk(run: MeasureRun, chunk: Chunk): void {
  const { range } = run.job;
  chunk.blocks.forEach(({ minTime, maxTime, rowStart, rowEnd, lineBytes }, index) => {
    const isInside = minTime >= range.start && maxTime < range.end;
    const bucket = isInside ? run.cells.buckets.bucketOfSpan(minTime, maxTime) : -1;
    if (bucket >= 0) {
      run.cells.addTo(bucket, rowEnd - rowStart, lineBytes);
      return;
    }
    run.checkpoint();
    const block = chunk.block(index, range);
    if (block !== undefined) run.cells.add(wholeBlock(block), block.rowStart, block.rowEnd);
  });
}

function runSource(run: MeasureRun, source: AggregateSource): RunSource {
  const { range } = run.job;
  let next = 0;
  if ("chunk" in source) {
    let chunk: Chunk | null = null;
    return {
      minTime: source.minTime,
      next() {
        chunk ??= openPlace(run.reader, source.chunk);
        while (next < chunk.blocks.length) {
          run.checkpoint();
          const block = chunk.block(next++, range);
          if (block !== undefined) return wholeBlock(block);
        }
        return null;
      },
    };
  }
  return {
    minTime: source.minTime,
    next() {
      if (next++ > 0) return null;
      const block = batchBlock(run.batches[source.batch]!, source.rowStart, source.rowEnd);
      return slicePart(block, range, []);
    },
  };
}

function wholeBlock(block: LineBlock): RunPart {
  const mask = new Uint8Array(block.rowEnd - block.rowStart).fill(1);
  return { block, mask, times: timeWords(block) };
}

/** Sums of the present unit by bucket, and those of all units before it. */
class Cells {
  readonly buckets: WindowBuckets;
  readonly #units: number[] = [];
  readonly #buckets: number[] = [];
  readonly #rows: number[] = [];
  readonly #lineBytes: number[] = [];
  /** The cell of each bucket of the present unit. */
  readonly #cellOf = new Map<number, number>();
  #unit = 0;

  constructor({ windows }: MeasureJob) {
    this.buckets = new WindowBuckets(windows);
  }

  begin(unit: number): void {
    this.#unit = unit;
    this.#cellOf.clear();
  }

  addTo(bucket: number, rows: number, lineBytes: number): void {
    let cell = this.#cellOf.get(bucket);
    if (cell === undefined) {
      cell = this.#units.push(this.#unit) - 1;
      this.#buckets.push(bucket);
      this.#rows.push(0);
      this.#lineBytes.push(0);
      this.#cellOf.set(bucket, cell);
    }
    this.#rows[cell]! += rows;
    this.#lineBytes[cell]! += lineBytes;
  }

  /** Adds the masked rows of a run in order of time. */
  add({ block, mask, times }: RunPart, rowStart: number, rowEnd: number): void {
    const { lineEnds } = block;
    for (let row = rowStart; row < rowEnd;) {
      const end = this.buckets.runEnd(times, row, rowEnd);
      const bucket = this.buckets.bucketOf(times[2 * row + 1]!, times[2 * row]!);
      let [rows, lineBytes] = [0, 0];
      for (; row < end; row++) {
        if (mask[row - block.rowStart] === 0) continue;
        rows++;
        lineBytes += lineEnds[row]! - (row === 0 ? 0 : lineEnds[row - 1]!);
      }
      if (bucket >= 0 && rows > 0) this.addTo(bucket, rows, lineBytes);
    }
  }

  result(): MeasureResult {
    return {
      units: Uint32Array.from(this.#units),
      buckets: Uint32Array.from(this.#buckets),
      rows: Float64Array.from(this.#rows),
      lineBytes: Float64Array.from(this.#lineBytes),
    };
  }
}
