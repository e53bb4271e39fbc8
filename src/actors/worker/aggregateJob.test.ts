/** Aggregating one or two streams, spread at random over chunks, head slices, units and jobs, against a naive
 *  model over rows as objects: drop duplicates, filter, take the rows of each window. */
import { Result } from "effect";
import fc from "fast-check";
import t from "tap";
import { rowRange } from "../../logql/metrics/buckets.ts";
import type { StepGrid } from "../../logql/metrics/grid.ts";
import { unpackMatrix } from "../../logql/metrics/packedMatrix.ts";
import { parseMetricQuery } from "../../logql/parser.ts";
import { type Leaf, leafPipeline, planMetric } from "../../logql/planner/metricPlan.ts";
import { type Batch, batchMessage, buildBatch } from "../../streams/batch.ts";
import { buildChunks, chunkOptionsDefault } from "../../streams/chunkWriter.ts";
import { formatLabels } from "../../streams/labels.ts";
import { columnsOf, type ModelRow } from "../../testing/modelRows.ts";
import { randomFrom } from "../../testing/random.ts";
import type {
  AggregateJob,
  AggregateSource,
  AggregateUnit,
  CellStates,
} from "../protocol/aggregate.ts";
import { aggregate } from "./aggregateJob.ts";
import { mergeStates, windows as windowsJob } from "./evaluateJob.ts";

/** Few times, lines and metadata, so that rows collide often. */
const rowArbitrary: fc.Arbitrary<ModelRow> = fc.record({
  timestamp: fc.bigInt({ min: -3n, max: 24n }),
  line: fc.constantFrom("", "n=1", "n=2.5 error", "n=-4", "error n=x", "\u{1F600}")
    .map((text) => [...new TextEncoder().encode(text)]),
  metadata: fc.constantFrom<ModelRow["metadata"]>(
    [],
    [["k", "v"]],
    [["k", "w"]],
    [["app", "x"], ["k", "v"]],
  ),
}, { noNullPrototype: true });

interface Part {
  readonly rows: ReadonlyArray<ModelRow>;
  readonly flushed: boolean;
}

/** Per stream, what arrived together, and whether it was flushed. */
const streamsArbitrary = fc.array(
  fc.array(
    fc.record({
      rows: fc.array(rowArbitrary, { minLength: 1, maxLength: 12 }),
      flushed: fc.boolean(),
    }, { noNullPrototype: true }),
    { maxLength: 5 },
  ),
  { minLength: 1, maxLength: 2 },
);

const streamLabels = ['{app="a", pod="1"}', '{app="a", pod="2"}'];

/** A query, which rows it keeps, which labels it groups by, and what of a row it takes. */
interface Question {
  readonly query: string;
  readonly keeps: (line: string, labels: Record<string, string>) => boolean;
  readonly by: ReadonlyArray<string> | "all";
  readonly reduce: (rows: ReadonlyArray<{ line: string; bytes: number }>) => number;
}

const valueOf = (line: string) => Number(/n=([-\d.]+)/.exec(line)?.[1]);
const hasNumber = (line: string) => /n=[-\d.]+/.test(line);
const count: Question["reduce"] = (rows) => rows.length;
const values = (rows: ReadonlyArray<{ line: string }>) => rows.map(({ line }) => valueOf(line));

const questions: ReadonlyArray<Question> = [
  { query: 'count_over_time({app="a"}[5ns])', keeps: () => true, by: "all", reduce: count },
  {
    query: 'sum by (pod) (count_over_time({app="a"}[7ns]))',
    keeps: () => true,
    by: ["pod"],
    reduce: count,
  },
  { query: 'sum(count_over_time({app="a"}[2ns]))', keeps: () => true, by: [], reduce: count },
  {
    query: 'sum by (k) (count_over_time({app="a"} |= "error" [6ns]))',
    keeps: (line) => line.includes("error"),
    by: ["k"],
    reduce: count,
  },
  {
    query: 'sum by (app_extracted, pod) (bytes_over_time({app="a"} | k="v" [9ns]))',
    keeps: (_, labels) => labels["k"] === "v",
    by: ["app_extracted", "pod"],
    reduce: (rows) => rows.reduce((sum, { bytes }) => sum + bytes, 0),
  },
  {
    query: 'sum by (pod) (bytes_over_time({app="a"} != "error" [4ns]))',
    keeps: (line) => !line.includes("error"),
    by: ["pod"],
    reduce: (rows) => rows.reduce((sum, { bytes }) => sum + bytes, 0),
  },
  {
    query: 'sum by (pod) (sum_over_time({app="a"} | logfmt | unwrap n | __error__="" [5ns]))',
    keeps: hasNumber,
    by: ["pod"],
    reduce: (rows) => values(rows).reduce((sum, value) => sum + value, 0),
  },
  {
    query: 'max_over_time({app="a"} | logfmt | unwrap n | __error__="" [8ns]) by (k)',
    keeps: hasNumber,
    by: ["k"],
    reduce: (rows) => Math.max(...values(rows)),
  },
  {
    query: 'quantile_over_time(0.5, {app="a"} | logfmt | unwrap n | __error__="" [8ns]) by ()',
    keeps: hasNumber,
    by: [],
    reduce: (rows) => {
      const sorted = values(rows).sort((a, b) => a - b);
      const rank = (sorted.length - 1) / 2;
      return (sorted[Math.floor(rank)]! + sorted[Math.ceil(rank)]!) / 2;
    },
  },
  {
    query: 'last_over_time({app="a"} | logfmt | unwrap n | __error__="" [8ns]) by (app)',
    keeps: hasNumber,
    by: ["app"],
    reduce: (rows) => values(rows).at(-1)!,
  },
  {
    query: 'first_over_time({app="a"} | logfmt | unwrap n | __error__="" [3ns]) by (pod)',
    keeps: hasNumber,
    by: ["pod"],
    reduce: (rows) => values(rows)[0]!,
  },
];

function leafOf({ query }: Question): Leaf {
  const parsed = parseMetricQuery(query.replace(/\[(\d+)ns\]/, "[$1ms]"));
  if (Result.isFailure(parsed)) throw parsed.failure;
  const leaf = planMetric(parsed.success).leaves[0]!;
  // The finest unit of a range is ms; rows here are ns apart.
  return { ...leaf, range: { ...leaf.range, rangeNs: leaf.range.rangeNs / 1_000_000n } };
}

type Points = ReadonlyMap<string, number>;

function naive(
  streams: ReadonlyArray<ReadonlyArray<Part>>,
  question: Question,
  grid: StepGrid,
  rangeNs: bigint,
): Points {
  const rows = streams.flatMap((parts, stream) => {
    const seen = new Set<string>();
    return parts.flatMap((part) => part.rows).filter((row) => {
      const key = JSON.stringify([String(row.timestamp), row.line, row.metadata]);
      return !seen.has(key) && seen.add(key);
    }).map((row) => ({ row, stream }));
  }).map(({ row, stream }) => {
    const labels: Record<string, string> = { app: "a", pod: String(stream + 1) };
    for (const [name, value] of row.metadata) {
      labels[name === "app" ? "app_extracted" : name] = value;
    }
    const line = new TextDecoder().decode(Uint8Array.from(row.line));
    return { time: row.timestamp, line, bytes: row.line.length, labels };
  }).filter(({ line, labels }) => question.keeps(line, labels));
  // Streams come in the order of their labels, rows of each in the order of arrival; sorting is stable.
  rows.sort((a, b) => Number(a.time - b.time));
  const points = new Map<string, number>();
  for (let step = 0; step < grid.count; step++) {
    const end = grid.startNs + BigInt(step) * grid.stepNs;
    const window = rows.filter(({ time }) => time > end - rangeNs && time <= end);
    const groups = Map.groupBy(window, ({ labels }) => {
      const names = question.by === "all" ? Object.keys(labels) : question.by;
      const kept = names.filter((name) => name in labels).sort();
      return formatLabels(kept.map((name) => [name, labels[name]!] as const));
    });
    for (const [key, own] of groups) points.set(`${key} ${step}`, question.reduce(own));
  }
  return points;
}

function engine(
  streams: ReadonlyArray<ReadonlyArray<Part>>,
  question: Question,
  grid: StepGrid,
  cut: Cut,
): Points {
  const leaf = leafOf(question);
  const limits = { seriesMax: 1000, samplesMax: 100_000 };
  const windows = { grid, rangeNs: leaf.range.rangeNs, offsetNs: leaf.range.offsetNs };
  const context = () => ({ cancelled: () => false, transfer: [], sharedBytes: 0 });
  let gathered: ReadonlyArray<CellStates> = [];
  for (const { units, batches, reader } of jobsOf(streams, cut)) {
    const job: AggregateJob = {
      pipeline: leafPipeline(leaf),
      spec: leaf.spec,
      windows,
      range: rowRange(windows),
      grouping: leaf.grouping,
      keepsErrors: leaf.keepsErrors,
      limits,
      units,
      batches: batches.map(batchMessage),
    };
    gathered = [...gathered, aggregate(job, reader, context())];
    // Every other time, those that are there are put together, as when there are many.
    if (gathered.length === 3) {
      gathered = [mergeStates({ spec: leaf.spec, limits, states: gathered }, context())];
    }
  }
  const asked = { spec: leaf.spec, limits, states: gathered, windows, samplesHeld: 0 };
  const { matrix: packed } = windowsJob({ ...asked, absentLabels: null }, context());
  const matrix = unpackMatrix(packed, grid.count);
  return new Map(
    matrix.series.flatMap(({ labels, values, present }) =>
      [...values].flatMap((value, step) =>
        present[step] === 1 ? [[`${formatLabels(labels)} ${step}`, value] as const] : []
      )
    ),
  );
}

/** How rows are cut: the size of chunks and blocks, and whether streams share a job. */
interface Cut {
  readonly rawBytesMax: number;
  readonly blockBytes: number;
  readonly together: boolean;
}

/** Units as planUnits makes them: all sources of a stream that touch are in one. Here all of a stream's are,
 *  unless a single chunk holds them. */
function* jobsOf(streams: ReadonlyArray<ReadonlyArray<Part>>, cut: Cut) {
  const batches: Batch[] = [];
  const chunkBytes: number[] = [];
  const units: AggregateUnit[] = [];
  for (const [rank, parts] of streams.entries()) {
    const sources: AggregateSource[] = [];
    for (const { rows, flushed } of parts) {
      const labels = streamLabels[rank]!;
      const slices = [{ labels, rowStart: 0, rowEnd: rows.length }];
      const batch = buildBatch("t", slices, columnsOf(rows));
      const { minTime } = batch;
      if (!flushed) {
        sources.push({ batch: batches.length, rowStart: 0, rowEnd: rows.length, minTime });
        batches.push(batch);
        continue;
      }
      const options = { ...chunkOptionsDefault, ...cut };
      for (const chunk of buildChunks([{ batch, rowStart: 0, rowEnd: rows.length }], options)) {
        const place = { key: "k", offset: chunkBytes.length, length: chunk.bytes.length };
        sources.push({ chunk: place, minTime: chunk.minTime });
        chunkBytes.push(...chunk.bytes);
      }
    }
    if (sources.length > 0) units.push({ labels: streamLabels[rank]!, rank, sources });
  }
  const object = Uint8Array.from(chunkBytes);
  const reader = {
    getRange: (_key: string, from: number, length: number) => object.slice(from, from + length),
    close: () => {},
  };
  if (cut.together) yield { units, batches, reader };
  else for (const unit of units.toReversed()) yield { units: [unit], batches, reader };
}

function compare(found: Points, wanted: Points, what: string): void {
  for (const [key, value] of wanted) {
    const other = found.get(key);
    if (other === undefined || Math.abs(other - value) > 1e-9) {
      throw new Error(`${what}: ${key} is ${other}, wanted ${value}`);
    }
  }
  if (found.size !== wanted.size) {
    throw new Error(`${what}: ${found.size} for ${wanted.size} points`);
  }
}

const gridArbitrary: fc.Arbitrary<StepGrid> = fc.record({
  startNs: fc.bigInt({ min: -4n, max: 20n }),
  stepNs: fc.bigInt({ min: 1n, max: 9n }),
  count: fc.integer({ min: 1, max: 8 }),
}, { noNullPrototype: true });

const cutArbitrary: fc.Arbitrary<Cut> = fc.record({
  rawBytesMax: fc.constantFrom(16, 1000),
  blockBytes: fc.constantFrom(6, 1000),
  together: fc.boolean(),
}, { noNullPrototype: true });

t.test("aggregate gives what de-duplicating, filtering and windowing rows as objects gives", (t) => {
  fc.assert(
    fc.property(
      streamsArbitrary,
      fc.constantFrom(...questions),
      gridArbitrary,
      cutArbitrary,
      (streams, question, grid, cut) => {
        const wanted = naive(streams, question, grid, leafOf(question).range.rangeNs);
        compare(engine(streams, question, grid, cut), wanted, question.query);
      },
    ),
    { numRuns: 1000 },
  );
  t.end();
});

t.test("however data is cut into chunks, blocks, slices and jobs, the answer is the same", (t) => {
  fc.assert(
    fc.property(
      streamsArbitrary,
      fc.constantFrom(...questions),
      gridArbitrary,
      (streams, question, grid) => {
        const cuts: Cut[] = [];
        for (const together of [true, false]) {
          for (const blockBytes of [6, 1000]) {
            cuts.push({
              rawBytesMax: 1000,
              blockBytes,
              together,
            });
          }
        }
        const unflushed = streams.map((parts) =>
          parts.map((part) => ({ ...part, flushed: false }))
        );
        const wanted = engine(unflushed, question, grid, cuts[0]!);
        for (const cut of cuts) {
          compare(
            engine(streams, question, grid, cut),
            wanted,
            question.query,
          );
        }
      },
    ),
    { numRuns: 150 },
  );
  t.end();
});

t.test("a row with an error ends the query with the error's name, outside of windows it does not", (t) => {
  const rows: ModelRow[] = [
    { timestamp: 5n, line: [...new TextEncoder().encode("n=1")], metadata: [] },
    { timestamp: 9n, line: [...new TextEncoder().encode("n=x")], metadata: [] },
  ];
  const question = {
    ...questions[0]!,
    query: 'sum_over_time({app="a"} | logfmt | unwrap n [4ns])',
  };
  const ask = (startNs: bigint) =>
    engine([[{ rows, flushed: true }]], question, { startNs, stepNs: 1n, count: 1 }, {
      rawBytesMax: 1000,
      blockBytes: 1000,
      together: true,
    });
  t.same([...ask(6n)], [['{app="a", pod="1"} 0', 1]]);
  t.throws(() => ask(9n), {
    name: "PipelineFailed",
    message: /'SampleExtractionErr' for series: '\{/,
  });
  t.end();
});

t.test("rows that are only counted are counted without reading their lines", (t) => {
  const random = randomFrom(1);
  const rows = Array.from({ length: 3000 }, (_, at): ModelRow => ({
    timestamp: BigInt(at),
    line: [...new TextEncoder().encode(random.hex(64))],
    metadata: [["k", at % 3 === 0 ? "v" : "w"]],
  }));
  const grid = { startNs: 999n, stepNs: 1000n, count: 3 };
  const cut = { rawBytesMax: 1_000_000, blockBytes: 10_000, together: true };
  const [job] = [...jobsOf([[{ rows, flushed: true }]], cut)];
  const { units, batches } = job!;
  let bytesRead = 0;
  const reader = {
    ...job!.reader,
    getRange: (key: string, from: number, length: number) => {
      bytesRead += length;
      return job!.reader.getRange(key, from, length);
    },
  };
  for (
    const [query, wanted] of [
      ['sum by (k) (count_over_time({app="a"}[1000ns]))', [334, 333, 333, 666, 667, 667]],
      ['sum by (pod) (bytes_over_time({app="a"}[1000ns]))', [64_000, 64_000, 64_000]],
    ] as const
  ) {
    const leaf = leafOf({ ...questions[0]!, query });
    const windows = { grid, rangeNs: leaf.range.rangeNs, offsetNs: 0n };
    const limits = { seriesMax: 10, samplesMax: 100 };
    bytesRead = 0;
    const result = aggregate(
      {
        pipeline: leafPipeline(leaf),
        spec: leaf.spec,
        windows,
        range: rowRange(windows),
        grouping: leaf.grouping,
        keepsErrors: false,
        limits,
        units,
        batches: batches.map(batchMessage),
      },
      reader,
      { cancelled: () => false, transfer: [], sharedBytes: 0 },
    );
    const totals = [...result.states[0]!].map((total, cell) =>
      [result.series[cell]!, total] as const
    );
    t.same(totals.sort((a, b) => a[0] - b[0]).map(([, total]) => total), wanted, query);
    t.ok(bytesRead < 20_000, `${bytesRead} bytes of a chunk of some 100,000`);
    t.equal(result.stats.bytesScanned, 0);
  }
  t.end();
});
