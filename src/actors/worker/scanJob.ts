/** Greps units in a scan thread: reads chunks and head slices, applies label and line filters block by block, and returns the
 *  matching rows as columns. Owns order and de-duplication within a unit; across units the querier merges.
 *  Invariant: a unit's rows are the same whatever of it was flushed. */
import type { JobContext } from "../../platform/workerHost.ts";
import type { ObjectReader } from "../../storage/embedded/objectReader.ts";
import { compileLabelFilters, type LabelFilters } from "../../logql/labelFilter.ts";
import { compileLineFilters } from "../../logql/lineFilter.ts";
import { type Batch, batchFromMessage } from "../../streams/batch.ts";
import { openChunk } from "../../streams/chunk.ts";
import { parseLabels } from "../../streams/labels.ts";
import {
  batchBlock,
  type BlockFilter,
  type LineBlock,
  maskTimeRange,
} from "../../streams/lineBlock.ts";
import type { ScanJob, ScanResult, ScanSource, ScanUnit } from "../protocol/scan.ts";
import { RowSink } from "./rowSink.ts";
import { BatchRows, UnitRows } from "./unitRows.ts";

/** Thrown in a scan that nobody waits for any more. */
export class ScanCancelled extends Error {
  override readonly name = "ScanCancelled";
}

/** Runs one job. Throws ResponseTooLarge, ScanCancelled, FormatError (a corrupt chunk) or what the object store said. */
export function scan(job: ScanJob, reader: ObjectReader, context: JobContext): ScanResult {
  const checkpoint = () => {
    if (context.cancelled()) throw new ScanCancelled("the query was cancelled");
  };
  const run: ScanRun = {
    job,
    reader,
    checkpoint,
    labelFilters: compileLabelFilters(job.labelFilters, checkpoint),
    lineFilters: compileLineFilters(job.filters, checkpoint),
    filters: [],
    batches: job.batches.map(batchFromMessage),
    stats: { bytesScanned: 0, rowsScanned: 0, bytesRead: 0, chunksRead: 0 },
  };
  for (const { buffer } of run.batches) context.sharedBytes += buffer.byteLength;
  const out = new RowSink(job.bytesMax);
  const unitRowEnds = new Uint32Array(job.units.length);
  for (let index = 0; index < job.units.length; index++) {
    checkpoint();
    scanUnit(run, job.units[index]!, out);
    unitRowEnds[index] = out.rowCount;
  }
  return resultOf(run, out, unitRowEnds, context);
}

interface ScanRun {
  readonly job: ScanJob;
  readonly reader: ObjectReader;
  /** Throws when nobody waits for the result any more. */
  readonly checkpoint: () => void;
  readonly labelFilters: LabelFilters;
  readonly lineFilters: ReadonlyArray<BlockFilter>;
  /** Those of the present unit: what its labels leave of the label filters, then the line filters. */
  filters: ReadonlyArray<BlockFilter>;
  readonly batches: ReadonlyArray<Batch>;
  readonly stats: {
    bytesScanned: number;
    rowsScanned: number;
    bytesRead: number;
    chunksRead: number;
  };
}

function scanUnit(run: ScanRun, unit: ScanUnit, out: RowSink): void {
  const verdict = run.labelFilters.forStream(parseLabels(unit.labels));
  if (verdict === "none") return;
  run.filters = verdict === "all" ? run.lineFilters : [verdict, ...run.lineFilters];
  const only = unit.sources[0];
  if (unit.sources.length === 1 && only !== undefined && "chunk" in only) {
    scanChunk(run, only, out);
    return;
  }
  const rows = new UnitRows();
  for (const source of unit.sources) {
    if ("chunk" in source) addChunk(run, source, rows);
    else addSlice(run, source, rows);
  }
  rows.emit(run.job.direction, run.job.rowsMax, out);
}

/** Adds the rows of a chunk that may be wanted: the first rowsMax of it, since all of them are distinct, and all of the last
 *  one's time, since which of those came first decides which is the duplicate. */
function addChunk(run: ScanRun, source: ScanSource & { chunk: unknown }, rows: UnitRows): void {
  const found = new RowSink(run.job.bytesMax);
  scanChunk(run, source, found, true);
  const holder = rows.addHolder(found);
  // A chunk was read in the query's direction, and rows are added in arrival order.
  const backward = run.job.direction === "backward";
  for (let index = 0; index < found.rowCount; index++) {
    rows.add(holder, backward ? found.rowCount - 1 - index : index, found.times);
  }
}

/** Reads a chunk in the job's direction until it gave rowsMax rows, `withTies` also the further ones of the last one's time. */
function scanChunk(
  run: ScanRun,
  source: ScanSource & { chunk: unknown },
  out: RowSink,
  withTies = false,
): void {
  const { key, offset, length } = (source as Extract<ScanSource, { chunk: unknown }>).chunk;
  const { job, stats } = run;
  const bytes = run.reader.getRange(key, offset, length);
  stats.bytesRead += length;
  stats.chunksRead++;
  const rowCountEnd = out.rowCount + job.rowsMax;
  let isDone = false;
  const visit = (block: LineBlock, mask: Uint8Array, matched: number): boolean => {
    run.checkpoint();
    if (matched > 0) isDone = takeRows(job, block, mask, rowCountEnd, withTies, out);
    return !isDone;
  };
  const selected = openChunk(bytes).select(
    { range: job.range, filters: run.filters, order: job.direction },
    visit,
  );
  stats.bytesScanned += selected.bytesScanned;
  stats.rowsScanned += selected.rowsScanned;
}

/** Adds every matching row of a slice: its rows may be in any order of time. */
function addSlice(run: ScanRun, source: ScanSource, rows: UnitRows): void {
  const { batch: batchIndex, rowStart, rowEnd } = source as Extract<ScanSource, { batch: number }>;
  const batch = run.batches[batchIndex]!;
  const block = batchBlock(batch, rowStart, rowEnd);
  const mask = new Uint8Array(rowEnd - rowStart).fill(1);
  let left = maskTimeRange(block, run.job.range, mask);
  run.stats.rowsScanned += rowEnd - rowStart;
  run.stats.bytesScanned += batch.lineEnds[rowEnd - 1]! -
    (rowStart === 0 ? 0 : batch.lineEnds[rowStart - 1]!);
  for (const filter of run.filters) {
    if (left === 0) return;
    left = filter.apply(block, mask);
  }
  if (left === 0) return;
  const holder = rows.addHolder(new BatchRows(batch));
  const words = wordsOf(batch.timestamps);
  for (let at = 0; at < mask.length; at++) {
    if (mask[at] !== 0) rows.add(holder, rowStart + at, words);
  }
}

/** Copies masked rows in the given direction until `out` has rowCountEnd of them, `withTies` also those that follow with the time
 *  of the last; returns whether no more are wanted. */
function takeRows(
  job: Pick<ScanJob, "direction">,
  block: LineBlock,
  mask: Uint8Array,
  rowCountEnd: number,
  withTies: boolean,
  out: RowSink,
): boolean {
  const rowCount = block.rowEnd - block.rowStart;
  const words = wordsOf(block.timestamps);
  const { lines, lineEnds, metaIds, sets } = block;
  const backward = job.direction === "backward";
  for (let index = 0; index < rowCount; index++) {
    const at = backward ? rowCount - 1 - index : index;
    if (mask[at] === 0) continue;
    const row = block.rowStart + at;
    if (out.rowCount >= rowCountEnd && !(withTies && out.lastHasTime(words, row))) return true;
    const set = metaIds[row]!;
    out.push(
      words,
      row,
      lines,
      row === 0 ? 0 : lineEnds[row - 1]!,
      lineEnds[row]!,
      sets.meta,
      set <= 1 ? 0 : sets.setEnds[set - 2]!,
      set === 0 ? 0 : sets.setEnds[set - 1]!,
    );
  }
  return out.rowCount >= rowCountEnd && !withTies;
}

function resultOf(
  run: ScanRun,
  out: RowSink,
  unitRowEnds: Uint32Array<ArrayBuffer>,
  context: JobContext,
): ScanResult {
  const result: ScanResult = {
    unitRowEnds,
    timestamps: new BigInt64Array(out.times.slice(0, out.rowCount * 2).buffer),
    lineEnds: out.lineEnds.slice(0, out.rowCount),
    lines: out.lines.slice(0, out.lineBytes),
    metaEnds: out.metaEnds.slice(0, out.rowCount),
    meta: out.meta.slice(0, out.metaBytes),
    stats: run.stats,
  };
  context.transfer.push(
    result.unitRowEnds.buffer,
    result.timestamps.buffer,
    result.lineEnds.buffer,
    result.lines.buffer,
    result.metaEnds.buffer,
    result.meta.buffer,
  );
  return result;
}

function wordsOf(times: BigInt64Array): Int32Array {
  return new Int32Array(times.buffer, times.byteOffset, times.length * 2);
}
