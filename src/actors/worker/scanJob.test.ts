/** Scanning one stream, spread at random over chunks and head slices, against a naive model: sort, drop duplicates, filter,
 *  take. */
import fc from "fast-check";
import t from "tap";
import type { LabelFilterDescription } from "../../logql/labelFilter.ts";
import type { LineFilterDescription } from "../../logql/lineFilter.ts";
import { type Batch, batchMessage, buildBatch } from "../../streams/batch.ts";
import { decodeMetadata } from "../../streams/metadata.ts";
import { buildChunks, chunkOptionsDefault } from "../../streams/chunkWriter.ts";
import { columnsOf, type ModelRow } from "../../testing/modelRows.ts";
import type { Direction, ScanJob, ScanResult, ScanSource } from "../protocol/scan.ts";
import { scan } from "./scanJob.ts";

/** Few times, lines and metadata, so that rows collide often. */
const rowArbitrary: fc.Arbitrary<ModelRow> = fc.record({
  timestamp: fc.bigInt({ min: -3n, max: 12n }),
  line: fc.constantFrom("", "a", "ab error", "error\n", "\u{1F600} b", "zz")
    .map((text) => [...new TextEncoder().encode(text)]),
  metadata: fc.constantFrom<ModelRow["metadata"]>(
    [],
    [["k", "v"]],
    [["k", "w"]],
    [["a", "x"], ["k", ""]],
    [["a", "y"], ["k", "v"], ["kk", "v"]],
  ),
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

/** Names that the stream has, the metadata has, both have (then its metadata is a_extracted), and none has. */
const matcherArbitrary: fc.Arbitrary<LabelFilterDescription> = fc.record({
  name: fc.constantFrom("a", "a_extracted", "k", "kk", "none"),
  op: fc.constantFrom("=" as const, "!=" as const, "=~" as const, "!~" as const),
  value: fc.constantFrom("", "b", "v", "x", "x|y", "v|w", ".+"),
}, { noNullPrototype: true });

const labelFiltersArbitrary = fc.array(
  fc.oneof(
    matcherArbitrary,
    fc.record({
      op: fc.constantFrom("and" as const, "or" as const),
      left: matcherArbitrary,
      right: matcherArbitrary,
    }, { noNullPrototype: true }),
  ),
  { maxLength: 2 },
);

const streamLabels = '{a="b"}';

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
  readonly labelFilters: LabelFilterDescription[];
}

/** Whether a row of the stream {a="b"} passes, by the words of the rule: the stream's label wins, metadata of its name is called
 *  name_extracted, what is missing is "". */
function passes(filter: LabelFilterDescription, row: ModelRow): boolean {
  if ("left" in filter) {
    const sides = [passes(filter.left, row), passes(filter.right, row)];
    return filter.op === "and" ? sides.every(Boolean) : sides.some(Boolean);
  }
  const labels: Record<string, string> = { a: "b" };
  for (const [name, value] of row.metadata) labels[name === "a" ? "a_extracted" : name] = value;
  const value = labels[filter.name] ?? "";
  const found = filter.op.endsWith("~")
    ? new RegExp(`^(?:${filter.value})$`, "s").test(value)
    : value === filter.value;
  return filter.op.startsWith("!") ? !found : found;
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
    .filter((row) => question.labelFilters.every((filter) => passes(filter, row)))
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
    [{ labels: streamLabels, rowStart: 0, rowEnd: rows.length }],
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
    labelFilters: question.labelFilters,
    filters: question.filters,
    range: { start: question.start, end: question.end },
    direction: question.direction,
    rowsMax: question.rowsMax,
    bytesMax: 1_000_000,
    units: sources.length === 0 ? [] : [{ labels: streamLabels, sources }],
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
    return JSON.stringify([String(timestamp), line, decodeMetadata(meta, 0, meta.length)]);
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
      labelFiltersArbitrary,
      (parts, start, end, direction, rowsMax, filters, labelFilters) => {
        const question = { start, end, direction, rowsMax, filters, labelFilters };
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
  const question: Question = {
    start: 0n,
    end: 9n,
    direction: "forward",
    rowsMax: 10,
    filters: [],
    labelFilters: [],
  };
  const { job, reader } = jobOf([{ rows, flushed: true }], question);
  t.throws(() => scan(job, reader, { cancelled: () => true, transfer: [], sharedBytes: 0 }), {
    name: "ScanCancelled",
  });
  t.throws(() => scan({ ...job, bytesMax: 2 }, reader, context()), { name: "ResponseTooLarge" });
  t.end();
});

t.test("a limit among lines of one time does not bring a duplicate back", (t) => {
  const row = (letter: string): ModelRow => ({
    timestamp: 1n,
    line: [letter.charCodeAt(0)],
    metadata: [],
  });
  const parts: Part[] = [
    { rows: [row("a"), row("b"), row("c")], flushed: true },
    { rows: [row("a")], flushed: false },
  ];
  for (const direction of ["backward", "forward"] as const) {
    const question = { start: 0n, end: 9n, direction, rowsMax: 2, filters: [], labelFilters: [] };
    const { job, reader } = jobOf(parts, question);
    t.same(rowsOf(scan(job, reader, context())), naive(parts, question), direction);
  }
  t.end();
});
