/** Greps units in a scan thread: reads chunks and head slices, applies filters block by block and
 *  the other stages row by row, and returns the rows that pass as columns. Owns order and
 *  de-duplication within a unit; across units the querier merges. Invariant: a unit's rows are the
 *  same whatever of it was flushed. */
import type { JobContext } from "../../platform/workerHost.ts";
import type { ObjectReader } from "../../storage/embedded/objectReader.ts";
import { compilePipeline, type Pipeline, type StreamPipeline } from "../../logql/pipeline.ts";
import { type Batch, batchFromMessage } from "../../streams/batch.ts";
import { parseLabels } from "../../streams/labels.ts";
import { batchBlock, type LineBlock, maskTimeRange } from "../../streams/lineBlock.ts";
import type { ScanJob, ScanResult, ScanSource, ScanUnit } from "../protocol/scan.ts";
import { RowSink } from "./rowSink.ts";
import { openPlace } from "./storedChunk.ts";
import { BatchRows, UnitRows } from "./unitRows.ts";

/** Thrown in a scan that nobody waits for any more. */
export class ScanCancelled extends Error {
  override readonly name = "ScanCancelled";
}

/** Runs one job. Throws ResponseTooLarge, ScanCancelled, FormatError (a corrupt chunk) or what the
 *  object store said. */
export function scan(job: ScanJob, reader: ObjectReader, context: JobContext): ScanResult {
  const checkpoint = () => {
    if (context.cancelled()) throw new ScanCancelled("the query was cancelled");
  };
  const run: ScanRun = {
    job,
    reader,
    checkpoint,
    pipeline: compilePipeline(job.pipeline, checkpoint),
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
  readonly pipeline: Pipeline;
  readonly batches: ReadonlyArray<Batch>;
  readonly stats: {
    bytesScanned: number;
    rowsScanned: number;
    bytesRead: number;
    chunksRead: number;
  };
}

function scanUnit(run: ScanRun, unit: ScanUnit, out: RowSink): void {
  const stream = run.pipeline.forStream(parseLabels(unit.labels));
  if (stream === "none") return;
  const only = unit.sources[0];
  if (unit.sources.length === 1 && only !== undefined && "chunk" in only) {
    scanChunk(run, stream, only, out, "answer");
    return;
  }
  const rows = new UnitRows();
  for (const source of unit.sources) {
    if ("chunk" in source) addChunk(run, stream, source, rows);
    else addSlice(run, stream, source, rows);
  }
  const { row } = run.pipeline;
  stream.reload();
  rows.emit(run.job.direction, run.job.rowsMax, (holder, index, times, timeIndex) => {
    const { lines, meta } = holder;
    const lineStart = holder.lineStart(index);
    const lineEnd = holder.lineEnd(index);
    const metaStart = holder.metaStart(index);
    const metaEnd = holder.metaEnd(index);
    if (stream.isPlain) {
      out.push(times, timeIndex, lines, lineStart, lineEnd, meta, metaStart, metaEnd);
      return true;
    }
    const column = { timestamps: bigWordsOf(times) };
    const passes = stream
      .runAt(lines, lineStart, lineEnd, meta, metaStart, metaEnd, column, timeIndex);
    if (passes) out.pushRow(times, timeIndex, row);
    return passes;
  }, run.checkpoint);
}

/** Adds the rows of a chunk that may be wanted: the first rowsMax of it that pass, since all of
 *  them are distinct, and all of the last one's time, since which of those came first decides which
 *  is the duplicate. They are kept as they are stored: that is what tells duplicates. */
function addChunk(
  run: ScanRun,
  stream: StreamPipeline,
  source: ScanSource & { chunk: unknown },
  rows: UnitRows,
): void {
  const found = new RowSink(run.job.bytesMax);
  scanChunk(run, stream, source, found, "stored");
  const holder = rows.addHolder(found);
  // A chunk was read in the query's direction, and rows are added in arrival order.
  const backward = run.job.direction === "backward";
  for (let index = 0; index < found.rowCount; index++) {
    rows.add(holder, backward ? found.rowCount - 1 - index : index, found.times);
  }
}

/** Reads a chunk in the job's direction until it gave rowsMax rows that pass. "answer" copies what
 *  the pipeline makes of them, "stored" the rows as they are, and also the further ones of the last
 *  one's time. */
function scanChunk(
  run: ScanRun,
  stream: StreamPipeline,
  source: ScanSource & { chunk: unknown },
  out: RowSink,
  copied: "answer" | "stored",
): void {
  const { chunk } = source as Extract<ScanSource, { chunk: unknown }>;
  const { job, stats } = run;
  const rowCountEnd = out.rowCount + job.rowsMax;
  let isDone = false;
  const visit = (block: LineBlock, mask: Uint8Array, matched: number): boolean => {
    run.checkpoint();
    if (matched > 0) isDone = takeRows(run, stream, block, mask, rowCountEnd, out, copied);
    return !isDone;
  };
  const selected = openPlace(run.reader, chunk, stats).select(
    { range: job.range, filters: stream.filters, order: job.direction },
    visit,
  );
  stats.bytesScanned += selected.bytesScanned;
  stats.rowsScanned += selected.rowsScanned;
}

/** Adds every row of a slice that the filters leave: its rows may be in any order of time, so that
 *  all are needed to know which come first. The stages run later, on those. */
function addSlice(
  run: ScanRun,
  stream: StreamPipeline,
  source: ScanSource,
  rows: UnitRows,
): void {
  const { batch: batchIndex, rowStart, rowEnd } = source as Extract<ScanSource, { batch: number }>;
  const batch = run.batches[batchIndex]!;
  const block = batchBlock(batch, rowStart, rowEnd);
  const mask = new Uint8Array(rowEnd - rowStart).fill(1);
  let left = maskTimeRange(block, run.job.range, mask);
  run.stats.rowsScanned += rowEnd - rowStart;
  run.stats.bytesScanned += batch.lineEnds[rowEnd - 1]! -
    (rowStart === 0 ? 0 : batch.lineEnds[rowStart - 1]!);
  for (const filter of stream.filters) {
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

/** Copies masked rows that pass, in the job's direction, until `out` has rowCountEnd of them,
 *  stored ones also if they have the time of the last; returns whether no more are wanted. */
function takeRows(
  run: ScanRun,
  stream: StreamPipeline,
  block: LineBlock,
  mask: Uint8Array,
  rowCountEnd: number,
  out: RowSink,
  copied: "answer" | "stored",
): boolean {
  const rowCount = block.rowEnd - block.rowStart;
  const words = wordsOf(block.timestamps);
  const { lines, lineEnds, metaIds, sets } = block;
  const backward = run.job.direction === "backward";
  stream.begin(block, mask);
  for (let index = 0; index < rowCount; index++) {
    const at = backward ? rowCount - 1 - index : index;
    if (mask[at] === 0) continue;
    const row = block.rowStart + at;
    if (out.rowCount >= rowCountEnd && !(copied === "stored" && out.lastHasTime(words, row))) {
      return true;
    }
    if (!stream.isPlain) {
      if (!stream.run(row)) continue;
      if (copied === "answer") {
        out.pushRow(words, row, run.pipeline.row);
        continue;
      }
    }
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
  return out.rowCount >= rowCountEnd && copied === "answer";
}

function resultOf(
  run: ScanRun,
  out: RowSink,
  unitRowEnds: Uint32Array<ArrayBuffer>,
  context: JobContext,
): ScanResult {
  const rows = out.rows();
  for (const column of [unitRowEnds, ...Object.values(rows)]) {
    if (ArrayBuffer.isView(column)) context.transfer.push(column.buffer as ArrayBuffer);
  }
  return { unitRowEnds, ...rows, stats: run.stats };
}

function wordsOf(times: BigInt64Array): Int32Array {
  return new Int32Array(times.buffer, times.byteOffset, times.length * 2);
}

function bigWordsOf(words: Int32Array): BigInt64Array {
  return new BigInt64Array(words.buffer, words.byteOffset, words.length >>> 1);
}
