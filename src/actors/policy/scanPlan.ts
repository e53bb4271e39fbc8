/** Decides what is scanned together and in which order. Pure.
 *
 *  Sources of one stream whose time ranges touch may hold the same entry twice (a retried push), and only those: they become one
 *  unit, read together and de-duplicated. Units are ordered by the end of their time range that the query wants first, so that
 *  a limit can stop the scan early. */
import type { ChunkRef } from "../../storage/Index.ts";
import type { TimeRange } from "../../streams/record.ts";
import type { Direction } from "../protocol/scan.ts";
import type { HeadSlice, HeadSnapshot } from "../protocol/head.ts";
import { sortByTime } from "./sortByTime.ts";

export type PlannedSource =
  | {
    readonly chunk: ChunkRef;
    readonly slice?: undefined;
    readonly minTime: bigint;
    readonly maxTime: bigint;
  }
  | {
    readonly slice: HeadSlice;
    readonly chunk?: undefined;
    readonly minTime: bigint;
    readonly maxTime: bigint;
  };

export interface PlannedUnit {
  readonly labels: string;
  /** In arrival order. */
  readonly sources: ReadonlyArray<PlannedSource>;
  readonly minTime: bigint;
  readonly maxTime: bigint;
  /** Bytes to read: stored bytes of chunks, line bytes of slices. */
  readonly bytes: number;
  /** Rows before it, ns, have expired; left out when all of them are after it. */
  readonly keptFrom?: bigint;
}

/** The part of a query's range in which rows of the unit count. */
export function rangeOfUnit(range: TimeRange, { keptFrom }: PlannedUnit): TimeRange {
  if (keptFrom === undefined || keptFrom <= range.start) return range;
  return { start: keptFrom, end: keptFrom > range.end ? keptFrom : range.end };
}

/** Groups everything that the query may have to read into units, first wanted first. May be left between any two steps. */
export function* planUnits(
  chunks: ReadonlyArray<ChunkRef>,
  heads: ReadonlyArray<HeadSnapshot>,
  direction: Direction,
): Generator<void, ReadonlyArray<PlannedUnit>> {
  const streams = new Map<string, PlannedSource[]>();
  const sourcesOf = (labels: string) => {
    let sources = streams.get(labels);
    if (sources === undefined) streams.set(labels, sources = []);
    return sources;
  };
  for (let index = 0; index < chunks.length; index++) {
    const chunk = chunks[index]!;
    sourcesOf(chunk.labels).push({ chunk, minTime: chunk.minTime, maxTime: chunk.maxTime });
    if (index % stepSources === 0) yield;
  }
  for (const head of heads) {
    for (const stream of head.streams) {
      const sources = sourcesOf(stream.labels);
      for (const slice of stream.slices) {
        sources.push({ slice, minTime: slice.minTime, maxTime: slice.maxTime });
      }
    }
    yield;
  }
  const units: PlannedUnit[] = [];
  let step = 0;
  for (const [labels, sources] of streams) {
    splitByTime(labels, sources, units);
    if (units.length < step + stepSources) continue;
    step = units.length;
    yield;
  }
  const timeOf = direction === "backward"
    ? ({ maxTime }: PlannedUnit) => maxTime
    : ({ minTime }: PlannedUnit) => minTime;
  return yield* sortByTime(units, timeOf, direction);
}

/** Sources of one step. */
const stepSources = 1000;

/** Cuts one stream's sources into runs whose time ranges do not touch. */
function splitByTime(labels: string, sources: PlannedSource[], units: PlannedUnit[]): void {
  sources.sort((a, b) => compareTime(a.minTime, b.minTime));
  let run: PlannedSource[] = [];
  let runEnd = 0n;
  for (const source of sources) {
    if (run.length > 0 && source.minTime > runEnd) {
      units.push(unitOf(labels, run));
      run = [];
    }
    if (run.length === 0 || source.maxTime > runEnd) runEnd = source.maxTime;
    run.push(source);
  }
  if (run.length > 0) units.push(unitOf(labels, run));
}

function unitOf(labels: string, run: PlannedSource[]): PlannedUnit {
  let { minTime, maxTime } = run[0]!;
  let bytes = 0;
  for (const source of run) {
    if (source.minTime < minTime) minTime = source.minTime;
    if (source.maxTime > maxTime) maxTime = source.maxTime;
    bytes += source.chunk?.length ?? source.slice!.lineBytes;
  }
  run.sort((a, b) => arrival(a) - arrival(b) || position(a) - position(b));
  return { labels, sources: run, minTime, maxTime, bytes };
}

function arrival(source: PlannedSource): number {
  return source.chunk?.logFrom ?? source.slice!.offset;
}

/** Chunks of one segment are cut from one sorted run: their place in the segment is their order. */
function position(source: PlannedSource): number {
  return source.chunk?.offset ?? source.slice!.rowStart;
}

function compareTime(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
