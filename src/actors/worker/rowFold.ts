/** Folds runs of rows into the states of cells, with the least work that the query allows: rows
 *  whose series the stream decides are counted by the run; rows whose series the metadata decides,
 *  by the set; only where stages look at single rows does each row go through the pipeline.
 *  Invariant: whichever way a row goes, it ends up in the same cell with the same value. */
import type { WindowBuckets } from "../../logql/metrics/buckets.ts";
import { CellTable } from "../../logql/metrics/cells.ts";
import { packTexts } from "../../logql/metrics/packedMatrix.ts";
import { makeStates, type RowValue, rowValueOf } from "../../logql/metrics/states/catalogue.ts";
import type { RangeStates } from "../../logql/metrics/states/rangeStates.ts";
import { GroupKeys, groupLabels } from "../../logql/groupKeys.ts";
import type { Pipeline, StreamPipeline } from "../../logql/pipeline.ts";
import { formatLabels, type Labels } from "../../streams/labels.ts";
import type { LineBlock, MetadataSets } from "../../streams/lineBlock.ts";
import type { AggregateJob, AggregateResult, AggregateStats } from "../protocol/aggregate.ts";
import { setBounds } from "./distinctRows.ts";
import { pipelineFailure } from "./pipelineFailure.ts";
import type { RunPart } from "./unitRuns.ts";

/** Stands for the bucket of rows whose times must be looked at. */
export const bucketOpen = -2;

const rowsPerCheckpoint = 4096;
const noLine = new Uint8Array(0);

export class RowFold {
  /** Rows folded so far. */
  rowCount = 0;
  readonly #job: AggregateJob;
  readonly #pipeline: Pipeline;
  readonly #buckets: WindowBuckets;
  readonly #checkpoint: () => void;
  readonly #table: CellTable;
  readonly #states: RangeStates;
  readonly #groups: GroupKeys;
  /** By group number: the series. */
  readonly #seriesOfGroup: number[] = [];
  readonly #value: RowValue;
  /** Whether rows end up with the labels of their stream: parsers never overwrite those. */
  readonly #keepsStreamLabels: boolean;
  readonly #sets = new SetTable();
  /** Of the present stream. */
  #stream: StreamPipeline | null = null;
  #rank = 0;
  /** Whether its labels alone name the series. */
  #streamDecides = false;
  #streamSeries = -1;
  #block: LineBlock | null = null;

  constructor(
    job: AggregateJob,
    pipeline: Pipeline,
    buckets: WindowBuckets,
    checkpoint: () => void,
  ) {
    this.#job = job;
    this.#pipeline = pipeline;
    this.#buckets = buckets;
    this.#checkpoint = checkpoint;
    this.#table = new CellTable(job.limits);
    this.#states = makeStates(job.spec, job.limits.samplesMax);
    this.#value = rowValueOf(job.spec);
    this.#keepsStreamLabels = !job.pipeline.stages.some(({ kind }) =>
      kind === "LabelFormat" || kind === "DropLabels" || kind === "KeepLabels"
    );
    const { mode, labels } = job.grouping;
    const unwrapped = mode === "without" ? job.pipeline.unwrap?.label : undefined;
    this.#groups = new GroupKeys(
      pipeline.row,
      { mode, labels },
      unwrapped === undefined ? [] : [unwrapped],
    );
  }

  /** The rows that follow are of this stream. */
  begin(stream: StreamPipeline, labels: Labels, rank: number): void {
    this.#stream = stream;
    this.#rank = rank;
    this.#block = null;
    this.#streamSeries = -1;
    this.#sets.forget();
    const { mode, labels: names } = this.#job.grouping;
    const known = new Set(labels.map(([name]) => name));
    this.#streamDecides = mode === "by" && names.every((name) => known.has(name));
  }

  /** Whether rows of the stream are only counted: no stage looks at them, and neither do their sets
   *  of metadata, of which there are so many, name their series. */
  countsOnly(setCount: number): boolean {
    return this.#countsAll || (this.#stream!.isPlain && setCount === 0);
  }

  get #countsAll(): boolean {
    return this.#stream!.isPlain && this.#streamDecides;
  }

  /** Whether the fold looks at times of rows that are known to lie in one bucket. */
  get needsTimes(): boolean {
    const { op } = this.#job.spec;
    return op === "first_over_time" || op === "last_over_time" || op === "rate_counter";
  }

  /** Adds rows that are only counted and so need not be there. */
  addCounted(bucket: number, rows: number, lineBytes: number): void {
    if (this.#streamSeries < 0) this.#streamSeries = this.#seriesWith(noLine, 0, 0);
    this.rowCount += rows;
    const cell = this.#table.cellOf(this.#streamSeries, bucket);
    this.#states.add(cell, this.#value === "bytes" ? lineBytes : rows, 0, 0, 0);
  }

  /** Adds the masked rows of a run, which all lie in `bucket`, unless that is bucketOpen. */
  add(part: RunPart, rowStart: number, rowEnd: number, bucket: number): void {
    const { block, times } = part;
    if (this.#block !== block) {
      this.#block = block;
      // Where the stream says it all, not even the sets of metadata are decoded.
      if (!this.#countsAll) {
        this.#stream!.begin(block, part.mask);
        this.#sets.use(block.sets);
      }
    }
    if (bucket !== bucketOpen) {
      this.#addRun(part, rowStart, rowEnd, bucket);
      return;
    }
    for (let row = rowStart; row < rowEnd;) {
      const end = this.#buckets.runEnd(times, row, rowEnd);
      const found = this.#buckets.bucketOf(times[2 * row + 1]!, times[2 * row]!);
      if (found >= 0) this.#addRun(part, row, end, found);
      row = end;
    }
  }

  /** Everything folded so far. */
  result(stats: AggregateStats): AggregateResult {
    const { keys, cellCount, series, buckets } = this.#table;
    return {
      keys: packTexts(keys),
      series: series.slice(0, cellCount),
      buckets: buckets.slice(0, cellCount),
      states: this.#states.columns(cellCount),
      stats,
    };
  }

  #addRun(part: RunPart, rowStart: number, rowEnd: number, bucket: number): void {
    if (!this.#stream!.isPlain) this.#addRows(part, rowStart, rowEnd, bucket);
    else if (this.#countsAll || part.block.sets.setEnds.length === 0) {
      const rows = countMasked(part, rowStart, rowEnd);
      if (rows === 0) return;
      const bytes = this.#value === "bytes" ? bytesMasked(part, rowStart, rowEnd, rows) : 0;
      this.addCounted(bucket, rows, bytes);
    } else this.#addBySet(part, rowStart, rowEnd, bucket);
  }

  #addBySet({ block, mask }: RunPart, rowStart: number, rowEnd: number, bucket: number): void {
    const { metaIds, lineEnds } = this.#value === "bytes" ? block : withoutEnds(block);
    const sets = this.#sets;
    for (let row = rowStart; row < rowEnd; row++) {
      if (mask[row - block.rowStart] === 0) continue;
      const weight = lineEnds === null ? 1 : lineEnds[row]! - (row === 0 ? 0 : lineEnds[row - 1]!);
      sets.count(metaIds[row]!, weight);
    }
    for (let index = 0; index < sets.countedLength; index++) {
      const set = sets.counted[index]!;
      this.rowCount += sets.rows[set]!;
      const cell = this.#table.cellOf(this.#seriesOfSet(set), bucket);
      this.#states.add(cell, sets.weights[set]!, 0, 0, 0);
    }
    sets.clearCounts();
  }

  /** Row by row through the pipeline. */
  #addRows(
    { block, mask, times }: RunPart,
    rowStart: number,
    rowEnd: number,
    bucket: number,
  ): void {
    const [stream, pipeline, value] = [this.#stream!, this.#pipeline, this.#value];
    const byStream = this.#streamDecides && this.#keepsStreamLabels;
    const bySet = stream.labelsAreStored;
    const timed = times.length > 0;
    let unchecked = 0;
    for (let row = rowStart; row < rowEnd; row++) {
      if (mask[row - block.rowStart] === 0) continue;
      if (++unchecked === rowsPerCheckpoint) {
        this.#checkpoint();
        unchecked = 0;
      }
      if (!stream.run(row)) continue;
      if (pipeline.row.hasError && !pipeline.row.errorWanted && !this.#job.keepsErrors) {
        throw pipelineFailure(pipeline.row);
      }
      this.rowCount++;
      const series = byStream
        ? this.#seriesOfStream()
        : bySet && !pipeline.row.hasError
        ? this.#knownSeries(block.metaIds[row]!)
        : this.#seriesOfRow();
      const cell = this.#table.cellOf(series, bucket);
      const amount = value === "unwrapped"
        ? pipeline.value
        : value === "one"
        ? 1
        : pipeline.row.lineEnd - pipeline.row.lineStart;
      const [high, low] = timed ? [times[2 * row + 1]!, times[2 * row]!] : [0, 0];
      this.#states.add(cell, amount, high, low, this.#rank);
    }
  }

  /** The series of the row that the pipeline holds, and of all others of its stream. */
  #seriesOfStream(): number {
    if (this.#streamSeries < 0) this.#streamSeries = this.#seriesOfRow();
    return this.#streamSeries;
  }

  /** The series of the row that the pipeline holds, whose labels its set decides. */
  #knownSeries(set: number): number {
    const known = this.#sets.seriesOf(set);
    return known >= 0 ? known : this.#sets.setSeries(set, this.#seriesOfRow());
  }

  #seriesOfSet(set: number): number {
    const known = this.#sets.seriesOf(set);
    if (known >= 0) return known;
    const { meta, setEnds } = this.#block!.sets;
    const [start, end] = setBounds(setEnds, set);
    return this.#sets.setSeries(set, this.#seriesWith(meta, start, end));
  }

  /** The series of a row of the stream with this metadata, where no stage looks at rows. */
  #seriesWith(meta: Uint8Array, start: number, end: number): number {
    this.#stream!.runAt(noLine, 0, 0, meta, start, end, noTime, 0);
    return this.#seriesOfRow();
  }

  #seriesOfRow(): number {
    const group = this.#groups.idOf();
    return this.#seriesOfGroup[group] ??= this.#table.seriesOf(
      formatLabels(groupLabels(this.#groups.bytesOf(group))),
    );
  }
}

const noTime = { timestamps: new BigInt64Array(1) };

function withoutEnds(block: LineBlock): { metaIds: Uint32Array; lineEnds: null } {
  return { metaIds: block.metaIds, lineEnds: null };
}

function countMasked({ block, mask }: RunPart, rowStart: number, rowEnd: number): number {
  let count = 0;
  for (let at = rowStart - block.rowStart; at < rowEnd - block.rowStart; at++) count += mask[at]!;
  return count;
}

/** Line bytes of the `rows` masked rows of a run. */
function bytesMasked(
  { block, mask }: RunPart,
  rowStart: number,
  rowEnd: number,
  rows: number,
): number {
  const { lineEnds } = block;
  const startOf = (row: number) => row === 0 ? 0 : lineEnds[row - 1]!;
  if (rows === rowEnd - rowStart) return lineEnds[rowEnd - 1]! - startOf(rowStart);
  let bytes = 0;
  for (let row = rowStart; row < rowEnd; row++) {
    if (mask[row - block.rowStart] === 1) bytes += lineEnds[row]! - startOf(row);
  }
  return bytes;
}

/** What is known of the metadata sets of the block's chunk or batch: the series that they stand
 *  for, and how often each occurs in a run. Entries count only in the round they were written in,
 *  because clearing them for each stream of a batch would cost more than the fold. */
class SetTable {
  /** Rows and their weights, by set; sets that occur are listed in `counted`. */
  rows = new Float64Array(0);
  weights = new Float64Array(0);
  counted = new Uint32Array(0);
  countedLength = 0;
  #series = new Int32Array(0);
  #rounds = new Float64Array(0);
  #round = 0;
  #sets: MetadataSets | null = null;

  use(sets: MetadataSets): void {
    if (this.#sets === sets) return;
    this.#sets = sets;
    this.#round++;
    const size = sets.setEnds.length + 1;
    if (size <= this.#series.length) return;
    this.#series = new Int32Array(size);
    this.#rounds = new Float64Array(size);
    this.rows = new Float64Array(size);
    this.weights = new Float64Array(size);
    this.counted = new Uint32Array(size);
  }

  /** Forgets the series: those that follow are of another stream. */
  forget(): void {
    this.#sets = null;
  }

  /** -1 if it is not known. */
  seriesOf(set: number): number {
    return this.#rounds[set] === this.#round ? this.#series[set]! : -1;
  }

  setSeries(set: number, series: number): number {
    this.#rounds[set] = this.#round;
    return this.#series[set] = series;
  }

  count(set: number, weight: number): void {
    if (this.rows[set] === 0) this.counted[this.countedLength++] = set;
    this.rows[set]!++;
    this.weights[set]! += weight;
  }

  clearCounts(): void {
    for (let index = 0; index < this.countedLength; index++) {
      this.rows[this.counted[index]!] = 0;
      this.weights[this.counted[index]!] = 0;
    }
    this.countedLength = 0;
  }
}
