/** Rows as objects: the naive model that tests of batches and chunks compare columns with, and the
 *  way between the two. */
import fc from "fast-check";
import type { RowColumns } from "../streams/batch.ts";
import { decodeMetadata, encodeMetadata, type Metadata } from "../streams/metadata.ts";

export interface ModelRow {
  readonly timestamp: bigint;
  /** The line's bytes: any, not only UTF-8. */
  readonly line: ReadonlyArray<number>;
  readonly metadata: Metadata;
}

/** The columns of `rows`; equal metadata shares a set, sets are in order of first use. */
export function columnsOf(rows: ReadonlyArray<ModelRow>): RowColumns {
  const setIds = new Map<string, number>();
  const sets: Array<Uint8Array> = [];
  const metaIds = rows.map(({ metadata }) => {
    if (metadata.length === 0) return 0;
    const key = JSON.stringify(metadata);
    if (!setIds.has(key)) setIds.set(key, sets.push(encodeMetadata(metadata)));
    return setIds.get(key)!;
  });
  let lineEnd = 0;
  let setEnd = 0;
  return {
    timestamps: BigInt64Array.from(rows, (row) => row.timestamp),
    lineEnds: Uint32Array.from(rows, (row) => lineEnd += row.line.length),
    lines: Uint8Array.from(rows.flatMap((row) => row.line)),
    metaIds: Uint32Array.from(metaIds),
    setEnds: Uint32Array.from(sets, (set) => setEnd += set.length),
    meta: Uint8Array.from(sets.flatMap((set) => [...set])),
  };
}

/** Undoes columnsOf for the rows of a range. */
export function rowsOfColumns(columns: RowColumns, rowStart: number, rowEnd: number): ModelRow[] {
  const start = (ends: Uint32Array, index: number) => index === 0 ? 0 : ends[index - 1]!;
  return Array.from({ length: rowEnd - rowStart }, (_, index) => {
    const row = rowStart + index;
    const set = columns.metaIds[row]!;
    return {
      timestamp: columns.timestamps[row]!,
      line: [...columns.lines.subarray(start(columns.lineEnds, row), columns.lineEnds[row])],
      metadata: set === 0
        ? []
        : decodeMetadata(columns.meta, start(columns.setEnds, set - 1), columns.setEnds[set - 1]!),
    };
  });
}

/** Rows of any time, any bytes and little variety, so that equal timestamps, lines and sets are
 *  common. */
export const modelRowArbitrary: fc.Arbitrary<ModelRow> = fc.record({
  timestamp: fc.oneof(
    { weight: 3, arbitrary: fc.bigInt({ min: -2n, max: 3n }) },
    { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) },
    {
      weight: 1,
      arbitrary: fc.nat(1000).map((ms) => 1_700_000_000_000_000_000n + 1_000_000n * BigInt(ms)),
    },
  ),
  line: fc.oneof(
    fc.constantFrom([], [10], [97], [97, 98], [255, 254], [0]),
    fc.array(fc.nat(255), { maxLength: 12 }),
  ),
  metadata: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    {
      weight: 3,
      arbitrary: fc.uniqueArray(
        fc.tuple(fc.constantFrom("a", "b", "é"), fc.constantFrom("", "1", "x\n")),
        { maxLength: 3, selector: ([name]) => name },
      ).map((pairs) => pairs.sort((a, b) => a[0] < b[0] ? -1 : 1)),
    },
  ),
}, { noNullPrototype: true });
