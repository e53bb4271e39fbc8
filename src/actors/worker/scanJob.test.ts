/** Scanning one stream, spread at random over chunks and head slices, against a naive model: sort, drop duplicates, filter, take. */
import fc from "fast-check";
import t from "tap";
import type { LineFilterDescription } from "../../logql/lineFilter.ts";
import { type Batch, batchMessage, buildBatch } from "../../streams/batch.ts";
import { buildChunks, chunkOptionsDefault } from "../../streams/chunkWriter.ts";
import { columnsOf, type ModelRow } from "../../testing/modelRows.ts";
import type { Direction, ScanJob, ScanResult, ScanSource } from "../protocol/scan.ts";
import { scan } from "./scanJob.ts";

/** Few times, lines and metadata, so that rows collide often. */
const rowArbitrary: fc.Arbitrary<ModelRow> = fc.record({
  timestamp: fc.bigInt({ min: -3n, max: 12n }),
  line: fc.constantFrom("", "a", "ab error", "error\n", "\u{1F600} b", "zz")
    .map((text) => [...new TextEncoder().encode(text)]),
  metadata: fc.constantFrom<ModelRow["metadata"]>([], [["k", "v"]], [["k", "w"]]),
}, { noNullPrototype: true });

/** Rows that arrived together, and whether they were flushed. */
const partsArbitrary = fc.array(
  fc.record({
    rows: fc.array(rowArbitrary, { minLength: 1, maxLength: 12 }),
    flushed: fc.boolean(),
  }, { noNullPrototype: true }),
  { maxLength: 5 },
);

const filtersArbitrary: fc.Arbitrary<LineFilterDescription[]> = fc.constantFrom(
  [],
  [{ op: "|=" as const, operands: [{ type: "text" as const, value: "error" }] }],
  [{ op: "!~" as const, operands: [{ type: "text" as const, value: "a.*b|z" }] }],
);

interface Part {
  readonly rows: ReadonlyArray<ModelRow>;
  readonly flushed: boolean;
}

interface Question {
  readonly start: bigint;
  readonly end: bigint;
  readonly direction: Direction;
  readonly rowsMax: number;
  readonly filters: LineFilterDescription[];
}

function lineText(row: ModelRow): string {
  return new TextDecoder().decode(Uint8Array.from(row.line));
}

function naive(parts: ReadonlyArray<Part>, question: Question): string[] {
  const seen = new Set<string>();
  const rows = parts.flatMap((part) => part.rows)
    .filter((row) => {
      const key = JSON.stringify([String(row.timestamp), row.line, row.metadata]);
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    })
    .map((row, arrival) => ({ row, arrival }))
    .sort((a, b) => Number(a.row.timestamp - b.row.timestamp) || a.arrival - b.arrival)
    .map(({ row }) => row)
    .filter((row) => row.timestamp >= question.start && row.timestamp < question.end)
    .filter((row) =>
      question.filters.every(({ op, operands }) => {
        const text = operands[0]!.value;
        return op === "|=" ? lineText(row).includes(text) : !new RegExp(text).test(lineText(row));
      })
    );
  if (question.direction === "backward") rows.reverse();
  return rows.slice(0, question.rowsMax).map(describe);
}

function describe(row: ModelRow): string {
  return JSON.stringify([String(row.timestamp), row.line, row.metadata]);
}

function batchOfRows(rows: ReadonlyArray<ModelRow>): Batch {
  return buildBatch(
    "t",
    [{ labels: '{a="b"}', rowStart: 0, rowEnd: rows.length }],
    columnsOf(rows),
  );
}

/** A job over all parts as one unit; chunks lie behind one another in one object. */
function jobOf(parts: ReadonlyArray<Part>, question: Question) {
  const batches: Batch[] = [];
  const chunkBytes: Uint8Array[] = [];
  const sources: ScanSource[] = [];
  let offset = 0;
  for (const { rows, flushed } of parts) {
    const batch = batchOfRows(rows);
    if (!flushed) {
      sources.push({ batch: batches.length, rowStart: 0, rowEnd: rows.length });
      batches.push(batch);
      continue;
    }
    const options = { ...chunkOptionsDefault, rawBytesMax: 16, blockBytes: 6 };
    for (const { bytes } of buildChunks([{ batch, rowStart: 0, rowEnd: rows.length }], options)) {
      sources.push({ chunk: { key: "k", offset, length: bytes.length } });
      chunkBytes.push(bytes);
      offset += bytes.length;
    }
  }
  const job: ScanJob = {
    filters: question.filters,
    range: { start: question.start, end: question.end },
    direction: question.direction,
    rowsMax: question.rowsMax,
    bytesMax: 1_000_000,
    units: sources.length === 0 ? [] : [{ sources }],
    batches: batches.map(batchMessage),
  };
  const object = Uint8Array.from(chunkBytes.flatMap((bytes) => [...bytes]));
  const reader = {
    getRange: (_key: string, from: number, length: number) => object.slice(from, from + length),
    close: () => {},
  };
  return { job, reader };
}

function rowsOf(result: ScanResult): string[] {
  return Array.from(result.timestamps, (timestamp, row) => {
    const line = [
      ...result.lines.subarray(row === 0 ? 0 : result.lineEnds[row - 1]!, result.lineEnds[row]!),
    ];
    const meta = result.meta.subarray(
      row === 0 ? 0 : result.metaEnds[row - 1]!,
      result.metaEnds[row]!,
    );
    const metadata = meta.length === 0 ? [] : [["k", String.fromCharCode(meta[meta.length - 1]!)]];
    return JSON.stringify([String(timestamp), line, metadata]);
  });
}

const context = () => ({ cancelled: () => false, transfer: [], sharedBytes: 0 });

t.test("scan gives what sorting, de-duplicating and filtering rows as objects gives", (t) => {
  fc.assert(
    fc.property(
      partsArbitrary,
      fc.bigInt({ min: -4n, max: 14n }),
      fc.bigInt({ min: -4n, max: 14n }),
      fc.constantFrom<Direction>("backward", "forward"),
      fc.integer({ min: 1, max: 20 }),
      filtersArbitrary,
      (parts, start, end, direction, rowsMax, filters) => {
        const question = { start, end, direction, rowsMax, filters };
        const { job, reader } = jobOf(parts, question);
        t.same(rowsOf(scan(job, reader, context())), naive(parts, question));
      },
    ),
    { numRuns: 1500 },
  );
  t.end();
});

t.test("scan stops when nobody waits, and refuses more bytes than allowed", (t) => {
  const rows: ModelRow[] = [{ timestamp: 1n, line: [97, 98, 99], metadata: [] }];
  const question: Question = { start: 0n, end: 9n, direction: "forward", rowsMax: 10, filters: [] };
  const { job, reader } = jobOf([{ rows, flushed: true }], question);
  t.throws(() => scan(job, reader, { cancelled: () => true, transfer: [], sharedBytes: 0 }), {
    name: "ScanCancelled",
  });
  t.throws(() => scan({ ...job, bytesMax: 2 }, reader, context()), { name: "ResponseTooLarge" });
  t.end();
});
