/** Reads what a query has found the plain way, in place of scan threads: every row of every source, exact repetitions within a
 *  unit once. */
import { Effect } from "effect";
import type { PlannedSource, PlannedUnit } from "../../actors/policy/scanPlan.ts";
import type { ObjectStore } from "../../storage/ObjectStore.ts";
import { openChunk } from "../../streams/chunk.ts";

const allTime = { start: -(2n ** 63n), end: 2n ** 63n - 1n };
const decoder = new TextDecoder();

/** The lines of all units. */
export async function rowsOfUnits(
  objectStore: ObjectStore["Service"],
  units: ReadonlyArray<PlannedUnit>,
): Promise<ReadonlyArray<string>> {
  const lines: string[] = [];
  for (const { sources } of units) {
    const ofUnit = new Set<string>();
    for (const source of sources) {
      for (const line of await linesOf(objectStore, source)) ofUnit.add(line);
    }
    lines.push(...ofUnit);
  }
  return lines;
}

async function linesOf(
  objectStore: ObjectStore["Service"],
  { chunk, slice }: PlannedSource,
): Promise<ReadonlyArray<string>> {
  if (chunk === undefined) {
    const { batch, rowStart, rowEnd } = slice;
    return linesBetween(batch, rowStart, rowEnd);
  }
  const { segmentKey, offset, length } = chunk;
  const bytes = await Effect.runPromise(objectStore.getRange(segmentKey, offset, length));
  const lines: string[] = [];
  openChunk(bytes).select({ range: allTime, filters: [], order: "forward" }, (block) => {
    lines.push(...linesBetween(block, block.rowStart, block.rowEnd));
    return true;
  });
  return lines;
}

function linesBetween(
  { lines, lineEnds }: { readonly lines: Uint8Array; readonly lineEnds: Uint32Array },
  rowStart: number,
  rowEnd: number,
): ReadonlyArray<string> {
  return Array.from({ length: rowEnd - rowStart }, (_, at) => {
    const row = rowStart + at;
    const start = row === 0 ? 0 : lineEnds[row - 1]!;
    // Out of shared memory, which a decoder does not take.
    return decoder.decode(lines.slice(start, lineEnds[row]));
  });
}
