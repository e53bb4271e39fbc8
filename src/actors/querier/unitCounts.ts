/** Counts what a query considers, for explain. */
import type { PlannedUnit } from "../policy/scanPlan.ts";

export interface UnitCounts {
  readonly streams: number;
  /** Stored chunks that may hold rows of the query. */
  readonly chunks: number;
  /** Runs of unflushed rows that may. */
  readonly slices: number;
  /** Chunks that the labels of their stream ruled out. */
  readonly chunksPruned: number;
}

export function countUnits(
  units: ReadonlyArray<PlannedUnit>,
  pruned: ReadonlyArray<PlannedUnit>,
): UnitCounts {
  const chunks = countChunks(units);
  const sources = units.reduce((sum, unit) => sum + unit.sources.length, 0);
  return {
    streams: new Set(units.map(({ labels }) => labels)).size,
    chunks,
    slices: sources - chunks,
    chunksPruned: countChunks(pruned),
  };
}

export function countChunks(units: ReadonlyArray<PlannedUnit>): number {
  return units.reduce(
    (sum, { sources }) => sum + sources.filter(({ chunk }) => chunk !== undefined).length,
    0,
  );
}
