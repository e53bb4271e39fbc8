/** Scanning one stream, spread at random over chunks and head slices, against a naive model: sort,
 *  drop duplicates, filter, take. */
import fc from "fast-check";
import t from "tap";
import { type Batch, batchMessage, buildBatch } from "../../streams/batch.ts";
import { parseLabels } from "../../streams/labels.ts";
import { decodeMetadata } from "../../streams/metadata.ts";
import { buildChunks, chunkOptionsDefault } from "../../streams/chunkWriter.ts";
import { columnsOf, type ModelRow } from "../../testing/modelRows.ts";
import { pipelineOf } from "../../testing/pipelines.ts";
import type { Direction, ScanJob, ScanResult, ScanSource } from "../protocol/scan.ts";
import { scan } from "./scanJob.ts";

/** A row as a pipeline sees it: its labels under the names that queries know. */
interface SeenRow {
  readonly labels: Map<string, string>;
  /** Names of the stored row, and of what parsers found. */
  readonly stored: ReadonlySet<string>;
  readonly parsed: Set<string>;
  line: string;
}

/** A stage, as text and as what it does: changes the row, and says whether it stays. */
interface ModelStage {
  readonly text: string;
  readonly keeps: (row: SeenRow) => boolean;
}

/** Few times, lines and metadata, so that rows collide often. */
const rowArbitrary: fc.Arbitrary<ModelRow> = fc.record({
  timestamp: fc.bigInt({ min: -3n, max: 12n }),
  line: fc.constantFrom("", "a", "ab error", "error\n", "\u{1F600} b", "zz", "k=q a=p error z=1")
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

const filterArbitrary = fc.constantFrom<ModelStage>(
  { text: "", keeps: () => true },
  { text: '|= "error"', keeps: ({ line }) => line.includes("error") },
  { text: '!~ "a.*b|z"', keeps: ({ line }) => !/a.*b|z/.test(line) },
);

/** Names that the stream has, the metadata has, both have (then its metadata is a_extracted), and
 *  none has. */
const matcherArbitrary: fc.Arbitrary<ModelStage> = fc.record({
  name: fc.constantFrom("a", "a_extracted", "k", "kk", "none"),
  op: fc.constantFrom("=", "!=", "=~", "!~"),
  value: fc.constantFrom("", "b", "v", "x", "x|y", "v|w", ".+"),
}).map(({ name, op, value }) => ({
  text: `${name}${op}"${value}"`,
  keeps: ({ labels }) => {
    const found = op.endsWith("~")
      ? new RegExp(`^(?:${value})$`, "s").test(labels.get(name) ?? "")
      : (labels.get(name) ?? "") === value;
    return op.startsWith("!") ? !found : found;
  },
}));

const labelFilterArbitrary: fc.Arbitrary<ModelStage> = fc.oneof(
  matcherArbitrary,
  fc.record({ op: fc.constantFrom("and", "or"), left: matcherArbitrary, right: matcherArbitrary })
    .map(({ op, left, right }) => ({
      text: `(${left.text} ${op} ${right.text})`,
      keeps: (row: SeenRow) => {
        const sides = [left.keeps(row), right.keeps(row)];
        return op === "and" ? sides.every(Boolean) : sides.some(Boolean);
      },
    })),
).map(({ text, keeps }) => ({ text: `| ${text}`, keeps }));

/** Stages that change rows. */
const changeArbitrary = fc.constantFrom<ModelStage>(
  {
    text: '| drop k="v", none',
    keeps: ({ labels }) => {
      if (labels.get("k") === "v") labels.delete("k");
      return true;
    },
  },
  {
    text: "| keep k, kk",
    keeps: ({ labels }) => {
      for (const name of labels.keys()) if (name !== "k" && name !== "kk") labels.delete(name);
      return true;
    },
  },
  { text: "| drop a", keeps: ({ labels }) => [labels.delete("a")].length > 0 },
  {
    text: "| logfmt",
    keeps: ({ labels, stored, parsed, line }) => {
      for (const [, key, value] of line.matchAll(/\b(\w+)=(\w+)/g)) {
        const name = stored.has(key!) ? `${key}_extracted` : key!;
        if (!parsed.has(name) || !labels.has(name)) labels.set(name, value!);
        parsed.add(name);
      }
      return true;
    },
  },
  {
    text: "| line_format `{{.k}}!`",
    keeps: (row) => {
      row.line = `${row.labels.get("k") ?? ""}!`;
      return true;
    },
  },
  { text: '|~ "v|q"', keeps: ({ line }) => /v|q/.test(line) },
);

const stagesArbitrary = fc.tuple(
  filterArbitrary,
  fc.array(fc.oneof(labelFilterArbitrary, changeArbitrary), { maxLength: 4 }),
).map(([first, rest]) => [first, ...rest]);

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
  readonly stages: ReadonlyArray<ModelStage>;
}

/** By the words of the rule: the stream's label wins, metadata of its name is called
 *  name_extracted. */
function seen(row: ModelRow): SeenRow {
  const labels = new Map([["a", "b"]]);
  for (const [name, value] of row.metadata) labels.set(name === "a" ? "a_extracted" : name, value);
  return { labels, stored: new Set(labels.keys()), parsed: new Set(), line: lineText(row) };
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
    .map(seenWithTime)
    .filter(([, row]) => question.stages.every(({ keeps }) => keeps(row)));
  if (question.direction === "backward") rows.reverse();
  return rows.slice(0, question.rowsMax).map(([time, row]) => describe(time, row));
}

function seenWithTime(row: ModelRow): readonly [bigint, SeenRow] {
  return [row.timestamp, seen(row)];
}

function describe(time: bigint, { labels, line }: Pick<SeenRow, "labels" | "line">): string {
  return JSON.stringify([String(time), line, [...labels].sort()]);
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
    pipeline: pipelineOf(question.stages.map(({ text }) => text).join(" ")),
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
  const part = (bytes: Uint8Array, ends: Uint32Array, row: number) =>
    bytes.subarray(row === 0 ? 0 : ends[row - 1]!, ends[row]!);
  return Array.from(result.timestamps, (timestamp, row) => {
    const streamId = result.streamIds[row]!;
    const stream = parseLabels(streamId === 0 ? streamLabels : result.streams[streamId - 1]!);
    const meta = part(result.meta, result.metaEnds, row);
    const metadata = decodeMetadata(meta, 0, meta.length);
    const parsed = part(result.parsed, result.parsedEnds, row);
    const labels = new Map(stream);
    for (const [name, value] of metadata) {
      labels.set(labels.has(name) ? `${name}_extracted` : name, value);
    }
    for (const [name, value] of decodeMetadata(parsed, 0, parsed.length)) labels.set(name, value);
    const line = new TextDecoder().decode(part(result.lines, result.lineEnds, row));
    return describe(timestamp, { labels, line });
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
      stagesArbitrary,
      (parts, start, end, direction, rowsMax, stages) => {
        const question = { start, end, direction, rowsMax, stages };
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
    stages: [],
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
    const question = { start: 0n, end: 9n, direction, rowsMax: 2, stages: [] };
    const { job, reader } = jobOf(parts, question);
    t.same(rowsOf(scan(job, reader, context())), naive(parts, question), direction);
  }
  t.end();
});
